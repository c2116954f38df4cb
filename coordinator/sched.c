// SPDX-License-Identifier: MIT
/* sched: one turn: the event goes to the file that knows it, then work is handed out, sweeps that
 * are through are closed and the next runs are fetched.
 */
#include "coordinator/sched.h"

#include "coordinator/sched_turn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sched_init(struct sched *s, const struct sched_config *c)
{
    memset(s, 0, sizeof *s);
    s->config = *c;
    s->next_sweep = s->next_worker = s->next_command = 1;
}

void sched_free(struct sched *s)
{
    run_table_free(&s->runs);
    free(s->workers);
    free(s->sweeps);
    free(s->asks);
    free(s->commands);
    memset(s, 0, sizeof *s);
}

void turn_say(struct turn *t, const char *kind, int64_t run, int64_t worker, const char *format,
              ...)
{
    struct save *x = actions_save(t->out, SAVE_EVENT);
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    x->run = run;
    x->worker = worker;
    snprintf(x->blas.family, sizeof x->blas.family, "%s", kind);
    x->text = strdup(text);
    if (!x->text) t->out->failed = true;
}

void turn_refuse(struct turn *t, const char *reason)
{
    struct send *x = actions_send(t->out, SEND_REFUSE, t->ev->peer);
    snprintf(x->text, sizeof x->text, "%s", reason);
}

void turn_stop(struct turn *t, int64_t run, int64_t attempt, const char *reason)
{
    struct send *x = actions_send(t->out, SEND_STOP, t->ev->peer);
    x->run = run;
    x->attempt = attempt;
    snprintf(x->text, sizeof x->text, "%s", reason);
}

int turn_ask(struct turn *t, enum save_kind kind, int64_t sweep, int64_t run, int64_t command)
{
    struct sched *s = t->s;
    if (s->ask_count == s->ask_room) {
        size_t room = s->ask_room ? 2 * s->ask_room : 16;
        struct sched_ask *asks = realloc(s->asks, room * sizeof *asks);
        if (!asks) return err_set(t->e, E_NOMEM, "scheduler: no memory for %zu questions", room);
        s->asks = asks;
        s->ask_room = room;
    }
    s->asks[s->ask_count++] = (struct sched_ask){kind, sweep, run, command};
    return OK;
}

/* A run that some worker held when the last coordinator ended: it goes on when that worker comes
 * back and says that it holds it; a lease later it is lost. How much of what is stored came from
 * this attempt is not known. */
static int adopt(struct turn *t, const struct save_run *is)
{
    struct run *r;
    struct worker *w = NULL;
    const struct save_sweep *sweep = sweep_find(t->s, is->sweep);
    if (!sweep)
        return err_set(t->e, E_STATE, "run %lld is running but its sweep %lld is not open",
                       (long long)is->run, (long long)is->sweep);
    int rc = run_add(&t->s->runs, is, sweep->settings.blas, RUN_RUNNING, t->now_ms, &r, t->e);
    if (rc < 0) return rc;
    if (*is->holder && !(w = worker_recall(t, is)))
        return err_set(t->e, E_NOMEM, "no memory for one worker more");
    if (w) w->held++;
    r->lease = (struct run_lease){.worker = w ? w->number : 0,
                                  .given_ms = t->now_ms,
                                  .heard_ms = t->now_ms,
                                  .begun_ms = t->now_ms - t->s->config.quick_ms,
                                  .epoch = -1,
                                  .stored = -1,
                                  .sent = {.epoch = -1}};
    return OK;
}

static int start(struct turn *t)
{
    struct sched *s = t->s;
    int rc = OK;
    if (s->started) return err_set(t->e, E_STATE, "the scheduler was started twice");
    s->started = s->more = true;
    s->tick_ms = t->now_ms; /* an absence before the first tick counts too */
    s->next_sweep = t->ev->next_sweep;
    s->next_worker = t->ev->next_worker;
    for (size_t i = 0; i < t->ev->sweep_count && rc == OK; i++)
        rc = sweep_add(t, &t->ev->sweeps[i]);
    for (size_t i = 0; i < t->ev->run_count && rc == OK; i++) rc = adopt(t, &t->ev->runs[i]);
    return rc;
}

/* Messages of workers: only of those that said Hello, and each renews the lease. */
static int from_worker(struct turn *t)
{
    struct worker *w = worker_of_peer(t->s, t->ev->peer);
    if (!w) {
        turn_refuse(t, "hello");
        return OK;
    }
    w->heard_ms = t->now_ms;
    switch (t->ev->kind) {
    case EVENT_HEARTBEAT: return turn_heartbeat(t, w);
    case EVENT_EPOCHS: return turn_epochs(t, w);
    case EVENT_PART: return turn_file(t, w, RUN_ON_PART);
    case EVENT_READ: return turn_file(t, w, RUN_ON_READ);
    case EVENT_ENDED: return turn_ended(t, w);
    default: return turn_goodbye(t, w);
    }
}

static int take(struct turn *t)
{
    switch (t->ev->kind) {
    case EVENT_START: return start(t);
    case EVENT_TICK: return turn_leases(t);
    case EVENT_FULL: turn_full(t); return OK;
    case EVENT_HELLO: return turn_hello(t);
    case EVENT_HEARTBEAT:
    case EVENT_EPOCHS:
    case EVENT_PART:
    case EVENT_READ:
    case EVENT_ENDED:
    case EVENT_GOODBYE: return from_worker(t);
    case EVENT_ANSWER: return turn_answer(t);
    case EVENT_SUBMIT:
    case EVENT_PAUSE:
    case EVENT_RESUME:
    case EVENT_CANCEL:
    case EVENT_CANCEL_RUNS:
    case EVENT_RETRY: return turn_command(t);
    case EVENT_KEYS: return turn_keys(t);
    case EVENT_STOP: t->s->stopping = true; return OK;
    }
    return err_set(t->e, E_STATE, "event %d is unknown", (int)t->ev->kind);
}

