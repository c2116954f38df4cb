// SPDX-License-Identifier: MIT
/* sched_assign: who gets what, and which runs are fetched from the database next. */
#include "coordinator/sched_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_WINDOWS   8  /* most waiting runs of one need held, in windows */
#define EXPLAINED_TURN 16 /* runs explained in one turn */

/* The kernels with which this worker would work on runs of that need, or NULL: it has them not. A
 * run keeps the fingerprint of its first attempt, so that its numbers stay the same to the bit. */
static const struct save_blas *kernels(const struct worker *w, const struct save_blas *need)
{
    bool any = !need->fingerprint[0] && !strcmp(need->family, "auto");
    for (size_t i = 0; i < w->offer_count; i++) {
        const struct save_blas *x = &w->offers[i];
        bool bits = !need->fingerprint[0] || !strcmp(x->fingerprint, need->fingerprint);
        if (any || (bits && !strcmp(x->family, need->family))) return x;
    }
    return NULL;
}

static bool serves(const struct worker *w)
{
    return w->state == WORKER_CONNECTED && !w->leaving;
}

/* Whether the run ended quickly on this worker, which has done nothing better since. */
static bool just_ended(const struct worker *w, const struct run *r)
{
    for (size_t i = 0; i < w->quick_count; i++)
        if (w->quick[i].run == r->is.run) return true;
    return false;
}

/* A heartbeat the first time, then longer, since what a machine lacks may come back; not after a
 * retry, which somebody waits for. */
static bool rested(const struct turn *t, const struct run *r)
{
    const struct sched_config *c = &t->s->config;
    int64_t rest_ms = c->heartbeat_ms * (r->is.failures + r->is.losses);
    return t->now_ms - r->since_ms >= (rest_ms < c->lease_ms ? rest_ms : c->lease_ms);
}

/* Whether one attempt more is all the run is allowed. */
static bool last_chance(const struct sched *s, const struct run *r)
{
    const struct settings *set = &sweep_find(s, r->is.sweep)->settings;
    return r->is.failures + 1 >= set->max_attempts || r->is.losses + 1 >= set->max_losses;
}

/* Whether somebody else can take the run, be it later, on whom it has not just ended. */
static bool has_other(const struct sched *s, const struct worker *w, const struct run *r)
{
    const struct save_blas *need = &s->runs.queues[r->queue].need;
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker *x = &s->workers[i];
        if (x != w && serves(x) && !just_ended(x, r) && kernels(x, need)) return true;
    }
    return false;
}

/* The first run of a queue that the worker can take and that has not just ended on it, or NULL.
 * *again: the first that has, and may be tried once more. */
static struct run *first_of(struct turn *t, const struct worker *w, const struct run_queue *q,
                            struct run **again)
{
    struct sched *s = t->s;
    for (size_t i = 0; i < q->count; i++) {
        struct run *r = q->runs[i];
        if (!just_ended(w, r)) return r;
        if (last_chance(s, r) && has_other(s, w, r)) continue;
        s->resting |= !rested(t, r);
        if (rested(t, r) && (!*again || run_before(r, *again))) *again = r;
    }
    return NULL;
}

/* The first run that waits and that the worker can take. One that has just ended on it comes last,
 * and not at once: whether the run or the worker is to blame, another pair will show. */
static struct run *next_for(struct turn *t, const struct worker *w)
{
    struct run *best = NULL, *again = NULL;
    for (size_t i = 0; i < t->s->runs.queue_count; i++) {
        const struct run_queue *q = &t->s->runs.queues[i];
        struct run *r = q->count && kernels(w, &q->need) ? first_of(t, w, q, &again) : NULL;
        if (r && (!best || run_before(r, best))) best = r;
    }
    return best ? best : again;
}

