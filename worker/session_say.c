// SPDX-License-Identifier: MIT
/* session_say: the actions of a session, and the messages in them. */
#include "version.h"
#include "worker/session_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- actions ---- */

static int action_add(struct session_turn *t, const struct session_action *act)
{
    struct session_actions *a = t->out;
    if (a->count == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 16;
        struct session_action *list = realloc(a->list, capacity * sizeof *list);
        if (!list) return err_set(t->e, E_NOMEM, "session: no memory for %zu actions", capacity);
        a->list = list;
        a->capacity = capacity;
    }
    a->list[a->count++] = *act;
    return OK;
}

void session_actions_clear(struct session_actions *a)
{
    for (size_t i = 0; i < a->count; i++) free(a->list[i].bytes);
    a->count = 0;
}

void session_actions_free(struct session_actions *a)
{
    session_actions_clear(a);
    free(a->list);
    *a = (struct session_actions){0};
}

int session_say_exit(struct session_turn *t, int code)
{
    return action_add(t, &(struct session_action){.kind = SESSION_ACT_EXIT, .code = code});
}

int session_say_slot(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                     const char *family)
{
    struct session_action act = {.kind = kind, .slot = slot};
    snprintf(act.family, sizeof act.family, "%s", family ? family : "");
    return action_add(t, &act);
}

int session_say_bytes(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                      uint8_t *bytes, size_t size)
{
    int rc = action_add(
        t, &(struct session_action){.kind = kind, .slot = slot, .bytes = bytes, .size = size});
    if (rc < 0) free(bytes);
    return rc;
}

/* ---- notes ---- */

__attribute__((format(printf, 3, 0))) static int note_add(struct session_turn *t,
                                                          struct session_action *act,
                                                          const char *format, va_list ap)
{
    act->kind = SESSION_ACT_NOTE;
    vsnprintf(act->text, sizeof act->text, format, ap);
    return action_add(t, act);
}

int session_say_note(struct session_turn *t, const char *event, const char *format, ...)
{
    struct session_action act = {.event = event};
    va_list ap;
    va_start(ap, format);
    int rc = note_add(t, &act, format, ap);
    va_end(ap);
    return rc;
}

int session_say_warning(struct session_turn *t, const char *event, const char *format, ...)
{
    struct session_action act = {.event = event, .warning = true};
    va_list ap;
    va_start(ap, format);
    int rc = note_add(t, &act, format, ap);
    va_end(ap);
    return rc;
}

int session_say_run_note(struct session_turn *t, const char *event, const struct session_run *r,
                         const char *format, ...)
{
    struct session_action act = {.event = event, .run = r->run, .attempt = r->attempt};
    va_list ap;
    va_start(ap, format);
    int rc = note_add(t, &act, format, ap);
    va_end(ap);
    return rc;
}

/* ---- messages ---- */

int session_say_message(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                        wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    m->major = WIRE_MAJOR;
    int rc = wire_pack(m, &bytes, &size, t->e);
    return rc < 0 ? rc : session_say_bytes(t, kind, slot, bytes, size);
}

/* The holdings of Hello and Heartbeat: one block with the pointers first (gives). Runs whose Ended
 * waits for its Ack are held too. */
static int holdings_make(const struct session *s, Grokd__Holding ***out, size_t *count,
                         struct err *e)
{
    size_t n = session_held(s);
    *count = n;
    *out = NULL;
    if (n == 0) return OK;
    Grokd__Holding **list = malloc(n * (sizeof *list + sizeof **list));
    if (!list) return err_set(e, E_NOMEM, "session: no memory for %zu holdings", n);
    Grokd__Holding *h = (Grokd__Holding *)(list + n);
    size_t i = 0;
    for (const struct session_run *r = s->runs; r; r = r->next, i++) {
        grokd__holding__init(&h[i]);
        h[i].run = r->run;
        h[i].attempt = r->attempt;
        h[i].has_epoch = 1;
        h[i].epoch = r->epoch;
        list[i] = &h[i];
    }
    *out = list;
    return OK;
}

int session_say_hello(struct session *s, struct session_turn *t)
{
    static char git[] = GROKD_GIT, version[] = GROKD_VERSION;
    Grokd__Hello hello = GROKD__HELLO__INIT;
    Grokd__Blas blas[SESSION_BLAS], *list[SESSION_BLAS];
    for (size_t i = 0; i < s->set.blas_count; i++) {
        grokd__blas__init(&blas[i]);
        blas[i].family = s->set.blas[i].family;
        blas[i].fingerprint = s->set.blas[i].fingerprint;
        list[i] = &blas[i];
    }
    hello.uuid = s->set.uuid;
    hello.host = s->set.host;
    hello.cpu = s->set.cpu;
    hello.slots = s->set.slots;
    hello.version = version;
    hello.git = git;
    hello.n_blas = s->set.blas_count;
    hello.blas = list;
    hello.has_number = 1;
    hello.number = ++s->said;
    int rc = holdings_make(s, &hello.holdings, &hello.n_holdings, t->e);
    if (rc < 0) return rc;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.body_case = GROKD__ENVELOPE__BODY_HELLO;
    m.hello = &hello;
    rc = session_say_message(t, SESSION_ACT_SEND, 0, &m);
    free(hello.holdings);
    return rc;
}

int session_say_heartbeat(struct session *s, struct session_turn *t)
{
    Grokd__Heartbeat beat = GROKD__HEARTBEAT__INIT;
    int rc = holdings_make(s, &beat.holdings, &beat.n_holdings, t->e);
    if (rc < 0) return rc;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.body_case = GROKD__ENVELOPE__BODY_HEARTBEAT;
    m.heartbeat = &beat;
    rc = session_say_message(t, SESSION_ACT_SEND, 0, &m);
    free(beat.holdings);
    return rc;
}

int session_say_goodbye(struct session_turn *t)
{
    Grokd__Goodbye goodbye = GROKD__GOODBYE__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.body_case = GROKD__ENVELOPE__BODY_GOODBYE;
    m.goodbye = &goodbye;
    return session_say_message(t, SESSION_ACT_SEND, 0, &m);
}

int session_say_stop(struct session_turn *t, uint32_t slot, const struct session_run *r)
{
    Grokd__Stop stop = GROKD__STOP__INIT;
    stop.run = r->run;
    stop.attempt = r->attempt;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.body_case = GROKD__ENVELOPE__BODY_STOP;
    m.stop = &stop;
    return session_say_message(t, SESSION_ACT_TELL, slot, &m);
}
