// SPDX-License-Identifier: MIT
/* session_file: files that are too large for a message: those of epochs on their way out, and the
 * checkpoint that a run goes on from on its way in. That is fetched part by part, one at a time,
 * and its run waits for the last. */
#include "worker/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

int session_file_got(struct session *s, struct session_turn *t)
{
    const Grokd__Got *m = t->event->message->got;
    struct session_run *r = session_run_find(s, m->run);
    if (!r || r->attempt != m->attempt) return OK;
    outbox_got(&r->box, m, t->now_ms);
    return session_run_send(s, t, r);
}

/* ---- in ---- */

void session_file_forget(struct session_run *r)
{
    free(r->fetch.data);
    r->fetch = (struct session_fetch){.asked_ms = -1};
}

bool session_file_awaited(const struct session_run *r)
{
    return r->fetch.filled < r->fetch.size && !r->ended;
}

int session_file_fetch(struct session *s, struct session_turn *t, struct session_run *r)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Fetch fetch = GROKD__FETCH__INIT;
    if (!s->greeted || !session_file_awaited(r)) return OK;
    fetch.run = r->run;
    fetch.attempt = r->attempt;
    fetch.offset = r->fetch.filled;
    m.body_case = GROKD__ENVELOPE__BODY_FETCH;
    m.fetch = &fetch;
    r->fetch.asked_ms = t->now_ms;
    return session_say_message(t, SESSION_ACT_SEND, 0, &m);
}

/* Where memory is short the run has to go on elsewhere. */
int session_file_begin(struct session *s, struct session_turn *t, struct session_run *r)
{
    const Grokd__Work *w = t->event->message->work;
    if (!w->has_checkpoint_size) return OK;
    if (!(r->fetch.data = malloc(w->checkpoint_size))) {
        char reason[WIRE_NAME];
        snprintf(reason, sizeof reason, "no memory for its checkpoint of %" PRIu64 " bytes",
                 w->checkpoint_size);
        return session_run_end_as(s, t, r, GROKD__OUTCOME__LOST, reason, NULL);
    }
    r->fetch.size = w->checkpoint_size;
    return session_file_fetch(s, t, r);
}

/* The file is gone, or is another one: the run begins anew. */
static int begin_anew(struct session_turn *t, struct session_run *r)
{
    wire_envelope *m;
    int rc = wire_unpack(&m, r->work, r->work_size, t->e);
    if (rc < 0) return rc;
    free(r->work);
    m->work->has_checkpoint_size = 0;
    rc = wire_pack(m, &r->work, &r->work_size, t->e);
    wire_free(&m);
    session_file_forget(r);
    return rc < 0 ? rc : session_say_run_note(t, "checkpoint_gone", r, "the run begins at epoch 0");
}

int session_file_part(struct session *s, struct session_turn *t)
{
    const Grokd__Part *m = t->event->message->part;
    struct session_run *r = session_run_find(s, m->run);
    int rc = OK;
    if (!r || r->attempt != m->attempt || !session_file_awaited(r)) return OK;
    struct session_fetch *f = &r->fetch;
    if (m->size != f->size || (f->filled && m->epoch != f->epoch)) {
        rc = begin_anew(t, r);
    } else if (m->offset == f->filled) {
        f->epoch = m->epoch;
        memcpy(f->data + f->filled, m->data.data, m->data.len);
        f->filled += m->data.len;
        rc = session_file_fetch(s, t, r);
    }
    return rc < 0 || session_file_awaited(r) ? rc : session_slot_hand_out(s, t);
}

/* To the slot that has just got the Work. */
int session_file_tell(struct session *s, struct session_turn *t, uint32_t slot,
                      struct session_run *r)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part part = GROKD__PART__INIT;
    int rc = OK;
    part.run = r->run;
    part.attempt = r->attempt;
    part.epoch = r->fetch.epoch;
    part.size = r->fetch.size;
    m.body_case = GROKD__ENVELOPE__BODY_PART;
    m.part = &part;
    for (size_t at = 0; at < r->fetch.size && rc == OK; at += part.data.len) {
        size_t left = r->fetch.size - at;
        part.offset = at;
        part.data = (ProtobufCBinaryData){left < s->set.part_bytes ? left : s->set.part_bytes,
                                          r->fetch.data + at};
        rc = session_say_message(t, SESSION_ACT_TELL, slot, &m);
    }
    session_file_forget(r);
    return rc;
}
