// SPDX-License-Identifier: MIT
/* sched_run: the life of a run as the scheduler sees it: its epochs, how its attempts end, and
 * whose fault that was.
 */
#include "coordinator/sched_turn.h"
#include "proto/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNANSWERED 64 /* messages of one run; a worker waits after a few */

static void save_end(struct turn *t, const struct run *r, const struct change *c)
{
    struct save *x = actions_save(t->out, SAVE_END);
    x->run = r->is.run;
    x->sweep = r->is.sweep;
    x->attempt = r->is.attempt;
    x->worker = r->lease.worker;
    x->run_state = r->state;
    x->failures = r->is.failures;
    x->losses = r->is.losses;
    x->seconds = c->seconds;
    snprintf(x->outcome, sizeof x->outcome, "%s", c->outcome);
    snprintf(x->reason, sizeof x->reason, "%s", c->reason ? c->reason : "");
    if (!c->log) return;
    x->text = strdup(c->log);
    if (!x->text) t->out->failed = true;
}

static void save_of_run(struct turn *t, const struct run *r, const struct change *c, unsigned fx)
{
    if (fx & FX_SAVE_ASSIGN) {
        struct save *x = actions_save(t->out, SAVE_ASSIGN);
        x->run = r->is.run;
        x->sweep = r->is.sweep;
        x->attempt = r->is.attempt;
        x->worker = r->lease.worker;
        x->blas = r->is.blas;
    }
    if (fx & FX_SAVE_EPOCHS) {
        struct save *x = actions_save(t->out, SAVE_EPOCHS);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        actions_with_message(t->out);
    }
    if (fx & (FX_SAVE_PART | FX_SAVE_READ)) {
        struct save *x = actions_save(t->out, fx & FX_SAVE_PART ? SAVE_PART : SAVE_READ);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        x->count = t->ev->offset;
        if (fx & FX_SAVE_PART) actions_with_message(t->out);
    }
    if (fx & FX_SAVE_END) save_end(t, r, c);
    if (fx & FX_SAVE_CANCEL) {
        struct save *x = actions_save(t->out, SAVE_CANCEL);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        snprintf(x->reason, sizeof x->reason, "%s", c->reason ? c->reason : "");
    }
}

static void send_of_run(struct turn *t, const struct run *r, const struct change *c, unsigned fx)
{
    const struct worker *w = worker_find(t->s, r->lease.worker);
    if (!w || !w->peer) return;
    if (fx & FX_SEND_WORK) {
        struct send *x = actions_send(t->out, SEND_WORK, w->peer);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        x->blas = r->is.blas;
        x->params = &r->is.params;
        x->settings = &sweep_find(t->s, r->is.sweep)->settings;
    }
    if (fx & FX_SEND_FILE) {
        struct send *x =
            actions_send(t->out, c->file->kind == SAVE_PART ? SEND_GOT : SEND_PART, w->peer);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        x->file = c->file;
    }
    if ((fx & FX_SEND_ACK) || ((fx & FX_SEND_REPLY) && c->tell)) {
        struct send *x = actions_send(t->out, fx & FX_SEND_ACK ? SEND_ACK : c->with, w->peer);
        x->run = r->is.run;
        x->attempt = r->is.attempt;
        x->epoch = r->lease.stored;
        x->ended = !(fx & FX_SEND_ACK) && c->with == SEND_ACK;
        if (x->kind == SEND_STOP && c->reason) snprintf(x->text, sizeof x->text, "%s", c->reason);
    }
}

/* The answer to a FETCH may still call a run waiting that was taken, and is over, since it was
 * asked. An attempt that its worker ended is older than that: its work was sent after the answer.
 */
void turn_forget(struct turn *t, struct run *r)
{
    bool by_worker = r->state == RUN_FINISHED || r->state == RUN_FAILED;
    if (t->s->fetching && !(by_worker && r->lease.epoch >= 0)) t->s->stale = true;
    run_remove(&t->s->runs, r);
}

static void note_change(struct turn *t, const struct run *r, enum run_state from, int64_t since_ms,
                        const struct change *c)
{
    struct note *n = actions_note(t->out);
    n->run = r->is.run;
    n->attempt = r->is.attempt;
    n->worker = r->lease.worker;
    n->from = run_state_name(from);
    n->to = run_state_name(r->state);
    n->after_ms = t->now_ms - since_ms;
    snprintf(n->text, sizeof n->text, "%s", c->reason ? c->reason : "");
}

