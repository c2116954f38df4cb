// SPDX-License-Identifier: MIT
/* sim_worker: worker processes around real sessions, as worker_daemon.c drives them: it hears
 * letters and slots, ticks when the session wants it, is stopped for a while, dies, comes back as
 * another process. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static int64_t clock_ms(const struct sim *w, const struct sim_worker *k)
{
    return w->now_ms + k->offset_ms;
}

/* ---- beginning and end ---- */

static void settings(struct sim *w, struct sim_worker *k, struct session_settings *set)
{
    static const struct session_blas haswell = {"Haswell", "aa"}, zen = {"Zen", "bb"};
    session_settings_default(set);
    sim_uuid(k->serial, set->uuid);
    snprintf(set->host, sizeof set->host, "host");
    snprintf(set->cpu, sizeof set->cpu, "toy");
    set->slots = k->slot_count;
    set->blas_count = k->zen ? 2 : 1;
    set->blas[0] = k->zen ? zen : haswell;
    set->blas[1] = haswell;
    set->seed = sim_u32(w);
    set->outbox_bytes = w->mix.outbox_bytes;
    set->part_bytes = SIM_PART;
    set->ack_ms = w->mix.ack_ms;
    set->lease_ms = w->mix.lease_ms;
    set->heartbeat_ms = w->mix.heartbeat_ms;
    set->drain_ms = w->mix.lease_ms / 4 + 100;
}

/* The place whose machine this is: a copy's is that of the process it was copied from. */
static int machine_of(const struct sim *w, int place)
{
    for (int i = 0; i < SIM_WORKERS && place >= SIM_WORKERS; i++)
        if (w->worker[i].serial == w->worker[place].serial) return i;
    return place;
}

void sim_worker_start(struct sim *w, int place, int serial)
{
    struct sim_worker *k = &w->worker[place];
    struct session_settings set;
    struct err e;
    k->up = true;
    k->generation++;
    k->serial = serial;
    sim_uuid(serial, k->uuid);
    k->awake_ms = w->now_ms;
    k->timer_ms = INT64_MAX;
    k->slot_count = 1 + (uint32_t)place % SIM_SLOTS;
    memset(k->told, 0xff, sizeof k->told);
    memset(k->again, 0, sizeof k->again);
    memset(k->asks, 0, sizeof k->asks);
    memset(k->attempt, 0, sizeof k->attempt);
    k->zen = machine_of(w, place) % 5 == 1;
    k->bad = w->storm && w->mix.on[FAULT_BAD_TRAINER] && sim_below(w, 4) == 0;
    k->copied = false;
    k->peer = sim_peer_new(w, place);
    k->known_peer = 0;
    k->heard_ms = sim_coord_now(w);
    for (int i = 0; i < SIM_SLOTS; i++) {
        k->slots[i].alive = false;
        k->slots[i].generation++;
    }
    settings(w, k, &set);
    sim_note(w, "worker", place, serial, k->slot_count, k->bad);
    if (session_open(&k->session, &set, clock_ms(w, k), &e) < 0) abort();
    sim_worker_on(w, place, &(struct session_event){.kind = SESSION_EVENT_START});
}

void sim_worker_kill(struct sim *w, int place, int64_t back_ms)
{
    struct sim_worker *k = &w->worker[place];
    if (!k->up) return;
    k->up = false;
    k->generation++;
    k->timer++;
    session_close(&k->session);
    for (int i = 0; i < SIM_SLOTS; i++) {
        k->slots[i].alive = false;
        k->slots[i].generation++;
    }
    if (back_ms >= 0) sim_at(w, w->now_ms + back_ms, EV_WSTART, place, 0, k->generation, NULL);
}

/* ---- actions ---- */

static void note(struct sim *w, const struct session_action *a)
{
    static const struct {
        const char *event;
        enum sim_cover cover;
    } seen[] = {{"ack_overdue", COVER_ack_overdue}, {"lost_coordinator", COVER_coordinator_silent}};
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        if (!strcmp(a->event, seen[i].event)) sim_cover(w, seen[i].cover);
}