int sched_on(struct sched *s, const struct event *ev, int64_t now_ms, struct actions *out,
             struct err *e)
{
    struct turn t = {s, ev, now_ms, out, e};
    if (!s->started && ev->kind != EVENT_START)
        return err_set(e, E_STATE, "the scheduler has not been started");
    int rc = take(&t);
    if (rc == OK) rc = turn_assign(&t);
    if (rc == OK) rc = turn_done(&t);
    if (rc == OK) rc = turn_fetch(&t);
    if (rc == OK && out->failed) rc = err_set(e, E_NOMEM, "scheduler: no memory for its actions");
    return rc;
}

void sched_totals(const struct sched *s, struct sched_totals *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < s->sweep_count; i++) {
        const struct save_sweep *w = &s->sweeps[i];
        out->waiting += w->waiting;
        out->running += w->running;
        out->finished += w->finished;
        out->failed += w->failed;
        out->cancelled += w->cancelled;
        out->sweeps_open += w->state == SWEEP_ACTIVE || w->state == SWEEP_PAUSED;
    }
    for (size_t i = 0; i < s->worker_count; i++) {
        if (s->workers[i].state == WORKER_GONE) continue;
        out->workers++;
        out->slots += s->workers[i].slots;
    }
    out->questions = s->command_count;
    for (size_t i = 0; i < s->ask_count; i++) out->questions += s->asks[i].kind != SAVE_FETCH;
}

int64_t sched_epochs_left(const struct sched *s)
{
    int64_t running = 0, waiting = 0, count = 0, waiting_runs = 0;
    for (size_t i = 0; i < s->runs.count; i++) {
        const struct run *r = s->runs.by_number[i];
        int64_t epochs = r->is.params.epochs + 1;
        int64_t done = r->lease.epoch < 0 ? r->is.epochs_done : r->lease.epoch;
        if (r->state == RUN_WAITING) {
            waiting += epochs;
            count++;
        } else if (done + 1 < epochs) {
            running += epochs - done - 1;
        }
    }
    for (size_t i = 0; i < s->sweep_count; i++)
        if (s->sweeps[i].state == SWEEP_ACTIVE) waiting_runs += s->sweeps[i].waiting;
    double mean = count ? (double)waiting / (double)count : 0;
    return running + (int64_t)(mean * (double)waiting_runs);
}

static bool workers_sound(const struct sched *s, char text[256])
{
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker *w = &s->workers[i];
        size_t held = 0;
        for (size_t k = 0; k < s->runs.count; k++) {
            const struct run *r = s->runs.by_number[k];
            held += r->state == RUN_RUNNING && r->lease.worker == w->number;
        }
        long long number = (long long)w->number;
        if (held != w->held)
            return snprintf(text, 256, "worker %lld holds %zu runs, counts %zu", number, held,
                            w->held),
                   false;
        if ((w->state == WORKER_GONE) != (w->peer == 0))
            return snprintf(text, 256, "worker %lld is gone and has a peer, or the reverse",
                            number),
                   false;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(s->workers[k].uuid, w->uuid) || s->workers[k].number == w->number ||
                (w->peer && s->workers[k].peer == w->peer))
                return snprintf(text, 256, "worker %lld stands twice", number), false;
    }
    return true;
}

bool sched_sound(const struct sched *s, char text[256])
{
    if (!run_table_sound(&s->runs, text) || !workers_sound(s, text)) return false;
    for (size_t i = 0; i < s->runs.count; i++) {
        const struct run *r = s->runs.by_number[i];
        long long number = (long long)r->is.run;
        const struct save_sweep *w = sweep_find(s, r->is.sweep);
        if (!w) return snprintf(text, 256, "run %lld has no sweep", number), false;
        if (r->state == RUN_WAITING && w->state != SWEEP_ACTIVE)
            return snprintf(text, 256, "run %lld waits in a sweep that hands nothing out", number),
                   false;
        if (r->state == RUN_RUNNING && r->is.attempt < 1)
            return snprintf(text, 256, "run %lld runs without an attempt", number), false;
        if (r->state == RUN_RUNNING && r->lease.worker && !worker_find(s, r->lease.worker))
            return snprintf(text, 256, "run %lld is held by nobody known", number), false;
    }
    for (size_t i = 0; i < s->sweep_count; i++) {
        const struct save_sweep *w = &s->sweeps[i];
        int64_t running = 0, waiting = 0;
        for (size_t k = 0; k < s->runs.count; k++) {
            if (s->runs.by_number[k]->is.sweep != w->sweep) continue;
            running += s->runs.by_number[k]->state == RUN_RUNNING;
            waiting += s->runs.by_number[k]->state == RUN_WAITING;
        }
        if (running != w->running || waiting > w->waiting)
            return snprintf(text, 256,
                            "sweep %lld counts %lld running and %lld waiting, holds %lld and %lld",
                            (long long)w->sweep, (long long)w->running, (long long)w->waiting,
                            (long long)running, (long long)waiting),
                   false;
    }
    return true;
}