int turn_change(struct turn *t, struct run *r, const struct change *c)
{
    enum run_state from = r->state;
    int64_t since_ms = r->since_ms;
    unsigned fx;
    int rc = run_step(&t->s->runs, r, c->event, t->now_ms, &fx, t->e);
    if (rc < 0) return rc;
    save_of_run(t, r, c, fx);
    send_of_run(t, r, c, fx);
    if (r->state == from) return OK;
    note_change(t, r, from, since_ms, c);
    sweep_move(t, r->is.sweep, from, r->state);
    if (from == RUN_RUNNING) {
        worker_release(t, r);
        run_ending_free(r);
    }
    /* A run of a paused sweep waits in the database. */
    if ((fx & FX_FORGET) ||
        (r->state == RUN_WAITING && sweep_find(t->s, r->is.sweep)->state != SWEEP_ACTIVE))
        turn_forget(t, r);
    return OK;
}

/* How it goes when the worker is to blame: nothing is counted. */
static int give_back(struct turn *t, struct run *r, const struct change *c)
{
    struct change x = *c;
    x.event = RUN_ON_GIVE_BACK;
    return turn_change(t, r, &x);
}

/* Of what fails at once for good, only a run that diverged is known to be to blame: a worker that
 * lacks something (memory, a parameter of a newer version) says the same of every run. */
int turn_fail(struct turn *t, struct run *r, const struct change *c, bool final, bool quick)
{
    struct worker *w = worker_find(t->s, r->lease.worker);
    struct change x = *c;
    bool diverged = final && c->reason && !strncmp(c->reason, RUN_DIVERGED, strlen(RUN_DIVERGED));
    if (w && quick && !diverged) worker_blame(t, w, r, false);
    if (w && w->quarantine && !diverged) return give_back(t, r, c);
    if (w && !quick) w->quick_count = 0;
    r->is.failures++;
    bool last = diverged || (final && !quick) ||
                r->is.failures >= sweep_find(t->s, r->is.sweep)->settings.max_attempts;
    x.event = last ? RUN_ON_FAIL_LAST : RUN_ON_FAIL;
    return turn_change(t, r, &x);
}

int turn_lose(struct turn *t, struct run *r, const struct change *c)
{
    const struct worker *w = worker_find(t->s, r->lease.worker);
    struct change x = *c;
    char reason[SAVE_REASON];
    if (w && w->quarantine) return give_back(t, r, c);
    r->is.losses++;
    x.event = RUN_ON_LOSE;
    if (r->is.losses >= sweep_find(t->s, r->is.sweep)->settings.max_losses) {
        x.event = RUN_ON_LOSE_LAST;
        snprintf(reason, sizeof reason, "lost %lld times, the last time: %.200s",
                 (long long)r->is.losses, c->reason ? c->reason : "no reason given");
        x.reason = reason;
    }
    return turn_change(t, r, &x);
}

/* A verdict of ours: FAIL, LOSE or GIVE_BACK. */
static int carry_out(struct turn *t, struct run *r, const struct change *c)
{
    struct change x = *c;
    x.outcome = c->event == RUN_ON_FAIL ? "failed" : c->event == RUN_ON_LOSE ? "lost" : "returned";
    if (c->event == RUN_ON_FAIL) return turn_fail(t, r, &x, false, false);
    return c->event == RUN_ON_LOSE ? turn_lose(t, r, &x) : turn_change(t, r, &x);
}

/* The run, if this worker holds this attempt of it; else the worker is told to forget it. */
static struct run *held(struct turn *t, const struct worker *w)
{
    struct run *r = run_find(&t->s->runs, t->ev->run);
    if (r && r->state == RUN_RUNNING && r->is.attempt == t->ev->attempt &&
        r->lease.worker == w->number)
        return r;
    turn_stop(t, t->ev->run, t->ev->attempt,
              r ? "this attempt is not the current one" : "the run is over or unknown");
    return NULL;
}

/* One message of the run more, or less, that the store has not answered. */
static void owe(const struct turn *t, struct run *r, int more)
{
    if (more < 0 || !r->lease.unanswered) r->lease.owed_ms = t->now_ms;
    r->lease.unanswered += more;
}

