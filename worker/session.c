// SPDX-License-Identifier: MIT
/* session: the table of the talk with the coordinator, and what the passing of time does. */
#include "worker/session.h"

#include "worker/session_state.h"

#include <stdlib.h>
#include <string.h>

enum session_table_event {
#define SESSION_EVENT(event, name) EV_##event,
#include "worker/session.def"
};

static const char *const state_name[] = {
#define SESSION_STATE(state, name) name,
#include "worker/session.def"
};

static const char *const event_name[] = {
#define SESSION_EVENT(event, name) name,
#include "worker/session.def"
};

static int step(struct session *s, struct session_turn *t, enum session_table_event event);

/* ---- saying Hello ---- */

/* SplitMix64 (Steele, Lea, Flood 2014): a number in [0, 1). */
static double jitter(struct session *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* When the next Hello is due if this one brings no Welcome. A Welcome may wait for the disk: until
 * it comes, Hellos are what the coordinator hears of us, several in a lease. */
static void hello_plan(struct session *s, int64_t now_ms)
{
    int64_t pause = s->set.hello_ms, third = s->set.lease_ms / 3;
    int64_t most = third < s->set.hello_max_ms ? third : s->set.hello_max_ms;
    for (int i = 0; i < s->hellos && pause < most; i++) pause *= 2;
    if (pause > most) pause = most;
    s->hellos++;
    s->hello_ms = now_ms + pause - (int64_t)((double)(pause / 2) * jitter(s));
}

static int hello(struct session *s, struct session_turn *t)
{
    hello_plan(s, t->now_ms);
    return session_say_hello(s, t);
}

/* Hello while we wait for Welcome, else a heartbeat, each when it is time. */
static int talk(struct session *s, struct session_turn *t)
{
    if (!s->greeted) return t->now_ms >= s->hello_ms ? hello(s, t) : OK;
    if (t->now_ms < s->beat_ms) return OK;
    s->beat_ms = t->now_ms + s->set.heartbeat_ms;
    return session_say_heartbeat(s, t);
}

/* ---- actions of the table ---- */

static int do_nothing(struct session *s, struct session_turn *t)
{
    (void)s, (void)t;
    return OK;
}

/* Several messages of ours may each be answered with the wish for a Hello: one is enough. */
static int do_greet(struct session *s, struct session_turn *t)
{
    if (!s->greeted && s->hellos > 0) return OK;
    s->greeted = false;
    s->hellos = 0;
    return hello(s, t);
}

static int do_greet_later(struct session *s, struct session_turn *t)
{
    if (!s->greeted) return OK;
    s->greeted = false;
    s->hellos = 0;
    hello_plan(s, t->now_ms);
    return session_say_warning(t, "link_full", "reports wait until the coordinator answers");
}

static int do_start(struct session *s, struct session_turn *t)
{
    for (uint32_t i = 0; i < s->set.slots; i++) s->slots[i].due_ms = t->now_ms;
    int rc = do_greet(s, t);
    return rc < 0 ? rc : session_slot_tick(s, t);
}

static int do_welcome(struct session *s, struct session_turn *t)
{
    const Grokd__Welcome *w = t->event->message->welcome;
    if (s->greeted) return OK;
    if (w->heartbeat_ms > 0) s->set.heartbeat_ms = w->heartbeat_ms;
    if (w->lease_ms > 0) s->set.lease_ms = w->lease_ms;
    s->greeted = true;
    s->worker = w->worker;
    s->hellos = 0;
    s->beat_ms = t->now_ms + s->set.heartbeat_ms;
    int rc = session_say_note(t, "connected", "worker=%lld", (long long)w->worker);
    return rc < 0 ? rc : session_run_send_all_again(s, t);
}

static int do_refused(struct session *s, struct session_turn *t)
{
    (void)s;
    int rc = session_say_warning(t, "refused", "%s", t->event->message->refuse->reason);
    return rc < 0 ? rc : session_say_exit(t, 1);
}

static int do_work(struct session *s, struct session_turn *t)
{
    return session_run_work(s, t);
}

static int do_ack(struct session *s, struct session_turn *t)
{
    return session_run_ack(s, t);
}

static int do_stop(struct session *s, struct session_turn *t)
{
    return session_run_stop(s, t);
}

static int do_got(struct session *s, struct session_turn *t)
{
    return session_file_got(s, t);
}

static int do_part(struct session *s, struct session_turn *t)
{
    return session_file_part(s, t);
}

static int do_drain(struct session *s, struct session_turn *t)
{
    s->drain_ms = t->now_ms + s->set.drain_ms;
    int rc = session_run_end_waiting(s, t, NULL, GROKD__OUTCOME__RETURNED, "the worker is leaving");
    return rc < 0 ? rc : session_slot_drain(s, t);
}

static int do_leave(struct session *s, struct session_turn *t)
{
    int rc = OK;
    if (s->runs)
        rc = session_say_warning(
            t, "left_behind", "%zu runs unacknowledged; their leases return them", session_held(s));
    if (rc == OK && s->greeted) rc = session_say_goodbye(t);
    return rc < 0 ? rc : session_say_exit(t, 0);
}

/* ---- the clock ---- */

/* Nothing to do for too long, or the time given to us ends soon. */
static bool time_to_leave(const struct session *s, int64_t now_ms)
{
    bool idle =
        s->set.idle_ms > 0 && s->idle_ms != SESSION_NEVER && now_ms - s->idle_ms >= s->set.idle_ms;
    return idle || now_ms >= s->leave_ms;
}

static int do_greeting_tick(struct session *s, struct session_turn *t)
{
    if (time_to_leave(s, t->now_ms)) return step(s, t, EV_TERMINATE);
    int rc = session_slot_tick(s, t);
    return rc < 0 ? rc : talk(s, t);
}

/* A lost message is noticed by its missing Ack, a lost coordinator by its silence. */
static int do_working_tick(struct session *s, struct session_turn *t)
{
    int rc = OK;
    if (time_to_leave(s, t->now_ms)) return step(s, t, EV_TERMINATE);
    int64_t silent_ms = t->now_ms - s->heard_ms, oldest_ms = session_run_oldest_ms(s);
    bool overdue = oldest_ms != SESSION_NEVER && t->now_ms - oldest_ms >= s->set.ack_ms;
    if (silent_ms >= s->set.lease_ms)
        rc = session_say_warning(t, "lost_coordinator", "silent for %lld ms", (long long)silent_ms);
    else if (overdue)
        rc = session_say_warning(t, "ack_overdue", "since %lld ms",
                                 (long long)(t->now_ms - oldest_ms));
    if (rc == OK && (silent_ms >= s->set.lease_ms || overdue)) rc = step(s, t, EV_SILENT);
    if (rc == OK) rc = session_slot_tick(s, t);
    return rc < 0 ? rc : talk(s, t);
}

/* A slot whose epoch outlasts half of our time is ended, its run handed back as far as it came. */
static int hand_back(struct session *s, struct session_turn *t)
{
    int rc = OK;
    for (struct session_run *r = s->runs; r && rc == OK; r = r->next) {
        if (r->ended) continue;
        if (r->slot != SESSION_NO_SLOT) rc = session_slot_kill(s, t, (uint32_t)r->slot);
        if (rc == OK)
            rc = session_run_end_as(s, t, r, GROKD__OUTCOME__RETURNED, "the worker is leaving",
                                    NULL);
    }
    return rc;
}

static int do_draining_tick(struct session *s, struct session_turn *t)
{
    if (t->now_ms >= s->drain_ms) return step(s, t, EV_DRAINED);
    int rc = session_slot_tick(s, t);
    if (rc == OK && t->now_ms >= s->drain_ms - s->set.drain_ms / 2) rc = hand_back(s, t);
    return rc < 0 ? rc : talk(s, t);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t drain_due_ms(const struct session *s)
{
    int64_t half = s->drain_ms - s->set.drain_ms / 2;
    for (const struct session_run *r = s->runs; r; r = r->next)
        if (!r->ended) return half;
    return s->drain_ms;
}

int64_t session_next_ms(const struct session *s)
{
    if (s->state == DISCONNECTED || s->state == OVER) return SESSION_NEVER;
    int64_t next = earlier(session_slot_due_ms(s), s->greeted ? s->beat_ms : s->hello_ms);
    if (s->state == DRAINING) return earlier(next, drain_due_ms(s));
    next = earlier(next, s->leave_ms);
    if (s->set.idle_ms > 0 && s->idle_ms != SESSION_NEVER)
        next = earlier(next, s->idle_ms + s->set.idle_ms);
    if (s->state != WORKING) return next;
    int64_t oldest = session_run_oldest_ms(s);
    if (oldest != SESSION_NEVER) next = earlier(next, oldest + s->set.ack_ms);
    return earlier(next, s->heard_ms + s->set.lease_ms);
}

/* ---- the table ---- */

static const struct session_rule {
    enum session_state from;
    enum session_table_event event;
    enum session_state to;
    int (*action)(struct session *s, struct session_turn *t);
} rules[] = {
#define SESSION(from, event, to, action) {from, EV_##event, to, do_##action},
#include "worker/session.def"
};

static int state_change(struct session *s, struct session_turn *t, enum session_state to)
{
    enum session_state from = s->state;
    if (from == to) return OK;
    int64_t after_ms = t->now_ms - s->state_ms;
    s->state = to;
    s->state_ms = t->now_ms;
    return session_say_note(t, "session", "%s to %s after %lld ms", state_name[from],
                            state_name[to], (long long)after_ms);
}

static int step(struct session *s, struct session_turn *t, enum session_table_event event)
{
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        if (rules[k].from != s->state || rules[k].event != event) continue;
        int rc = state_change(s, t, rules[k].to);
        return rc < 0 ? rc : rules[k].action(s, t);
    }
    return err_set(t->e, E_PROTO, "%s is not expected while %s", event_name[event],
                   state_name[s->state]);
}

static enum session_table_event message_event(const wire_envelope *m)
{
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_WELCOME: return EV_WELCOME;
    case GROKD__ENVELOPE__BODY_REFUSE:
        return strcmp(m->refuse->reason, "hello") ? EV_REFUSED : EV_UNKNOWN;
    case GROKD__ENVELOPE__BODY_HEARTBEAT: return EV_HEARTBEAT;
    case GROKD__ENVELOPE__BODY_WORK: return EV_WORK;
    case GROKD__ENVELOPE__BODY_ACK: return EV_ACK;
    case GROKD__ENVELOPE__BODY_STOP: return EV_STOP;
    case GROKD__ENVELOPE__BODY_GOT: return EV_GOT;
    case GROKD__ENVELOPE__BODY_PART: return EV_PART;
    default: return EV_OTHER;
    }
}

