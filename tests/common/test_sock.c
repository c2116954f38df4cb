// SPDX-License-Identifier: MIT
/* sock: real sockets on port 0 and ipc, real keys. Peers that misbehave speak ZeroMQ directly. */
#include "tests/test.h"

#include "common/clock.h"
#include "common/sock.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define MINUTE 60000

struct keys_of {
    char public_key[SOCK_KEY], secret_key[SOCK_KEY];
};

/* A server that knows a client called "ada". */
struct scene {
    struct keys_of server, client;
    struct sock *router, *dealer;
    const char *endpoint;
};

static void allow_client(struct scene *s)
{
    struct sock_client ada = {.user = "ada"};
    memcpy(ada.key, s->client.public_key, SOCK_KEY);
    assert_int_equal(sock_allow(&ada, 1, NULL), OK);
}

static void open_router(struct scene *s, size_t limit)
{
    const char *const endpoints[] = {"tcp://127.0.0.1:0"};
    struct sock_router_config c = {endpoints, 1, s->server.secret_key, limit};
    struct err e = {0};
    memset(s, 0, sizeof *s);
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_keypair(s->server.public_key, s->server.secret_key, NULL), OK);
    assert_int_equal(sock_keypair(s->client.public_key, s->client.secret_key, NULL), OK);
    assert_int_equal(sock_router(&s->router, &c, &e), OK);
    s->endpoint = sock_endpoint(s->router, 0);
}

static struct sock_dealer_config dealer_config(const struct scene *s, const struct keys_of *client)
{
    return (struct sock_dealer_config){s->endpoint, s->server.public_key, client->public_key,
                                       client->secret_key, 1 << 20};
}

static void open_both(struct scene *s, size_t limit)
{
    open_router(s, limit);
    allow_client(s);
    struct sock_dealer_config c = dealer_config(s, &s->client);
    assert_int_equal(sock_dealer(&s->dealer, &c, NULL), OK);
}

static void close_scene(struct scene *s)
{
    sock_close(&s->dealer);
    sock_close(&s->router);
    sock_finish();
}

/* Waits on the edge-triggered descriptor the way its manual asks for. */
static void receive(struct sock *s, struct sock_message *m)
{
    struct pollfd p = {.fd = sock_fd(s), .events = POLLIN};
    int64_t end = clock_now_ms() + MINUTE;
    while (!sock_recv(s, m)) {
        if (clock_now_ms() > end) fail_msg("%s", "no message within a minute");
        if (!sock_pending(s)) poll(&p, 1, 50);
    }
}

static enum sock_state wait_state(struct sock *s, enum sock_state from)
{
    int64_t end = clock_now_ms() + MINUTE;
    while (sock_state(s) == from && clock_now_ms() < end) poll(NULL, 0, 1);
    return sock_state(s);
}

void test_a_message_says_who_sent_it_and_the_answer_finds_its_way(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_both(&s, 1000);
    assert_int_equal(sock_send(s.dealer, 0, "hello", 5), SOCK_SENT);
    receive(s.router, &m);
    assert_string_equal(m.user, "ada");
    assert_int_equal(m.size, 5);
    assert_memory_equal(m.bytes, "hello", 5);
    assert_true(m.peer > 0 && m.peer < (uint64_t)1 << 32);
    assert_int_equal(sock_send(s.router, m.peer, "you too", 7), SOCK_SENT);
    receive(s.dealer, &m);
    assert_memory_equal(m.bytes, "you too", 7);
    assert_int_equal(m.peer, 0);
    assert_int_equal(sock_state(s.dealer), SOCK_READY);
    close_scene(&s);
}

void test_a_key_without_a_name_is_its_own_name(void **state)
{
    struct scene s;
    struct sock_message m;
    struct sock_client nameless = {.user = ""};
    (void)state;
    open_both(&s, 1000);
    memcpy(nameless.key, s.client.public_key, SOCK_KEY);
    assert_int_equal(sock_allow(&nameless, 1, NULL), OK);
    assert_int_equal(sock_send(s.dealer, 0, "x", 1), SOCK_SENT);
    receive(s.router, &m);
    assert_true(!strcmp(m.user, s.client.public_key) || !strcmp(m.user, "ada"));
    sock_close(&s.dealer);
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(sock_send(s.dealer, 0, "y", 1), SOCK_SENT);
    receive(s.router, &m);
    assert_string_equal(m.user, s.client.public_key);
    close_scene(&s);
}

