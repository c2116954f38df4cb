// SPDX-License-Identifier: MIT
/* router: the coordinator's network door. */
#include "coordinator/router.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"

#include <stdlib.h>

#define BATCH       64   /* messages of one turn, so that timers and answers get theirs */
#define DRAIN_MS    1000 /* longest drain at a stretch */
#define CONTROL_BIT ((uint64_t)1 << 32)

/* One of the two sockets. */
struct side {
    struct router *router;
    struct sock *sock; /* NULL: not open */
    struct edge *edge;
    uint64_t mark; /* set in the numbers of its peers */
};

struct router {
    struct side workers, control;
    router_on_message *on_message;
    void *ctx;
    uint64_t bad;
};

bool router_is_control(uint64_t peer)
{
    return peer & CONTROL_BIT;
}

const char *router_endpoint(const struct router *r, size_t i)
{
    return sock_endpoint(r->workers.sock, i);
}

uint64_t router_bad_count(const struct router *r)
{
    return r->bad;
}

/* ---- receiving ---------------------------------------------------------------------------------
 */

/* What is no message is answered too: a peer that speaks another version has to hear it. */
static void object(struct side *side, uint64_t peer, char *reason)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Refuse refuse = GROKD__REFUSE__INIT;
    Grokd__Answer answer = GROKD__ANSWER__INIT;
    struct err e;
    wire_clean(reason, WIRE_NAME - 1, false);
    m.major = WIRE_MAJOR;
    if (side->mark == CONTROL_BIT) {
        m.body_case = GROKD__ENVELOPE__BODY_ANSWER;
        m.answer = &answer;
        answer.code = err_exit_code(E_USAGE);
        answer.text = reason;
    } else {
        m.body_case = GROKD__ENVELOPE__BODY_REFUSE;
        m.refuse = &refuse;
        refuse.reason = reason;
    }
    if (router_send(side->router, peer, &m, &e) < 0) log_warn("not_sent", "reason=%s", e.text);
}

static void hand_over(struct side *side, const struct sock_message *m)
{
    struct router *r = side->router;
    struct err e;
    wire_envelope *envelope;
    uint64_t peer = m->peer | side->mark;
    if (m->revoked) {
        char reason[] = "the key of this worker was revoked";
        r->bad++;
        log_warn("message_refused", "user=%s bytes=%zu reason=%s", m->user, m->size, reason);
        object(side, peer, reason);
        return;
    }
    int rc = wire_unpack(&envelope, m->bytes, m->size, &e);
    if (rc < 0) {
        r->bad++;
        log_warn("message_refused", "user=%s bytes=%zu reason=%s", m->user, m->size, e.text);
        /* A refusal would end a worker that did nothing wrong; without an answer it says it again.
         */
        if (rc != E_NOMEM) object(side, peer, e.text);
        return;
    }
    r->on_message(r->ctx, peer, m->user, envelope);
}

static bool side_pending(void *ctx)
{
    struct side *side = ctx;
    return sock_pending(side->sock);
}

static void side_drain(void *ctx)
{
    struct side *side = ctx;
    struct sock_message m;
    for (int i = 0; i < BATCH && sock_recv(side->sock, &m) > 0; i++) hand_over(side, &m);
}

void router_drain_all(struct router *r)
{
    struct side *sides[] = {&r->workers, &r->control};
    int64_t end = clock_now_ms() + DRAIN_MS;
    for (int i = 0; i < 2; i++)
        while (sides[i]->sock && side_pending(sides[i]) && clock_now_ms() < end)
            side_drain(sides[i]);
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static int judge(enum sock_sent sent, uint64_t peer, struct err *e)
{
    unsigned long long number = peer;
    switch (sent) {
    case SOCK_SENT: return OK;
    case SOCK_FULL: return err_set(e, E_STATE, "peer %llx: too much waits for it", number);
    default: return err_set(e, E_NET, "peer %llx is gone", number);
    }
}

int router_send(struct router *r, uint64_t peer, const wire_envelope *m, struct err *e)
{
    struct side *side = router_is_control(peer) ? &r->control : &r->workers;
    uint8_t *bytes;
    size_t size;
    if (!side->sock) return judge(SOCK_GONE, peer, e);
    int rc = wire_pack(m, &bytes, &size, e);
    if (rc < 0) return rc;
    rc = judge(sock_send(side->sock, peer & ~CONTROL_BIT, bytes, size), peer, e);
    free(bytes);
    return rc;
}

/* ---- opening and closing -----------------------------------------------------------------------
 */

static int side_open(struct side *side, struct router *r, struct loop *l, uint64_t mark,
                     const struct sock_router_config *c, struct err *e)
{
    int rc = sock_router(&side->sock, c, e);
    if (rc < 0) return rc;
    side->router = r;
    side->mark = mark;
    struct edge_source source = {
        .fd = sock_fd(side->sock), .pending = side_pending, .drain = side_drain, .ctx = side};
    return edge_open(&side->edge, l, &source, e);
}

static void side_close(struct side *side)
{
    edge_close(&side->edge);
    sock_close(&side->sock);
}

static int workers_open(struct router *r, struct loop *l, const struct router_config *c,
                        struct err *e)
{
    struct sock_router_config config = {.endpoints = c->endpoints,
                                        .endpoint_count = c->endpoint_count,
                                        .secret_key = c->secret_key,
                                        .limit = WIRE_LIMIT};
    int rc = side_open(&r->workers, r, l, 0, &config, e);
    for (size_t i = 0; rc == OK && i < c->endpoint_count; i++)
        rc = sock_self_test(sock_endpoint(r->workers.sock, i), c->public_key, e);
    return rc;
}

static int control_open(struct router *r, struct loop *l, const char *endpoint, struct err *e)
{
    struct sock_router_config config = {
        .endpoints = &endpoint, .endpoint_count = 1, .limit = WIRE_LIMIT};
    return endpoint ? side_open(&r->control, r, l, CONTROL_BIT, &config, e) : OK;
}

int router_open(struct router **out, struct loop *l, const struct router_config *c,
                router_on_message *on_message, void *ctx, struct err *e)
{
    struct router *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return err_set(e, E_NOMEM, "router: no memory");
    r->on_message = on_message;
    r->ctx = ctx;
    int rc = c->secret_key ? workers_open(r, l, c, e)
                           : err_set(e, E_USAGE, "a router for workers needs a server key");
    if (rc == OK) rc = control_open(r, l, c->control, e);
    if (rc < 0)
        router_close(&r);
    else
        *out = r;
    return rc;
}

void router_close(struct router **r)
{
    if (!*r) return;
    side_close(&(*r)->workers);
    side_close(&(*r)->control);
    free(*r);
    *r = NULL;
}