static int on_event(struct session *s, struct session_turn *t)
{
    switch (t->event->kind) {
    case SESSION_EVENT_START: return step(s, t, EV_START);
    case SESSION_EVENT_LINK:
        s->heard_ms = t->now_ms;
        return step(s, t, message_event(t->event->message));
    case SESSION_EVENT_SLOT:
    case SESSION_EVENT_DIED: return session_slot_on(s, t);
    case SESSION_EVENT_UNSENT: return step(s, t, EV_UNSENT);
    case SESSION_EVENT_TICK: return step(s, t, EV_TICK);
    case SESSION_EVENT_TERMINATE: return step(s, t, EV_TERMINATE);
    }
    return err_set(t->e, E_STATE, "session: no such event: %d", (int)t->event->kind);
}

int session_on(struct session *s, const struct session_event *ev, int64_t now_ms,
               struct session_actions *out, struct err *e)
{
    struct session_turn t = {.event = ev, .now_ms = now_ms, .out = out, .e = e};
    if (s->state == OVER) return OK;
    int rc = on_event(s, &t);
    if (!s->runs && s->idle_ms == SESSION_NEVER) s->idle_ms = now_ms;
    if (s->runs) s->idle_ms = SESSION_NEVER;
    if (rc == OK && s->state == DRAINING && !s->runs) rc = step(s, &t, EV_DRAINED);
    return rc;
}

