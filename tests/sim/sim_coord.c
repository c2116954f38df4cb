// SPDX-License-Identifier: MIT
/* sim_coord: the coordinator's process around the real hub: it starts from the store, hears
 * letters, ticks, collects, is stopped for a while, dies. While it is stopped letters wait for it,
 * and as in coord_daemon.c they are heard before the tick that judges leases. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

int64_t sim_coord_now(const struct sim *w)
{
    return w->now_ms + w->coord.offset_ms;
}

/* The wall clock may show anything: it decides nothing. */
static struct moment moment(struct sim *w)
{
    int64_t wall = w->now_ms;
    if (w->storm && w->mix.on[FAULT_WALL_CLOCK]) wall += (int64_t)sim_u32(w) * 300 - 600000000000;
    return (struct moment){sim_coord_now(w), wall};
}

/* An error of the hub ends the process, as in coord_main.c. Only trouble of the store is one. */
static void after(struct sim *w, int rc, const struct err *e)
{
    if (rc == OK) return;
    if (rc != E_STORE) sim_wrong(w, "the hub gave up: %s", e->text);
    sim_coord_kill(w, true);
}

/* ---- the hub's door ---- */

static int door_send(void *ctx, uint64_t peer, const wire_envelope *m, struct err *e)
{
    struct sim *w = ctx;
    oracle_sent(w, peer, m);
    return sim_down(w, peer, m, e);
}

static void door_answer(void *ctx, int code, const char *text)
{
    sim_wrong(ctx, "an answer to nobody: %d %s", code, text);
}

/* Everybody's key is allowed here: end-to-end tests shut some out. */
static int door_keys(void *ctx, struct event *ev, struct err *e)
{
    (void)ev;
    sim_wrong(ctx, "nobody asked for the keys");
    return err_set(e, E_STATE, "no keys");
}

/* ---- beginning and end ---- */

static void tick_at(struct sim *w, int64_t at_ms)
{
    sim_at(w, at_ms, EV_CTICK, 0, 0, ++w->coord.ticks, NULL);
}

/* What the store knows of a run when the coordinator starts. */
static void remember(struct sim *w, int run)
{
    const struct sim_run *r = &w->store.runs[run];
    struct sim_ledger *l = &w->ledger[run];
    l->named_attempt = r->attempt;
    l->boot_done = r->epochs_done;
    l->boot_attempt = r->state == RUN_RUNNING ? r->attempt : 0;
    l->failures = r->failures;
    l->losses = r->losses;
    l->ended_attempt = l->hung_attempt = l->differs_attempt = 0;
    l->told_ms = w->coord.started_ms;
    l->told_epoch = r->epochs_done;
}

void sim_coord_start(struct sim *w)
{
    struct sim_coord *c = &w->coord;
    const struct sim_mix *x = &w->mix;
    struct sched_config config = SCHED_DEFAULTS;
    const struct hub_door door = {door_send, door_answer, door_keys, w};
    struct store_state state;
    struct err e = {0};
    config.heartbeat_ms = x->heartbeat_ms;
    config.lease_ms = x->lease_ms;
    config.hung_ms = x->hung_ms;
    config.quick_ms = x->quick_ms;
    config.window = x->window;
    config.keep = x->keep;
    c->up = true;
    c->generation++;
    c->awake_ms = w->now_ms;
    c->started_ms = c->fresh_ms = c->ticked_ms = c->renewed_ms = sim_coord_now(w);
    c->boot_peers = w->peers;
    c->most_needed = c->came_back = 0;
    for (int i = 0; i < SIM_PLACES; i++) {
        w->worker[i].known_peer = 0;
        w->worker[i].peer = sim_peer_new(w, i);
        w->worker[i].heard_ms = c->started_ms;
    }
    for (int i = 1; i <= x->runs; i++) remember(w, i);
    sim_store_state(w, &state);
    sim_note(w, "start", 0, (int64_t)state.running_count, (int64_t)state.sweep_count, 0);
    after(w, hub_open(&c->hub, &w->store, &state, &config, &door, moment(w), &e), &e);
    free(state.sweeps);
    free(state.running);
    if (c->up) oracle_introduced(w);
    tick_at(w, w->now_ms + x->tick_ms);
}

void sim_coord_kill(struct sim *w, bool restart)
{
    struct sim_coord *c = &w->coord;
    if (!c->up) return;
    if (c->hub.count) sim_cover(w, COVER_restart_with_sends_waiting);
    c->up = false;
    c->generation++;
    c->ticks++;
    hub_close(&c->hub);
    sim_store_crash(w);
    int64_t back = w->storm ? sim_log_between(w, 10, 2 * w->mix.lease_ms) : 1000;
    if (restart) sim_at(w, w->now_ms + back, EV_CSTART, 0, 0, 0, NULL);
}

void sim_coord_pause(struct sim *w, int64_t for_ms, bool clock_stops)
{
    struct sim_coord *c = &w->coord;
    if (!c->up || c->awake_ms > w->now_ms) return;
    c->awake_ms = w->now_ms + for_ms;
    if (clock_stops) c->offset_ms -= for_ms;
    /* Its tick comes last of all that is due when it wakes. */
    tick_at(w, c->awake_ms + 1);
    if (clock_stops || for_ms <= w->mix.lease_ms / 2) return;
    c->fresh_ms = sim_coord_now(w) + for_ms;
    if (for_ms >= w->mix.lease_ms) sim_cover(w, COVER_lease_not_expired_after_pause);
}

