// SPDX-License-Identifier: MIT
/* sched_worker: the workers: who they are, what they hold, and when they are lost.
 *
 * A worker is its uuid, drawn when its process starts and bound to the key that first spoke for it;
 * the peer is only its present connection. Who is gone is remembered for a while, so that it gets
 * its number back and a quarantine outlives a reconnect.
 */
#include "coordinator/sched_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker *worker_find(const struct sched *s, int64_t number)
{
    if (!number) return NULL;
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].number == number) return &s->workers[i];
    return NULL;
}

struct worker *worker_of_peer(const struct sched *s, uint64_t peer)
{
    if (!peer) return NULL;
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].peer == peer) return &s->workers[i];
    return NULL;
}

void worker_release(struct turn *t, struct run *r)
{
    struct worker *w = worker_find(t->s, r->lease.worker);
    struct run *next = NULL;
    r->lease.worker = 0;
    t->s->dirty = true;
    if (!w) return;
    if (w->held-- <= w->slots) return;
    /* A slot became free for the prefetched run that was handed out first. */
    for (size_t i = 0; i < t->s->runs.count; i++) {
        struct run *x = t->s->runs.by_number[i];
        if (x->state != RUN_RUNNING || x->lease.worker != w->number || x->lease.begun_ms >= 0)
            continue;
        if (!next || x->lease.given_ms < next->lease.given_ms) next = x;
    }
    if (next) next->lease.begun_ms = t->now_ms;
}

static void note_worker(struct turn *t, const struct worker *w, const char *from, const char *to,
                        int64_t since_ms, const char *text)
{
    struct note *n = actions_note(t->out);
    n->worker = w->number;
    n->from = from;
    n->to = to;
    n->after_ms = t->now_ms - since_ms;
    snprintf(n->text, sizeof n->text, "%s", text);
}

static void save_gone(struct turn *t, const struct worker *w, const char *reason)
{
    struct save *x = actions_save(t->out, SAVE_WORKER_GONE);
    x->worker = w->number;
    snprintf(x->reason, sizeof x->reason, "%s", reason);
}

/* ---- blame -------------------------------------------------------------------------------------
 */

/* What it did to a run is taken back, as far as that was not taken back by a retry. */
static void forgive(struct turn *t, const struct worker_quick *q)
{
    struct run *r = run_find(&t->s->runs, q->run);
    struct save *x = q->failures + q->losses ? actions_save(t->out, SAVE_FORGIVE) : NULL;
    if (!x) return;
    x->run = q->run;
    x->failures = q->failures;
    x->losses = q->losses;
    if (!r && t->s->fetching) t->s->stale = true;
    if (!r) return;
    r->is.failures -= r->is.failures < q->failures ? r->is.failures : q->failures;
    r->is.losses -= r->is.losses < q->losses ? r->is.losses : q->losses;
}

static void quarantine(struct turn *t, struct worker *w, const struct run *last)
{
    w->quarantine = true;
    if (w->state == WORKER_CONNECTED) w->state = WORKER_QUARANTINED;
    for (size_t i = 0; i < w->quick_count; i++) forgive(t, &w->quick[i]);
    save_gone(t, w, "quarantined");
    turn_say(t, "quarantine", last->is.run, w->number,
             "the last %d runs of worker %lld failed or were lost within %lld s each: it gets no "
             "more work, and these failures and losses are not counted",
             SCHED_QUICK, (long long)w->number, (long long)(t->s->config.quick_ms / 1000));
    note_worker(t, w, "connected", "quarantined", w->since_ms, "quick failures in a row");
    w->since_ms = t->now_ms;
}

/* Before the run counts it. */
void worker_blame(struct turn *t, struct worker *w, const struct run *r, bool lost)
{
    size_t i = 0;
    while (i < w->quick_count && w->quick[i].run != r->is.run) i++;
    if (i == SCHED_QUICK) return;
    if (i == w->quick_count) w->quick[w->quick_count++] = (struct worker_quick){.run = r->is.run};
    if (w->quick_count == SCHED_QUICK && !w->quarantine) quarantine(t, w, r);
    w->quick[i].failures += !w->quarantine && !lost;
    w->quick[i].losses += !w->quarantine && lost;
}

/* ---- what a worker holds -----------------------------------------------------------------------
 */

static bool lists(const struct event *ev, const struct run *r)
{
    for (size_t i = 0; i < ev->holding_count; i++)
        if (ev->holdings[i].run == r->is.run && ev->holdings[i].attempt == r->is.attempt)
            return true;
    return false;
}

/* What the worker says it holds: a current attempt that is its own goes on, also one whose end was
 * judged while it was away and is not stored yet; everything else it forgets. */