/* What no sound worker says: nothing of it is stored. */
static int disbelieve(struct turn *t, struct run *r)
{
    char reason[SAVE_REASON] = "its worker reports without waiting for answers";
    const struct change c = {
        .event = RUN_ON_LOSE, .reason = reason, .tell = true, .with = SEND_STOP};
    if (t->ev->last > r->is.params.epochs)
        snprintf(reason, sizeof reason, "its worker reported epoch %lld of %lld",
                 (long long)t->ev->last, (long long)r->is.params.epochs);
    return turn_judge(t, r, &c);
}

int turn_epochs(struct turn *t, struct worker *w)
{
    struct run *r = held(t, w);
    struct change c = {.event = RUN_ON_EPOCHS};
    if (!r) return OK;
    if (r->ending) return OK; /* sent again while its end is being judged */
    if (t->ev->last > r->is.params.epochs || r->lease.unanswered == UNANSWERED)
        return disbelieve(t, r);
    int rc = turn_change(t, r, &c);
    owe(t, r, 1);
    if (r->lease.epoch < 0) r->lease.epoch = t->ev->first - 1; /* resumed: it did not train those */
    run_heard(r, t->ev->last, t->now_ms);
    return rc;
}

/* Pieces of files count as messages that wait for their answer. */
int turn_file(struct turn *t, struct worker *w, enum run_event ev)
{
    struct run *r = held(t, w);
    const struct change c = {.event = ev};
    if (!r || r->ending) return OK;
    if (r->lease.unanswered == UNANSWERED) return disbelieve(t, r);
    owe(t, r, 1);
    return turn_change(t, r, &c);
}

/* Why the run cannot have finished so, or NULL. Only a stop rule ends it before its last epoch. */
static const char *unfinished(const struct turn *t, const struct run *r, int64_t epoch)
{
    const struct settings *set = &sweep_find(t->s, r->is.sweep)->settings;
    int64_t done = r->is.epochs_done;
    if (epoch > done) return "epochs before its end never arrived";
    bool may_stop = !isnan(set->stop_test_accuracy) && done >= set->stop_after;
    if (epoch == done && (done == r->is.params.epochs || may_stop)) return NULL;
    return "it ended before its last epoch";
}

/* The end of an attempt, all of whose epochs the store has answered for. */
static int settle(struct turn *t, struct run *r)
{
    const struct run_ending x = *r->ending;
    struct worker *w = worker_find(t->s, r->lease.worker);
    struct change c = {.event = x.event,
                       .reason = x.reason,
                       .log = x.log,
                       .seconds = x.seconds,
                       .tell = true,
                       .with = SEND_ACK};
    r->ending->log = NULL; /* ours now; the ending goes with the change */
    if (x.judged) {
        c.tell = x.tell;
        c.with = SEND_STOP;
        return carry_out(t, r, &c);
    }
    const char *missing = x.event == RUN_ON_FINISH ? unfinished(t, r, x.epoch) : NULL;
    int rc;
    if (missing) {
        c.outcome = "lost";
        c.reason = missing;
        c.with = SEND_STOP;
        rc = turn_lose(t, r, &c);
    } else if (x.event == RUN_ON_FAIL) {
        c.outcome = "failed";
        rc = turn_fail(t, r, &c, x.final, x.quick);
    } else if (x.event == RUN_ON_LOSE) {
        c.outcome = "lost";
        if (w && x.quick) worker_blame(t, w, r, true);
        if (w && !x.quick) w->quick_count = 0;
        rc = turn_lose(t, r, &c);
    } else {
        c.outcome = x.event == RUN_ON_FINISH ? "finished" : "returned";
        if (w && x.event == RUN_ON_FINISH) w->quick_count = 0;
        rc = turn_change(t, r, &c);
    }
    free(x.log);
    return rc;
}

/* What we judge of an attempt is carried out when the store has answered for all its epochs: one of
 * them may differ, and then that is what becomes of the run. What was judged first stands. */
int turn_judge(struct turn *t, struct run *r, const struct change *c)
{
    if (r->ending && r->ending->judged) return r->lease.unanswered ? OK : settle(t, r);
    if (!r->lease.unanswered) return carry_out(t, r, c);
    struct run_ending *x = calloc(1, sizeof *x);
    if (!x) return err_set(t->e, E_NOMEM, "run %lld: no memory for its end", (long long)r->is.run);
    x->event = c->event;
    x->judged = true;
    x->tell = c->tell;
    snprintf(x->reason, sizeof x->reason, "%s", c->reason);
    run_ending_free(r);
    r->ending = x;
    return OK;
}

