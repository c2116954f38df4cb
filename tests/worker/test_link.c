// SPDX-License-Identifier: MIT
/* The worker's connection against a real ROUTER with CURVE: talk, refusal, repair. */
#include "tests/test.h"

#include "common/log.h"
#include "common/sock.h"
#include "worker/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* One server and one link on one loop. */
struct meeting {
    struct loop *loop;
    struct sock *server;
    struct edge *edge;
    struct link *link;
    struct timer look, patience;
    char server_public[SOCK_KEY], server_secret[SOCK_KEY];
    char client_public[SOCK_KEY], client_secret[SOCK_KEY];
    int hellos, welcomes; /* arrived at the server, at the link */
    int garbage;          /* messages that are none, to be sent before each Welcome */
    FILE *log;            /* what was logged */
    const char *wanted;   /* in the log: stop then */
    bool late;
};

static struct err e;

static wire_envelope *hello_make(void)
{
    static char uuid[] = "u", host[] = "h", cpu[] = "c", version[] = "1";
    static Grokd__Hello hello;
    static wire_envelope m;
    grokd__hello__init(&hello);
    grokd__envelope__init(&m);
    hello.uuid = uuid;
    hello.host = host;
    hello.cpu = cpu;
    hello.version = version;
    hello.slots = 1;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_HELLO;
    m.hello = &hello;
    return &m;
}

static void say_hello(struct meeting *t)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(wire_pack(hello_make(), &bytes, &size, &e), OK);
    link_send(t->link, bytes, size);
    free(bytes);
}

static void say_welcome(struct meeting *t, uint64_t peer)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Welcome welcome = GROKD__WELCOME__INIT;
    uint8_t *bytes;
    size_t size;
    welcome.worker = welcome.heartbeat_ms = welcome.lease_ms = 1;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_WELCOME;
    m.welcome = &welcome;
    for (int i = 0; i < t->garbage; i++) sock_send(t->server, peer, "garbage", 7);
    assert_int_equal(wire_pack(&m, &bytes, &size, &e), OK);
    assert_int_equal(sock_send(t->server, peer, bytes, size), SOCK_SENT);
    free(bytes);
}

static bool server_pending(void *ctx)
{
    struct meeting *t = ctx;
    return sock_pending(t->server);
}

static void server_drain(void *ctx)
{
    struct meeting *t = ctx;
    struct sock_message in;
    wire_envelope *m;
    while (sock_recv(t->server, &in) == 1) {
        assert_int_equal(wire_unpack(&m, in.bytes, in.size, &e), OK);
        assert_string_equal(m->hello->uuid, "u");
        wire_free(&m);
        t->hellos++;
        say_welcome(t, in.peer);
    }
}

static void on_message(void *ctx, const wire_envelope *m)
{
    struct meeting *t = ctx;
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_WELCOME);
    t->welcomes++;
    loop_stop(t->loop);
}

static void on_patience(void *ctx)
{
    struct meeting *t = ctx;
    t->late = true;
    loop_stop(t->loop);
}

static void on_look(void *ctx)
{
    struct meeting *t = ctx;
    char text[8192];
    rewind(t->log);
    text[fread(text, 1, sizeof text - 1, t->log)] = '\0';
    if (t->wanted && strstr(text, t->wanted)) loop_stop(t->loop);
}

static void run(struct meeting *t)
{
    timer_start(&t->patience, t->loop, PATIENCE_MS, 0, on_patience, t);
    timer_start(&t->look, t->loop, 20, 20, on_look, t);
    loop_run(t->loop);
    timer_stop(&t->patience);
    timer_stop(&t->look);
    if (t->late)
        fail_msg("waited %d s in vain for %s", PATIENCE_MS / 1000,
                 t->wanted ? t->wanted : "a Welcome");
}

static void allow(const struct meeting *t, bool us)
{
    struct sock_client client = {.user = "us"};
    memcpy(client.key, t->client_public, SOCK_KEY);
    assert_int_equal(sock_allow(&client, us, &e), OK);
}

