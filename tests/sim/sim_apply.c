// SPDX-License-Identifier: MIT
/* sim_apply: what each save does to the tables, by the same rules as the statements of the real
 * store (which its own tests check against SQLite). Times, logs and texts are left out. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* Who lies has a negative serial. */
void sim_uuid(int serial, char out[SAVE_NAME])
{
    snprintf(out, SAVE_NAME, "%s-%d", serial < 0 ? "liar" : "process",
             serial < 0 ? -serial : serial);
}

int sim_serial(const char *uuid)
{
    int number = atoi(strchr(uuid, '-') + 1);
    return *uuid == 'l' ? -number : number;
}

const char *sim_user(int serial)
{
    static const char *const users[] = {"ada", "bob"};
    return serial < 0 ? "eve" : users[serial % 2];
}

struct save_sweep sim_sweep_totals(const struct store *s, int64_t sweep)
{
    struct save_sweep t = {.sweep = sweep,
                           .priority = s->sweeps[sweep].priority,
                           .state = s->sweeps[sweep].state,
                           .settings = s->sim->settings};
    int64_t *const counts[] = {&t.waiting, &t.running, &t.finished, &t.failed, &t.cancelled};
    for (int i = 1; i <= s->sim->mix.runs; i++)
        if (s->runs[i].sweep == sweep) ++*counts[s->runs[i].state];
    return t;
}

struct save_run sim_run_stored(const struct store *s, int64_t run)
{
    const struct sim_run *r = &s->runs[run];
    struct save_run x = {.run = run,
                         .sweep = r->sweep,
                         .priority = s->sweeps[r->sweep].priority,
                         .attempt = r->attempt,
                         .worker = r->state == RUN_RUNNING ? r->worker : 0,
                         .epochs_done = r->epochs_done,
                         .failures = r->failures,
                         .losses = r->losses,
                         .blas = r->blas,
                         .params = s->sim->params};
    if (x.worker) {
        sim_uuid(s->worker_uuid[x.worker], x.holder);
        snprintf(x.holder_key, sizeof x.holder_key, "%s", sim_user(s->worker_uuid[x.worker]));
    }
    return x;
}

struct save_answer *sim_answer(struct store *s, const struct save *x)
{
    if (s->answer_count == s->answer_room) {
        s->answer_room = s->answer_room ? 2 * s->answer_room : 16;
        s->answers = realloc(s->answers, s->answer_room * sizeof *s->answers);
        if (!s->answers) abort();
    }
    struct save_answer *a = &s->answers[s->answer_count++];
    memset(a, 0, sizeof *a);
    a->kind = x->kind;
    a->sweep = x->sweep;
    a->run = x->run;
    a->attempt = x->attempt;
    a->epoch = -1;
    return a;
}

/* A sweep whose runs are all over is done, one with runs again is not. */
static void settle(struct store *s, int64_t sweep)
{
    struct sim_sweep *x = &s->sweeps[sweep];
    struct save_sweep t = sim_sweep_totals(s, sweep);
    if (x->state == SWEEP_CANCELLED) return;
    bool over = t.waiting + t.running == 0;
    if (over != (x->state == SWEEP_DONE)) x->state = over ? SWEEP_DONE : SWEEP_ACTIVE;
}

static void apply_worker(struct store *s, const struct save *x)
{
    if (x->worker >= s->worker_room) {
        s->worker_room = 2 * x->worker + 64;
        s->worker_uuid = realloc(s->worker_uuid, (size_t)s->worker_room * sizeof *s->worker_uuid);
        if (!s->worker_uuid) abort();
    }
    s->worker_uuid[x->worker] = sim_serial(x->message->hello->uuid);
    if (strcmp(x->key, sim_user(s->worker_uuid[x->worker])) != 0)
        sim_wrong(s->sim, "worker %lld is stored with the key of %s", (long long)x->worker, x->key);
    if (x->worker > s->worker_count) s->worker_count = x->worker;
}

static void apply_assign(struct store *s, const struct save *x)
{
    struct sim_run *r = &s->runs[x->run];
    if (r->state != RUN_WAITING || r->attempt >= x->attempt) {
        sim_wrong(s->sim, "I3: run %lld, attempt %lld, is assigned as %lld", (long long)x->run,
                  (long long)r->attempt, (long long)x->attempt);
        return;
    }
    r->state = RUN_RUNNING;
    r->attempt = x->attempt;
    r->worker = x->worker;
    if (r->epochs_done < 0 || !r->blas.family[0]) r->blas = x->blas;
    struct save_answer *a = sim_answer(s, x);
    sim_file_find(s, a);
    if (!a->checkpoint && !a->file_size) s->answer_count--;
}

