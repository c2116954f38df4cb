// SPDX-License-Identifier: MIT
/* sim_mix: what a seed draws: the size of its world, its times and its faults. Each seed knows only
 * some faults, and some seeds none: a world in which everything goes wrong at once never comes to
 * the orders that need something to go right. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <math.h>

static const char *const fault_name[] = {
#define FAULT(name) #name,
#include "tests/sim/fault.def"
#undef FAULT
};

static uint32_t share(struct sim *w, double most)
{
    double x = (double)sim_u32(w) * 0x1p-32;
    return (uint32_t)(x * x * most * 0x1p32);
}

static void draw_faults(struct sim *w)
{
    struct sim_mix *x = &w->mix;
    int kinds = (int)sim_below(w, 10); /* of ten: none, a few, half, all */
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        int64_t of = kinds == 0 ? 0 : kinds < 4 ? 2 : kinds < 9 ? 5 : 10;
        x->on[i] = sim_below(w, 10) < of;
    }
    x->loss = x->on[FAULT_LOSS] ? share(w, 0.2) : 0;
    x->duplicate = x->on[FAULT_DUPLICATE] ? share(w, 0.3) : 0;
    x->week_old = x->on[FAULT_WEEK_OLD] ? share(w, 0.02) : 0;
    x->unsent = x->on[FAULT_UNSENT] ? share(w, 0.02) : 0;
    x->run_fail = x->on[FAULT_RUN_FAIL] ? share(w, 0.05) : 0;
}

/* A lease is never shorter than a few journeys: no protocol could keep it. */
static void draw_times(struct sim *w)
{
    struct sim_mix *x = &w->mix;
    x->delay_ms = sim_log_between(w, 1, 200);
    x->commit_ms = sim_log_between(w, 1, 50);
    x->collect_ms = sim_log_between(w, 1, 5);
    x->lease_ms = sim_log_between(w, 1000 + 20 * x->delay_ms, 600000);
    x->heartbeat_ms = x->lease_ms / 6;
    x->tick_ms = x->lease_ms / 8 < 1000 ? x->lease_ms / 8 : 1000;
    x->ack_ms = x->lease_ms / 2 > 1000 ? x->lease_ms / 2 : 1000;
    x->epoch_ms = sim_log_between(w, 2, 2000);
    x->start_ms = sim_log_between(w, 10, 500);
    x->hung_ms = 40 * x->epoch_ms + 2 * x->lease_ms + 20000;
    x->quick_ms = sim_log_between(w, 100, 60000);
    x->fault_ms = sim_log_between(w, 20, 20000);
}

void sim_mix_draw(struct sim *w)
{
    struct sim_mix *x = &w->mix;
    draw_faults(w);
    draw_times(w);
    x->workers = (int)sim_log_between(w, 1, SIM_WORKERS + 1);
    x->runs = 1 + (int)sim_below(w, SIM_RUNS);
    x->sweeps = 1 + (int)sim_below(w, SIM_SWEEPS);
    if (x->sweeps > x->runs) x->sweeps = x->runs;
    x->epochs = sim_log_between(w, 1, SIM_EPOCHS + 1);
    x->checkpoint_every = 1 + sim_below(w, 20);
    x->window = (size_t)sim_log_between(w, 1, 2048);
    x->keep = (size_t)sim_log_between(w, 4, 1024);
    x->outbox_bytes = (size_t)sim_log_between(w, 300, 1000000);
    x->max_attempts = sim_log_between(w, 1, 1000);
    x->max_losses = sim_log_between(w, 1, 10000);
    x->parts = sim_below(w, 3) == 0;
    x->storm_events = (uint64_t)sim_log_between(w, 1000, 20000);
    settings_default(&w->settings);
    w->settings.max_attempts = x->max_attempts;
    w->settings.max_losses = x->max_losses;
    params_default(&w->params);
    w->params.epochs = x->epochs;
}

void sim_mix_print(const struct sim *w, FILE *out)
{
    const struct sim_mix *x = &w->mix;
    fprintf(out,
            "  %d workers, %d runs of %" PRId64 " epochs in %d sweeps, lease %" PRId64
            " ms, epoch %" PRId64 " ms, delay %" PRId64 " ms, commit %" PRId64
            " ms, window %zu, outbox %zu bytes, storm of %" PRIu64 " events\n  faults:",
            x->workers, x->runs, x->epochs, x->sweeps, x->lease_ms, x->epoch_ms, x->delay_ms,
            x->commit_ms, x->window, x->outbox_bytes, x->storm_events);
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        if (x->on[i]) fprintf(out, " %s", fault_name[i]);
    fprintf(out, "\n");
}