void test_with_an_empty_list_nobody_gets_in(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_router(&s, 1000);
    uint64_t before = sock_refused_count();
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(sock_send(s.dealer, 0, "let me in", 9), SOCK_SENT);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_REFUSED);
    assert_int_equal(sock_refused_count(), before + 1);
    assert_false(sock_pending(s.router));
    assert_int_equal(sock_recv(s.router, &m), 0);
    close_scene(&s);
}

void test_a_strangers_key_is_refused_beside_an_allowed_one(void **state)
{
    struct scene s;
    struct keys_of stranger;
    struct sock *outside;
    struct sock_message m;
    (void)state;
    open_both(&s, 1000);
    assert_int_equal(sock_keypair(stranger.public_key, stranger.secret_key, NULL), OK);
    struct sock_dealer_config c = dealer_config(&s, &stranger);
    assert_int_equal(sock_dealer(&outside, &c, NULL), OK);
    assert_int_equal(sock_send(outside, 0, "stranger", 8), SOCK_SENT);
    assert_int_equal(wait_state(outside, SOCK_CONNECTING), SOCK_REFUSED);
    assert_int_equal(sock_send(s.dealer, 0, "friend", 6), SOCK_SENT);
    receive(s.router, &m);
    assert_memory_equal(m.bytes, "friend", 6);
    assert_false(sock_pending(s.router));
    sock_close(&outside);
    close_scene(&s);
}

void test_a_key_allowed_while_running_gets_in_with_a_new_socket(void **state)
{
    struct scene s;
    (void)state;
    open_router(&s, 1000);
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_REFUSED);
    allow_client(&s);
    sock_close(&s.dealer);
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_READY);
    close_scene(&s);
}

void test_a_key_that_left_the_list_is_not_believed_even_if_its_name_is_given_to_another(
    void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_both(&s, 1000);
    assert_int_equal(sock_send(s.dealer, 0, "before", 6), SOCK_SENT);
    receive(s.router, &m);
    assert_false(m.revoked);
    char name[SOCK_USER], other[SOCK_KEY], secret[SOCK_KEY];
    snprintf(name, sizeof name, "%s", m.user);
    assert_int_equal(sock_keypair(other, secret, NULL), OK);
    struct sock_client heir = {{0}, {0}};
    memcpy(heir.key, other, SOCK_KEY);
    memcpy(heir.user, name, SOCK_USER);
    assert_int_equal(sock_allow(&heir, 1, NULL), OK);
    assert_int_equal(sock_send(s.dealer, 0, "after", 5), SOCK_SENT);
    receive(s.router, &m);
    assert_true(m.revoked);
    assert_string_equal(m.user, s.client.public_key);
    close_scene(&s);
}

static int raw_connect(const char *endpoint)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void test_bytes_of_another_protocol_and_a_silent_peer_keep_nobody_waiting(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct scene s;
    struct sock_message m;
    char answer[256];
    ssize_t n;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    int silent = raw_connect(s.endpoint), web = raw_connect(s.endpoint);
    assert_int_equal(send(web, http, sizeof http - 1, MSG_NOSIGNAL), sizeof http - 1);
    struct pollfd p = {.fd = web, .events = POLLIN};
    do {
        assert_int_equal(poll(&p, 1, MINUTE), 1);
        n = recv(web, answer, sizeof answer, 0);
    } while (n > 0); /* closed, whatever libzmq said before */
    int64_t begun = clock_now_ms();
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(sock_send(s.dealer, 0, "hello", 5), SOCK_SENT);
    receive(s.router, &m);
    assert_memory_equal(m.bytes, "hello", 5);
    assert_in_range(clock_now_ms() - begun, 0, 10000); /* a second, on a busy machine ten */
    close(silent);
    close(web);
    close_scene(&s);
}

void test_a_client_without_curve_is_kept_out(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_both(&s, 1000);
    void *ctx = zmq_ctx_new(), *plain = zmq_socket(ctx, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt(plain, ZMQ_LINGER, &zero, sizeof zero);
    assert_int_equal(zmq_connect(plain, s.endpoint), 0);
    assert_int_equal(zmq_send(plain, "plain", 5, 0), 5);
    assert_int_equal(sock_send(s.dealer, 0, "friend", 6), SOCK_SENT);
    receive(s.router, &m);
    assert_memory_equal(m.bytes, "friend", 6);
    assert_false(sock_pending(s.router));
    zmq_close(plain);
    zmq_ctx_term(ctx);
    close_scene(&s);
}

void test_a_server_with_another_key_is_noticed(void **state)
{
    struct scene s;
    struct keys_of other;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    assert_int_equal(sock_keypair(other.public_key, other.secret_key, NULL), OK);
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    c.server_key = other.public_key;
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_FAILED);
    close_scene(&s);
}

