// SPDX-License-Identifier: MIT
/* session_slot: the slots of a session: which process runs in each, what it says, which run it
 * gets. */
#include "worker/session_state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SLOT_SOON_MS  10000 /* a process that ends within this was dead at once */
#define SLOT_PAUSE_MS 1000  /* before the next start after the first such death; doubles ... */
#define SLOT_PAUSES   6     /* ... so many times: 64 s at most */

enum slot_event {
#define SLOT_EVENT(event, name) SLOT_EV_##event,
#include "worker/session.def"
};

static const char *const state_name[] = {
#define SLOT_STATE(state, name) name,
#include "worker/session.def"
};

static const char *const event_name[] = {
#define SLOT_EVENT(event, name) name,
#include "worker/session.def"
};

/* ---- processes ---- */

static int slot_start(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_slot *slot = &s->slots[i];
    slot->state = STARTING;
    slot->since_ms = t->now_ms;
    slot->due_ms = SESSION_NEVER;
    return session_say_slot(t, SESSION_ACT_START, i, slot->family);
}

int session_slot_kill(struct session *s, struct session_turn *t, uint32_t i)
{
    s->slots[i].state = KILLED;
    s->slots[i].run = NULL;
    s->slots[i].due_ms = SESSION_NEVER;
    s->slots[i].paused = false;
    return session_say_slot(t, SESSION_ACT_KILL, i, NULL);
}

static int slot_resume(struct session *s, struct session_turn *t, uint32_t i)
{
    if (!s->slots[i].paused) return OK;
    s->slots[i].paused = false;
    return session_say_slot(t, SESSION_ACT_RESUME, i, NULL);
}

int session_slot_stop(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_slot *slot = &s->slots[i];
    int rc = session_say_stop(t, i, slot->run);
    slot->state = STOPPING;
    slot->run = NULL;
    slot->due_ms = t->now_ms + s->set.stop_ms;
    return rc < 0 ? rc : slot_resume(s, t, i);
}

int session_slot_drain(struct session *s, struct session_turn *t)
{
    int rc = OK;
    for (uint32_t i = 0; i < s->set.slots && rc == OK; i++)
        if (s->slots[i].state == BUSY && (rc = session_say_stop(t, i, s->slots[i].run)) == OK)
            rc = slot_resume(s, t, i);
    return rc;
}

/* The next start: at once, or later the more often a process died soon after its start. */
static void slot_plan_start(struct session_slot *slot, int64_t now_ms)
{
    bool soon = now_ms - slot->since_ms < SLOT_SOON_MS;
    slot->deaths = soon ? slot->deaths + 1 : 0;
    int doublings = slot->deaths <= SLOT_PAUSES ? slot->deaths - 1 : SLOT_PAUSES;
    slot->due_ms = soon ? now_ms + ((int64_t)SLOT_PAUSE_MS << doublings) : now_ms;
}

int session_slot_tick(struct session *s, struct session_turn *t)
{
    int rc = OK;
    for (uint32_t i = 0; i < s->set.slots && rc == OK; i++) {
        struct session_slot *slot = &s->slots[i];
        if (slot->due_ms > t->now_ms) continue;
        if (slot->state == EMPTY && s->state != DRAINING) rc = slot_start(s, t, i);
        if (slot->state == STOPPING) rc = session_slot_kill(s, t, i);
    }
    return rc;
}

int64_t session_slot_due_ms(const struct session *s)
{
    int64_t due = SESSION_NEVER;
    for (uint32_t i = 0; i < s->set.slots; i++) {
        const struct session_slot *slot = &s->slots[i];
        bool starts = slot->state == EMPTY && s->state != DRAINING;
        if ((starts || slot->state == STOPPING) && slot->due_ms < due) due = slot->due_ms;
    }
    return due;
}

/* ---- who trains what ---- */

