// SPDX-License-Identifier: MIT
/* router: real sockets on port 0 and ipc, a worker and a grokctl that speak to it. */
#include "tests/test.h"

#include "common/sock.h"
#include "coordinator/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    char public_key[SOCK_KEY], secret_key[SOCK_KEY];
};

struct scene {
    struct pair server, client;
    char dir[32], control[64];
    struct loop *loop;
    struct router *router;
    struct sock *worker, *ctl;
    struct timer tick, guard;
    int heard, want; /* messages; the loop stops at want */
    uint64_t peer;   /* of the last */
    char user[SOCK_USER];
    wire_envelope *last;
};

static void on_message(void *ctx, uint64_t peer, const char *user, wire_envelope *m)
{
    struct scene *s = ctx;
    wire_free(&s->last);
    s->last = m;
    s->peer = peer;
    snprintf(s->user, sizeof s->user, "%s", user);
    if (++s->heard == s->want) loop_stop(s->loop);
}

static void give_up(void *ctx)
{
    (void)ctx;
    fail_msg("%s", "nothing happened for a minute");
}

static void open_scene(struct scene *s)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"};
    struct err e = {0};
    memset(s, 0, sizeof *s);
    strcpy(s->dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->control, sizeof s->control, "ipc://%s/ctl", s->dir);
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_keypair(s->server.public_key, s->server.secret_key, NULL), OK);
    assert_int_equal(sock_keypair(s->client.public_key, s->client.secret_key, NULL), OK);
    struct sock_client ada = {.user = "ada"};
    memcpy(ada.key, s->client.public_key, SOCK_KEY);
    assert_int_equal(sock_allow(&ada, 1, NULL), OK);
    assert_int_equal(loop_open(&s->loop, NULL), OK);
    struct router_config c = {endpoints, 2, s->server.secret_key, s->server.public_key, s->control};
    assert_int_equal(router_open(&s->router, s->loop, &c, on_message, s, &e), OK);
    timer_start(&s->guard, s->loop, 60000, 0, give_up, s);
}

static void open_clients(struct scene *s)
{
    struct sock_dealer_config w = {router_endpoint(s->router, 1), s->server.public_key,
                                   s->client.public_key, s->client.secret_key, WIRE_LIMIT};
    struct sock_dealer_config c = {.endpoint = s->control, .limit = WIRE_LIMIT};
    assert_int_equal(sock_dealer(&s->worker, &w, NULL), OK);
    assert_int_equal(sock_dealer(&s->ctl, &c, NULL), OK);
}

static void close_scene(struct scene *s)
{
    wire_free(&s->last);
    sock_close(&s->worker);
    sock_close(&s->ctl);
    router_close(&s->router);
    loop_close(&s->loop);
    sock_finish();
    unlink(s->control + strlen("ipc://"));
    assert_int_equal(rmdir(s->dir), 0);
}

static void send_goodbye(struct sock *from)
{
    Grokd__Goodbye body = GROKD__GOODBYE__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    uint8_t *bytes;
    size_t size;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_GOODBYE;
    m.goodbye = &body;
    assert_int_equal(wire_pack(&m, &bytes, &size, NULL), OK);
    assert_int_equal(sock_send(from, 0, bytes, size), SOCK_SENT);
    free(bytes);
}

static void listen_for(struct scene *s, int more)
{
    s->want = s->heard + more;
    loop_run(s->loop);
}

static int answer(struct scene *s, uint64_t peer, struct err *e)
{
    Grokd__Answer body = GROKD__ANSWER__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    body.text = (char *)(uintptr_t) "well";
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_ANSWER;
    m.answer = &body;
    return router_send(s->router, peer, &m, e);
}

/* Turns the loop until a client has its answer. */
struct reader {
    struct scene *scene;
    struct sock *sock;
    char text[WIRE_NAME];
};

/* An Answer's text, or the reason of a Refuse. */
static void try_read(void *ctx)
{
    struct reader *r = ctx;
    struct sock_message m;
    wire_envelope *envelope;
    if (!sock_recv(r->sock, &m)) return;
    assert_int_equal(wire_unpack(&envelope, m.bytes, m.size, NULL), OK);
    bool refused = envelope->body_case == GROKD__ENVELOPE__BODY_REFUSE;
    snprintf(r->text, sizeof r->text, "%s",
             refused ? envelope->refuse->reason : envelope->answer->text);
    wire_free(&envelope);
    loop_stop(r->scene->loop);
}