/* A CURVE peer that speaks ZeroMQ directly, with the allowed key. */
static void *raw_peer(const struct scene *s, void *ctx, const char *name)
{
    void *raw = zmq_socket(ctx, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(raw, ZMQ_CURVE_SERVERKEY, s->server.public_key, SOCK_KEY);
    zmq_setsockopt(raw, ZMQ_CURVE_PUBLICKEY, s->client.public_key, SOCK_KEY);
    zmq_setsockopt(raw, ZMQ_CURVE_SECRETKEY, s->client.secret_key, SOCK_KEY);
    if (name) zmq_setsockopt(raw, ZMQ_ROUTING_ID, name, strlen(name));
    assert_int_equal(zmq_connect(raw, s->endpoint), 0);
    return raw;
}

void test_messages_of_many_frames_are_dropped_whole(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    void *ctx = zmq_ctx_new(), *raw = raw_peer(&s, ctx, NULL);
    for (int i = 0; i < 3; i++) zmq_send(raw, "part", 4, ZMQ_SNDMORE);
    zmq_send(raw, "last", 4, 0);
    for (int i = 0; i < 40; i++) {
        zmq_send(raw, "", 0, ZMQ_SNDMORE);
        zmq_send(raw, "as REQ does", 11, 0);
    }
    zmq_send(raw, "good", 4, 0);
    receive(s.router, &m);
    assert_int_equal(m.size, 4);
    assert_memory_equal(m.bytes, "good", 4);
    assert_string_equal(m.user, "ada");
    assert_int_equal(sock_recv(s.router, &m), 0);
    zmq_close(raw);
    zmq_ctx_term(ctx);
    close_scene(&s);
}

void test_a_peer_that_names_itself_is_not_heard(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    void *ctx = zmq_ctx_new();
    void *named = raw_peer(&s, ctx, "worker-1"), *raw = raw_peer(&s, ctx, NULL);
    zmq_send(named, "named", 5, 0);
    zmq_send(raw, "good", 4, 0);
    receive(s.router, &m);
    assert_memory_equal(m.bytes, "good", 4);
    zmq_close(named);
    zmq_close(raw);
    zmq_ctx_term(ctx);
    close_scene(&s);
}

void test_a_message_above_the_limit_never_arrives_and_the_connection_comes_back(void **state)
{
    struct scene s;
    struct sock_message m;
    static char big[5000];
    (void)state;
    open_both(&s, 1000);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_READY);
    assert_int_equal(sock_send(s.dealer, 0, big, sizeof big), SOCK_SENT);
    assert_int_equal(wait_state(s.dealer, SOCK_READY), SOCK_CONNECTING);
    assert_int_equal(wait_state(s.dealer, SOCK_CONNECTING), SOCK_READY);
    assert_int_equal(sock_send(s.dealer, 0, big, 1001), SOCK_SENT);
    assert_int_equal(sock_send(s.dealer, 0, big, 1000), SOCK_SENT);
    receive(s.router, &m);
    assert_int_equal(m.size, 1000);
    close_scene(&s);
}

void test_sending_to_nobody_is_reported(void **state)
{
    struct scene s;
    struct sock_message m;
    (void)state;
    open_both(&s, 1000);
    assert_int_equal(sock_send(s.router, 12345, "x", 1), SOCK_GONE);
    assert_int_equal(sock_send(s.dealer, 0, "x", 1), SOCK_SENT);
    receive(s.router, &m);
    sock_close(&s.dealer);
    int64_t end = clock_now_ms() + MINUTE;
    while (sock_send(s.router, m.peer, "x", 1) != SOCK_GONE)
        if (clock_now_ms() > end || !poll(NULL, 0, 1)) assert_true(clock_now_ms() < end);
    close_scene(&s);
}

void test_sending_never_waits_and_says_when_it_is_full(void **state)
{
    struct scene s;
    int sent = 0;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    struct sock_dealer_config c = dealer_config(&s, &s.client);
    c.endpoint = "tcp://127.0.0.1:9"; /* nobody listens */
    assert_int_equal(sock_dealer(&s.dealer, &c, NULL), OK);
    while (sent < 10000 && sock_send(s.dealer, 0, "x", 1) == SOCK_SENT) sent++;
    assert_in_range(sent, 1, 1000);
    assert_int_equal(sock_send(s.dealer, 0, "x", 1), SOCK_FULL);
    close_scene(&s);
}