/* The run fails with it at once. */
static void differs(struct store *s, struct save_answer *a)
{
    struct sim_run *r = &s->runs[a->run];
    a->verdict = VERDICT_DIFFERS;
    r->differed = a->attempt;
    r->state = RUN_FAILED;
    r->failures++;
    r->worker = 0;
    settle(s, r->sweep);
    oracle_differs(s->sim, a->run);
}

static void apply_epoch(struct store *s, const Grokd__Epoch *m, struct save_answer *a)
{
    struct sim_run *r = &s->runs[a->run];
    double value = m->n_values ? m->values[0] : 0;
    if (m->epoch <= r->epochs_done) {
        if (memcmp(&r->value[m->epoch], &value, sizeof value) != 0) {
            differs(s, a);
            return;
        }
        sim_cover(s->sim, COVER_replay_equal);
        if (s->sim->ledger[a->run].lost_ack == a->attempt)
            sim_cover(s->sim, COVER_ack_lost_then_resent);
        if (m->epoch <= s->sim->ledger[a->run].boot_done)
            sim_cover(s->sim, COVER_duplicate_after_restart);
    } else {
        oracle_insert(s->sim, a->run, m->epoch, value);
        r->value[m->epoch] = value;
        r->epochs_done = m->epoch;
    }
    a->epoch = m->epoch;
    sim_file_keep(s, a->run, a->attempt, m);
}

static void apply_epochs(struct store *s, const struct save *x)
{
    struct sim_run *r = &s->runs[x->run];
    const Grokd__Epochs *m = x->message->epochs;
    struct save_answer *a = sim_answer(s, x);
    if (r->differed == x->attempt) {
        a->verdict = VERDICT_STALE;
        sim_cover(s->sim, COVER_behind_a_difference);
    } else if (r->state != RUN_RUNNING || r->attempt != x->attempt) {
        a->verdict = VERDICT_STALE;
        sim_wrong(s->sim, "I3: epochs of run %lld, attempt %lld reach a store that has %lld",
                  (long long)x->run, (long long)x->attempt, (long long)r->attempt);
    } else if (m->epochs[0]->epoch > r->epochs_done + 1) {
        a->verdict = VERDICT_GAP;
        sim_cover(s->sim, COVER_verdict_gap);
    }
    for (size_t i = 0; i < m->n_epochs && a->verdict == VERDICT_STORED; i++)
        apply_epoch(s, m->epochs[i], a);
}

static void apply_end(struct store *s, const struct save *x)
{
    struct sim_run *r = &s->runs[x->run];
    struct save_answer *a = sim_answer(s, x);
    if (r->state != RUN_RUNNING || r->attempt != x->attempt) {
        a->verdict = VERDICT_STALE;
        return;
    }
    a->epoch = r->epochs_done;
    a->sweep = r->sweep;
    r->state = x->run_state;
    r->failures = x->failures;
    r->losses = x->losses;
    r->worker = 0;
    if (r->state == RUN_FINISHED) r->checkpoints = 0;
    if (r->state > RUN_RUNNING) settle(s, r->sweep);
}

static void apply_forgive(struct store *s, const struct save *x)
{
    struct sim_run *r = &s->runs[x->run];
    sim_cover(s->sim, COVER_forgiven);
    if (r->state > RUN_RUNNING) return;
    r->failures = r->failures > x->failures ? r->failures - x->failures : 0;
    r->losses = r->losses > x->losses ? r->losses - x->losses : 0;
}

static void apply_cancel(struct store *s, const struct save *x)
{
    struct save_answer *a = sim_answer(s, x);
    if (x->run < 1 || x->run > s->sim->mix.runs || s->runs[x->run].state > RUN_RUNNING) {
        a->verdict = VERDICT_STALE;
        return;
    }
    struct sim_run *r = &s->runs[x->run];
    if (r->state == RUN_RUNNING) sim_cover(s->sim, COVER_cancelled_while_running);
    a->sweep = r->sweep;
    r->state = RUN_CANCELLED;
    r->worker = 0;
    r->checkpoints = 0;
    settle(s, r->sweep);
}