/* After one that does not leave, those behind it must not either. */
static void send(struct sim *w, int place, const struct session_action *a, bool *unsent)
{
    oracle_said(w, place, a->bytes, a->size);
    if (!*unsent) *unsent = sim_chance(w, w->mix.unsent);
    if (!*unsent) sim_up(w, place, a->bytes, a->size);
}

/* A process that ends starts anew: at once when it was refused or told to leave. */
static void leave(struct sim *w, int place, int code)
{
    sim_note(w, "exit", place, code, 0, 0);
    int64_t back = place < SIM_WORKERS ? 1000 + sim_below(w, 5000) : -1;
    sim_worker_kill(w, place, back);
}

static void perform(struct sim *w, int place, bool *unsent)
{
    struct sim_worker *k = &w->worker[place];
    for (size_t i = 0; i < w->actions.count && k->up; i++) {
        const struct session_action *a = &w->actions.list[i];
        switch (a->kind) {
        case SESSION_ACT_SEND: send(w, place, a, unsent); break;
        case SESSION_ACT_NOTE: note(w, a); break;
        case SESSION_ACT_EXIT: leave(w, place, a->code); break;
        default: sim_slot_act(w, place, a); break;
        }
    }
    session_actions_clear(&w->actions);
}

static void one(struct sim *w, int place, const struct session_event *ev, bool *unsent)
{
    struct sim_worker *k = &w->worker[place];
    struct err e = {0};
    int rc = session_on(k->session, ev, clock_ms(w, k), &w->actions, &e);
    if (rc < 0 && (rc != E_PROTO || ev->kind != SESSION_EVENT_LINK))
        sim_wrong(w, "a session gave up: %s", e.text);
    perform(w, place, unsent);
}

void sim_worker_on(struct sim *w, int place, const struct session_event *ev)
{
    struct sim_worker *k = &w->worker[place];
    bool unsent = false, again = false;
    one(w, place, ev, &unsent);
    if (unsent && k->up) {
        sim_cover(w, COVER_unsent);
        one(w, place, &(struct session_event){.kind = SESSION_EVENT_UNSENT}, &again);
    }
    if (!k->up) return;
    oracle_worker(w, place);
    int64_t due = session_next_ms(k->session);
    if (due == INT64_MAX || due == k->timer_ms) return;
    k->timer_ms = due;
    due -= k->offset_ms;
    sim_at(w, due > k->awake_ms ? due : k->awake_ms, EV_STICK, place, 0, ++k->timer, NULL);
}

/* ---- events ---- */

static bool awake(struct sim *w, struct sim_event *ev)
{
    int64_t at = w->worker[ev->place].awake_ms;
    if (at <= w->now_ms) return true;
    sim_at(w, at, ev->kind, ev->place, ev->slot, ev->generation, ev->letter);
    ev->letter = NULL;
    return false;
}

void sim_worker_letter(struct sim *w, struct sim_event *ev)
{
    struct sim_worker *k = &w->worker[ev->place];
    struct sim_letter *l = ev->letter;
    wire_envelope *m;
    struct err e;
    if (k->up && ev->generation == k->generation) {
        if (!awake(w, ev)) return;
        w->events++;
        if (wire_unpack(&m, l->bytes, l->size, &e) < 0) {
            sim_wrong(w, "the coordinator says what no one understands: %s", e.text);
        } else {
            sim_note(w, "down", ev->place, m->body_case, (int64_t)l->size, 0);
            oracle_heard(w, ev->place, m);
            sim_worker_on(w, ev->place,
                          &(struct session_event){.kind = SESSION_EVENT_LINK, .message = m});
            wire_free(&m);
        }
    }
    sim_letter_free(w, l);
}

void sim_worker_tick(struct sim *w, struct sim_event *ev)
{
    struct sim_worker *k = &w->worker[ev->place];
    if (!k->up || ev->generation != k->timer || !awake(w, ev)) return;
    w->events++;
    sim_note(w, "beat", ev->place, 0, 0, 0);
    k->timer_ms = INT64_MAX;
    sim_worker_on(w, ev->place, &(struct session_event){.kind = SESSION_EVENT_TICK});
}
