// SPDX-License-Identifier: MIT
/* sim_oracle: what must hold, asked of the facts and not of the deciders: what is durable in the
 * store, what was sent, what was done to whom. Invariants by their numbers:
 *
 *   I1  what was acknowledged is stored, for ever
 *   I2  one row for each (run, epoch), without gaps
 *   I3  attempts rise, are stored before they are sent, and rows are written under the current one
 *   I4  what is over stays over
 *   I5  every stored value is the undisturbed run's
 *   I7  what is kept in memory is bounded
 *   I8  once faults stop, every run comes to its end
 *
 * and besides: nobody is judged by a lease during which nobody could be heard, no failure is
 * counted that did not happen, nothing is handed out while the store is known to wait, and no
 * process is ended as a copy of itself. */
#include "tests/sim/sim.h"
#include "worker/session_state.h"

#include <string.h>

double oracle_value(uint64_t chain)
{
    return (double)(chain >> 11) * 0x1p-53;
}

void oracle_open(struct sim *w)
{
    for (int64_t run = 1; run <= w->mix.runs; run++) {
        struct sim_ledger *l = &w->ledger[run];
        uint64_t chain = sim_mix64((uint64_t)run);
        *l = (struct sim_ledger){.acked = -1, .boot_done = -1};
        for (int64_t epoch = 0; epoch <= w->mix.epochs; epoch++)
            l->chain[epoch] = chain = sim_mix64(chain ^ ((uint64_t)run << 32 | (uint64_t)epoch));
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- what is handed to the store ---- */

/* The one process with this number; NULL: none, or a copy has its uuid too. */
static const struct sim_worker *process(const struct sim *w, int64_t number)
{
    const struct sim_worker *found = NULL;
    if (number < 1 || number > w->store.worker_count) return NULL;
    for (int i = 0; i < SIM_PLACES; i++) {
        if (w->worker[i].serial != w->store.worker_uuid[number]) continue;
        if (found) return NULL;
        found = &w->worker[i];
    }
    return found >= w->worker + SIM_WORKERS ? NULL : found;
}

static void lost_worker(struct sim *w, const struct save *x)
{
    const struct sim_worker *k = process(w, x->worker);
    int64_t now = sim_coord_now(w), lease = w->mix.lease_ms;
    sim_cover(w, COVER_lease_expired);
    if (w->store.committing) sim_cover(w, COVER_lease_expired_during_commit);
    if (now - w->coord.fresh_ms < lease)
        sim_wrong(w, "a worker is lost %lld ms after an absence of the coordinator, lease %lld ms",
                  (long long)(now - w->coord.fresh_ms), (long long)lease);
    if (k && now - k->heard_ms < lease)
        sim_wrong(w, "worker %lld (place %d) is lost, was heard %lld ms ago, lease %lld ms",
                  (long long)x->worker, (int)(k - w->worker), (long long)(now - k->heard_ms),
                  (long long)lease);
}

static void ended(struct sim *w, const struct save *x)
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
    struct sim_ledger *l = &w->ledger[x->run];
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        if (begins(x->reason, seen[i].reason)) sim_cover(w, seen[i].cover);
    if (!strcmp(x->outcome, "returned")) sim_cover(w, COVER_returned);
    if (begins(x->reason, "hung:")) l->cut++;
    if (begins(x->reason, "not reproducible")) {
        l->cut++;
        if (!l->tainted) sim_wrong(w, "I5: run %lld: %s", (long long)x->run, x->reason);
    }
    if (x->run_state == RUN_FAILED && begins(x->reason, "the toy"))
        sim_cover(w, x->failures >= w->mix.max_attempts ? COVER_failed_too_often
                                                        : COVER_failed_for_good);
    if (!l->tainted && x->failures > l->cut)
        sim_wrong(w, "run %lld has %lld failures, it failed %lld times", (long long)x->run,
                  (long long)x->failures, (long long)l->cut);
    int64_t absent = sim_coord_now(w) - w->coord.fresh_ms;
    if (begins(x->reason, "its worker did not come back") && absent < w->mix.lease_ms)
        sim_wrong(w, "run %lld is lost %lld ms after an absence of the coordinator",
                  (long long)x->run, (long long)absent);
}

/* The fence: only a message of the attempt that was last named reaches the store. */
static void reported(struct sim *w, const struct save *x)
{
    const Grokd__Epochs *m = x->message->epochs;
    const struct sim_ledger *l = &w->ledger[x->run];
    if (m->run != x->run || m->attempt != x->attempt || x->attempt != l->named_attempt)
        sim_wrong(w, "I3: epochs of run %lld, attempt %lld are stored as run %lld, attempt %lld",
                  (long long)m->run, (long long)m->attempt, (long long)x->run,
                  (long long)l->named_attempt);
    if (l->boot_attempt == x->attempt) sim_cover(w, COVER_adopted_after_restart);
}

/* Of what a liar was given, it may say anything. */
static void assigned(struct sim *w, const struct save *x, struct sim_ledger *l)
{
    const struct sched *s = &w->coord.hub.sched;
    if (x->attempt <= l->named_attempt)
        sim_wrong(w, "I3: run %lld gets attempt %lld after %lld", (long long)x->run,
                  (long long)x->attempt, (long long)l->named_attempt);
    l->named_attempt = x->attempt;
    if (w->coord.hub.full)
        sim_wrong(w, "run %lld is handed out while the store waits", (long long)x->run);
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].number == x->worker && sim_serial(s->workers[i].uuid) < 0)
            l->tainted = true;
}