/* ---- events ---- */

/* Whether somebody is there to hear it; if not now, then when it wakes. */
static bool awake(struct sim *w, struct sim_event *ev)
{
    if (w->coord.awake_ms <= w->now_ms) return true;
    sim_at(w, w->coord.awake_ms, ev->kind, ev->place, ev->slot, ev->generation, ev->letter);
    ev->letter = NULL;
    return false;
}

/* Of a process that may be gone: its Hello was long under way. */
static const char *user_of(const struct sim *w, int place, const wire_envelope *m)
{
    if (place >= SIM_HOSTILE) return sim_user(-1);
    if (m->body_case == GROKD__ENVELOPE__BODY_HELLO) return sim_user(sim_serial(m->hello->uuid));
    return sim_user(w->worker[place].serial);
}

/* As the router does: what is no message is answered too. */
static void object(struct sim *w, uint64_t peer, struct err *why)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Refuse refuse = GROKD__REFUSE__INIT;
    struct err e;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_REFUSE;
    m.refuse = &refuse;
    refuse.reason = why->text;
    sim_cover(w, COVER_refused_version);
    sim_down(w, peer, &m, &e);
}

/* Whether a newer Hello of this uuid was heard from somebody who is still there. */
static bool overtaken(struct sim *w, const Grokd__Hello *m)
{
    const struct sched *s = &w->coord.hub.sched;
    bool there = false, older = false;
    for (size_t i = 0; i < s->worker_count; i++)
        there |= !strcmp(s->workers[i].uuid, m->uuid) && s->workers[i].state != WORKER_GONE;
    for (int i = 0; i < SIM_PLACES && there; i++)
        older |= !strcmp(w->worker[i].uuid, m->uuid) && w->worker[i].known_peer &&
                 m->number <= w->worker[i].said;
    if (older) sim_cover(w, COVER_hello_overtaken);
    return older;
}

/* Only a peer that said Hello is somebody, until another one says it with the same uuid. */
static void heard(struct sim *w, int place, uint64_t peer, const wire_envelope *m)
{
    bool hello = m->body_case == GROKD__ENVELOPE__BODY_HELLO && m->hello->has_number;
    if (place >= SIM_PLACES) return;
    struct sim_worker *k = &w->worker[place];
    if (hello && !overtaken(w, m->hello)) {
        for (int i = 0; i < SIM_PLACES; i++)
            if (!strcmp(w->worker[i].uuid, m->hello->uuid)) w->worker[i].known_peer = 0;
        if (!strcmp(m->hello->uuid, k->uuid)) {
            k->known_peer = peer;
            k->said = m->hello->number;
        }
    }
    if (k->known_peer == peer) k->heard_ms = sim_coord_now(w);
}

void sim_coord_letter(struct sim *w, struct sim_event *ev)
{
    struct sim_letter *l = ev->letter;
    wire_envelope *m;
    struct err e = {0};
    int place = ev->place;
    if (w->coord.up && l->peer >> 8 > w->coord.boot_peers) {
        if (!awake(w, ev)) return;
        w->events++;
        if (wire_unpack(&m, l->bytes, l->size, &e) < 0) {
            sim_note(w, "bad", place, 0, 0, 0);
            object(w, l->peer, &e);
        } else if (sim_pointless(w, place, m)) {
            wire_free(&m);
        } else {
            sim_note(w, "up", place, m->body_case, (int64_t)l->size, 0);
            heard(w, place, l->peer, m);
            bool hello = m->body_case == GROKD__ENVELOPE__BODY_HELLO;
            if (m->body_case == GROKD__ENVELOPE__BODY_ENDED)
                oracle_end_heard(w, place, l->peer, m->ended);
            if (l->week_old && m->body_case == GROKD__ENVELOPE__BODY_EPOCHS)
                sim_cover(w, COVER_week_old_epochs);
            int rc = hub_message(&w->coord.hub, l->peer, user_of(w, place, m), l->local, m,
                                 moment(w), &e);
            after(w, rc, &e);
            if (hello && w->coord.up) oracle_introduced(w);
        }
    }
    sim_letter_free(w, l);
}

void sim_coord_tick(struct sim *w, struct sim_event *ev)
{
    struct sim_coord *c = &w->coord;
    struct err e = {0};
    if (!c->up || ev->generation != c->ticks) return;
    if (c->awake_ms > w->now_ms) return; /* another one was planned when it was stopped */
    w->events++;
    sim_note(w, "tick", 0, 0, 0, 0);
    tick_at(w, w->now_ms + w->mix.tick_ms);
    after(w, hub_tick(&c->hub, moment(w), &e), &e);
    if (c->up) oracle_ticked(w);
}

void sim_coord_collect(struct sim *w, struct sim_event *ev)
{
    struct err e = {0};
    if (!w->coord.up || ev->generation != w->coord.generation || !awake(w, ev)) return;
    w->events++;
    sim_note(w, "collect", 0, (int64_t)w->store.committed, (int64_t)w->store.answer_count, 0);
    bool waited = w->coord.hub.full;
    int rc = hub_collect(&w->coord.hub, moment(w), &e);
    if (waited && !w->coord.hub.full) w->coord.renewed_ms = sim_coord_now(w);
    if (w->coord.hub.full && w->coord.hub.sched.dirty) sim_cover(w, COVER_held_back);
    after(w, rc, &e);
}