static int give(struct turn *t, struct worker *w, struct run *r)
{
    const struct change c = {.event = RUN_ON_ASSIGN};
    r->is.blas = *kernels(w, &t->s->runs.queues[r->queue].need);
    r->is.attempt++;
    r->lease = (struct run_lease){.worker = w->number,
                                  .given_ms = t->now_ms,
                                  .begun_ms = w->held < w->slots ? t->now_ms : -1,
                                  .heard_ms = t->now_ms,
                                  .epoch = -1,
                                  .stored = -1,
                                  .sent = {.epoch = -1}};
    w->held++;
    return turn_change(t, r, &c);
}

static int64_t waiting_runs(const struct sched *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->sweep_count; i++)
        if (s->sweeps[i].state == SWEEP_ACTIVE) n += s->sweeps[i].waiting;
    return n;
}

/* One run for every worker that holds fewer than its slots and `extra`, in turn, until no worker
 * takes one. */
static int deal(struct turn *t, size_t extra)
{
    struct sched *s = t->s;
    bool given = true;
    while (given && s->runs.waiting) {
        given = false;
        for (size_t i = 0; i < s->worker_count; i++) {
            struct worker *w = &s->workers[(s->turn + i) % s->worker_count];
            if (!serves(w) || w->held >= w->slots + extra) continue;
            struct run *r = next_for(t, w);
            if (!r) continue;
            int rc = give(t, w, r);
            if (rc < 0) return rc;
            given = true;
        }
    }
    return OK;
}

int turn_assign(struct turn *t)
{
    struct sched *s = t->s;
    struct sched_totals sum;
    if (!s->dirty || s->stopping || s->full || !s->worker_count) return OK;
    s->dirty = s->resting = false;
    int rc = deal(t, 0);
    sched_totals(s, &sum);
    if (rc == OK && waiting_runs(s) > (int64_t)sum.slots) rc = deal(t, 1);
    s->turn = (s->turn + 1) % s->worker_count;
    s->idle = false;
    for (size_t i = 0; i < s->worker_count; i++)
        s->idle |=
            s->workers[i].state == WORKER_CONNECTED && s->workers[i].held < s->workers[i].slots;
    return rc;
}

/* ---- the window of waiting runs ----------------------------------------------------------------
 */

static bool is_low(const struct sched *s, size_t waiting)
{
    return waiting == 0 || waiting < s->config.window / 4;
}

/* Adds a line to a text; NULL: no memory, and the text is freed. */
static char *add_line(char *text, const char *line)
{
    size_t size = text ? strlen(text) : 0, more = strlen(line);
    char *grown = text ? realloc(text, size + more + 1) : NULL;
    if (!grown) {
        free(text);
        return NULL;
    }
    memcpy(grown + size, line, more + 1);
    return grown;
}

/* Names what the runs of a queue have in common in the database, which looks for every run through
 * all that is named: no sweep of which it gives none is. */
static char *add_queue(const struct sched *s, char *text, const struct run_queue *q)
{
    char line[2 * SAVE_NAME + 32];
    if (q->need.fingerprint[0]) {
        snprintf(line, sizeof line, "kernels %s %s\n", q->need.family, q->need.fingerprint);
        return add_line(text, line);
    }
    for (size_t i = 0; i < s->sweep_count && text; i++) {
        const char *family = s->sweeps[i].settings.blas;
        if (s->sweeps[i].state != SWEEP_ACTIVE) continue;
        if (strcmp(*family ? family : "auto", q->need.family) != 0) continue;
        snprintf(line, sizeof line, "sweep %lld\n", (long long)s->sweeps[i].sweep);
        text = add_line(text, line);
    }
    return text;
}

/* Kinds of runs of which enough wait are left out, so that they do not hide the others; gives how
 * many wait of those. */
static size_t leave_out(struct turn *t, struct save *x)
{
    struct sched *s = t->s;
    size_t left = 0;
    for (size_t i = 0; i < s->runs.queue_count; i++) {
        struct run_queue *q = &s->runs.queues[i];
        if (q->count < s->config.window) continue;
        q->partly = true;
        left += q->count;
        if (!x->text) x->text = strdup("\n");
        x->text = add_queue(s, x->text, q);
        if (!x->text) t->out->failed = true;
    }
    return left;
}