static int slot_assign(struct session *s, struct session_turn *t, uint32_t i, struct session_run *r)
{
    struct session_slot *slot = &s->slots[i];
    uint8_t *bytes = r->work;
    r->work = NULL;
    slot->state = BUSY;
    slot->run = r;
    r->slot = (int)i;
    int rc = session_say_bytes(t, SESSION_ACT_TELL, i, bytes, r->work_size);
    if (rc == OK) rc = session_file_tell(s, t, i, r);
    return rc < 0 ? rc
                  : session_say_run_note(t, "run_started", r, "slot=%u blas=%s", i, slot->family);
}

static int slot_find(const struct session *s, enum slot_state state, const char *family)
{
    for (uint32_t i = 0; i < s->set.slots; i++) {
        const struct session_slot *slot = &s->slots[i];
        if (slot->state == state && !slot->claimed && (!family || !strcmp(slot->family, family)))
            return (int)i;
    }
    return SESSION_NO_SLOT;
}

/* A slot that will be able to serve the family without being asked for it again. */
static int slot_find_coming(const struct session *s, const char *family)
{
    static const enum slot_state coming[] = {STARTING, KILLED, EMPTY, STOPPING};
    for (size_t k = 0; k < sizeof coming / sizeof coming[0]; k++) {
        int i = slot_find(s, coming[k], family);
        if (i != SESSION_NO_SLOT) return i;
    }
    return SESSION_NO_SLOT;
}

/* One run that waits: to an idle slot of its family, else it claims one that is on its way, else
 * an idle slot of another family is replaced. */
static int slot_serve(struct session *s, struct session_turn *t, struct session_run *r)
{
    int i = slot_find(s, IDLE, r->family);
    if (i != SESSION_NO_SLOT) return slot_assign(s, t, (uint32_t)i, r);
    if ((i = slot_find_coming(s, r->family)) != SESSION_NO_SLOT) {
        s->slots[i].claimed = true;
        return OK;
    }
    if ((i = slot_find(s, IDLE, NULL)) == SESSION_NO_SLOT) return OK;
    snprintf(s->slots[i].family, sizeof s->slots[i].family, "%s", r->family);
    s->slots[i].claimed = true;
    return session_slot_kill(s, t, (uint32_t)i);
}

int session_slot_hand_out(struct session *s, struct session_turn *t)
{
    int rc = OK;
    if (s->state == DRAINING) return OK;
    for (uint32_t i = 0; i < s->set.slots; i++) s->slots[i].claimed = false;
    for (struct session_run *r = s->runs; r && rc == OK; r = r->next)
        if (r->slot == SESSION_NO_SLOT && !r->ended && !session_file_awaited(r))
            rc = slot_serve(s, t, r);
    return rc;
}

/* ---- what a slot says ---- */

static int do_nothing(struct session *s, struct session_turn *t, uint32_t i)
{
    (void)s, (void)t, (void)i;
    return OK;
}

/* OpenBLAS falls back silently: a process that came up with other kernels than asked for is none
 * that we can use. */
static int do_ready(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_slot *slot = &s->slots[i];
    const char *family = t->event->message->ready->blas->family;
    if (!strcmp(family, slot->family)) return session_slot_hand_out(s, t);
    char reason[WIRE_NAME];
    snprintf(reason, sizeof reason, "a slot asked for the kernels %s came up with %.31s",
             slot->family, family);
    int rc = session_say_warning(t, "slot_wrong_blas", "slot=%u: %s", i, reason);
    if (rc == OK) rc = session_run_end_waiting(s, t, slot->family, GROKD__OUTCOME__LOST, reason);
    snprintf(slot->family, sizeof slot->family, "%s", s->set.blas[0].family);
    slot->deaths++;
    return rc < 0 ? rc : session_slot_kill(s, t, i);
}

