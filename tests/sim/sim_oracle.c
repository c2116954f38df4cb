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
 * and besides: a run goes on with the kernels that made its numbers and from its newest checkpoint,
 * nothing is handed out while the store is known to wait, and no process is ended as a copy of
 * itself. How attempts end, and whom that blames, is asked in sim_blame.c. */
#include "tests/sim/sim.h"
#include "worker/session_state.h"

#include <string.h>

bool oracle_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

const struct sim_worker *oracle_process(const struct sim *w, int64_t number)
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

/* ---- what is handed to the store ---- */

/* The fence: only a message of the attempt that was last named reaches the store. */
static void reported(struct sim *w, const struct save *x)
{
    const Grokd__Epochs *m = x->message->epochs;
    struct sim_ledger *l = &w->ledger[x->run];
    int64_t last = m->epochs[m->n_epochs - 1]->epoch;
    if (last > l->told_epoch) {
        l->told_epoch = last;
        l->told_ms = sim_coord_now(w);
    }
    if (m->run != x->run || m->attempt != x->attempt || x->attempt != l->named_attempt)
        sim_wrong(w, "I3: epochs of run %lld, attempt %lld are stored as run %lld, attempt %lld",
                  (long long)m->run, (long long)m->attempt, (long long)x->run,
                  (long long)l->named_attempt);
    if (l->differs_attempt == x->attempt)
        sim_wrong(w, "run %lld: attempt %lld goes on after a difference", (long long)x->run,
                  (long long)x->attempt);
    if (l->boot_attempt == x->attempt) sim_cover(w, COVER_adopted_after_restart);
}