void test_the_self_test_knows_a_closed_door_from_an_open_one(void **state)
{
    struct scene s;
    struct err e;
    (void)state;
    open_router(&s, 1000);
    allow_client(&s);
    int64_t before = clock_now_ms();
    assert_int_equal(sock_self_test(s.endpoint, s.server.public_key, &e), OK);
    assert_true(clock_now_ms() - before < 5000);

    /* A server as libzmq makes it from a key alone, without a handler's domain. */
    void *ctx = zmq_ctx_new(), *open = zmq_socket(ctx, ZMQ_ROUTER);
    char endpoint[SOCK_ENDPOINT];
    size_t size = sizeof endpoint;
    int one = 1;
    zmq_setsockopt(open, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(open, ZMQ_CURVE_SECRETKEY, s.server.secret_key, SOCK_KEY);
    assert_int_equal(zmq_bind(open, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(open, ZMQ_LAST_ENDPOINT, endpoint, &size);
    assert_int_equal(sock_self_test(endpoint, s.server.public_key, &e), E_STATE);
    assert_non_null(strstr(e.text, "stranger"));
    zmq_close(open);
    zmq_ctx_term(ctx);
    close_scene(&s);
}

void test_endpoints_that_would_be_unsafe_or_make_no_sense_are_refused(void **state)
{
    static const char *const bad[] = {"tcp://127.0.0.1:0", "inproc://x", "ipc://relative", "hello",
                                      ""};
    struct sock *s;
    struct err e;
    (void)state;
    assert_int_equal(sock_start(NULL), OK);
    for (size_t i = 0; i < 5; i++) {
        struct sock_router_config r = {&bad[i], 1, NULL, 1000};
        struct sock_dealer_config d = {.endpoint = bad[i], .limit = 1000};
        assert_int_equal(sock_router(&s, &r, &e), E_USAGE);
        assert_null(s);
        assert_int_equal(sock_dealer(&s, &d, &e), E_USAGE);
        assert_null(s);
    }
    sock_finish();
    const char *const tcp[] = {"tcp://127.0.0.1:0"};
    struct sock_router_config r = {tcp, 1, NULL, 1000};
    assert_int_equal(sock_router(&s, &r, &e), E_STATE);
}

void test_a_port_that_is_taken_is_named(void **state)
{
    struct scene s;
    struct sock *second;
    struct err e;
    (void)state;
    open_router(&s, 1000);
    struct sock_router_config c = {&s.endpoint, 1, s.server.secret_key, 1000};
    assert_int_equal(sock_router(&second, &c, &e), E_NET);
    assert_non_null(strstr(e.text, s.endpoint));
    assert_non_null(strstr(e.text, "in use"));
    close_scene(&s);
}

void test_keys_that_are_none_are_not_allowed(void **state)
{
    struct sock_client bad = {.key = "short"};
    struct err e;
    (void)state;
    assert_int_equal(sock_allow(&bad, 1, &e), E_STATE);
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_allow(&bad, 1, &e), E_FILE);
    sock_finish();
    assert_false(sock_key_valid(""));
    assert_false(sock_key_valid("0123456789012345678901234567890123456789x"));
    assert_false(sock_key_valid("0123456789012345678901234567890123\"56789"));
    assert_true(sock_key_valid("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"));
}

void test_a_plain_socket_serves_on_ipc(void **state)
{
    struct sock *router, *dealer;
    struct sock_message m;
    char dir[] = "/tmp/grokd-test-XXXXXX", endpoint[96], path[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    const char *const endpoints[] = {endpoint};
    struct sock_router_config r = {endpoints, 1, NULL, 1000};
    struct sock_dealer_config d = {.endpoint = endpoint, .limit = 1000};
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_router(&router, &r, NULL), OK);
    assert_int_equal(sock_dealer(&dealer, &d, NULL), OK);
    assert_int_equal(sock_send(dealer, 0, "hi", 2), SOCK_SENT);
    receive(router, &m);
    assert_string_equal(m.user, "");
    assert_int_equal(sock_send(router, m.peer, "hi", 2), SOCK_SENT);
    receive(dealer, &m);
    sock_close(&dealer);
    sock_close(&router);
    sock_finish();
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}
