// SPDX-License-Identifier: MIT
/* hub_wire: envelopes to events, and what is to be sent to envelopes. */
#include "coordinator/hub_wire.h"

#include "proto/param.h"
#include "proto/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in ----------------------------------------------------------------------------------------
 */

static int take_holdings(struct hub_event *x, Grokd__Holding *const *list, size_t count,
                         struct err *e)
{
    x->holdings = calloc(count + 1, sizeof *x->holdings);
    if (!x->holdings) return err_set(e, E_NOMEM, "hub: no memory for %zu holdings", count);
    for (size_t i = 0; i < count; i++)
        x->holdings[i] = (struct event_holding){list[i]->run, list[i]->attempt};
    x->event.holdings = x->holdings;
    x->event.holding_count = count;
    return OK;
}

/* Families whose names are too long for us are passed over: nothing could ever be pinned to them.
 */
static int take_offers(struct hub_event *x, const Grokd__Hello *m, struct err *e)
{
    x->offers = calloc(m->n_blas + 1, sizeof *x->offers);
    if (!x->offers) return err_set(e, E_NOMEM, "hub: no memory for %zu offers", m->n_blas);
    for (size_t i = 0; i < m->n_blas; i++) {
        const Grokd__Blas *b = m->blas[i];
        struct save_blas *o = &x->offers[x->event.offer_count];
        if (!*b->family || strlen(b->family) >= sizeof o->family ||
            strlen(b->fingerprint) >= sizeof o->fingerprint)
            continue;
        snprintf(o->family, sizeof o->family, "%s", b->family);
        snprintf(o->fingerprint, sizeof o->fingerprint, "%s", b->fingerprint);
        x->event.offer_count++;
    }
    x->event.offers = x->offers;
    return OK;
}

static int of_hello(struct hub_event *x, const Grokd__Hello *m, struct err *e)
{
    x->event.kind = EVENT_HELLO;
    x->event.uuid = m->uuid;
    x->event.number = m->has_number ? m->number : 0;
    x->event.slots = m->slots;
    int rc = take_offers(x, m, e);
    return rc < 0 ? rc : take_holdings(x, m->holdings, m->n_holdings, e);
}

static int of_epochs(struct hub_event *x, const Grokd__Epochs *m, struct err *e)
{
    if (!m->n_epochs) return err_set(e, E_PROTO, "Epochs without an epoch");
    x->event.kind = EVENT_EPOCHS;
    x->event.run = m->run;
    x->event.attempt = m->attempt;
    x->event.first = m->epochs[0]->epoch;
    x->event.last = m->epochs[m->n_epochs - 1]->epoch;
    return OK;
}

static void of_ended(struct hub_event *x, const Grokd__Ended *m)
{
    static const enum event_outcome outcomes[] = {
        [GROKD__OUTCOME__FINISHED] = OUTCOME_FINISHED,
        [GROKD__OUTCOME__FAILED] = OUTCOME_FAILED,
        [GROKD__OUTCOME__LOST] = OUTCOME_LOST,
        [GROKD__OUTCOME__RETURNED] = OUTCOME_RETURNED,
    };
    struct event *ev = &x->event;
    ev->kind = EVENT_ENDED;
    ev->run = m->run;
    ev->attempt = m->attempt;
    ev->epoch = m->epoch;
    ev->outcome = (size_t)m->outcome < sizeof outcomes / sizeof *outcomes ? outcomes[m->outcome]
                                                                          : OUTCOME_LOST;
    ev->final = m->has_final && m->final;
    ev->seconds = m->has_seconds ? m->seconds : 0;
    ev->reason = m->reason;
    ev->log = m->log;
}

static void of_fetch(struct hub_event *x, const Grokd__Fetch *m)
{
    x->event.kind = EVENT_READ;
    x->event.run = m->run;
    x->event.attempt = m->attempt;
    x->event.offset = (int64_t)m->offset;
}

static void of_part(struct hub_event *x, const Grokd__Part *m)
{
    x->event.kind = EVENT_PART;
    x->event.run = m->run;
    x->event.attempt = m->attempt;
}

int hub_event_of(struct hub_event *x, const wire_envelope *m, struct err *e)
{
    memset(x, 0, sizeof *x);
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_HELLO: return of_hello(x, m->hello, e);
    case GROKD__ENVELOPE__BODY_HEARTBEAT:
        x->event.kind = EVENT_HEARTBEAT;
        return take_holdings(x, m->heartbeat->holdings, m->heartbeat->n_holdings, e);
    case GROKD__ENVELOPE__BODY_EPOCHS: return of_epochs(x, m->epochs, e);
    case GROKD__ENVELOPE__BODY_PART: of_part(x, m->part); return OK;
    case GROKD__ENVELOPE__BODY_FETCH: of_fetch(x, m->fetch); return OK;
    case GROKD__ENVELOPE__BODY_ENDED: of_ended(x, m->ended); return OK;
    case GROKD__ENVELOPE__BODY_GOODBYE: x->event.kind = EVENT_GOODBYE; return OK;
    default: return err_set(e, E_PROTO, "no worker says message %d", (int)m->body_case);
    }
}

void hub_event_free(struct hub_event *x)
{
    free(x->holdings);
    free(x->offers);
    memset(x, 0, sizeof *x);
}

/* ---- out ---------------------------------------------------------------------------------------
 * An envelope is first written with texts that are lent, then copied whole through its bytes: one
 * owner, and what goes out is what a receiver would accept.
 */

static wire_envelope *copy(const wire_envelope *m)
{
    wire_envelope *out = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    if (wire_pack(m, &bytes, &size, NULL) == OK) wire_unpack(&out, bytes, size, NULL);
    free(bytes);
    return out;
}