static void claim(struct turn *t, struct worker *w)
{
    for (size_t i = 0; i < t->ev->holding_count; i++) {
        const struct event_holding *h = &t->ev->holdings[i];
        struct run *r = run_find(&t->s->runs, h->run);
        if (!r || r->state != RUN_RUNNING || r->is.attempt != h->attempt ||
            r->lease.worker != w->number)
            turn_stop(t, h->run, h->attempt, "this attempt is not the current one");
        else if (t->ev->kind == EVENT_HELLO && r->ending && r->ending->judged)
            run_ending_free(r);
    }
}

/* What we think it holds and it does not: handed back without blame. Work that was sent less than
 * `grace_ms` ago may still be on its way; that of a connection which the store keeps waiting has
 * not left. */
static int miss(struct turn *t, struct worker *w, int64_t grace_ms)
{
    const struct change c = {.event = RUN_ON_GIVE_BACK,
                             .outcome = "returned",
                             .reason = "the worker does not know of it"};
    for (size_t i = t->s->runs.count; i-- > 0;) {
        struct run *r = t->s->runs.by_number[i];
        if (r->state != RUN_RUNNING || r->lease.worker != w->number || r->ending) continue;
        if (t->now_ms - r->lease.given_ms < grace_ms || lists(t->ev, r)) continue;
        if (r->lease.unanswered) continue; /* one of its epochs may differ */
        int rc = turn_change(t, r, &c);
        if (rc < 0) return rc;
    }
    return OK;
}

/* ---- coming and going --------------------------------------------------------------------------
 */

/* How a worker goes: what its row says, and what becomes of its runs. */
struct leaving {
    const char *row;
    enum run_event event;
    const char *run;
};

static const struct leaving left = {"left", RUN_ON_GIVE_BACK, "its worker left"};
static const struct leaving lost = {"lost", RUN_ON_LOSE, "its worker was not heard of for a lease"};
static const struct leaving revoked = {"left", RUN_ON_GIVE_BACK, "its worker's key was revoked"};

/* A worker that goes: with its runs, save those whose end only waits for the store. Its own row
 * comes first, so that whoever reads the events reads the cause before the effects. */
static int drop(struct turn *t, struct worker *w, const struct leaving *how)
{
    const struct change c = {.event = how->event, .reason = how->run};
    save_gone(t, w, how->row);
    note_worker(t, w, w->quarantine ? "quarantined" : "connected", how->row, w->since_ms, w->uuid);
    w->state = WORKER_GONE;
    w->peer = 0;
    w->since_ms = t->now_ms;
    for (size_t i = t->s->runs.count; i-- > 0;) {
        struct run *r = t->s->runs.by_number[i];
        if (r->state != RUN_RUNNING || r->lease.worker != w->number || r->ending) continue;
        int rc = turn_judge(t, r, &c);
        if (rc < 0) return rc;
    }
    return OK;
}

int turn_goodbye(struct turn *t, struct worker *w)
{
    return drop(t, w, &left);
}

static bool allowed(const struct event *ev, const char *user)
{
    for (size_t i = 0; i < ev->user_count; i++)
        if (!strcmp(ev->users[i], user)) return true;
    return false;
}

/* The socket drops what they say from now on, so they are told now and their runs go to others. */
int turn_keys(struct turn *t)
{
    int rc = OK;
    for (size_t i = 0; i < t->s->worker_count && rc == OK; i++) {
        struct worker *w = &t->s->workers[i];
        if (w->state == WORKER_GONE || allowed(t->ev, w->user)) continue;
        struct send *x = actions_send(t->out, SEND_REFUSE, w->peer);
        snprintf(x->text, sizeof x->text, "the key of this worker was revoked");
        turn_say(t, "revoked", 0, w->number, "the key %s of worker %lld was revoked", w->user,
                 (long long)w->number);
        rc = drop(t, w, &revoked);
    }
    return rc;
}

int turn_heartbeat(struct turn *t, struct worker *w)
{
    actions_send(t->out, SEND_HEARTBEAT, t->ev->peer);
    if (t->now_ms - w->seen_ms >= t->s->config.lease_ms) {
        actions_save(t->out, SAVE_WORKER_SEEN)->worker = w->number;
        w->seen_ms = t->now_ms;
    }
    claim(t, w);
    return t->s->full ? OK : miss(t, w, t->s->config.lease_ms);
}

static const char *objection(const struct event *ev, const struct worker *known)
{
    if (!ev->uuid || !*ev->uuid || strlen(ev->uuid) >= SAVE_NAME)
        return "a worker needs a uuid of 1 to 63 bytes";
    if (!ev->user || strlen(ev->user) >= SAVE_NAME) return "the name of a key has at most 63 bytes";
    if (ev->slots < 1 || ev->slots > SCHED_SLOTS) return "a worker has 1 to 4096 slots";
    if (ev->offer_count < 1) return "a worker offers at least one family of matrix kernels";
    if (known && *known->user && strcmp(known->user, ev->user) != 0)
        return "this uuid belongs to a worker with another key";
    return NULL;
}

