// SPDX-License-Identifier: MIT
/* sock on loop: both ends of a connection on one loop, a few messages a turn, answers from inside
 * the drain. A loop that believes ZeroMQ's descriptor stands still here after the first seven. */
#include "tests/test.h"

#include "common/loop.h"
#include "common/sock.h"

#include <string.h>

#define MINUTE   60000
#define MESSAGES 3000
#define WINDOW   90 /* on their way at once: far more than are drained in a turn */

struct echo {
    struct loop *loop;
    struct sock *router, *dealer;
    int sent, served, answered, asked, asked_at_end;
    struct timer end, guard;
};

static bool router_pending(void *ctx)
{
    struct echo *x = ctx;
    x->asked++;
    return sock_pending(x->router);
}

static void router_drain(void *ctx)
{
    struct echo *x = ctx;
    struct sock_message m;
    for (int i = 0; i < 7 && sock_recv(x->router, &m); i++, x->served++)
        assert_int_equal(sock_send(x->router, m.peer, m.bytes, m.size), SOCK_SENT);
}

static bool dealer_pending(void *ctx)
{
    struct echo *x = ctx;
    return sock_pending(x->dealer);
}

static void fill_window(struct echo *x)
{
    while (x->sent < MESSAGES && x->sent - x->answered < WINDOW) {
        if (sock_send(x->dealer, 0, &x->sent, sizeof x->sent) != SOCK_SENT) return;
        x->sent++;
    }
}

static void stop_echo(void *ctx)
{
    struct echo *x = ctx;
    loop_stop(x->loop);
}

static void dealer_drain(void *ctx)
{
    struct echo *x = ctx;
    struct sock_message m;
    for (int i = 0; i < 7 && sock_recv(x->dealer, &m); i++, x->answered++)
        assert_memory_equal(m.bytes, &x->answered, sizeof x->answered);
    fill_window(x);
    if (x->answered == MESSAGES && !timer_running(&x->end)) {
        x->asked_at_end = x->asked;
        timer_start(&x->end, x->loop, 200, 0, stop_echo, x);
    }
}

/* A CURVE server and a client that it allows. */
static void open_both(struct echo *x)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:0"};
    char server[2][SOCK_KEY], client[2][SOCK_KEY];
    struct sock_client allowed = {.user = "ada"};
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_keypair(server[0], server[1], NULL), OK);
    assert_int_equal(sock_keypair(client[0], client[1], NULL), OK);
    memcpy(allowed.key, client[0], SOCK_KEY);
    assert_int_equal(sock_allow(&allowed, 1, NULL), OK);
    struct sock_router_config r = {endpoints, 1, server[1], 1000};
    assert_int_equal(sock_router(&x->router, &r, NULL), OK);
    struct sock_dealer_config d = {sock_endpoint(x->router, 0), server[0], client[0], client[1],
                                   1000};
    assert_int_equal(sock_dealer(&x->dealer, &d, NULL), OK);
}

void test_three_thousand_messages_arrive_seven_a_turn_without_spinning(void **state)
{
    struct echo x = {0};
    struct edge *served, *answered;
    (void)state;
    open_both(&x);
    assert_int_equal(loop_open(&x.loop, NULL), OK);
    struct edge_source r = {sock_fd(x.router), router_pending, router_drain, &x};
    struct edge_source d = {sock_fd(x.dealer), dealer_pending, dealer_drain, &x};
    assert_int_equal(edge_open(&served, x.loop, &r, NULL), OK);
    assert_int_equal(edge_open(&answered, x.loop, &d, NULL), OK);
    fill_window(&x);
    timer_start(&x.guard, x.loop, MINUTE, 0, stop_echo, &x);
    loop_run(x.loop);
    assert_int_equal(x.served, MESSAGES);
    assert_int_equal(x.answered, MESSAGES);
    print_message("asked %d times in all, %d times in the last 200 ms\n", x.asked,
                  x.asked - x.asked_at_end);
    assert_true(x.asked < 4 * MESSAGES);
    assert_true(x.asked - x.asked_at_end < 20); /* at rest the loop sleeps */
    edge_close(&served);
    edge_close(&answered);
    loop_close(&x.loop);
    sock_close(&x.dealer);
    sock_close(&x.router);
    sock_finish();
}
