// SPDX-License-Identifier: MIT
/* session_run: the runs that a session holds, from Work to the Ack of their end. */
#include "worker/session_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *outcome_name(Grokd__Outcome outcome)
{
    switch (outcome) {
    case GROKD__OUTCOME__FINISHED: return "finished";
    case GROKD__OUTCOME__FAILED: return "failed";
    case GROKD__OUTCOME__LOST: return "lost";
    default: return "returned";
    }
}

struct session_run *session_run_find(struct session *s, int64_t run)
{
    struct session_run *r = s->runs;
    while (r && r->run != run) r = r->next;
    return r;
}

size_t session_held(const struct session *s)
{
    size_t n = 0;
    for (const struct session_run *r = s->runs; r; r = r->next) n++;
    return n;
}

size_t session_outbox_bytes(const struct session *s)
{
    size_t n = 0;
    for (const struct session_run *r = s->runs; r; r = r->next) n += r->box.bytes;
    return n;
}

/* Each slot's run and one that follows it, ended or not, fit into the whole together. */
size_t session_run_share(const struct session *s)
{
    return s->set.outbox_bytes / (2 * (size_t)s->set.slots);
}

int64_t session_run_oldest_ms(const struct session *s)
{
    int64_t oldest = SESSION_NEVER;
    for (const struct session_run *r = s->runs; r; r = r->next) {
        int64_t sent = outbox_oldest_ms(&r->box), asked = r->fetch.asked_ms;
        if (sent >= 0 && sent < oldest) oldest = sent;
        if (session_file_awaited(r) && asked >= 0 && asked < oldest) oldest = asked;
    }
    return oldest;
}

void session_run_forget(struct session *s, struct session_run *r)
{
    struct session_run **at = &s->runs;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    outbox_free(&r->box);
    session_file_forget(r);
    free(r->work);
    free(r);
}

static int run_hold(struct session *s, const Grokd__Work *w, struct session_run **out,
                    struct err *e)
{
    struct session_run *r = calloc(1, sizeof *r);
    if (!r) return err_set(e, E_NOMEM, "session: no memory for a run");
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_WORK;
    m.work = (Grokd__Work *)(uintptr_t)w;
    int rc = wire_pack(&m, &r->work, &r->work_size, e);
    if (rc < 0) {
        free(r);
        return rc;
    }
    r->run = w->run;
    r->attempt = w->attempt;
    r->epoch = -1;
    r->slot = SESSION_NO_SLOT;
    r->fetch.asked_ms = -1;
    r->box.part_bytes = s->set.part_bytes;
    snprintf(r->family, sizeof r->family, "%s", w->blas->family);
    struct session_run **last = &s->runs;
    while (*last) last = &(*last)->next;
    *last = *out = r;
    return OK;
}

static bool blas_offered(const struct session *s, const Grokd__Blas *b)
{
    for (size_t i = 0; i < s->set.blas_count; i++)
        if (!strcmp(s->set.blas[i].family, b->family) &&
            !strcmp(s->set.blas[i].fingerprint, b->fingerprint))
            return true;
    return false;
}

/* An attempt that counts no more: its reports are dropped, its slot is told to stop. */
static int run_drop(struct session *s, struct session_turn *t, struct session_run *r)
{
    int rc = OK;
    if (r->slot != SESSION_NO_SLOT) rc = session_slot_stop(s, t, (uint32_t)r->slot);
    session_run_forget(s, r);
    return rc;
}

int session_run_work(struct session *s, struct session_turn *t)
{
    const Grokd__Work *w = t->event->message->work;
    struct session_run *r = session_run_find(s, w->run);
    if (r && w->attempt <= r->attempt) return OK;
    int rc = r ? run_drop(s, t, r) : OK;
    if (rc < 0 || (rc = run_hold(s, w, &r, t->e)) < 0) return rc;
    if (s->state == DRAINING)
        return session_run_end_as(s, t, r, GROKD__OUTCOME__RETURNED, "the worker is leaving", NULL);
    if (!blas_offered(s, w->blas)) {
        char reason[WIRE_NAME];
        snprintf(reason, sizeof reason, "this worker has no kernels %.31s with this fingerprint",
                 w->blas->family);
        return session_run_end_as(s, t, r, GROKD__OUTCOME__LOST, reason, NULL);
    }
    rc = session_file_begin(s, t, r);
    return rc < 0 ? rc : session_slot_hand_out(s, t);
}

