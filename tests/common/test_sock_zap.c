// SPDX-License-Identifier: MIT
/* sock_zap: what libzmq does with strangers when nobody answers its questions about keys. */
#include "tests/test.h"

#include "common/sock_private.h"

#include <string.h>

/* Debian's header hides the option among the drafts (zmq_setsockopt(3)). */
#define ENFORCE_DOMAIN 93

static char public_key[SOCK_KEY], secret_key[SOCK_KEY];

static void begin(void)
{
    assert_int_equal(sock_start(NULL), OK);
    assert_int_equal(sock_keypair(public_key, secret_key, NULL), OK);
}

/* What the self-test says of a server whose context has no handler, or one that is dead. */
static int self_test(const char *domain, int enforce, bool handler)
{
    void *ctx = zmq_ctx_new(), *server = zmq_socket(ctx, ZMQ_ROUTER), *dead = NULL;
    char endpoint[SOCK_ENDPOINT];
    size_t size = sizeof endpoint;
    int one = 1;
    zmq_ctx_set(ctx, ZMQ_BLOCKY, 0);
    if (handler) {
        dead = zmq_socket(ctx, ZMQ_REP);
        assert_int_equal(zmq_bind(dead, "inproc://zeromq.zap.01"), 0);
    }
    zmq_setsockopt(server, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, secret_key, SOCK_KEY);
    if (*domain) zmq_setsockopt(server, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
    assert_int_equal(zmq_setsockopt(server, ENFORCE_DOMAIN, &enforce, sizeof enforce), 0);
    assert_int_equal(zmq_bind(server, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size);
    int rc = sock_self_test(endpoint, public_key, NULL);
    zmq_close(server);
    if (dead) zmq_close(dead);
    zmq_ctx_term(ctx);
    return rc;
}

void test_only_an_enforced_domain_keeps_strangers_out_when_nobody_answers(void **state)
{
    const char *const endpoints[] = {"tcp://127.0.0.1:0"};
    struct sock *router;
    char domain[64] = "";
    size_t size = sizeof domain;
    int enforce = 0;
    (void)state;
    begin();
    assert_int_equal(self_test("", 0, false), E_STATE);
    assert_int_equal(self_test("", 1, false), E_STATE);
    assert_int_equal(self_test("some", 0, false), E_STATE);
    struct sock_router_config c = {endpoints, 1, secret_key, 1000};
    assert_int_equal(sock_router(&router, &c, NULL), OK);
    assert_int_equal(zmq_getsockopt(router->zmq, ZMQ_ZAP_DOMAIN, domain, &size), 0);
    size = sizeof enforce;
    assert_int_equal(zmq_getsockopt(router->zmq, ENFORCE_DOMAIN, &enforce, &size), 0);
    assert_true(domain[0] && enforce);
    assert_int_equal(self_test(domain, enforce, false), E_NET);
    sock_close(&router);
    sock_finish();
}

void test_a_dead_authenticator_lets_nobody_in_and_the_self_test_says_so(void **state)
{
    (void)state;
    begin();
    assert_int_equal(self_test("some", 1, true), E_NET);
    sock_finish();
}