static void meet(struct meeting *t, bool allowed, bool right_server)
{
    const char *endpoints[] = {"tcp://127.0.0.1:0"};
    char other_public[SOCK_KEY], other_secret[SOCK_KEY];
    memset(t, 0, sizeof *t);
    t->log = tmpfile();
    assert_non_null(t->log);
    log_set_fd(fileno(t->log));
    assert_int_equal(loop_open(&t->loop, &e), OK);
    assert_int_equal(sock_start(&e), OK);
    assert_int_equal(sock_keypair(t->server_public, t->server_secret, &e), OK);
    assert_int_equal(sock_keypair(t->client_public, t->client_secret, &e), OK);
    assert_int_equal(sock_keypair(other_public, other_secret, &e), OK);
    allow(t, allowed);
    struct sock_router_config router = {.endpoints = endpoints,
                                        .endpoint_count = 1,
                                        .secret_key = t->server_secret,
                                        .limit = WIRE_LIMIT};
    assert_int_equal(sock_router(&t->server, &router, &e), OK);
    struct edge_source source = {
        .fd = sock_fd(t->server), .pending = server_pending, .drain = server_drain, .ctx = t};
    assert_int_equal(edge_open(&t->edge, t->loop, &source, &e), OK);
    struct link_config link = {.loop = t->loop,
                               .endpoint = sock_endpoint(t->server, 0),
                               .server_key = right_server ? t->server_public : other_public,
                               .public_key = t->client_public,
                               .secret_key = t->client_secret,
                               .on_message = on_message,
                               .ctx = t};
    assert_int_equal(link_open(&t->link, &link, &e), OK);
}

static void part(struct meeting *t)
{
    link_close(&t->link);
    assert_null(t->link);
    edge_close(&t->edge);
    sock_close(&t->server);
    sock_finish();
    loop_close(&t->loop);
    log_set_fd(2);
    fclose(t->log);
}

void test_messages_go_both_ways_and_garbage_is_passed_over(void **state)
{
    (void)state;
    struct meeting t;
    meet(&t, true, true);
    t.garbage = 3;
    for (int i = 1; i <= 3; i++) {
        say_hello(&t);
        run(&t);
        assert_int_equal(t.hellos, i);
        assert_int_equal(t.welcomes, i);
    }
    part(&t);
}

void test_a_refused_key_is_said_and_tried_again_until_it_is_accepted(void **state)
{
    (void)state;
    struct meeting t;
    meet(&t, false, true);
    say_hello(&t);
    t.wanted = "does not accept this key";
    run(&t);
    assert_int_equal(t.hellos, 0);
    allow(&t, true);
    t.wanted = "link_up";
    run(&t);
    t.wanted = NULL;
    say_hello(&t);
    run(&t);
    assert_int_equal(t.welcomes, 1);
    part(&t);
}

void test_another_server_than_that_of_the_access_file_is_not_talked_to(void **state)
{
    (void)state;
    struct meeting t;
    meet(&t, true, false);
    say_hello(&t);
    t.wanted = "is not the coordinator of the access file";
    run(&t);
    assert_int_equal(t.hellos, 0);
    assert_false(link_send(t.link, (const uint8_t *)"x", 1));
    part(&t);
}

void test_a_bad_endpoint_is_an_error(void **state)
{
    (void)state;
    struct loop *loop;
    struct link *link;
    char public_key[SOCK_KEY], secret_key[SOCK_KEY];
    assert_int_equal(loop_open(&loop, &e), OK);
    assert_int_equal(sock_start(&e), OK);
    assert_int_equal(sock_keypair(public_key, secret_key, &e), OK);
    struct link_config c = {.loop = loop,
                            .endpoint = "tcp://nowhere",
                            .server_key = public_key,
                            .public_key = public_key,
                            .secret_key = secret_key,
                            .on_message = on_message};
    assert_true(link_open(&link, &c, &e) < 0);
    assert_null(link);
    sock_finish();
    loop_close(&loop);
}