/* A place for a new worker: that of the one that is gone the longest, once enough are remembered.
 */
static struct worker *new_place(struct turn *t)
{
    struct sched *s = t->s;
    struct worker *oldest = NULL;
    for (size_t i = 0; s->worker_count >= s->config.keep && i < s->worker_count; i++) {
        struct worker *w = &s->workers[i];
        if (w->state != WORKER_GONE || w->quarantine || w->held) continue;
        if (!oldest || w->since_ms < oldest->since_ms) oldest = w;
    }
    if (oldest) return oldest;
    if (s->worker_count == s->worker_room) {
        size_t room = s->worker_room ? 2 * s->worker_room : 8;
        struct worker *workers = realloc(s->workers, room * sizeof *workers);
        if (!workers) return NULL;
        s->workers = workers;
        s->worker_room = room;
    }
    return &s->workers[s->worker_count++];
}

static struct worker *of_uuid(const struct sched *s, const char *uuid)
{
    for (size_t i = 0; uuid && i < s->worker_count; i++)
        if (!strcmp(s->workers[i].uuid, uuid)) return &s->workers[i];
    return NULL;
}

static struct worker *introduce(struct turn *t, int64_t number, const char *uuid)
{
    struct worker *w = new_place(t);
    if (!w) return NULL;
    memset(w, 0, sizeof *w);
    w->state = WORKER_GONE;
    w->number = number;
    snprintf(w->uuid, sizeof w->uuid, "%s", uuid);
    return w;
}

/* One that held runs before the coordinator started; without a key any may speak for it. */
struct worker *worker_recall(struct turn *t, const struct save_run *is)
{
    struct worker *w = worker_find(t->s, is->worker);
    if (w || !(w = introduce(t, is->worker, is->holder))) return w;
    snprintf(w->user, sizeof w->user, "%s", is->holder_key);
    return w;
}

/* Whether this Hello is older than what its worker said since: it comes late, by a connection that
 * was given up. Of one that is gone any will do: its memory may have been put back. */
static bool is_overtaken(const struct turn *t, const struct worker *w)
{
    return w && w->state != WORKER_GONE && t->ev->number && t->ev->number <= w->hello;
}

static void connect(struct turn *t, struct worker *w)
{
    const struct event *ev = t->ev;
    if (w->state == WORKER_GONE) w->since_ms = t->now_ms;
    w->state = w->quarantine ? WORKER_QUARANTINED : WORKER_CONNECTED;
    w->peer = ev->peer;
    snprintf(w->user, sizeof w->user, "%s", ev->user);
    w->hello = ev->number;
    w->slots = ev->slots;
    w->leaving = false;
    w->heard_ms = w->seen_ms = t->now_ms;
    w->offer_count = ev->offer_count < SCHED_OFFERS ? ev->offer_count : SCHED_OFFERS;
    memcpy(w->offers, ev->offers, w->offer_count * sizeof *w->offers);
    struct save *x = actions_save(t->out, SAVE_WORKER);
    x->worker = w->number;
    snprintf(x->key, sizeof x->key, "%s", w->user);
    actions_with_message(t->out);
    if (w->quarantine) save_gone(t, w, "quarantined");
    struct send *welcome = actions_send(t->out, SEND_WELCOME, ev->peer);
    welcome->worker = w->number;
    welcome->heartbeat_ms = t->s->config.heartbeat_ms;
    welcome->lease_ms = t->s->config.lease_ms;
}

int turn_hello(struct turn *t)
{
    struct worker *w = of_uuid(t->s, t->ev->uuid), *other = worker_of_peer(t->s, t->ev->peer);
    const char *why = objection(t->ev, w);
    int rc = OK;
    if (why) {
        turn_refuse(t, why);
        return OK;
    }
    bool same = other && other == w;
    if (same) w->heard_ms = t->now_ms;
    if (is_overtaken(t, w)) return OK;
    if (same && t->ev->welcoming) { /* about to be answered */
        w->hello = t->ev->number;
        return OK;
    }
    if (other && !same) rc = drop(t, other, &left); /* one peer, one worker */
    if (rc == OK && w && w->peer && w->peer != t->ev->peer) {
        /* If somebody still listens there, it is a copy of the process: it must end. */
        struct send *x = actions_send(t->out, SEND_REFUSE, w->peer);
        snprintf(x->text, sizeof x->text, "another connection speaks for this worker's uuid");
    }
    bool back = w != NULL;
    if (rc == OK && !w && !(w = introduce(t, t->s->next_worker++, t->ev->uuid)))
        rc = err_set(t->e, E_NOMEM, "no memory for one worker more");
    if (rc < 0) return rc;
    bool was_gone = w->state == WORKER_GONE;
    connect(t, w);
    if (was_gone) note_worker(t, w, back ? "gone" : "new", "connected", t->now_ms, w->uuid);
    claim(t, w);
    t->s->dirty = true;
    return t->s->full && same ? OK : miss(t, w, 0);
}