/* ---- beginning and end ---- */

void session_settings_default(struct session_settings *set)
{
    *set = (struct session_settings){
        .outbox_bytes = 32u << 20,
        .part_bytes = WIRE_PART,
        .hello_ms = 1000,
        .hello_max_ms = 30000,
        .heartbeat_ms = 10000,
        .lease_ms = 60000,
        .ack_ms = 30000,
        .stop_ms = 5000,
        .drain_ms = 10000,
    };
}

static void session_init(struct session *s, const struct session_settings *set, int64_t now_ms)
{
    s->set = *set;
    s->random = set->seed;
    s->state_ms = s->heard_ms = s->idle_ms = now_ms;
    s->leave_ms = SESSION_NEVER;
    if (set->limit_ms > 0) {
        int64_t usable_ms = set->limit_ms - set->drain_ms;
        s->leave_ms = now_ms + (usable_ms > 0 ? usable_ms : 0);
    }
    for (uint32_t i = 0; i < set->slots; i++) {
        s->slots[i].due_ms = SESSION_NEVER;
        memcpy(s->slots[i].family, set->blas[0].family, SESSION_FAMILY);
    }
}

int session_open(struct session **out, const struct session_settings *set, int64_t now_ms,
                 struct err *e)
{
    *out = NULL;
    if (set->slots == 0 || set->blas_count == 0 || set->blas_count > SESSION_BLAS)
        return err_set(e, E_USAGE, "session: %u slots and %zu BLAS families; 1 or more needed",
                       set->slots, set->blas_count);
    struct session *s = calloc(1, sizeof *s);
    if (s) s->slots = calloc(set->slots, sizeof *s->slots);
    if (!s || !s->slots) {
        free(s);
        return err_set(e, E_NOMEM, "session: no memory for %u slots", set->slots);
    }
    session_init(s, set, now_ms);
    *out = s;
    return OK;
}

void session_close(struct session **s)
{
    if (!*s) return;
    while ((*s)->runs) session_run_forget(*s, (*s)->runs);
    free((*s)->slots);
    free(*s);
    *s = NULL;
}

const char *session_state_name(const struct session *s)
{
    return state_name[s->state];
}