void oracle_submit(struct sim *w, const struct save *x)
{
    struct sim_ledger *l = x->run >= 1 && x->run <= w->mix.runs ? &w->ledger[x->run] : NULL;
    switch (x->kind) {
    case SAVE_ASSIGN: assigned(w, x, l); break;
    case SAVE_EPOCHS: reported(w, x); break;
    case SAVE_END: ended(w, x); break;
    case SAVE_WORKER_GONE:
        if (!strcmp(x->reason, "lost")) lost_worker(w, x);
        if (!strcmp(x->reason, "left")) sim_cover(w, COVER_goodbye);
        break;
    case SAVE_EVENT:
        if (!strcmp(x->blas.family, "quarantine")) sim_cover(w, COVER_quarantine);
        break;
    default: break;
    }
}

/* ---- what is sent ---- */

static void acknowledged(struct sim *w, const Grokd__Ack *m)
{
    struct sim_ledger *l = &w->ledger[m->run];
    const struct sim_run *r = &w->store.runs[m->run];
    if (m->attempt <= l->wiped_attempt) return;
    if (m->epoch > r->epochs_done)
        sim_wrong(w, "I1: run %lld: epoch %lld is acknowledged, %lld is stored", (long long)m->run,
                  (long long)m->epoch, (long long)r->epochs_done);
    if (m->has_ended && m->ended && r->state == RUN_RUNNING && r->attempt == m->attempt)
        sim_wrong(w, "I1: run %lld: its end is acknowledged and not stored", (long long)m->run);
    if (m->epoch > l->acked) l->acked = m->epoch;
}

static void handed_out(struct sim *w, const Grokd__Work *m)
{
    struct sim_ledger *l = &w->ledger[m->run];
    if (w->store.runs[m->run].attempt < m->attempt)
        sim_wrong(w, "I3: run %lld, attempt %lld is sent and not stored", (long long)m->run,
                  (long long)m->attempt);
    if (m->attempt <= l->sent_attempt)
        sim_wrong(w, "I3: run %lld: attempt %lld is sent after %lld", (long long)m->run,
                  (long long)m->attempt, (long long)l->sent_attempt);
    l->sent_attempt = m->attempt;
}

static void refused(struct sim *w, const char *text)
{
    static const struct {
        const char *reason;
        enum sim_cover cover;
    } seen[] = {
        {"hello", COVER_refused_hello},
        {"this uuid belongs", COVER_refused_key},
        {"another connection speaks", COVER_refused_copy},
        {"a worker has 1 to", COVER_refused_slots},
        {"a worker offers", COVER_refused_offers},
        {"a worker needs a uuid", COVER_refused_uuid},
        {"no worker says", COVER_refused_body},
    };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        if (begins(text, seen[i].reason)) sim_cover(w, seen[i].cover);
}

/* A process that is the only one of its name must not be ended by what it said itself. */
static void copied(struct sim *w, uint64_t peer, const char *text)
{
    int place = sim_place(peer);
    if (!begins(text, "another connection") || place < 0 || place >= SIM_PLACES) return;
    const struct sim_worker *k = &w->worker[place];
    if (k->up && k->peer == peer && !k->copied)
        sim_wrong(w, "worker %d is refused as a copy of itself", place);
}