/* What its process says about another run than its own, or twice, is not to be believed. */
static int slot_bad(struct session *s, struct session_turn *t, uint32_t i, const char *what)
{
    struct session_run *r = s->slots[i].run;
    int rc = session_say_warning(t, "slot_confused", "slot=%u: %s", i, what);
    if (rc == OK && r)
        rc = session_run_end_as(s, t, r, GROKD__OUTCOME__FAILED, what, t->event->log);
    return rc < 0 ? rc : session_slot_kill(s, t, i);
}

static int do_part(struct session *s, struct session_turn *t, uint32_t i)
{
    const Grokd__Part *m = t->event->message->part;
    struct session_run *r = s->slots[i].run;
    if (m->run != r->run || m->attempt != r->attempt)
        return slot_bad(s, t, i, "slot sent a file of another run");
    int rc = outbox_part(&r->box, m, t->e);
    return rc == E_PROTO ? slot_bad(s, t, i, "slot sent parts that do not follow each other") : rc;
}

static int do_epochs(struct session *s, struct session_turn *t, uint32_t i)
{
    const Grokd__Epochs *m = t->event->message->epochs;
    struct session_slot *slot = &s->slots[i];
    struct session_run *r = slot->run;
    if (m->run != r->run || m->attempt != r->attempt)
        return slot_bad(s, t, i, "slot reported epochs of another run");
    if (m->n_epochs == 0) return OK;
    if (r->epoch >= 0 && m->epochs[0]->epoch != r->epoch + 1)
        return slot_bad(s, t, i, "slot reported epochs that do not follow each other");
    if (!outbox_files_came(&r->box, m))
        return slot_bad(s, t, i, "slot named a file that never came");
    int rc = outbox_epochs(&r->box, m, t->e);
    if (rc < 0) return rc;
    r->epoch = m->epochs[m->n_epochs - 1]->epoch;
    if ((rc = session_run_send(s, t, r)) < 0) return rc;
    if (slot->paused || s->state == DRAINING || r->box.bytes <= session_run_share(s)) return OK;
    slot->paused = true;
    return session_say_slot(t, SESSION_ACT_PAUSE, i, NULL);
}

int session_slot_resume_if_small(struct session *s, struct session_turn *t, struct session_run *r)
{
    if (r->slot == SESSION_NO_SLOT || r->box.bytes > session_run_share(s) / 2) return OK;
    return slot_resume(s, t, (uint32_t)r->slot);
}

static int do_ended(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_slot *slot = &s->slots[i];
    Grokd__Ended m = *t->event->message->ended;
    if (m.run != slot->run->run || m.attempt != slot->run->attempt)
        return slot_bad(s, t, i, "slot reported the end of another run");
    bool blamed = m.outcome == GROKD__OUTCOME__FAILED || m.outcome == GROKD__OUTCOME__LOST;
    bool log = t->event->log && t->event->log[0];
    if (blamed && !m.log && log) m.log = (char *)(uintptr_t)t->event->log;
    struct session_run *r = slot->run;
    slot->run = NULL;
    slot->deaths = 0;
    int rc = session_run_end(s, t, r, &m);
    if (rc == OK) rc = slot_resume(s, t, i);
    return rc < 0 ? rc : session_slot_hand_out(s, t);
}

static int do_stopped(struct session *s, struct session_turn *t, uint32_t i)
{
    s->slots[i].due_ms = SESSION_NEVER;
    return session_slot_hand_out(s, t);
}

/* ---- how a slot ends ---- */

static bool signal_is_crash(int signal)
{
    switch (signal) {
    case SIGSEGV:
    case SIGABRT:
    case SIGFPE:
    case SIGILL:
    case SIGBUS:
    case SIGSYS:
    case SIGTRAP: return true;
    default: return false;
    }
}

static void death_text(const struct session_event *ev, char out[WIRE_NAME])
{
    if (ev->signal)
        snprintf(out, WIRE_NAME, "slot ended by signal %d", ev->signal);
    else if (ev->status < 0)
        snprintf(out, WIRE_NAME, "slot could not be started");
    else
        snprintf(out, WIRE_NAME, "slot ended with status %d before its run", ev->status);
}

