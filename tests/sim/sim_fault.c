// SPDX-License-Identifier: MIT
/* sim_fault: what goes wrong, one thing at a time, at times drawn from the seed; and the end of it
 * all. */
#include "tests/sim/sim.h"
#include "worker/session_state.h"

#include <signal.h>
#include <string.h>

/* A time of the order of what the two sides wait for. */
static int64_t a_while_ms(struct sim *w)
{
    return sim_log_between(w, 10, 4 * w->mix.lease_ms);
}

/* Often longer than a lease: what is heard meanwhile waits, and leases end. */
static int64_t a_stall_ms(struct sim *w)
{
    int64_t for_ms = a_while_ms(w);
    return sim_below(w, 3) ? for_ms : for_ms + w->mix.lease_ms;
}

static int64_t far_ms(const struct sim *w, int64_t for_ms)
{
    return w->now_ms + for_ms;
}

/* A worker's place that is up, or -1. */
static int somebody(struct sim *w)
{
    int place = (int)sim_below(w, w->mix.workers);
    return w->worker[place].up ? place : -1;
}

/* The next of those whose run has ended and is not acknowledged, if there is one: what becomes of
 * its end is decided at the other side alone. */
static int somebody_ended(struct sim *w)
{
    int place = somebody(w);
    for (int i = 0; i < w->mix.workers && place >= 0; i++) {
        const struct sim_worker *k = &w->worker[(place + i) % w->mix.workers];
        if (!k->up) continue;
        for (const struct session_run *r = k->session->runs; r; r = r->next)
            if (r->ended) return (int)(k - w->worker);
    }
    return place;
}

/* ---- network ---- */

static void cut_off(struct sim *w, bool frozen)
{
    int64_t until = far_ms(w, a_while_ms(w));
    int64_t ways = 1 + sim_below(w, 3); /* up, down, both */
    bool all = sim_below(w, 3) == 0;
    int chosen = (int)sim_below(w, w->mix.workers);
    for (int i = 0; i < w->mix.workers; i++) {
        struct sim_worker *k = &w->worker[i];
        if (!all && i != chosen) continue;
        if (ways & 1) *(frozen ? &k->up_way.frozen_until_ms : &k->up_way.cut_until_ms) = until;
        if (ways & 2) *(frozen ? &k->down_way.frozen_until_ms : &k->down_way.cut_until_ms) = until;
    }
}

static void reset(struct sim *w)
{
    int place = somebody(w);
    if (place >= 0) w->worker[place].peer = sim_peer_new(w, place);
}

/* ---- workers ---- */

static void pause_worker(struct sim *w, bool clock_stops)
{
    int place = somebody(w);
    if (place < 0 || w->worker[place].awake_ms > w->now_ms) return;
    struct sim_worker *k = &w->worker[place];
    int64_t for_ms = a_while_ms(w);
    k->awake_ms = far_ms(w, for_ms);
    if (!clock_stops) return;
    k->offset_ms -= for_ms;
    /* Its timers are later by as much. */
    int64_t due = session_next_ms(k->session);
    if (due != INT64_MAX) sim_at(w, due - k->offset_ms, EV_STICK, place, 0, ++k->timer, NULL);
}

static void end_slot(struct sim *w, int signal)
{
    int place = somebody(w);
    if (place < 0 || w->worker[place].awake_ms > w->now_ms) return;
    uint32_t i = (uint32_t)sim_below(w, w->worker[place].slot_count);
    struct sim_slot *t = &w->worker[place].slots[i];
    if (!t->alive) return;
    if (signal != SIGKILL && t->run) w->ledger[t->run].cut++;
    sim_slot_die(w, place, i, signal);
}

static void hang_slot(struct sim *w)
{
    int place = somebody(w);
    if (place >= 0) w->worker[place].slots[sim_below(w, w->worker[place].slot_count)].hung = true;
}

/* A copy of a process, with its uuid: a cloned machine. */
static void clone(struct sim *w)
{
    int place = somebody(w), to = SIM_WORKERS + (int)sim_below(w, SIM_CLONES);
    if (place < 0 || w->worker[to].up) return;
    sim_worker_start(w, to, w->worker[place].serial);
    if (w->worker[to].up) w->worker[to].copied = true;
    w->worker[place].copied = true;
}

/* ---- coordinator ---- */

static void jump(struct sim *w)
{
    int64_t by = a_while_ms(w);
    int place = somebody(w);
    if (sim_below(w, 2) && place >= 0) {
        w->worker[place].offset_ms += by;
        return;
    }
    w->coord.offset_ms += by;
    if (by > w->mix.lease_ms / 2) w->coord.fresh_ms = sim_coord_now(w);
}

static void one_of_numbers(struct sim *w, const char *verb, const char *flag)
{
    char number[24];
    bool run = flag && !strcmp(flag, "--runs");
    snprintf(number, sizeof number, "%d",
             1 + (int)sim_below(w, run ? w->mix.runs + 1 : w->mix.sweeps));
    sim_command(w, verb, flag ? flag : number, flag ? number : NULL);
}