/* A text as the receiver will accept it: one that was cut may end within a character. */
static char *plain(const struct send *s, char *text, size_t limit)
{
    memcpy(text, s->text, sizeof s->text);
    wire_clean(text, limit, false);
    return text;
}

/* name=value for every hyperparameter, then the settings that a run needs. */
static wire_envelope *work(const struct send *s, wire_envelope *m)
{
    enum { SIZE = PARAM_TEXT_SIZE + 64, LINES = 64 };
    char text[SETTINGS_TEXT], (*given)[SIZE] = calloc(PARAM_COUNT, sizeof *given), *rest = text;
    char *arguments[PARAM_COUNT + LINES];
    struct settings settings = *s->settings;
    size_t count = 0;
    if (!given) return NULL;
    for (int i = 0; i < PARAM_COUNT; i++) {
        char value[PARAM_TEXT_SIZE];
        if (!param_belongs(i, s->params->task)) continue;
        snprintf(given[i], sizeof given[i], "%s=%s", param_list[i].name,
                 param_text(s->params, i, value));
        arguments[count++] = given[i];
    }
    settings_follow(&settings, s->params->task);
    settings_text(&settings, text);
    for (char *line; (line = strsep(&rest, "\n")) && count < PARAM_COUNT + LINES;)
        if (*line) arguments[count++] = line;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    blas.family = (char *)s->blas.family;
    blas.fingerprint = (char *)s->blas.fingerprint;
    Grokd__Work x = GROKD__WORK__INIT;
    x.run = s->run;
    x.attempt = s->attempt;
    x.blas = &blas;
    x.n_arguments = count;
    x.arguments = arguments;
    m->body_case = GROKD__ENVELOPE__BODY_WORK;
    m->work = &x;
    wire_envelope *out = copy(m);
    free(given);
    return out;
}

static wire_envelope *ack(const struct send *s, wire_envelope *m)
{
    Grokd__Ack x = GROKD__ACK__INIT;
    x.run = s->run;
    x.attempt = s->attempt;
    x.epoch = s->epoch;
    x.has_ended = x.ended = s->ended;
    m->body_case = GROKD__ENVELOPE__BODY_ACK;
    m->ack = &x;
    return copy(m);
}

static wire_envelope *got(const struct send *s, wire_envelope *m)
{
    Grokd__Got x = GROKD__GOT__INIT;
    x.run = s->run;
    x.attempt = s->attempt;
    x.epoch = s->file->epoch;
    x.kind = s->file->file_kind;
    x.held = s->file->held;
    x.has_gap = x.gap = s->file->verdict == VERDICT_GAP;
    m->body_case = GROKD__ENVELOPE__BODY_GOT;
    m->got = &x;
    return copy(m);
}

static wire_envelope *part(const struct send *s, wire_envelope *m)
{
    Grokd__Part x = GROKD__PART__INIT;
    x.run = s->run;
    x.attempt = s->attempt;
    x.epoch = s->file->epoch;
    x.kind = GROKD__FILE_KIND__CHECKPOINT;
    x.offset = s->file->held;
    x.size = s->file->file_size;
    x.data = (ProtobufCBinaryData){s->file->checkpoint_size, s->file->checkpoint};
    m->body_case = GROKD__ENVELOPE__BODY_PART;
    m->part = &x;
    return copy(m);
}

static wire_envelope *stop(const struct send *s, wire_envelope *m)
{
    char text[sizeof s->text];
    Grokd__Stop x = GROKD__STOP__INIT;
    x.run = s->run;
    x.attempt = s->attempt;
    x.reason = *s->text ? plain(s, text, WIRE_NAME - 1) : NULL;
    m->body_case = GROKD__ENVELOPE__BODY_STOP;
    m->stop = &x;
    return copy(m);
}

static wire_envelope *welcome(const struct send *s, wire_envelope *m)
{
    Grokd__Welcome x = GROKD__WELCOME__INIT;
    x.worker = s->worker;
    x.heartbeat_ms = (uint32_t)s->heartbeat_ms;
    x.lease_ms = (uint32_t)s->lease_ms;
    m->body_case = GROKD__ENVELOPE__BODY_WELCOME;
    m->welcome = &x;
    return copy(m);
}

static wire_envelope *refuse(const struct send *s, wire_envelope *m)
{
    char text[sizeof s->text];
    Grokd__Refuse x = GROKD__REFUSE__INIT;
    x.reason = plain(s, text, WIRE_NAME - 1);
    m->body_case = GROKD__ENVELOPE__BODY_REFUSE;
    m->refuse = &x;
    return copy(m);
}

static wire_envelope *answer(const struct send *s, wire_envelope *m)
{
    char text[sizeof s->text];
    Grokd__Answer x = GROKD__ANSWER__INIT;
    x.code = s->code;
    x.text = plain(s, text, sizeof s->text - 1);
    m->body_case = GROKD__ENVELOPE__BODY_ANSWER;
    m->answer = &x;
    return copy(m);
}

wire_envelope *hub_envelope(const struct send *s)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Heartbeat beat = GROKD__HEARTBEAT__INIT;
    m.major = WIRE_MAJOR;
    switch (s->kind) {
    case SEND_WELCOME: return welcome(s, &m);
    case SEND_REFUSE: return refuse(s, &m);
    case SEND_WORK: return work(s, &m);
    case SEND_ACK: return ack(s, &m);
    case SEND_GOT: return got(s, &m);
    case SEND_PART: return part(s, &m);
    case SEND_STOP: return stop(s, &m);
    case SEND_ANSWER: return answer(s, &m);
    case SEND_HEARTBEAT: break;
    }
    m.body_case = GROKD__ENVELOPE__BODY_HEARTBEAT;
    m.heartbeat = &beat;
    return copy(&m);
}