/* The run is to blame for a crash; a kill comes from outside (a person, the kernel short of memory,
 * the machine going down). */
static Grokd__Outcome death_outcome(const struct session *s, const struct session_event *ev)
{
    bool killed = ev->status < 0 || (ev->signal && !signal_is_crash(ev->signal));
    if (!killed) return GROKD__OUTCOME__FAILED;
    return s->state == DRAINING ? GROKD__OUTCOME__RETURNED : GROKD__OUTCOME__LOST;
}

static int do_gone(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_slot *slot = &s->slots[i];
    char text[WIRE_NAME];
    death_text(t->event, text);
    slot_plan_start(slot, t->now_ms);
    slot->paused = false;
    int rc = session_say_warning(t, "slot_died", "slot=%u family=%s: %s", i, slot->family, text);
    return rc < 0 ? rc : session_slot_tick(s, t);
}

static int do_crashed(struct session *s, struct session_turn *t, uint32_t i)
{
    struct session_run *r = s->slots[i].run;
    char text[WIRE_NAME];
    death_text(t->event, text);
    s->slots[i].run = NULL;
    int rc = session_run_end_as(s, t, r, death_outcome(s, t->event), text, t->event->log);
    return rc < 0 ? rc : do_gone(s, t, i);
}

/* Runs may not wait for slots that never come: when none is left, they are handed back. */
static int do_not_started(struct session *s, struct session_turn *t, uint32_t i)
{
    char text[WIRE_NAME];
    death_text(t->event, text);
    int rc = do_gone(s, t, i);
    for (uint32_t k = 0; k < s->set.slots; k++)
        if (s->slots[k].state != EMPTY) return rc;
    return rc < 0 ? rc : session_run_end_waiting(s, t, NULL, GROKD__OUTCOME__LOST, text);
}

static int do_replaced(struct session *s, struct session_turn *t, uint32_t i)
{
    s->slots[i].due_ms = t->now_ms;
    if (s->slots[i].deaths > 0) slot_plan_start(&s->slots[i], t->now_ms);
    return session_slot_tick(s, t);
}

/* ---- the table ---- */

static const struct slot_rule {
    enum slot_state from;
    enum slot_event event;
    enum slot_state to;
    int (*action)(struct session *s, struct session_turn *t, uint32_t i);
} rules[] = {
#define SLOT(from, event, to, action) {from, SLOT_EV_##event, to, do_##action},
#include "worker/session.def"
};

static enum slot_event slot_event_of(const struct session_event *ev)
{
    if (ev->kind == SESSION_EVENT_DIED) return SLOT_EV_DIED;
    switch (ev->message->body_case) {
    case GROKD__ENVELOPE__BODY_READY: return SLOT_EV_READY;
    case GROKD__ENVELOPE__BODY_PART: return SLOT_EV_PART;
    case GROKD__ENVELOPE__BODY_EPOCHS: return SLOT_EV_EPOCHS;
    case GROKD__ENVELOPE__BODY_ENDED: return SLOT_EV_ENDED;
    default: return SLOT_EV_OTHER;
    }
}

int session_slot_on(struct session *s, struct session_turn *t)
{
    uint32_t i = t->event->slot;
    if (i >= s->set.slots)
        return err_set(t->e, E_STATE, "slot %u: there are only %u", i, s->set.slots);
    enum slot_event event = slot_event_of(t->event);
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        const struct slot_rule *rule = &rules[k];
        if (rule->from != s->slots[i].state || rule->event != event) continue;
        s->slots[i].state = rule->to;
        return rule->action(s, t, i);
    }
    if (s->slots[i].state == EMPTY)
        return err_set(t->e, E_STATE, "slot %u: %s from no process", i, event_name[event]);
    char what[WIRE_NAME];
    snprintf(what, sizeof what, "slot said %s while %s", event_name[event],
             state_name[s->slots[i].state]);
    return slot_bad(s, t, i, what);
}
