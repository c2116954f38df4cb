// SPDX-License-Identifier: MIT
/* sim_store: the store behind store.h, as the hub sees it: tickets that become durable in groups
 * and in order, sooner, later, or never. A crash leaves the groups before the one being written,
 * and of that one all or nothing (a transaction); a failed sync likewise, and the store is dead.
 *
 * store_submit, store_collect and store_result_free stand here for those of coordinator/store.c. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void sim_store_open(struct sim *w)
{
    struct store *s = &w->store;
    const struct sim_mix *x = &w->mix;
    s->sim = w;
    for (int i = 1; i <= x->sweeps; i++)
        s->sweeps[i] = (struct sim_sweep){.priority = sim_below(w, 3)};
    for (int i = 1; i <= x->runs; i++)
        s->runs[i] = (struct sim_run){.sweep = 1 + (i - 1) % x->sweeps, .epochs_done = -1};
}

static void ticket_free(struct sim_ticket *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->saves[i].text);
        wire_free(&t->saves[i].message);
    }
    free(t->saves);
}

static void answers_free(struct save_answer *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(a[i].runs);
        free(a[i].checkpoint);
    }
    free(a);
}

static void forget_memory(struct store *s)
{
    for (size_t i = 0; i < s->count; i++) ticket_free(&s->queue[s->first + i]);
    s->first = s->count = s->committing = 0;
    answers_free(s->answers, s->answer_count);
    s->answers = NULL;
    s->answer_count = s->answer_room = 0;
    s->submitted = s->committed = 0;
    s->failed = s->full = s->collect_due = false;
    memset(s->uploads, 0, sizeof s->uploads);
}

void sim_store_free(struct sim *w)
{
    forget_memory(&w->store);
    free(w->store.queue);
    free(w->store.worker_uuid);
}

/* ---- what is written ---- */

/* Begins a transaction with everything that waits. */
static void begin(struct store *s)
{
    struct sim *w = s->sim;
    const struct sim_mix *x = &w->mix;
    int64_t takes = x->commit_ms / 2 + sim_below(w, x->commit_ms + 1);
    if (s->committing || !s->count || s->failed) return;
    s->committing = s->count;
    if (s->slow_until_ms > w->now_ms) takes += sim_below(w, s->slow_until_ms - w->now_ms);
    sim_at(w, w->now_ms + takes, EV_COMMIT, 0, 0, w->coord.generation, NULL);
}

static void write_group(struct store *s)
{
    for (size_t i = 0; i < s->committing; i++) {
        struct sim_ticket *t = &s->queue[s->first + i];
        for (size_t k = 0; k < t->count; k++) sim_apply(s, &t->saves[k]);
        ticket_free(t);
    }
    s->first += s->committing;
    s->count -= s->committing;
    s->committed += s->committing;
    s->committing = 0;
    s->full = false;
    if (!s->count) s->first = 0;
}

static void tell(struct store *s, int64_t delay_ms)
{
    if (s->collect_due) return;
    s->collect_due = true;
    sim_at(s->sim, s->sim->now_ms + delay_ms, EV_COLLECT, 0, 0, s->sim->coord.generation, NULL);
}

void sim_store_commit(struct sim *w)
{
    struct store *s = &w->store;
    sim_note(w, "commit", 0, (int64_t)s->committing, (int64_t)s->committed, s->fails);
    if (s->full_until_ms > w->now_ms) { /* the same group again */
        sim_cover(w, COVER_store_full);
        s->full = true;
        sim_at(w, s->full_until_ms, EV_COMMIT, 0, 0, w->coord.generation, NULL);
        tell(s, w->mix.collect_ms);
        return;
    }
    if (s->fails) {
        s->fails = false;
        s->failed = true;
        sim_cover(w, COVER_store_failed);
    } else {
        write_group(s);
        begin(s);
    }
    tell(s, sim_below(w, w->mix.collect_ms + 1));
}

/* The process is gone. What was being written is there or not: nobody knows before it looks. */
void sim_store_crash(struct sim *w)
{
    struct store *s = &w->store;
    if (s->committing) {
        bool kept = sim_u32(w) & 1;
        sim_cover(w, kept ? COVER_restart_commit_kept : COVER_restart_commit_lost);
        if (kept) write_group(s);
    }
    forget_memory(s);
}

/* ---- what the hub sees ---- */

uint64_t store_submit(struct store *s, struct save *saves, size_t count)
{
    if (s->first && s->first + s->count == s->room) {
        memmove(s->queue, s->queue + s->first, s->count * sizeof *s->queue);
        s->first = 0;
    }
    if (s->first + s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->queue = realloc(s->queue, s->room * sizeof *s->queue);
    }
    struct sim_ticket t = {malloc(count * sizeof *saves), count};
    if (!s->queue || !t.saves) abort();
    memcpy(t.saves, saves, count * sizeof *saves);
    for (size_t i = 0; i < count; i++) oracle_submit(s->sim, &saves[i]);
    s->queue[s->first + s->count++] = t;
    s->submitted++;
    begin(s);
    return s->submitted;
}

int store_collect(struct store *s, struct store_result *out, struct err *e)
{
    *out = (struct store_result){0};
    s->collect_due = false;
    if (s->failed) return err_set(e, E_STORE, "the disk failed");
    out->ticket = s->committed;
    out->full = s->full;
    out->answers = s->answers;
    out->answer_count = s->answer_count;
    for (size_t i = 0; i < s->answer_count; i++)
        if (s->answers[i].verdict == VERDICT_DIFFERS)
            s->sim->ledger[s->answers[i].run].differs_attempt = s->answers[i].attempt;
    s->answers = NULL;
    s->answer_count = s->answer_room = 0;
    return OK;
}

void store_result_free(struct store_result *r)
{
    answers_free(r->answers, r->answer_count);
    *r = (struct store_result){0};
}

/* ---- what a new coordinator finds ---- */

void sim_store_state(struct sim *w, struct store_state *out)
{
    struct store *s = &w->store;
    *out =
        (struct store_state){.next_sweep = w->mix.sweeps + 1, .next_worker = s->worker_count + 1};
    out->sweeps = calloc(SIM_SWEEPS, sizeof *out->sweeps);
    out->running = calloc(SIM_RUNS, sizeof *out->running);
    if (!out->sweeps || !out->running) abort();
    for (int i = 1; i <= w->mix.sweeps; i++)
        if (s->sweeps[i].state <= SWEEP_PAUSED)
            out->sweeps[out->sweep_count++] = sim_sweep_totals(s, i);
    for (int i = 1; i <= w->mix.runs; i++)
        if (s->runs[i].state == RUN_RUNNING)
            out->running[out->running_count++] = sim_run_stored(s, i);
}
