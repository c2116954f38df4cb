// SPDX-License-Identifier: MIT
/* sched_sweep: sweeps, the commands of people about them, and the store's answers.
 *
 * A command is answered when everything it did is durable. What it did to runs in the table
 * happens at once; what it did to runs that only the database holds is learned from the answers.
 */
#include "coordinator/sched_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANCEL_RUNS 10000 /* most runs named in one command */

struct save_sweep *sweep_find(const struct sched *s, int64_t number)
{
    for (size_t i = 0; i < s->sweep_count; i++)
        if (s->sweeps[i].sweep == number) return &s->sweeps[i];
    return NULL;
}

int sweep_add(struct turn *t, const struct save_sweep *is)
{
    struct sched *s = t->s;
    if (s->sweep_count == s->sweep_room) {
        size_t room = s->sweep_room ? 2 * s->sweep_room : 4;
        struct save_sweep *sweeps = realloc(s->sweeps, room * sizeof *sweeps);
        if (!sweeps) return err_set(t->e, E_NOMEM, "no memory for %zu sweeps", room);
        s->sweeps = sweeps;
        s->sweep_room = room;
    }
    s->sweeps[s->sweep_count++] = *is;
    return OK;
}

static int64_t *count_of(struct save_sweep *w, enum run_state state)
{
    switch (state) {
    case RUN_WAITING: return &w->waiting;
    case RUN_RUNNING: return &w->running;
    case RUN_FINISHED: return &w->finished;
    case RUN_FAILED: return &w->failed;
    case RUN_CANCELLED: break;
    }
    return &w->cancelled;
}