/* The numbers of a run come from one family of kernels, whose they were at first. */
static void same_kernels(struct sim *w, const struct save *x)
{
    const struct sim_run *r = &w->store.runs[x->run];
    if (r->epochs_done >= 0 && (strcmp(r->blas.family, x->blas.family) != 0 ||
                                strcmp(r->blas.fingerprint, x->blas.fingerprint) != 0))
        sim_wrong(w, "run %lld of kernels %s goes on with %s", (long long)x->run, r->blas.family,
                  x->blas.family);
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
    l->told_ms = sim_coord_now(w);
    l->told_epoch = -1;
    same_kernels(w, x);
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
    case SAVE_END: oracle_ended(w, x); break;
    case SAVE_WORKER_GONE:
        if (!strcmp(x->reason, "lost")) oracle_lost(w, x);
        if (!strcmp(x->reason, "left")) sim_cover(w, COVER_goodbye);
        break;
    case SAVE_EVENT:
        if (!strcmp(x->blas.family, "quarantine")) oracle_forgives(w);
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

/* Once the assignment is stored, nobody but its holder can bring a newer checkpoint. */
static void from_newest(struct sim *w, const Grokd__Work *m)
{
    const struct sim_run *r = &w->store.runs[m->run];
    struct sim_file file = {0};
    if (r->state != RUN_RUNNING || r->attempt != m->attempt) return;
    if (m->has_checkpoint) memcpy(&file, m->checkpoint.data, sizeof file);
    bool there = w->mix.parts ? m->has_checkpoint_size : m->has_checkpoint;
    bool newest = w->mix.parts || !r->checkpoints ||
                  (file.run == (uint64_t)m->run && file.epoch == (uint64_t)r->checkpoint[0].epoch);
    if (there != (r->checkpoints > 0) || !newest)
        sim_wrong(w, "run %lld, attempt %lld goes out without its newest checkpoint",
                  (long long)m->run, (long long)m->attempt);
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
    from_newest(w, m);
}

/* That an attempt is over is told to its holder only when it is stored. */
static void stopped(struct sim *w, int place, const Grokd__Stop *m)
{
    if (place < 0 || place >= SIM_PLACES || m->run < 1 || m->run > w->mix.runs) return;
    const struct sim_run *r = &w->store.runs[m->run];
    if (r->state == RUN_RUNNING && r->attempt == m->attempt &&
        oracle_process(w, r->worker) == &w->worker[place])
        sim_wrong(w, "run %lld, attempt %lld is stopped and its end is not stored: %s",
                  (long long)m->run, (long long)m->attempt, m->reason ? m->reason : "");
    if (!m->reason) return;
    if (oracle_begins(m->reason, "this attempt")) sim_cover(w, COVER_stop_not_current);
    if (oracle_begins(m->reason, "the run is over")) sim_cover(w, COVER_stop_unknown);
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
        if (oracle_begins(text, seen[i].reason)) sim_cover(w, seen[i].cover);
}

/* A process that is the only one of its name must not be ended by what it said itself. */
static void copied(struct sim *w, uint64_t peer, const char *text)
{
    int place = sim_place(peer);
    if (!oracle_begins(text, "another connection") || place < 0 || place >= SIM_PLACES) return;
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
    case GROKD__ENVELOPE__BODY_STOP: stopped(w, sim_place(peer), m->stop); break;
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

static size_t files_of(const struct session_run *r)
{
    size_t n = r->box.checkpoint_size / sizeof(struct sim_file);
    for (const struct outbox_file *f = r->box.files; f; f = f->next) n++;
    return n;
}

void oracle_worker(struct sim *w, int place)
{
    const struct sim_worker *k = &w->worker[place];
    size_t share = w->mix.outbox_bytes / (2 * k->slot_count);
    size_t held = session_held(k->session);
    if (session_outbox_bytes(k->session) > held * (share + 256))
        sim_wrong(w, "I7: worker %d keeps %zu bytes for %zu runs", place,
                  session_outbox_bytes(k->session), held);
    for (const struct session_run *r = k->session->runs; r; r = r->next) {
        if (files_of(r) > SIM_FILES)
            sim_wrong(w, "I7: worker %d keeps %zu checkpoints of run %lld", place, files_of(r),
                      (long long)r->run);
        if (k->session->greeted && k->asks[r->run] && session_file_awaited(r))
            sim_wrong(w, "run %lld: after a reconnect nobody asks for its checkpoint",
                      (long long)r->run);
    }
}

/* What a worker knows of a run when it is told something. */
void oracle_heard(struct sim *w, int place, const wire_envelope *m)
{
    struct sim_worker *k = &w->worker[place];
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_WELCOME:
        if (k->session->greeted) break;
        memset(k->again, 1, sizeof k->again);
        for (const struct session_run *r = k->session->runs; r; r = r->next)
            k->asks[r->run] = session_file_awaited(r);
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

/* After a reconnect what was not acknowledged is sent again, from the first of it on, and what is
 * missing of a checkpoint is asked for at once. */
void oracle_said(struct sim *w, int place, const uint8_t *bytes, size_t size)
{
    struct sim_worker *k = &w->worker[place];
    wire_envelope *m;
    struct err e;
    bool waits = false; /* only of runs that it holds is anything due: most messages need no look */
    for (const struct session_run *r = k->session->runs; r && !waits; r = r->next)
        waits = k->again[r->run] || k->asks[r->run];
    if (!waits || wire_unpack(&m, bytes, size, &e) < 0) return;
    if (m->body_case == GROKD__ENVELOPE__BODY_FETCH) k->asks[m->fetch->run] = false;
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

/* Places that cannot be given to another worker. */
static size_t needed(const struct sched *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker *x = &s->workers[i];
        n += x->state != WORKER_GONE || x->held || x->quarantine;
    }
    return n;
}

void oracle_introduced(struct sim *w)
{
    const struct sched *s = &w->coord.hub.sched;
    size_t n = needed(s);
    if (n > w->coord.most_needed) w->coord.most_needed = n;
    size_t most = w->mix.keep > w->coord.most_needed ? w->mix.keep : w->coord.most_needed;
    if (s->worker_count > most)
        sim_wrong(w, "I7: %zu workers are remembered, %zu may be", s->worker_count, most);
}

/* Beyond eight windows of those that need the same kernels wait only runs that came back after
 * these were filled. */
static void bounded(struct sim *w)
{
    const struct hub *h = &w->coord.hub;
    const struct sched *s = &h->sched;
    size_t most = 8 * w->mix.window, longest = 0;
    for (size_t i = 0; i < s->runs.queue_count; i++)
        if (s->runs.queues[i].count > longest) longest = s->runs.queues[i].count;
    if (longest <= most) w->coord.came_back = 0;
    if (longest > most + w->coord.came_back)
        sim_wrong(w, "I7: %zu runs that need the same wait in the table, window %zu, %zu came back",
                  longest, w->mix.window, w->coord.came_back);
    bool waits = h->durable < h->submitted;
    size_t under_way = s->ask_count > h->count ? s->ask_count : h->count;
    if (under_way > (waits ? SIM_UNDER_WAY : 0))
        sim_wrong(w, "I7: %zu questions and %zu messages wait%s", s->ask_count, h->count,
                  waits ? "" : " for nothing");
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
    bounded(w);
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
