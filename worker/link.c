// SPDX-License-Identifier: MIT
/* link: the worker's connection to the coordinator. */
#include "worker/link.h"

#include "common/hash.h"
#include "common/log.h"
#include "common/sock.h"

#include <stdio.h>
#include <stdlib.h>

#define LINK_BATCH   64    /* messages handed over before others get their turn */
#define LINK_LOOK_MS 500   /* between two looks at how the connection stands */
#define LINK_MIN_MS  1000  /* before the first new attempt with a refused key; doubles ... */
#define LINK_MAX_MS  60000 /* ... up to here */

struct link {
    struct link_config config;
    char endpoint[SOCK_ENDPOINT];
    char server_key[SOCK_KEY], public_key[SOCK_KEY], secret_key[SOCK_KEY];
    struct sock *sock; /* NULL: closed after a refusal, until retry */
    struct edge *edge;
    struct timer look, retry;
    enum sock_state seen;
    int64_t pause_ms;
};

static bool link_pending(void *ctx)
{
    struct link *l = ctx;
    return l->sock && sock_pending(l->sock);
}

static void link_drain(void *ctx)
{
    struct link *l = ctx;
    struct sock_message in;
    for (int i = 0; i < LINK_BATCH && l->sock && sock_recv(l->sock, &in) == 1; i++) {
        wire_envelope *m;
        struct err e;
        if (wire_unpack(&m, in.bytes, in.size, &e) < 0) {
            log_warn("bad_message", "from=coordinator error=%s", e.text);
            continue;
        }
        l->config.on_message(l->config.ctx, m);
        wire_free(&m);
    }
}

static void sock_shut(struct link *l)
{
    edge_close(&l->edge);
    sock_close(&l->sock);
}

static int sock_begin(struct link *l, struct err *e)
{
    struct sock_dealer_config d = {.endpoint = l->endpoint,
                                   .server_key = l->server_key,
                                   .public_key = l->public_key,
                                   .secret_key = l->secret_key,
                                   .limit = WIRE_LIMIT};
    int rc = sock_dealer(&l->sock, &d, e);
    if (rc < 0) return rc;
    struct edge_source source = {
        .fd = sock_fd(l->sock), .pending = link_pending, .drain = link_drain, .ctx = l};
    rc = edge_open(&l->edge, l->config.loop, &source, e);
    if (rc < 0) sock_shut(l);
    l->seen = SOCK_CONNECTING;
    return rc;
}

static void link_retry(void *ctx);

/* This socket will not try again: another one will, later; of many workers not all at once. */
static void link_give_up(struct link *l, const char *event, const char *text)
{
    uint32_t random;
    hash_random(&random, sizeof random);
    int64_t pause_ms = l->pause_ms - (int64_t)(random % (uint64_t)(l->pause_ms / 2));
    log_error(event, "endpoint=%s retry_ms=%lld error=%s", l->endpoint, (long long)pause_ms, text);
    sock_shut(l);
    timer_start(&l->retry, l->config.loop, pause_ms, 0, link_retry, l);
    l->pause_ms = l->pause_ms * 2 < LINK_MAX_MS ? l->pause_ms * 2 : LINK_MAX_MS;
}

static void link_retry(void *ctx)
{
    struct link *l = ctx;
    struct err e;
    if (sock_begin(l, &e) < 0) link_give_up(l, "no_socket", e.text);
}

static void link_refused(struct link *l, enum sock_state state)
{
    char text[SOCK_ENDPOINT + 128];
    if (state == SOCK_REFUSED)
        snprintf(text, sizeof text, "the coordinator at %s does not accept this key", l->endpoint);
    else
        snprintf(text, sizeof text, "what answers at %s is not the coordinator of the access file",
                 l->endpoint);
    link_give_up(l, state == SOCK_REFUSED ? "key_refused" : "wrong_coordinator", text);
}

static void link_look(void *ctx)
{
    struct link *l = ctx;
    if (!l->sock) return;
    enum sock_state state = sock_state(l->sock);
    if (state == l->seen) return;
    l->seen = state;
    if (state == SOCK_READY) {
        l->pause_ms = LINK_MIN_MS;
        log_info("link_up", "endpoint=%s", l->endpoint);
    } else if (state == SOCK_CONNECTING) {
        log_warn("link_down", "endpoint=%s", l->endpoint);
    } else {
        link_refused(l, state);
    }
}

int link_open(struct link **out, const struct link_config *c, struct err *e)
{
    struct link *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) return err_set(e, E_NOMEM, "link: no memory");
    l->config = *c;
    snprintf(l->endpoint, sizeof l->endpoint, "%s", c->endpoint);
    snprintf(l->server_key, sizeof l->server_key, "%s", c->server_key);
    snprintf(l->public_key, sizeof l->public_key, "%s", c->public_key);
    snprintf(l->secret_key, sizeof l->secret_key, "%s", c->secret_key);
    l->pause_ms = LINK_MIN_MS;
    int rc = sock_begin(l, e);
    if (rc < 0) {
        free(l);
        return rc;
    }
    timer_start(&l->look, c->loop, LINK_LOOK_MS, LINK_LOOK_MS, link_look, l);
    *out = l;
    return OK;
}

bool link_send(struct link *l, const uint8_t *bytes, size_t size)
{
    return l->sock && sock_send(l->sock, 0, bytes, size) == SOCK_SENT;
}

void link_close(struct link **out)
{
    struct link *l = *out;
    if (!l) return;
    *out = NULL;
    timer_stop(&l->look);
    timer_stop(&l->retry);
    sock_shut(l);
    free(l);
}