void sweep_move(struct turn *t, int64_t sweep, enum run_state from, enum run_state to)
{
    struct save_sweep *w = sweep_find(t->s, sweep);
    --*count_of(w, from);
    ++*count_of(w, to);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static struct sched_command *command_find(const struct sched *s, int64_t number)
{
    for (size_t i = 0; i < s->command_count; i++)
        if (s->commands[i].number == number) return &s->commands[i];
    return NULL;
}

static struct sched_command *command_open(struct turn *t)
{
    struct sched *s = t->s;
    if (s->command_count == s->command_room) {
        size_t room = s->command_room ? 2 * s->command_room : 4;
        struct sched_command *commands = realloc(s->commands, room * sizeof *commands);
        if (!commands) return NULL;
        s->commands = commands;
        s->command_room = room;
    }
    struct sched_command *c = &s->commands[s->command_count++];
    memset(c, 0, sizeof *c);
    c->number = s->next_command++;
    c->kind = t->ev->kind;
    c->peer = t->ev->peer;
    return c;
}

static void sum_up(struct sched_command *c)
{
    static const char *const done[] = {[EVENT_PAUSE] = "paused",
                                       [EVENT_RESUME] = "resumed",
                                       [EVENT_CANCEL] = "cancelled",
                                       [EVENT_CANCEL_RUNS] = "cancelled",
                                       [EVENT_RETRY] = "looked at"};
    const char *what = c->kind == EVENT_CANCEL_RUNS ? "run" : "sweep";
    int n = snprintf(c->text, sizeof c->text, "%lld %s%s %s", (long long)c->done, what,
                     c->done == 1 ? "" : "s", done[c->kind]);
    if (c->kind == EVENT_RETRY)
        n = snprintf(c->text, sizeof c->text, "%lld run%s wait%s again", (long long)c->runs,
                     c->runs == 1 ? "" : "s", c->runs == 1 ? "s" : "");
    if (c->refused)
        snprintf(c->text + n, sizeof c->text - (size_t)n, "; %lld not: over or unknown",
                 (long long)c->refused);
    if (c->refused && !c->done) c->code = 1;
}

/* Sends the answer once nothing of the command is open. */
static void command_settle(struct turn *t, struct sched_command *c)
{
    struct sched *s = t->s;
    if (c->open) return;
    if (!c->text[0]) sum_up(c);
    struct send *x = actions_send(t->out, SEND_ANSWER, c->peer);
    x->code = c->code;
    snprintf(x->text, sizeof x->text, "%s", c->text);
    size_t at = (size_t)(c - s->commands);
    memmove(c, c + 1, (--s->command_count - at) * sizeof *c);
}

/* Whether a number is in the selection by itself, not only because everything is. */
static bool is_named(const struct turn *t, int64_t number)
{
    for (size_t i = 0; i < t->ev->range_count; i++) {
        const struct event_range *x = &t->ev->ranges[i];
        if ((x->from == RANGE_LAST && number == t->s->next_sweep - 1) ||
            (x->from >= 0 && number >= x->from && number <= x->to))
            return true;
    }
    return false;
}

static bool in_ranges(const struct turn *t, int64_t number)
{
    for (size_t i = 0; i < t->ev->range_count; i++)
        if (t->ev->ranges[i].from == RANGE_ALL) return true;
    return is_named(t, number);
}

static int submit(struct turn *t, struct sched_command *c)
{
    struct save *x = actions_save(t->out, SAVE_SWEEP);
    x->sweep = t->s->next_sweep++;
    x->text = strdup(t->ev->text);
    if (!x->text) t->out->failed = true;
    c->open++;
    return turn_ask(t, SAVE_SWEEP, x->sweep, 0, c->number);
}

/* Takes the waiting runs of a sweep out of the table: they wait in the database, or nowhere. */
static void put_away(struct turn *t, int64_t sweep)
{
    struct run_table *runs = &t->s->runs;
    for (size_t i = runs->count; i-- > 0;) {
        struct run *r = runs->by_number[i];
        if (r->is.sweep == sweep && r->state == RUN_WAITING) turn_forget(t, r);
    }
    if (t->s->fetching) t->s->stale = true;
}

static int cancel_run(struct turn *t, struct run *r, int64_t command)
{
    const struct change c = {.event = RUN_ON_CANCEL,
                             .reason = "cancelled by its owner",
                             .tell = true,
                             .with = SEND_STOP};
    int64_t run = r->is.run, sweep = r->is.sweep;
    int rc = turn_change(t, r, &c);
    return rc < 0 ? rc : turn_ask(t, SAVE_CANCEL, sweep, run, command);
}

static int cancel_sweep(struct turn *t, struct save_sweep *w)
{
    int64_t sweep = w->sweep;
    put_away(t, sweep);
    w->cancelled += w->waiting;
    w->waiting = 0;
    for (size_t i = t->s->runs.count; i-- > 0;) {
        struct run *r = t->s->runs.by_number[i];
        int rc = r->is.sweep == sweep ? cancel_run(t, r, 0) : OK;
        if (rc < 0) return rc;
    }
    return OK;
}

static int set_state(struct turn *t, struct save_sweep *w, enum sweep_state state, int64_t command)
{
    w->state = state;
    struct save *x = actions_save(t->out, SAVE_SWEEP_STATE);
    x->sweep = w->sweep;
    x->sweep_state = state;
    return turn_ask(t, SAVE_SWEEP_STATE, w->sweep, 0, command);
}

/* Pause, resume or cancel one sweep that is in a state for it. */
static int steer(struct turn *t, struct sched_command *c, struct save_sweep *w)
{
    int rc = OK;
    c->open++;
    c->done++;
    if (c->kind == EVENT_PAUSE) {
        rc = set_state(t, w, SWEEP_PAUSED, c->number);
        put_away(t, w->sweep);
    } else if (c->kind == EVENT_RESUME) {
        rc = set_state(t, w, SWEEP_ACTIVE, c->number);
        t->s->more = t->s->look = true;
        if (t->s->fetching) t->s->stale = true;
    } else {
        rc = set_state(t, w, SWEEP_CANCELLED, c->number);
        if (rc == OK) rc = cancel_sweep(t, w);
    }
    return rc;
}

static int steer_all(struct turn *t, struct sched_command *c)
{
    for (size_t i = 0; i < t->s->sweep_count; i++) {
        struct save_sweep *w = &t->s->sweeps[i];
        bool fits = c->kind == EVENT_PAUSE ? w->state == SWEEP_ACTIVE
                    : c->kind == EVENT_RESUME
                        ? w->state == SWEEP_PAUSED
                        : w->state == SWEEP_ACTIVE || w->state == SWEEP_PAUSED;
        int rc = fits && in_ranges(t, w->sweep) ? steer(t, c, w) : OK;
        if (rc < 0) return rc;
    }
    if (c->done) return OK;
    static const char *const wanted[] = {
        [EVENT_PAUSE] = "active", [EVENT_RESUME] = "paused", [EVENT_CANCEL] = "active or paused"};
    c->code = 1;
    snprintf(c->text, sizeof c->text, "no sweep of this selection is %s", wanted[c->kind]);
    return OK;
}

/* A cancelled sweep comes back to life only when its number is given. */
static int retry_all(struct turn *t, struct sched_command *c)
{
    for (int64_t n = 1; n < t->s->next_sweep; n++) {
        if (!in_ranges(t, n)) continue;
        struct save *x = actions_save(t->out, SAVE_RETRY);
        x->sweep = n;
        x->revive = is_named(t, n);
        x->fresh = t->ev->fresh;
        c->open++;
        int rc = turn_ask(t, SAVE_RETRY, n, 0, c->number);
        if (rc < 0) return rc;
    }
    if (c->open) return OK;
    c->code = 1;
    snprintf(c->text, sizeof c->text, "no such sweep: there are %lld",
             (long long)(t->s->next_sweep - 1));
    return OK;
}

/* One run by its number: from the table at once, or from the database. */
static int cancel_number(struct turn *t, struct sched_command *c, int64_t number)
{
    struct run *r = run_find(&t->s->runs, number);
    c->open++;
    if (r) return cancel_run(t, r, c->number);
    struct save *x = actions_save(t->out, SAVE_CANCEL);
    x->run = number;
    snprintf(x->reason, sizeof x->reason, "cancelled by its owner");
    if (t->s->fetching) t->s->stale = true;
    return turn_ask(t, SAVE_CANCEL, 0, number, c->number);
}

static int cancel_numbers(struct turn *t, struct sched_command *c)
{
    int64_t count = 0;
    for (size_t i = 0; i < t->ev->range_count; i++) {
        const struct event_range *x = &t->ev->ranges[i];
        bool sound = x->from >= 1 && x->to >= x->from && x->to - x->from < CANCEL_RUNS;
        count = sound ? count + x->to - x->from + 1 : CANCEL_RUNS + 1;
        if (count <= CANCEL_RUNS) continue;
        c->code = 2;
        snprintf(c->text, sizeof c->text, "name at most %d runs by their numbers: 7 or 1-9",
                 CANCEL_RUNS);
        return OK;
    }
    for (size_t i = 0; i < t->ev->range_count; i++)
        for (int64_t n = t->ev->ranges[i].from; n <= t->ev->ranges[i].to; n++) {
            int rc = cancel_number(t, c, n);
            if (rc < 0) return rc;
        }
    return OK;
}

int turn_command(struct turn *t)
{
    struct sched_command *c = command_open(t);
    int rc;
    if (!c) return err_set(t->e, E_NOMEM, "no memory for a command");
    if (c->kind == EVENT_SUBMIT)
        rc = submit(t, c);
    else if (c->kind == EVENT_RETRY)
        rc = retry_all(t, c);
    else if (c->kind == EVENT_CANCEL_RUNS)
        rc = cancel_numbers(t, c);
    else
        rc = steer_all(t, c);
    if (rc == OK) command_settle(t, c);
    return rc;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

/* Whether a state of the sweep was asked for after the save that is answered now. */
static bool steered_since(const struct sched *s, int64_t sweep)
{
    for (size_t i = 1; i < s->ask_count; i++)
        if (s->asks[i].kind == SAVE_SWEEP_STATE && s->asks[i].sweep == sweep) return true;
    return false;
}

/* Counts of a sweep after runs were added or wait again. A sweep not known here is as the store
 * says; of a known one the table is ahead of the store, so only the difference counts. The state is
 * the store's, which ends a sweep with its last run and takes it up again with new ones. */
static int sweep_grown(struct turn *t, const struct save_answer *a, bool from_failed)
{
    struct save_sweep *w = sweep_find(t->s, a->totals.sweep);
    t->s->more = t->s->look = true;
    if (!w) return sweep_add(t, &a->totals);
    w->waiting += a->added;
    if (from_failed) w->failed -= a->added;
    if (a->added && !steered_since(t->s, w->sweep)) w->state = a->totals.state;
    return OK;
}

static int submitted(struct turn *t, const struct sched_ask *ask, struct sched_command *c,
                     const struct save_answer *a)
{
    static const char *const names[] = {"active", "paused", "cancelled", "done"};
    const struct save_sweep *x = &a->totals;
    bool unused = a->verdict != VERDICT_STORED || x->sweep != ask->sweep;
    if (unused && t->s->next_sweep == ask->sweep + 1) t->s->next_sweep = ask->sweep;
    if (a->verdict != VERDICT_STORED) {
        c->code = 2;
        snprintf(c->text, sizeof c->text, "%s", a->reason);
        return OK;
    }
    long long total = (long long)(x->waiting + x->running + x->finished + x->failed + x->cancelled);
    int n = snprintf(c->text, sizeof c->text, "sweep %lld: %lld run%s added (%lld in the file)",
                     (long long)x->sweep, (long long)a->added, a->added == 1 ? "" : "s", total);
    if (x->state == SWEEP_CANCELLED || x->state == SWEEP_PAUSED)
        snprintf(c->text + n, sizeof c->text - (size_t)n, "; it is %s", names[x->state]);
    return sweep_grown(t, a, false);
}

static int retried(struct turn *t, struct sched_command *c, const struct save_answer *a)
{
    if (a->verdict != VERDICT_STORED) {
        c->refused++;
        return OK;
    }
    c->done++;
    c->runs += a->added;
    return a->added ? sweep_grown(t, a, true) : OK;
}

/* A run that only the database held has its sweep's count corrected here, unless that was cancelled
 * meanwhile, with all that waited. */
static void run_cancelled(struct turn *t, const struct sched_ask *ask, struct sched_command *c,
                          const struct save_answer *a)
{
    if (!c) return;
    if (a->verdict != VERDICT_STORED) {
        c->refused++;
        return;
    }
    c->done++;
    const struct save_sweep *w = ask->sweep ? NULL : sweep_find(t->s, a->sweep);
    if (w && w->state != SWEEP_CANCELLED) sweep_move(t, a->sweep, RUN_WAITING, RUN_CANCELLED);
}

static int asked_answer(struct turn *t, const struct sched_ask *ask, const struct save_answer *a)
{
    struct sched_command *c = command_find(t->s, ask->command);
    int rc = OK;
    if (a->kind == SAVE_FETCH) rc = turn_fetched(t, a);
    if (a->kind == SAVE_SWEEP && c) rc = submitted(t, ask, c, a);
    if (a->kind == SAVE_RETRY && c) rc = retried(t, c, a);
    if (a->kind == SAVE_CANCEL) run_cancelled(t, ask, c, a);
    if (rc < 0 || !c) return rc;
    c->open--;
    command_settle(t, c);
    return OK;
}

int turn_answer(struct turn *t)
{
    struct sched *s = t->s;
    const struct save_answer *a = t->ev->answer;
    if (a->kind == SAVE_EPOCHS) return turn_epochs_answer(t, a);
    if (a->kind == SAVE_PART || a->kind == SAVE_READ) return turn_file_answer(t, a);
    if (a->kind == SAVE_END) return OK;
    if (!s->ask_count || s->asks[0].kind != a->kind)
        return err_set(t->e, E_STATE, "the store answered %d, asked was %d", (int)a->kind,
                       s->ask_count ? (int)s->asks[0].kind : -1);
    struct sched_ask ask = s->asks[0];
    int rc = asked_answer(t, &ask, a);
    memmove(s->asks, s->asks + 1, --s->ask_count * sizeof *s->asks);
    return rc;
}

/* Whether an answer may still add waiting runs to the sweep. */
static bool may_grow(const struct sched *s, int64_t sweep)
{
    for (size_t i = 0; i < s->ask_count; i++)
        if (s->asks[i].kind == SAVE_SWEEP ||
            (s->asks[i].kind == SAVE_RETRY && s->asks[i].sweep == sweep))
            return true;
    return false;
}

int turn_done(struct turn *t)
{
    if (t->s->more || t->s->fetching) return OK; /* the database may know of more */
    for (size_t i = 0; i < t->s->sweep_count; i++) {
        struct save_sweep *w = &t->s->sweeps[i];
        int64_t over = w->finished + w->failed + w->cancelled;
        bool open = w->state == SWEEP_ACTIVE || w->state == SWEEP_PAUSED;
        if (!open || w->waiting || w->running || !over || may_grow(t->s, w->sweep)) continue;
        int rc = set_state(t, w, SWEEP_DONE, 0);
        if (rc < 0) return rc;
        struct note *n = actions_note(t->out);
        n->from = "active";
        n->to = "done";
        snprintf(n->text, sizeof n->text, "sweep %lld: %lld finished, %lld failed, %lld cancelled",
                 (long long)w->sweep, (long long)w->finished, (long long)w->failed,
                 (long long)w->cancelled);
    }
    return OK;
}
