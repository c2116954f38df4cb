// SPDX-License-Identifier: MIT
/* sched_assign: who gets what, and which runs are fetched from the database next. */
#include "coordinator/sched_turn.h"

#include <string.h>

#define HELD_WINDOWS   8  /* most waiting runs held, in windows */
#define EXPLAINED_TURN 16 /* runs explained in one turn */

/* The kernels with which this worker would work on the run, or NULL: it has them not. A run keeps
 * the fingerprint of its first attempt, so that its numbers stay the same to the bit. */
static const struct save_blas *kernels(const struct sched *s, const struct worker *w,
                                       const struct run *r)
{
    const char *family = sweep_find(s, r->is.sweep)->settings.blas;
    for (size_t i = 0; i < w->offer_count; i++) {
        const struct save_blas *x = &w->offers[i];
        if (r->is.blas.family[0]) {
            if (!strcmp(x->family, r->is.blas.family) &&
                !strcmp(x->fingerprint, r->is.blas.fingerprint))
                return x;
        } else if (!strcmp(family, "auto") || !*family || !strcmp(family, x->family)) {
            return x;
        }
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
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker *x = &s->workers[i];
        if (x != w && serves(x) && !just_ended(x, r) && kernels(s, x, r)) return true;
    }
    return false;
}

/* The first run in the queue that the worker can take. One that has just ended on it comes last,
 * and not at once: whether the run or the worker is to blame, another pair will show. */
static struct run *next_for(struct turn *t, const struct worker *w)
{
    struct sched *s = t->s;
    struct run *again = NULL;
    for (size_t i = 0; i < s->runs.waiting; i++) {
        struct run *r = s->runs.queue[i];
        if (!kernels(s, w, r)) continue;
        if (!just_ended(w, r)) return r;
        if (again || (last_chance(s, r) && has_other(s, w, r))) continue;
        if (rested(t, r))
            again = r;
        else
            s->resting = true;
    }
    return again;
}

static int give(struct turn *t, struct worker *w, struct run *r)
{
    const struct change c = {.event = RUN_ON_ASSIGN};
    r->is.blas = *kernels(t->s, w, r);
    r->is.attempt++;
    r->lease = (struct run_lease){.worker = w->number,
                                  .given_ms = t->now_ms,
                                  .begun_ms = w->held < w->slots ? t->now_ms : -1,
                                  .heard_ms = t->now_ms,
                                  .epoch = -1,
                                  .stored = -1};
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

int turn_fetch(struct turn *t)
{
    struct sched *s = t->s;
    size_t window = s->config.window, waiting = s->runs.waiting;
    bool want = waiting < window / 4 || waiting == 0 || s->idle;
    if (s->stopping || s->fetching || !s->more) return OK;
    if (!s->look && (!want || waiting >= HELD_WINDOWS * window)) return OK;
    struct save *x = actions_save(t->out, SAVE_FETCH);
    x->count = (int64_t)(waiting + window);
    s->fetching = true;
    s->stale = s->look = false;
    return turn_ask(t, SAVE_FETCH, x->count, 0, 0);
}

/* Runs that come last go back to the database when more are held than is good. */
static void trim(struct turn *t)
{
    struct run_table *runs = &t->s->runs;
    while (runs->waiting > HELD_WINDOWS * t->s->config.window) {
        run_remove(runs, runs->queue[runs->waiting - 1]);
        t->s->more = true;
    }
}

/* More waiting runs than were counted can only come from another hand in the database. */
static void recount(struct turn *t)
{
    for (size_t i = 0; i < t->s->sweep_count; i++) {
        struct save_sweep *w = &t->s->sweeps[i];
        int64_t waiting = 0;
        for (size_t k = 0; k < t->s->runs.waiting; k++)
            waiting += t->s->runs.queue[k]->is.sweep == w->sweep;
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
        int rc = run_add(&s->runs, &a->runs[i], RUN_WAITING, t->now_ms, &r, t->e);
        if (rc < 0) return rc;
        s->dirty = true;
    }
    s->more = (int64_t)a->run_count >= s->asks[0].sweep && s->runs.waiting > before;
    recount(t);
    trim(t);
    return OK;
}

void turn_explain(struct turn *t)
{
    struct sched *s = t->s;
    int said = 0;
    if (!s->idle) return;
    for (size_t i = 0; i < s->runs.waiting && said < EXPLAINED_TURN; i++) {
        struct run *r = s->runs.queue[i];
        bool taker = r->explained || t->now_ms - r->since_ms < s->config.lease_ms;
        for (size_t k = 0; k < s->worker_count && !taker; k++)
            taker = serves(&s->workers[k]) && kernels(s, &s->workers[k], r);
        if (taker) continue;
        const char *family =
            r->is.blas.family[0] ? r->is.blas.family : sweep_find(s, r->is.sweep)->settings.blas;
        turn_say(t, "no_worker", r->is.run, 0,
                 "no connected worker offers the kernels that this run needs: %s %.16s", family,
                 r->is.blas.fingerprint);
        r->explained = true;
        said++;
    }
}
