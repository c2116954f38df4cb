// SPDX-License-Identifier: MIT
/* loop: the event loop of a daemon.
 *
 * One prepare, one check and one idle handle serve the whole loop. Before the loop would sleep the
 * prepare callback runs the turn callback and asks every edge source whether it has work; if one
 * has, the idle handle, which does nothing, is started: with an idle handle libuv polls without
 * waiting. After the poll the check callback stops it and drains. An edge source's descriptor is
 * watched only to end the sleep.
 *
 * Timers are a list in order of time and one timer of libuv for the first of them, so that a timer
 * is plain memory of its owner.
 */
#include "common/loop.h"

#include "common/log.h"
#include "common/loop_private.h"

#include <stdlib.h>

#define SIGNALS 8

struct signal_handle {
    uv_signal_t uv;
    void (*on_signal)(void *ctx, int signal);
    void *ctx;
};

struct edge {
    struct edge_source source;
    struct watch *watch;
    struct loop *loop;
    struct edge *next;
    bool closed; /* freed when nobody walks the list */
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t alarm;
    struct signal_handle signals[SIGNALS];
    int signal_count;
    struct timer *timers; /* in order of due_ms */
    struct edge *edges;
    int walking; /* depth of walks through edges */
    void (*turn)(void *ctx);
    void *turn_ctx;
};

