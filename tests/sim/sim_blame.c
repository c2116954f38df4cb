// SPDX-License-Identifier: MIT
/* sim_blame: how attempts end, and whom that blames: nobody is judged by a lease during which
 * nobody could be heard, nor kept for longer; no failure or loss is counted that did not happen,
 * and none forgotten; an end that was heard is what becomes of its attempt. */
#include "tests/sim/sim.h"

#include <string.h>

/* Of a process that was copied nobody can say whose Hello, the copy's or its own, was the later
 * one: the other is passed over, and hears so when the one that counts has been silent for a lease.
 */
void oracle_lost(struct sim *w, const struct save *x)
{
    const struct sim_worker *k = oracle_process(w, x->worker);
    int64_t now = sim_coord_now(w), lease = w->mix.lease_ms;
    sim_cover(w, COVER_lease_expired);
    if (w->store.committing) sim_cover(w, COVER_lease_expired_during_commit);
    if (now - w->coord.fresh_ms < lease)
        sim_wrong(w, "a worker is lost %lld ms after an absence of the coordinator, lease %lld ms",
                  (long long)(now - w->coord.fresh_ms), (long long)lease);
    if (k && !k->copied && now - k->heard_ms < lease)
        sim_wrong(w, "worker %lld (place %d) is lost, was heard %lld ms ago, lease %lld ms",
                  (long long)x->worker, (int)(k - w->worker), (long long)(now - k->heard_ms),
                  (long long)lease);
}

/* Whether it is time to call a run hung. */
static void silent(struct sim *w, int64_t run)
{
    const struct sim_ledger *l = &w->ledger[run];
    int64_t since = l->told_ms > w->coord.fresh_ms ? l->told_ms : w->coord.fresh_ms;
    int64_t quiet_ms = sim_coord_now(w) - since;
    if (quiet_ms < w->mix.hung_ms)
        sim_wrong(w, "run %lld is hung %lld ms after its last epoch, patience %lld ms",
                  (long long)run, (long long)quiet_ms, (long long)w->mix.hung_ms);
}

/* Verdicts that wait for the store's answers are looked at when they fall. */
static void verdicts(struct sim *w)
{
    const struct run_table *runs = &w->coord.hub.sched.runs;
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = runs->by_number[i];
        struct sim_ledger *l = &w->ledger[r->is.run];
        bool hung = r->ending && r->ending->judged && r->ending->event == RUN_ON_FAIL;
        if (hung && l->hung_attempt != r->is.attempt) silent(w, r->is.run);
        l->hung_attempt = hung ? r->is.attempt : 0;
    }
}

/* After a tick nobody is there who was silent for a lease. What a liar says in another's name is
 * not known here. */
void oracle_ticked(struct sim *w)
{
    const struct sched *s = &w->coord.hub.sched;
    int64_t now = sim_coord_now(w), longest = w->mix.lease_ms + w->mix.tick_ms;
    if (now - w->coord.ticked_ms > w->mix.lease_ms / 4) w->coord.renewed_ms = now;
    w->coord.ticked_ms = now;
    verdicts(w);
    for (size_t i = 0; i < s->worker_count && !w->mix.on[FAULT_HOSTILE]; i++) {
        const struct worker *x = &s->workers[i];
        int place = sim_place(x->peer);
        if (x->state == WORKER_GONE || place < 0 || place >= SIM_PLACES) continue;
        const struct sim_worker *k = &w->worker[place];
        int64_t since = k->heard_ms > w->coord.renewed_ms ? k->heard_ms : w->coord.renewed_ms;
        if (k->known_peer == x->peer && now - since > longest)
            sim_wrong(w, "worker %lld is kept %lld ms after it was heard, lease %lld ms",
                      (long long)x->number, (long long)(now - since), (long long)w->mix.lease_ms);
    }
}

/* ---- the end of an attempt ---- */

static void cover_end(struct sim *w, const struct save *x)
{
    static const struct {
        const char *reason;
        enum sim_cover cover;
    } seen[] = {
        {"hung:", COVER_hung},
        {"its worker did not come back", COVER_not_back_after_restart},
        {"the worker does not know", COVER_not_known_to_worker},
        {"epochs before its end never", COVER_missing_epochs},
        {"its worker reported epoch", COVER_reported_beyond_the_end},
        {"its worker reports without", COVER_reported_without_waiting},
        {"lost ", COVER_lost_too_often},
    };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        if (oracle_begins(x->reason, seen[i].reason)) sim_cover(w, seen[i].cover);
    if (!strcmp(x->outcome, "returned")) sim_cover(w, COVER_returned);
    if (x->run_state == RUN_FAILED && oracle_begins(x->reason, "the toy"))
        sim_cover(w, x->failures >= w->mix.max_attempts ? COVER_failed_too_often
                                                        : COVER_failed_for_good);
}