static void expect_text(struct scene *s, struct sock *sock, const char *text)
{
    struct reader r = {.scene = s, .sock = sock};
    timer_start(&s->tick, s->loop, 1, 1, try_read, &r);
    loop_run(s->loop);
    timer_stop(&s->tick);
    if (!strstr(r.text, text)) fail_msg("no '%s' in: %s", text, r.text);
}

static void expect_answer(struct scene *s, struct sock *sock)
{
    expect_text(s, sock, "well");
}

void test_workers_and_grokctl_are_heard_told_apart_and_answered(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    assert_string_not_equal(router_endpoint(s.router, 0), router_endpoint(s.router, 1));
    send_goodbye(s.worker);
    listen_for(&s, 1);
    assert_string_equal(s.user, "ada");
    assert_false(router_is_control(s.peer));
    assert_int_equal(s.last->body_case, GROKD__ENVELOPE__BODY_GOODBYE);
    assert_int_equal(answer(&s, s.peer, NULL), OK);
    expect_answer(&s, s.worker);
    send_goodbye(s.ctl);
    listen_for(&s, 1);
    assert_string_equal(s.user, "");
    assert_true(router_is_control(s.peer));
    assert_int_equal(answer(&s, s.peer, NULL), OK);
    expect_answer(&s, s.ctl);
    close_scene(&s);
}

void test_bytes_that_are_no_message_are_counted_and_refused(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    assert_int_equal(sock_send(s.worker, 0, "\xff\xff nonsense", 10), SOCK_SENT);
    assert_int_equal(sock_send(s.worker, 0, "", 0), SOCK_SENT);
    send_goodbye(s.worker);
    listen_for(&s, 1);
    assert_int_equal(s.heard, 1);
    assert_int_equal(router_bad_count(s.router), 2);
    close_scene(&s);
}

void test_who_speaks_another_version_is_told_so(void **state)
{
    static const char later[] = {8, 2, 0x5a, 0};
    struct scene s;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    assert_int_equal(sock_send(s.worker, 0, later, sizeof later), SOCK_SENT);
    expect_text(&s, s.worker, "version 2; this program speaks 1");
    assert_int_equal(sock_send(s.ctl, 0, later, sizeof later), SOCK_SENT);
    expect_text(&s, s.ctl, "version 2; this program speaks 1");
    assert_int_equal(s.heard, 0);
    close_scene(&s);
}

/* A worker with thousands of slots is sent its work at a stretch. */
void test_thousands_of_messages_to_one_peer_all_leave(void **state)
{
    enum { MANY = 5000 };
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    send_goodbye(s.worker);
    listen_for(&s, 1);
    for (int i = 0; i < MANY; i++)
        if (answer(&s, s.peer, &e) < 0) fail_msg("message %d: %s", i, e.text);
    for (int i = 0; i < MANY; i++) expect_answer(&s, s.worker);
    close_scene(&s);
}

void test_a_peer_that_is_not_there_is_reported(void **state)
{
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    assert_int_equal(answer(&s, 4711, &e), E_NET);
    assert_non_null(strstr(e.text, "gone"));
    assert_int_equal(answer(&s, 4711 | (uint64_t)1 << 32, &e), E_NET);
    close_scene(&s);
}

void test_a_drain_hands_over_everything_that_has_arrived(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    send_goodbye(s.worker);
    listen_for(&s, 1);
    for (int i = 0; i < 200; i++) {
        int before = s.heard;
        send_goodbye(s.worker);
        if (i % 2) send_goodbye(s.ctl);
        while (s.heard < before + 1 + i % 2) router_drain_all(s.router); /* without the loop */
    }
    assert_int_equal(s.heard, 301);
    close_scene(&s);
}

void test_more_messages_than_a_batch_all_come_in(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_clients(&s);
    for (int i = 0; i < 90; i++) send_goodbye(s.worker);
    for (int i = 0; i < 90; i++) send_goodbye(s.ctl);
    listen_for(&s, 180);
    assert_int_equal(s.heard, 180);
    close_scene(&s);
}

void test_a_router_without_keys_or_with_a_taken_port_is_refused(void **state)
{
    struct scene s;
    struct router *second;
    struct err e;
    (void)state;
    open_scene(&s);
    const char *const taken[] = {router_endpoint(s.router, 0)};
    struct router_config c = {taken, 1, s.server.secret_key, s.server.public_key, NULL};
    assert_int_equal(router_open(&second, s.loop, &c, on_message, &s, &e), E_NET);
    assert_null(second);
    c.secret_key = NULL;
    assert_int_equal(router_open(&second, s.loop, &c, on_message, &s, &e), E_USAGE);
    assert_null(second);
    close_scene(&s);
}