static void command(struct sim *w)
{
    switch (sim_below(w, 12)) {
    case 0:
    case 1: one_of_numbers(w, "pause", NULL); break;
    case 2:
    case 3: one_of_numbers(w, "resume", NULL); break;
    case 4: sim_command(w, "resume", "all", NULL); break;
    case 5:
    case 6: one_of_numbers(w, "cancel", "--runs"); break;
    case 7: one_of_numbers(w, "retry", "--failed"); break;
    case 8: sim_command(w, "retry", "--failed", "all"); break;
    case 9: one_of_numbers(w, "retry", "--fresh"); break;
    case 10: sim_command(w, "retry", "--fresh", NULL); break;
    default:
        if (sim_below(w, 8) == 0) one_of_numbers(w, "cancel", NULL);
        break;
    }
}

/* ---- all of them ---- */

static void leave(struct sim *w)
{
    int place = somebody(w);
    if (place < 0 || w->worker[place].awake_ms > w->now_ms) return;
    sim_worker_on(w, place, &(struct session_event){.kind = SESSION_EVENT_TERMINATE});
}

static void do_fault(struct sim *w, enum sim_fault f)
{
    struct store *s = &w->store;
    int place;
    switch (f) {
    case FAULT_PARTITION: cut_off(w, false); break;
    case FAULT_FREEZE: cut_off(w, true); break;
    case FAULT_RESET: reset(w); break;
    case FAULT_WORKER_KILL:
        place = sim_below(w, 2) ? somebody(w) : somebody_ended(w);
        if (place >= 0) sim_worker_kill(w, place, a_while_ms(w));
        break;
    case FAULT_WORKER_PAUSE: pause_worker(w, false); break;
    case FAULT_WORKER_SUSPEND: pause_worker(w, true); break;
    case FAULT_WORKER_LEAVE: leave(w); break;
    case FAULT_SLOT_KILL: end_slot(w, SIGKILL); break;
    case FAULT_SLOT_CRASH: end_slot(w, SIGSEGV); break;
    case FAULT_SLOT_HANG: hang_slot(w); break;
    case FAULT_COORD_KILL: sim_coord_kill(w, true); break;
    case FAULT_COORD_PAUSE: sim_coord_pause(w, a_while_ms(w), false); break;
    case FAULT_COORD_SUSPEND: sim_coord_pause(w, a_while_ms(w), true); break;
    case FAULT_CLOCK_JUMP: jump(w); break;
    case FAULT_STORE_SLOW: s->slow_until_ms = far_ms(w, a_stall_ms(w)); break;
    case FAULT_STORE_FAIL: s->fails = true; break;
    case FAULT_STORE_FULL: s->full_until_ms = far_ms(w, a_stall_ms(w)); break;
    case FAULT_HOSTILE: sim_hostile(w); break;
    case FAULT_CLONE: clone(w); break;
    case FAULT_COMMAND: command(w); break;
    default: break; /* those that lie in every letter, trainer or reading of a clock */
    }
}

void sim_fault(struct sim *w)
{
    enum sim_fault f = (enum sim_fault)sim_below(w, SIM_FAULT_COUNT);
    sim_note(w, "fault", 0, (int64_t)f, w->mix.on[f], 0);
    if (w->mix.on[f]) do_fault(w, f);
    sim_at(w, far_ms(w, 1 + sim_below(w, 2 * w->mix.fault_ms)), EV_FAULT, 0, 0, 0, NULL);
}

/* ---- the end of the storm ---- */

static void restore(struct sim *w, int place)
{
    struct sim_worker *k = &w->worker[place];
    k->up_way.cut_until_ms = k->up_way.frozen_until_ms = 0;
    k->down_way.cut_until_ms = k->down_way.frozen_until_ms = 0;
    k->bad = false;
    if (k->awake_ms > w->now_ms) k->awake_ms = w->now_ms;
    for (int i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *t = &k->slots[i];
        t->bad = false;
        if (k->up && t->alive && t->hung && place < w->mix.workers)
            sim_slot_die(w, place, (uint32_t)i, SIGKILL);
    }
    if (!k->up && place < w->mix.workers)
        sim_at(w, w->now_ms + 1000, EV_WSTART, place, 0, k->generation, NULL);
}

/* Sweeps that somebody paused go on; a worker in quarantine is looked after and started anew. */
void sim_tend(struct sim *w)
{
    bool paused = false;
    for (int i = 1; i <= w->mix.sweeps; i++) paused |= w->store.sweeps[i].state == SWEEP_PAUSED;
    if (paused) sim_command(w, "resume", "all", NULL);
    for (size_t k = 0; w->coord.up && k < w->coord.hub.sched.worker_count; k++) {
        const struct worker *x = &w->coord.hub.sched.workers[k];
        for (int i = 0; x->quarantine && i < w->mix.workers; i++)
            if (w->worker[i].up && !strcmp(w->worker[i].uuid, x->uuid)) sim_worker_kill(w, i, 1000);
    }
    sim_at(w, far_ms(w, w->mix.lease_ms), EV_FAULT, 0, 0, 0, NULL);
}

void sim_calm(struct sim *w)
{
    sim_note(w, "calm", 0, 0, 0, 0);
    w->storm = false;
    w->calm_ms = w->now_ms;
    w->store.full_until_ms = w->store.slow_until_ms = 0;
    w->store.fails = false;
    if (w->coord.awake_ms > w->now_ms) sim_coord_kill(w, true);
    if (!w->coord.up) sim_at(w, w->now_ms + 1000, EV_CSTART, 0, 0, 0, NULL);
    for (int i = SIM_WORKERS; i < SIM_PLACES; i++) sim_worker_kill(w, i, -1);
    for (int i = 0; i < w->mix.workers; i++) restore(w, i);
    sim_tend(w);
}