int turn_fetch(struct turn *t)
{
    struct sched *s = t->s;
    if (s->stopping || s->fetching) return OK;
    for (size_t i = 0; i < s->runs.queue_count; i++) {
        struct run_queue *q = &s->runs.queues[i];
        if (!q->partly || !is_low(s, q->count)) continue;
        q->partly = false;
        s->more = true;
    }
    if (!s->more || !(s->look || s->idle || is_low(s, s->runs.waiting))) return OK;
    struct save *x = actions_save(t->out, SAVE_FETCH);
    size_t left = s->look ? 0 : leave_out(t, x);
    x->count = (int64_t)(s->runs.waiting - left + s->config.window);
    s->fetching = true;
    s->stale = s->look = false;
    return turn_ask(t, SAVE_FETCH, x->count, 0, 0);
}

/* Runs that come last go back to the database when more are held than is good. */
static void trim(struct turn *t)
{
    struct run_table *runs = &t->s->runs;
    for (size_t i = 0; i < runs->queue_count; i++) {
        struct run_queue *q = &runs->queues[i];
        while (q->count > HELD_WINDOWS * t->s->config.window) {
            run_remove(runs, q->runs[q->count - 1]);
            q->partly = true;
        }
    }
}

/* More waiting runs than were counted can only come from another hand in the database. */
static void recount(struct turn *t)
{
    const struct run_table *runs = &t->s->runs;
    for (size_t i = 0; i < t->s->sweep_count; i++) {
        struct save_sweep *w = &t->s->sweeps[i];
        int64_t waiting = 0;
        for (size_t k = 0; k < runs->count; k++)
            waiting += runs->by_number[k]->is.sweep == w->sweep &&
                       runs->by_number[k]->state == RUN_WAITING;
        if (w->waiting < waiting) w->waiting = waiting;
    }
}

int turn_fetched(struct turn *t, const struct save_answer *a)
{
    struct sched *s = t->s;
    s->fetching = false;
    if (s->stale) { /* asked before something it cannot know: asked again this turn */
        s->look = true;
        return OK;
    }
    size_t before = s->runs.waiting;
    for (size_t i = 0; i < a->run_count; i++) {
        const struct save_sweep *sweep = sweep_find(s, a->runs[i].sweep);
        struct run *r;
        if (!sweep)
            return err_set(t->e, E_STATE, "the store fetched run %lld of sweep %lld, unknown here",
                           (long long)a->runs[i].run, (long long)a->runs[i].sweep);
        if (sweep->state != SWEEP_ACTIVE || run_find(&s->runs, a->runs[i].run)) continue;
        int rc =
            run_add(&s->runs, &a->runs[i], sweep->settings.blas, RUN_WAITING, t->now_ms, &r, t->e);
        if (rc < 0) return rc;
        s->dirty = true;
    }
    s->more = (int64_t)a->run_count >= s->asks[0].sweep && s->runs.waiting > before;
    recount(t);
    trim(t);
    return OK;
}

static bool has_taker(const struct sched *s, const struct save_blas *need)
{
    for (size_t i = 0; i < s->worker_count; i++)
        if (serves(&s->workers[i]) && kernels(&s->workers[i], need)) return true;
    return false;
}

void turn_explain(struct turn *t)
{
    struct sched *s = t->s;
    int said = 0;
    for (size_t i = 0; i < s->runs.queue_count && s->idle; i++) {
        const struct run_queue *q = &s->runs.queues[i];
        if (!q->count || has_taker(s, &q->need)) continue;
        for (size_t k = 0; k < q->count && said < EXPLAINED_TURN; k++) {
            struct run *r = q->runs[k];
            if (r->explained || t->now_ms - r->since_ms < s->config.lease_ms) continue;
            turn_say(t, "no_worker", r->is.run, 0,
                     "no connected worker offers the kernels that this run needs: %s %.16s",
                     q->need.family, q->need.fingerprint);
            r->explained = true;
            said++;
        }
    }
}