void oracle_forgives(struct sim *w)
{
    sim_cover(w, COVER_quarantine);
    w->forgiven = true;
}

/* Each count rises by one with what it counts, until a quarantine has taken some of them back. */
static void counted(struct sim *w, const struct save *x, struct sim_ledger *l)
{
    int64_t failures = l->failures + !strcmp(x->outcome, "failed");
    int64_t losses = l->losses + !strcmp(x->outcome, "lost");
    bool more = x->failures > failures || x->losses > losses;
    bool fewer = x->failures < failures || x->losses < losses;
    if (more || (fewer && !w->forgiven))
        sim_wrong(w, "run %lld: %s (%s): %lld failures and %lld losses after %lld and %lld",
                  (long long)x->run, x->outcome, x->reason, (long long)x->failures,
                  (long long)x->losses, (long long)l->failures, (long long)l->losses);
    l->failures = x->failures;
    l->losses = x->losses;
    if (!l->tainted && x->failures > l->cut)
        sim_wrong(w, "run %lld has %lld failures, it failed %lld times", (long long)x->run,
                  (long long)x->failures, (long long)l->cut);
}

/* A run waits again until it failed or was lost as often as it may; only then is it failed, unless
 * another attempt would say the same. */
static void limited(struct sim *w, const struct save *x)
{
    bool spent = x->failures >= w->mix.max_attempts || x->losses >= w->mix.max_losses;
    bool final = oracle_begins(x->reason, "the toy");
    bool early = x->run_state == RUN_FAILED && !spent && !final;
    if (early || (x->run_state == RUN_WAITING && spent))
        sim_wrong(w, "run %lld is %s after %lld failures and %lld losses: %s", (long long)x->run,
                  run_state_name(x->run_state), (long long)x->failures, (long long)x->losses,
                  x->reason);
}

static bool epochs_wait(const struct store *s, const struct save *x)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sim_ticket *t = &s->queue[s->first + i];
        for (size_t k = 0; k < t->count; k++)
            if (t->saves[k].kind == SAVE_EPOCHS && t->saves[k].run == x->run &&
                t->saves[k].attempt == x->attempt)
                return true;
    }
    return false;
}

static void hung(struct sim *w, const struct save *x, struct sim_ledger *l)
{
    l->cut++;
    if (l->hung_attempt != x->attempt) silent(w, x->run);
    if (epochs_wait(&w->store, x))
        sim_wrong(w, "run %lld is hung while its epochs wait for the disk", (long long)x->run);
}

/* Whatever becomes of its worker. */
static void heeded(struct sim *w, const struct save *x, const struct sim_ledger *l)
{
    static const char *const others[] = {"its worker was not heard", "its worker did not come back",
                                         "the worker does not know", "its worker left"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (x->attempt == l->ended_attempt && strstr(x->reason, others[i]))
            sim_wrong(w, "run %lld, attempt %lld said its end and is %s: %s", (long long)x->run,
                      (long long)x->attempt, x->outcome, x->reason);
}

static bool worker_there(const struct sched *s, uint64_t peer)
{
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].peer == peer) return s->workers[i].state != WORKER_GONE;
    return false;
}

void oracle_end_heard(struct sim *w, int place, uint64_t peer, const Grokd__Ended *m)
{
    if (place >= SIM_WORKERS || m->run < 1 || m->run > w->mix.runs) return;
    const struct sim_worker *k = &w->worker[place];
    const struct sim_run *r = &w->store.runs[m->run];
    struct sim_ledger *l = &w->ledger[m->run];
    if (w->coord.up && worker_there(&w->coord.hub.sched, peer) && k->known_peer == peer &&
        r->state == RUN_RUNNING && r->attempt == m->attempt && l->named_attempt == m->attempt &&
        oracle_process(w, r->worker) == k)
        l->ended_attempt = m->attempt;
}

void oracle_differs(struct sim *w, int64_t run)
{
    sim_cover(w, COVER_verdict_differs);
    if (!w->ledger[run].tainted) sim_wrong(w, "I5: run %lld: a replay differs", (long long)run);
}

void oracle_ended(struct sim *w, const struct save *x)
{
    struct sim_ledger *l = &w->ledger[x->run];
    int64_t absent = sim_coord_now(w) - w->coord.fresh_ms;
    cover_end(w, x);
    if (oracle_begins(x->reason, "hung:")) hung(w, x, l);
    if (strstr(x->reason, "its worker did not come back") && absent < w->mix.lease_ms)
        sim_wrong(w, "run %lld is lost %lld ms after an absence of the coordinator",
                  (long long)x->run, (long long)absent);
    counted(w, x, l);
    limited(w, x);
    heeded(w, x, l);
    w->coord.came_back += x->run_state == RUN_WAITING;
}