static void apply_sweep_state(struct store *s, const struct save *x)
{
    if (x->sweep_state == SWEEP_PAUSED) sim_cover(s->sim, COVER_sweep_paused);
    s->sweeps[x->sweep].state = x->sweep_state;
    for (int i = 1; i <= s->sim->mix.runs && x->sweep_state == SWEEP_CANCELLED; i++)
        if (s->runs[i].sweep == x->sweep && s->runs[i].state == RUN_WAITING) {
            s->runs[i].state = RUN_CANCELLED;
            oracle_changed(s->sim, x, i, RUN_WAITING);
        }
    settle(s, x->sweep);
    sim_answer(s, x)->totals = sim_sweep_totals(s, x->sweep);
}

static void retry_run(struct store *s, const struct save *x, int run)
{
    struct sim_run *r = &s->runs[run];
    struct sim_ledger *l = &s->sim->ledger[run];
    r->state = RUN_WAITING;
    r->failures = r->losses = 0;
    l->failures = l->losses = l->cut = 0;
    sim_cover(s->sim, x->fresh ? COVER_retried_fresh : COVER_retried);
    if (!x->fresh) return;
    r->epochs_done = l->acked = l->boot_done = -1;
    l->wiped_attempt = r->attempt;
    l->tainted = false;
    r->checkpoints = 0;
    memset(&r->blas, 0, sizeof r->blas);
}

static void apply_retry(struct store *s, const struct save *x)
{
    struct save_answer *a = sim_answer(s, x);
    bool spared = s->sweeps[x->sweep].state == SWEEP_CANCELLED && !x->revive;
    for (int i = 1; i <= s->sim->mix.runs && !spared; i++) {
        if (s->runs[i].sweep != x->sweep || s->runs[i].state != RUN_FAILED) continue;
        retry_run(s, x, i);
        a->added++;
    }
    if (a->added && s->sweeps[x->sweep].state == SWEEP_CANCELLED)
        s->sweeps[x->sweep].state = SWEEP_ACTIVE;
    if (a->added) settle(s, x->sweep);
    a->totals = sim_sweep_totals(s, x->sweep);
}

static bool left_out(const struct store *s, int run, const char *text)
{
    const struct sim_run *r = &s->runs[run];
    char line[256];
    if (r->epochs_done < 0)
        snprintf(line, sizeof line, "\nsweep %lld\n", (long long)r->sweep);
    else
        snprintf(line, sizeof line, "\nkernels %s %s\n", r->blas.family, r->blas.fingerprint);
    bool out = text && strstr(text, line);
    if (out) sim_cover(s->sim, COVER_left_out);
    return out;
}

static void apply_fetch(struct store *s, const struct save *x)
{
    struct save_answer *a = sim_answer(s, x);
    int runs = s->sim->mix.runs;
    a->runs = malloc((size_t)runs * sizeof *a->runs);
    if (!a->runs) abort();
    for (int64_t priority = 2; priority >= 0; priority--)
        for (int sweep = 1; sweep <= s->sim->mix.sweeps; sweep++)
            for (int i = 1; i <= runs && (int64_t)a->run_count < x->count; i++)
                if (s->runs[i].state == RUN_WAITING && s->runs[i].sweep == sweep &&
                    s->sweeps[sweep].state == SWEEP_ACTIVE &&
                    s->sweeps[sweep].priority == priority && !left_out(s, i, x->text))
                    a->runs[a->run_count++] = sim_run_stored(s, i);
    if (a->run_count) sim_cover(s->sim, COVER_fetch_again);
}

void sim_apply(struct store *s, const struct save *x)
{
    bool one = x->run >= 1 && x->run <= s->sim->mix.runs;
    enum run_state before = one ? s->runs[x->run].state : RUN_WAITING;
    switch (x->kind) {
    case SAVE_SWEEP_STATE: apply_sweep_state(s, x); break;
    case SAVE_RETRY: apply_retry(s, x); break;
    case SAVE_WORKER: apply_worker(s, x); break;
    case SAVE_ASSIGN: apply_assign(s, x); break;
    case SAVE_EPOCHS: apply_epochs(s, x); break;
    case SAVE_PART: sim_file_part(s, x); break;
    case SAVE_READ: sim_file_read(s, x); break;
    case SAVE_END: apply_end(s, x); break;
    case SAVE_FORGIVE: apply_forgive(s, x); break;
    case SAVE_CANCEL: apply_cancel(s, x); break;
    case SAVE_FETCH: apply_fetch(s, x); break;
    case SAVE_SWEEP:
    case SAVE_STIFF:
    case SAVE_AGGREGATE: sim_wrong(s->sim, "nobody asked for a save of kind %d", x->kind); break;
    case SAVE_WORKER_SEEN:
    case SAVE_WORKER_GONE:
    case SAVE_EVENT: break; /* for the reader */
    }
    if (one) oracle_changed(s->sim, x, x->run, before);
}