static int uv_err(struct err *e, int rc, const char *what)
{
    return err_set(e, rc == UV_ENOMEM ? E_NOMEM : E_IO, "%s: %s", what, uv_strerror(rc));
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

/* ---- timers ------------------------------------------------------------------------------------
 */

static void on_alarm(uv_timer_t *alarm);

static void arm(struct loop *l)
{
    if (!l->timers) {
        uv_timer_stop(&l->alarm);
        return;
    }
    int64_t wait = l->timers->due_ms - loop_now_ms(l);
    uv_timer_start(&l->alarm, on_alarm, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void insert(struct timer *t)
{
    struct timer **at = &t->loop->timers;
    while (*at && (*at)->due_ms <= t->due_ms) at = &(*at)->next;
    t->next = *at;
    *at = t;
}

/* A timer that is started from here is due later than now, so this ends. */
static void on_alarm(uv_timer_t *alarm)
{
    struct loop *l = alarm->data;
    int64_t now = loop_now_ms(l);
    while (l->timers && l->timers->due_ms <= now) {
        struct timer *t = l->timers;
        l->timers = t->next;
        if (t->every_ms > 0) {
            t->due_ms = now + t->every_ms;
            insert(t);
        } else {
            t->loop = NULL;
        }
        t->on_time(t->ctx);
    }
    arm(l);
}

void timer_start(struct timer *t, struct loop *l, int64_t delay_ms, int64_t every_ms,
                 void (*on_time)(void *ctx), void *ctx)
{
    timer_stop(t);
    t->loop = l;
    t->due_ms = loop_now_ms(l) + (delay_ms > 0 ? delay_ms : 1);
    t->every_ms = every_ms > 0 ? every_ms : 0;
    t->on_time = on_time;
    t->ctx = ctx;
    insert(t);
    arm(l);
}

void timer_stop(struct timer *t)
{
    struct loop *l = t->loop;
    if (!l) return;
    struct timer **at = &l->timers;
    while (*at && *at != t) at = &(*at)->next;
    if (*at) *at = t->next;
    t->loop = NULL;
    t->next = NULL;
    arm(l);
}

bool timer_running(const struct timer *t)
{
    return t->loop != NULL;
}

/* ---- descriptors -------------------------------------------------------------------------------
 */

struct watch {
    uv_poll_t uv;
    void (*on_ready)(void *ctx);
    void *ctx;
};

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct watch *w = uv->data;
    (void)events;
    if (status < 0) log_error("watch_failed", "reason=%s", uv_strerror(status));
    if (w->on_ready) w->on_ready(w->ctx);
}

int watch_open(struct watch **out, struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx,
               struct err *e)
{
    struct watch *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return err_set(e, E_NOMEM, "watch: no memory");
    int rc = uv_poll_init(&l->uv, &w->uv, fd);
    if (rc < 0) {
        free(w);
        return uv_err(e, rc, "watch a descriptor");
    }
    w->uv.data = w;
    w->on_ready = on_ready;
    w->ctx = ctx;
    rc = uv_poll_start(&w->uv, UV_READABLE, on_poll);
    if (rc < 0) {
        watch_close(&w);
        return uv_err(e, rc, "watch a descriptor");
    }
    *out = w;
    return OK;
}

static void free_data(uv_handle_t *handle)
{
    free(handle->data);
}

void watch_close(struct watch **w)
{
    if (!*w) return;
    uv_close((uv_handle_t *)&(*w)->uv, free_data);
    *w = NULL;
}

/* ---- edge sources ------------------------------------------------------------------------------
 */

int edge_open(struct edge **out, struct loop *l, const struct edge_source *s, struct err *e)
{
    struct edge *edge = calloc(1, sizeof *edge);
    *out = NULL;
    if (!edge) return err_set(e, E_NOMEM, "edge source: no memory");
    int rc = watch_open(&edge->watch, l, s->fd, NULL, NULL, e);
    if (rc < 0) {
        free(edge);
        return rc;
    }
    edge->source = *s;
    edge->loop = l;
    edge->next = l->edges;
    l->edges = edge;
    *out = edge;
    return OK;
}

static void sweep_edges(struct loop *l)
{
    if (l->walking) return;
    for (struct edge **at = &l->edges; *at;) {
        struct edge *edge = *at;
        if (!edge->closed) {
            at = &edge->next;
            continue;
        }
        *at = edge->next;
        free(edge);
    }
}

void edge_close(struct edge **edge)
{
    if (!*edge) return;
    struct loop *l = (*edge)->loop;
    watch_close(&(*edge)->watch);
    (*edge)->closed = true;
    *edge = NULL;
    sweep_edges(l);
}

static bool holds_work(struct edge *edge)
{
    return !edge->closed && edge->source.pending(edge->source.ctx);
}

static void do_nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    bool work = false;
    if (l->turn) l->turn(l->turn_ctx);
    l->walking++;
    for (struct edge *edge = l->edges; edge && !work; edge = edge->next) work = holds_work(edge);
    l->walking--;
    if (work) uv_idle_start(&l->idle, do_nothing);
}

static void on_check(uv_check_t *check)
{
    struct loop *l = check->data;
    uv_idle_stop(&l->idle);
    l->walking++;
    for (struct edge *edge = l->edges; edge; edge = edge->next)
        if (holds_work(edge)) edge->source.drain(edge->source.ctx);
    l->walking--;
    sweep_edges(l);
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

int loop_open(struct loop **out, struct err *e)
{
    struct loop *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) return err_set(e, E_NOMEM, "loop: no memory");
    int rc = uv_loop_init(&l->uv);
    if (rc < 0) {
        free(l);
        return uv_err(e, rc, "event loop");
    }
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->idle);
    uv_timer_init(&l->uv, &l->alarm);
    l->prepare.data = l->check.data = l->alarm.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    *out = l;
    return OK;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

void loop_on_turn(struct loop *l, void (*turn)(void *ctx), void *ctx)
{
    l->turn = turn;
    l->turn_ctx = ctx;
}

static void on_uv_signal(uv_signal_t *uv, int signal)
{
    struct signal_handle *s = uv->data;
    s->on_signal(s->ctx, signal);
}

int loop_on_signal(struct loop *l, int signal, void (*on_signal)(void *ctx, int signal), void *ctx,
                   struct err *e)
{
    if (l->signal_count == SIGNALS)
        return err_set(e, E_STATE, "signal %d: a loop takes at most %d signals", signal, SIGNALS);
    struct signal_handle *s = &l->signals[l->signal_count];
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc < 0) return uv_err(e, rc, "signal");
    l->signal_count++;
    s->uv.data = s;
    s->on_signal = on_signal;
    s->ctx = ctx;
    rc = uv_signal_start(&s->uv, on_uv_signal, signal);
    return rc < 0 ? uv_err(e, rc, "signal") : OK;
}

/* What is left here was forgotten by its owner; closing it under the owner would be worse. */
static void report_left(uv_handle_t *handle, void *arg)
{
    (void)arg;
    log_error("loop_still_used", "by=%s", uv_handle_type_name(uv_handle_get_type(handle)));
}

void loop_close(struct loop **out)
{
    struct loop *l = *out;
    if (!l) return;
    *out = NULL;
    while (l->timers) timer_stop(l->timers);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    for (int i = 0; i < l->signal_count; i++) uv_close((uv_handle_t *)&l->signals[i].uv, NULL);
    for (int i = 0; i < 3; i++) uv_run(&l->uv, UV_RUN_NOWAIT);
    if (uv_loop_close(&l->uv) == UV_EBUSY) {
        uv_walk(&l->uv, report_left, NULL);
        return; /* leaked, not freed under a handle that points into it */
    }
    free(l);
}