void oracle_sent(struct sim *w, uint64_t peer, const wire_envelope *m)
{
    sim_note(w, "sent", sim_place(peer), m->body_case, 0, 0);
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_ACK: acknowledged(w, m->ack); break;
    case GROKD__ENVELOPE__BODY_WORK: handed_out(w, m->work); break;
    case GROKD__ENVELOPE__BODY_REFUSE:
        refused(w, m->refuse->reason);
        copied(w, peer, m->refuse->reason);
        break;
    case GROKD__ENVELOPE__BODY_STOP:
        if (!m->stop->reason) break;
        if (begins(m->stop->reason, "this attempt")) sim_cover(w, COVER_stop_not_current);
        if (begins(m->stop->reason, "the run is over")) sim_cover(w, COVER_stop_unknown);
        break;
    default: break;
    }
}

/* ---- what becomes durable ---- */

void oracle_insert(struct sim *w, int64_t run, int64_t epoch, double value)
{
    const struct sim_ledger *l = &w->ledger[run];
    if (epoch != w->store.runs[run].epochs_done + 1 || epoch > w->mix.epochs) {
        sim_wrong(w, "I2: run %lld: epoch %lld is stored after %lld", (long long)run,
                  (long long)epoch, (long long)w->store.runs[run].epochs_done);
        return;
    }
    double right = oracle_value(l->chain[epoch]);
    if (!l->tainted && memcmp(&right, &value, sizeof value) != 0)
        sim_wrong(w, "I5: run %lld: epoch %lld differs from the undisturbed run's", (long long)run,
                  (long long)epoch);
}

void oracle_changed(struct sim *w, const struct save *x, int64_t run, enum run_state before)
{
    const struct sim_run *r = &w->store.runs[run];
    if (before > RUN_RUNNING && r->state != before && x->kind != SAVE_RETRY)
        sim_wrong(w, "I4: run %lld is over and changes its state from %d to %d", (long long)run,
                  (int)before, (int)r->state);
    if (w->ledger[run].acked > r->epochs_done)
        sim_wrong(w, "I1: run %lld: epoch %lld was acknowledged, %lld is stored", (long long)run,
                  (long long)w->ledger[run].acked, (long long)r->epochs_done);
}

/* ---- a worker after each of its events ---- */

void oracle_worker(struct sim *w, int place)
{
    const struct sim_worker *k = &w->worker[place];
    size_t share = w->mix.outbox_bytes / (2 * k->slot_count);
    size_t held = session_held(k->session);
    if (session_outbox_bytes(k->session) > held * (share + 256))
        sim_wrong(w, "I7: worker %d keeps %zu bytes for %zu runs", place,
                  session_outbox_bytes(k->session), held);
}

/* What a worker knows of a run when it is told something. */
void oracle_heard(struct sim *w, int place, const wire_envelope *m)
{
    struct sim_worker *k = &w->worker[place];
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_WELCOME:
        if (!k->session->greeted) memset(k->again, 1, sizeof k->again);
        break;
    case GROKD__ENVELOPE__BODY_ACK:
        if (m->ack->epoch > k->told[m->ack->run]) k->told[m->ack->run] = m->ack->epoch;
        break;
    case GROKD__ENVELOPE__BODY_WORK:
        if (m->work->attempt <= k->attempt[m->work->run]) break; /* it arrives twice */
        k->attempt[m->work->run] = m->work->attempt;
        k->again[m->work->run] = false;
        if (m->work->has_checkpoint) {
            struct sim_file file;
            memcpy(&file, m->work->checkpoint.data, sizeof file);
            k->told[m->work->run] = (int64_t)file.epoch;
        }
        break;
    case GROKD__ENVELOPE__BODY_PART:
        if (m->part->attempt == k->attempt[m->part->run] && m->part->epoch > k->told[m->part->run])
            k->told[m->part->run] = m->part->epoch;
        break;
    default: break;
    }
}