/* ---- leases ------------------------------------------------------------------------------------
 */

/* Whether its worker has not come back since the coordinator started. */
static bool awaited(const struct turn *t, const struct run *r)
{
    const struct worker *w = worker_find(t->s, r->lease.worker);
    return r->state == RUN_RUNNING && !r->ending && (!w || w->state == WORKER_GONE);
}

/* We were away: nobody could be heard, so nobody is judged. */
static void renew_all(struct turn *t)
{
    struct sched *s = t->s;
    for (size_t i = 0; i < s->worker_count; i++) s->workers[i].heard_ms = t->now_ms;
    for (size_t i = 0; i < s->runs.count; i++) {
        struct run *r = s->runs.by_number[i];
        r->lease.heard_ms = t->now_ms;
        if (awaited(t, r)) r->lease.given_ms = t->now_ms;
    }
}

/* The store waits, or goes on: then what it kept waiting leaves, and only now is on its way. */
void turn_full(struct turn *t)
{
    struct sched *s = t->s;
    int64_t waited_ms = t->now_ms - s->full_ms;
    if (s->full == t->ev->full) return;
    s->full = t->ev->full;
    s->full_ms = t->now_ms;
    if (s->full) return;
    for (size_t i = 0; i < s->runs.count; i++)
        s->runs.by_number[i]->lease.given_ms += waited_ms; /* their order stays */
    renew_all(t);
    s->dirty = true;
}

/* Whether the store has owed an answer about a run of this worker for long. Then its
 * acknowledgement is overdue, and the worker says nothing about any run until it is welcomed anew.
 */
static bool is_kept_waiting(const struct turn *t, int64_t worker)
{
    for (size_t i = 0; i < t->s->runs.count; i++) {
        const struct run *r = t->s->runs.by_number[i];
        if (r->state == RUN_RUNNING && r->lease.worker == worker && r->lease.unanswered &&
            t->now_ms - r->lease.owed_ms >= t->s->config.lease_ms / 4)
            return true;
    }
    return false;
}

/* Its runs have all their time again. */
static void renew(struct turn *t, int64_t worker)
{
    for (size_t i = 0; i < t->s->runs.count; i++) {
        struct run *r = t->s->runs.by_number[i];
        if (r->lease.worker == worker) r->lease.heard_ms = t->now_ms;
    }
}

/* Whether a run has been silent for too long, though it could be heard. */
static bool hung(struct turn *t, const struct run *r)
{
    const struct run_lease *l = &r->lease;
    int64_t since_ms = l->heard_ms > l->begun_ms ? l->heard_ms : l->begun_ms;
    if (!l->worker || l->begun_ms < 0 || r->ending || t->s->full) return false;
    if (t->now_ms - since_ms <= run_patience_ms(r, t->s->config.hung_ms)) return false;
    if (!is_kept_waiting(t, l->worker)) return true;
    renew(t, l->worker);
    return false;
}

static int judge_run(struct turn *t, struct run *r)
{
    if (r->state != RUN_RUNNING) return OK;
    if (awaited(t, r)) {
        const struct change c = {.outcome = "lost",
                                 .reason = "its worker did not come back after a restart"};
        return t->now_ms - r->lease.given_ms < t->s->config.lease_ms ? OK : turn_lose(t, r, &c);
    }
    if (!hung(t, r)) return OK;
    char reason[SAVE_REASON];
    snprintf(reason, sizeof reason, "hung: no epoch for %lld s",
             (long long)(run_patience_ms(r, t->s->config.hung_ms) / 1000));
    const struct change c = {
        .event = RUN_ON_FAIL, .reason = reason, .tell = true, .with = SEND_STOP};
    return turn_judge(t, r, &c);
}

int turn_leases(struct turn *t)
{
    struct sched *s = t->s;
    bool away = t->now_ms - s->tick_ms > s->config.lease_ms / 4;
    int rc = OK;
    s->tick_ms = t->now_ms;
    s->dirty |= s->resting;
    if (away) renew_all(t);
    for (size_t i = 0; i < s->worker_count && rc == OK; i++) {
        struct worker *w = &s->workers[i];
        if (w->state != WORKER_GONE && t->now_ms - w->heard_ms >= s->config.lease_ms)
            rc = drop(t, w, &lost);
    }
    for (size_t i = s->runs.count; i-- > 0 && rc == OK;) rc = judge_run(t, s->runs.by_number[i]);
    turn_explain(t);
    return rc;
}