int turn_ended(struct turn *t, struct worker *w)
{
    static const enum run_event events[] = {RUN_ON_FINISH, RUN_ON_FAIL, RUN_ON_LOSE,
                                            RUN_ON_GIVE_BACK};
    const struct event *ev = t->ev;
    struct run *r = held(t, w);
    if (!r || r->ending) return OK;
    if ((unsigned)ev->outcome >= sizeof events / sizeof *events)
        return err_set(t->e, E_STATE, "run %lld: unknown outcome %d", (long long)ev->run,
                       (int)ev->outcome);
    struct run_ending *x = calloc(1, sizeof *x);
    if (x && ev->log && *ev->log) x->log = strdup(ev->log);
    if (!x || (ev->log && *ev->log && !x->log)) {
        free(x);
        return err_set(t->e, E_NOMEM, "run %lld: no memory for its end", (long long)ev->run);
    }
    x->event = events[ev->outcome];
    x->final = ev->final;
    x->epoch = ev->epoch;
    x->seconds = ev->seconds;
    x->quick = r->lease.begun_ms < 0 || t->now_ms - r->lease.begun_ms < t->s->config.quick_ms;
    if (ev->reason) snprintf(x->reason, sizeof x->reason, "%s", ev->reason);
    r->ending = x;
    if (ev->outcome == OUTCOME_RETURNED) w->leaving = true;
    return r->lease.unanswered ? OK : settle(t, r);
}

/* The store took it: say so, and end the attempt if that was all it waited for. */
static int answered(struct turn *t, struct run *r, const struct change *c)
{
    int rc = turn_change(t, r, c);
    return rc == OK && r->ending && !r->lease.unanswered ? settle(t, r) : rc;
}

static int stored(struct turn *t, struct run *r, const struct save_answer *a)
{
    if (a->epoch > r->lease.stored) r->lease.stored = a->epoch;
    return answered(t, r, &(struct change){.event = RUN_ON_STORED});
}

/* The database knows better: the table forgets the run and fetches it again if it waits. */
static int disowned(struct turn *t, struct run *r, const struct save_answer *a)
{
    struct worker *w = worker_find(t->s, r->lease.worker);
    if (w && w->peer) {
        struct send *x = actions_send(t->out, SEND_STOP, w->peer);
        x->run = a->run;
        x->attempt = a->attempt;
        snprintf(x->text, sizeof x->text, "the database knows a newer attempt, or the run is over");
    }
    turn_say(t, "stale", a->run, r->lease.worker, "attempt %lld is not the stored one",
             (long long)a->attempt);
    struct save_sweep *sweep = sweep_find(t->s, r->is.sweep);
    sweep->running--;
    worker_release(t, r);
    turn_forget(t, r);
    t->s->more = true;
    return OK;
}

int turn_epochs_answer(struct turn *t, const struct save_answer *a)
{
    struct run *r = run_find(&t->s->runs, a->run);
    char reason[SAVE_REASON];
    if (r && a->epoch > r->is.epochs_done) r->is.epochs_done = a->epoch;
    if (!r || r->state != RUN_RUNNING || r->is.attempt != a->attempt) return OK;
    struct change c = {.reason = reason, .tell = true, .with = SEND_STOP};
    owe(t, r, -1);
    switch (a->verdict) {
    case VERDICT_STORED: return stored(t, r, a);
    case VERDICT_DIFFERS:
        c.event = RUN_ON_DIFFERS;
        snprintf(reason, sizeof reason, "%s", a->reason);
        return turn_change(t, r, &c);
    case VERDICT_GAP:
        c.event = RUN_ON_LOSE;
        snprintf(reason, sizeof reason, "epochs are missing: %.230s", a->reason);
        return turn_judge(t, r, &c);
    default: return disowned(t, r, a);
    }
}

int turn_file_answer(struct turn *t, const struct save_answer *a)
{
    struct run *r = run_find(&t->s->runs, a->run);
    if (!r || r->state != RUN_RUNNING || r->is.attempt != a->attempt) return OK;
    owe(t, r, -1);
    if (a->verdict == VERDICT_STALE) return disowned(t, r, a);
    run_filed(r, a, t->now_ms);
    return answered(t, r, &(struct change){.event = RUN_ON_FILED, .file = a});
}