int session_run_stop(struct session *s, struct session_turn *t)
{
    const Grokd__Stop *stop = t->event->message->stop;
    struct session_run *r = session_run_find(s, stop->run);
    if (!r || r->attempt > stop->attempt) return OK;
    int rc = session_say_run_note(t, "run_stopped", r, "%s", stop->reason ? stop->reason : "");
    return rc < 0 ? rc : run_drop(s, t, r);
}

int session_run_ack(struct session *s, struct session_turn *t)
{
    const Grokd__Ack *ack = t->event->message->ack;
    struct session_run *r = session_run_find(s, ack->run);
    if (!r || r->attempt != ack->attempt) return OK;
    bool over = r->ended && ack->has_ended && ack->ended;
    outbox_ack(&r->box, ack->epoch, over);
    if (over) {
        session_run_forget(s, r);
        return OK;
    }
    int rc = session_run_send(s, t, r);
    return rc < 0 ? rc : session_slot_resume_if_small(s, t, r);
}

int session_run_end(struct session *s, struct session_turn *t, struct session_run *r,
                    const Grokd__Ended *ended)
{
    int rc = outbox_ended(&r->box, ended, t->e);
    if (rc < 0) return rc;
    r->ended = true;
    r->slot = SESSION_NO_SLOT;
    rc = session_say_run_note(t, "run_ended", r, "%s at epoch %lld%s%s",
                              outcome_name(ended->outcome), (long long)r->epoch,
                              ended->reason ? ": " : "", ended->reason ? ended->reason : "");
    return rc < 0 ? rc : session_run_send(s, t, r);
}

int session_run_end_as(struct session *s, struct session_turn *t, struct session_run *r,
                       Grokd__Outcome outcome, const char *reason, const char *log)
{
    Grokd__Ended ended = GROKD__ENDED__INIT;
    ended.run = r->run;
    ended.attempt = r->attempt;
    ended.outcome = outcome;
    ended.reason = (char *)(uintptr_t)reason;
    ended.log = log && log[0] ? (char *)(uintptr_t)log : NULL;
    ended.epoch = r->epoch;
    return session_run_end(s, t, r, &ended);
}

int session_run_end_waiting(struct session *s, struct session_turn *t, const char *family,
                            Grokd__Outcome outcome, const char *reason)
{
    int rc = OK;
    for (struct session_run *r = s->runs; r && rc == OK; r = r->next) {
        bool waits = r->slot == SESSION_NO_SLOT && !r->ended;
        if (waits && (!family || !strcmp(family, r->family)))
            rc = session_run_end_as(s, t, r, outcome, reason, NULL);
    }
    return rc;
}

int session_run_send(struct session *s, struct session_turn *t, struct session_run *r)
{
    while (s->greeted) {
        uint8_t *bytes;
        size_t size;
        int rc = outbox_next(&r->box, SESSION_WINDOW, t->now_ms, &bytes, &size, t->e);
        if (rc < 0 || !bytes) return rc;
        if ((rc = session_say_bytes(t, SESSION_ACT_SEND, 0, bytes, size)) < 0) return rc;
    }
    return OK;
}

int session_run_send_all_again(struct session *s, struct session_turn *t)
{
    int rc = OK;
    for (struct session_run *r = s->runs; r && rc == OK; r = r->next) {
        outbox_rewind(&r->box);
        rc = session_run_send(s, t, r);
        if (rc == OK) rc = session_file_fetch(s, t, r);
    }
    return rc;
}