/* After a reconnect what was not acknowledged is sent again, from the first of it on. */
void oracle_said(struct sim *w, int place, const uint8_t *bytes, size_t size)
{
    struct sim_worker *k = &w->worker[place];
    wire_envelope *m;
    struct err e;
    if (!memchr(k->again, 1, sizeof k->again) || wire_unpack(&m, bytes, size, &e) < 0) return;
    if (m->body_case == GROKD__ENVELOPE__BODY_EPOCHS && k->again[m->epochs->run]) {
        int64_t run = m->epochs->run, first = m->epochs->epochs[0]->epoch;
        k->again[run] = false;
        if (first > k->told[run] + 1)
            sim_wrong(w, "run %lld: after a reconnect epoch %lld is sent, %lld is stored",
                      (long long)run, (long long)first, (long long)k->told[run]);
    }
    wire_free(&m);
}

/* ---- everything ---- */

/* With nothing under way, the table and the store say the same. */
static void same(struct sim *w)
{
    const struct sched *s = &w->coord.hub.sched;
    if (!hub_quiet(&w->coord.hub) || w->store.answer_count || w->store.count) return;
    for (int64_t run = 1; run <= w->mix.runs; run++) {
        const struct sim_run *r = &w->store.runs[run];
        const struct run *t = run_find(&s->runs, run);
        bool known = t && t->state == RUN_RUNNING;
        if (known != (r->state == RUN_RUNNING) || (known && t->is.attempt != r->attempt) ||
            (t && !known && r->state != RUN_WAITING))
            sim_wrong(w, "run %lld is %s in the table, %s, attempt %lld in the store",
                      (long long)run, t ? run_state_name(t->state) : "absent",
                      run_state_name(r->state), (long long)r->attempt);
        if (t && (t->is.failures != r->failures || t->is.losses != r->losses))
            sim_wrong(w,
                      "run %lld has %lld failures and %lld losses in the table, %lld and %lld "
                      "in the store",
                      (long long)run, (long long)t->is.failures, (long long)t->is.losses,
                      (long long)r->failures, (long long)r->losses);
    }
}

void oracle_all(struct sim *w)
{
    char text[256];
    for (int64_t run = 1; run <= w->mix.runs; run++) {
        const struct sim_run *r = &w->store.runs[run];
        const struct sim_ledger *l = &w->ledger[run];
        if (l->acked > r->epochs_done)
            sim_wrong(w, "I1: run %lld: an acknowledged epoch is gone", (long long)run);
        for (int64_t epoch = 0; epoch <= r->epochs_done && !l->tainted; epoch++) {
            double right = oracle_value(l->chain[epoch]);
            if (memcmp(&right, &r->value[epoch], sizeof right) != 0)
                sim_wrong(w, "I5: run %lld: epoch %lld is not right", (long long)run,
                          (long long)epoch);
        }
    }
    if (!w->coord.up) return;
    const struct sched *s = &w->coord.hub.sched;
    if (!sched_sound(s, text)) sim_wrong(w, "%s", text);
    if (s->runs.count > (size_t)w->mix.runs || s->ask_count > 10000)
        sim_wrong(w, "I7: the table holds %zu runs, %zu questions", s->runs.count, s->ask_count);
    same(w);
}

bool oracle_over(const struct sim *w)
{
    if (!w->coord.up || !hub_quiet(&w->coord.hub) || w->store.answer_count) return false;
    for (int run = 1; run <= w->mix.runs; run++)
        if (w->store.runs[run].state <= RUN_RUNNING) return false;
    for (int i = 0; i < w->mix.workers; i++)
        if (!w->worker[i].up || session_held(w->worker[i].session)) return false;
    return true;
}

void oracle_settled(struct sim *w)
{
    bool faults = false;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) faults |= w->mix.on[i];
    oracle_all(w);
    for (int run = 1; run <= w->mix.runs; run++) {
        const struct sim_run *r = &w->store.runs[run];
        if (r->state == RUN_FINISHED && r->epochs_done != w->mix.epochs)
            sim_wrong(w, "run %d is finished and has %lld epochs", run, (long long)r->epochs_done);
        /* On a slow way a second Hello crosses the first work, which is then given out anew. */
        bool once = w->mix.delay_ms > 100 || r->attempt == 1;
        if (!faults && (r->state != RUN_FINISHED || !once))
            sim_wrong(w, "run %d is %s with attempt %lld in a world without faults", run,
                      run_state_name(r->state), (long long)r->attempt);
    }
}
