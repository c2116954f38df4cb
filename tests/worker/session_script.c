// SPDX-License-Identifier: MIT
/* session_script: a session played from a script. */
#include "tests/worker/session_script.h"

#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const outcomes[] = {"finished", "failed", "lost", "returned"};

void script_settings(struct session_settings *set, uint32_t slots)
{
    session_settings_default(set);
    strcpy(set->uuid, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
    strcpy(set->host, "node7");
    strcpy(set->cpu, "test");
    set->slots = slots;
    set->blas[0] = (struct session_blas){"Haswell", "aa"};
    set->blas[1] = (struct session_blas){"Zen", "bb"};
    set->blas_count = 2;
    set->seed = 1;
}

/* ---- events ---- */

/* What the words of an event say; kept static so that messages may point to it. */
static struct words {
    char verb[32], word[32], family[32];
    long long slot, run, attempt, first, last;
    long long offset, bytes, piece; /* of a file */
} w;

static void blas_fill(Grokd__Blas *b)
{
    static char haswell[] = "aa", other[] = "bb";
    grokd__blas__init(b);
    b->family = w.family;
    b->fingerprint = strcmp(w.family, "Haswell") ? other : haswell;
}

static void epochs_fill(Grokd__Epochs *m)
{
    static Grokd__Epoch epoch[1000], *list[1000];
    assert_true(w.last - w.first < 1000);
    m->run = w.run;
    m->attempt = w.attempt;
    m->epochs = list;
    for (long long k = w.first; k <= w.last; k++) {
        Grokd__Epoch *one = list[m->n_epochs] = &epoch[m->n_epochs];
        grokd__epoch__init(one);
        one->epoch = k;
        m->n_epochs++;
    }
}

static int coordinator_fill(wire_envelope *m, const char *event)
{
    static Grokd__Welcome welcome;
    static Grokd__Refuse refuse;
    static Grokd__Heartbeat heartbeat;
    static Grokd__Goodbye goodbye;
    int n = 0;
    if (sscanf(event, "welcome %lld%n", &w.first, &n) == 1) {
        grokd__welcome__init(m->welcome = &welcome);
        welcome.worker = w.first;
        welcome.heartbeat_ms = 10000;
        welcome.lease_ms = 60000;
        m->body_case = GROKD__ENVELOPE__BODY_WELCOME;
    } else if (sscanf(event, "refuse %31s%n", w.word, &n) == 1) {
        grokd__refuse__init(m->refuse = &refuse);
        refuse.reason = w.word;
        m->body_case = GROKD__ENVELOPE__BODY_REFUSE;
    } else if (!strcmp(event, "heartbeat")) {
        grokd__heartbeat__init(m->heartbeat = &heartbeat);
        m->body_case = GROKD__ENVELOPE__BODY_HEARTBEAT;
    } else if (!strcmp(event, "hello")) {
        grokd__goodbye__init(m->goodbye = &goodbye);
        m->body_case = GROKD__ENVELOPE__BODY_GOODBYE;
    }
    return m->body_case != GROKD__ENVELOPE__BODY__NOT_SET;
}

static int run_fill(wire_envelope *m, const char *event)
{
    static Grokd__Work work;
    static Grokd__Ack ack;
    static Grokd__Stop stop;
    static Grokd__Blas blas;
    if (sscanf(event, "work %lld.%lld %31s", &w.run, &w.attempt, w.family) == 3) {
        grokd__work__init(m->work = &work);
        blas_fill(work.blas = &blas);
        work.run = w.run;
        work.attempt = w.attempt;
        m->body_case = GROKD__ENVELOPE__BODY_WORK;
    } else if (sscanf(event, "ack %lld.%lld %lld", &w.run, &w.attempt, &w.last) == 3) {
        grokd__ack__init(m->ack = &ack);
        ack.run = w.run;
        ack.attempt = w.attempt;
        ack.epoch = w.last;
        ack.has_ended = ack.ended = strstr(event, "ended") != NULL;
        m->body_case = GROKD__ENVELOPE__BODY_ACK;
    } else if (sscanf(event, "stop %lld.%lld", &w.run, &w.attempt) == 2) {
        grokd__stop__init(m->stop = &stop);
        stop.run = w.run;
        stop.attempt = w.attempt;
        m->body_case = GROKD__ENVELOPE__BODY_STOP;
    }
    return m->body_case != GROKD__ENVELOPE__BODY__NOT_SET;
}

/* Of a file its bytes are the low digits of their places. */
static void part_fill(wire_envelope *m)
{
    static Grokd__Part part;
    static uint8_t data[1000];
    for (long long i = 0; i < w.piece && i < 1000; i++) data[i] = (uint8_t)(w.offset + i);
    grokd__part__init(m->part = &part);
    part.run = w.run;
    part.attempt = w.attempt;
    part.epoch = w.first;
    part.offset = (uint64_t)w.offset;
    part.size = (uint64_t)w.bytes;
    part.data = (ProtobufCBinaryData){(size_t)w.piece, data};
    m->body_case = GROKD__ENVELOPE__BODY_PART;
}

static void named_fill(wire_envelope *m)
{
    static char sha256[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static Grokd__Epochs epochs;
    static Grokd__File file;
    w.last = w.first;
    grokd__epochs__init(m->epochs = &epochs);
    epochs_fill(&epochs);
    grokd__file__init(epochs.epochs[0]->checkpoint_file = &file);
    file.size = (uint64_t)w.bytes;
    file.sha256 = sha256;
    m->body_case = GROKD__ENVELOPE__BODY_EPOCHS;
}

static int file_fill(wire_envelope *m, const char *event)
{
    static Grokd__Work work;
    static Grokd__Blas blas;
    static Grokd__Got got;
    if (sscanf(event, "large %lld.%lld %31s %lld", &w.run, &w.attempt, w.family, &w.bytes) == 4) {
        grokd__work__init(m->work = &work);
        blas_fill(work.blas = &blas);
        work.run = w.run;
        work.attempt = w.attempt;
        work.has_checkpoint_size = 1;
        work.checkpoint_size = (uint64_t)w.bytes;
        m->body_case = GROKD__ENVELOPE__BODY_WORK;
    } else if (sscanf(event, "got %lld.%lld %lld %lld", &w.run, &w.attempt, &w.first, &w.bytes) ==
               4) {
        grokd__got__init(m->got = &got);
        got.run = w.run;
        got.attempt = w.attempt;
        got.epoch = w.first;
        got.held = (uint64_t)w.bytes;
        got.has_gap = got.gap = strstr(event, "gap") != NULL;
        m->body_case = GROKD__ENVELOPE__BODY_GOT;
    } else if (sscanf(event, "part %lld.%lld %lld %lld/%lld %lld", &w.run, &w.attempt, &w.first,
                      &w.offset, &w.bytes, &w.piece) == 6 ||
               sscanf(event, "file %lld %lld.%lld %lld %lld/%lld %lld", &w.slot, &w.run, &w.attempt,
                      &w.first, &w.offset, &w.bytes, &w.piece) == 7) {
        part_fill(m);
    } else if (sscanf(event, "named %lld %lld.%lld %lld %lld", &w.slot, &w.run, &w.attempt,
                      &w.first, &w.bytes) == 5) {
        named_fill(m);
    }
    return m->body_case != GROKD__ENVELOPE__BODY__NOT_SET;
}

static int slot_fill(wire_envelope *m, const char *event)
{
    static Grokd__Ready ready;
    static Grokd__Blas blas;
    static Grokd__Epochs epochs;
    static Grokd__Ended ended;
    if (sscanf(event, "ready %lld %31s", &w.slot, w.family) == 2) {
        grokd__ready__init(m->ready = &ready);
        blas_fill(ready.blas = &blas);
        m->body_case = GROKD__ENVELOPE__BODY_READY;
    } else if (sscanf(event, "epochs %lld %lld.%lld %lld %lld", &w.slot, &w.run, &w.attempt,
                      &w.first, &w.last) == 5) {
        grokd__epochs__init(m->epochs = &epochs);
        epochs_fill(&epochs);
        m->body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    } else if (sscanf(event, "ended %lld %lld.%lld %31s %lld", &w.slot, &w.run, &w.attempt, w.word,
                      &w.last) == 5) {
        grokd__ended__init(m->ended = &ended);
        ended.run = w.run;
        ended.attempt = w.attempt;
        ended.epoch = w.last;
        for (int k = 0; k < 4; k++)
            if (!strcmp(w.word, outcomes[k])) ended.outcome = (Grokd__Outcome)k;
        m->body_case = GROKD__ENVELOPE__BODY_ENDED;
    }
    return m->body_case != GROKD__ENVELOPE__BODY__NOT_SET;
}

wire_envelope *script_message(const char *event)
{
    wire_envelope m = GROKD__ENVELOPE__INIT, *copy;
    m.major = WIRE_MAJOR;
    if (!coordinator_fill(&m, event) && !run_fill(&m, event) && !slot_fill(&m, event) &&
        !file_fill(&m, event))
        fail_msg("no such event: %s", event);
    struct err e;
    uint8_t *bytes;
    size_t size;
    assert_int_equal(wire_pack(&m, &bytes, &size, &e), OK);
    if (wire_unpack(&copy, bytes, size, &e) != OK) fail_msg("%s: %s", event, e.text);
    free(bytes);
    return copy;
}

static struct session_event event_make(const char *text)
{
    struct session_event ev = {.kind = SESSION_EVENT_LINK};
    long long slot, number;
    char word[32];
    if (!strcmp(text, "start"))
        ev.kind = SESSION_EVENT_START;
    else if (!strcmp(text, "tick"))
        ev.kind = SESSION_EVENT_TICK;
    else if (!strcmp(text, "unsent"))
        ev.kind = SESSION_EVENT_UNSENT;
    else if (!strcmp(text, "terminate"))
        ev.kind = SESSION_EVENT_TERMINATE;
    else if (sscanf(text, "died %lld %31s %lld", &slot, word, &number) == 3) {
        ev.kind = SESSION_EVENT_DIED;
        ev.slot = (uint32_t)slot;
        ev.log = "last words";
        if (!strcmp(word, "signal"))
            ev.signal = (int)number;
        else
            ev.status = (int)number;
    } else {
        wire_envelope *m = script_message(text);
        ev.message = m;
        bool slots = m->body_case == GROKD__ENVELOPE__BODY_READY ||
                     m->body_case == GROKD__ENVELOPE__BODY_EPOCHS ||
                     m->body_case == GROKD__ENVELOPE__BODY_ENDED || !strncmp(text, "file", 4);
        if (slots) {
            ev.kind = SESSION_EVENT_SLOT;
            ev.slot = (uint32_t)w.slot;
        }
    }
    return ev;
}

/* ---- actions ---- */

static void holdings_text(Grokd__Holding **h, size_t n, char *out, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, " %" PRId64 ".%" PRId64 "@%" PRId64, h[i]->run,
                 h[i]->attempt, h[i]->epoch);
    }
}

static void part_text(const Grokd__Part *m, char *out, size_t size)
{
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%" PRId64 ".%" PRId64 " %" PRId64 " %" PRIu64 "+%zu", m->run,
             m->attempt, m->epoch, m->offset, m->data.len);
    for (size_t i = 0; i < m->data.len; i++)
        assert_int_equal(m->data.data[i], (uint8_t)(m->offset + i));
}

static void sent_text(const wire_envelope *m, char *out, size_t size)
{
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_HELLO:
        snprintf(out, size, "hello");
        holdings_text(m->hello->holdings, m->hello->n_holdings, out, size);
        return;
    case GROKD__ENVELOPE__BODY_HEARTBEAT:
        snprintf(out, size, "heartbeat");
        holdings_text(m->heartbeat->holdings, m->heartbeat->n_holdings, out, size);
        return;
    case GROKD__ENVELOPE__BODY_EPOCHS:
        snprintf(out, size, "epochs %" PRId64 ".%" PRId64 " %" PRId64 "-%" PRId64, m->epochs->run,
                 m->epochs->attempt, m->epochs->epochs[0]->epoch,
                 m->epochs->epochs[m->epochs->n_epochs - 1]->epoch);
        return;
    case GROKD__ENVELOPE__BODY_ENDED:
        snprintf(out, size, "ended %" PRId64 ".%" PRId64 " %s %" PRId64, m->ended->run,
                 m->ended->attempt, outcomes[m->ended->outcome], m->ended->epoch);
        return;
    case GROKD__ENVELOPE__BODY_GOODBYE: snprintf(out, size, "goodbye"); return;
    case GROKD__ENVELOPE__BODY_PART:
        snprintf(out, size, "part ");
        return part_text(m->part, out, size);
    case GROKD__ENVELOPE__BODY_FETCH:
        snprintf(out, size, "fetch %" PRId64 ".%" PRId64 " %" PRIu64, m->fetch->run,
                 m->fetch->attempt, m->fetch->offset);
        return;
    default: fail_msg("the session sent what no worker says: body %d", (int)m->body_case);
    }
}

static void told_text(const wire_envelope *m, uint32_t slot, char *out, size_t size)
{
    bool work = m->body_case == GROKD__ENVELOPE__BODY_WORK;
    if (m->body_case == GROKD__ENVELOPE__BODY_PART) {
        snprintf(out, size, "part %u ", slot);
        return part_text(m->part, out, size);
    }
    if (!work && m->body_case != GROKD__ENVELOPE__BODY_STOP)
        fail_msg("slot %u was told what no slot hears: body %d", slot, (int)m->body_case);
    snprintf(out, size, "%s %u %" PRId64 ".%" PRId64, work ? "work" : "stop", slot,
             work ? m->work->run : m->stop->run, work ? m->work->attempt : m->stop->attempt);
}

void script_action(const struct session_action *act, char *out, size_t size)
{
    wire_envelope *m = NULL;
    struct err e;
    out[0] = '\0';
    if (act->bytes && wire_unpack(&m, act->bytes, act->size, &e) != OK) fail_msg("%s", e.text);
    switch (act->kind) {
    case SESSION_ACT_SEND: sent_text(m, out, size); break;
    case SESSION_ACT_TELL: told_text(m, act->slot, out, size); break;
    case SESSION_ACT_START: snprintf(out, size, "start %u %s", act->slot, act->family); break;
    case SESSION_ACT_KILL: snprintf(out, size, "kill %u", act->slot); break;
    case SESSION_ACT_PAUSE: snprintf(out, size, "pause %u", act->slot); break;
    case SESSION_ACT_RESUME: snprintf(out, size, "resume %u", act->slot); break;
    case SESSION_ACT_EXIT: snprintf(out, size, "exit %d", act->code); break;
    case SESSION_ACT_NOTE: break;
    }
    wire_free(&m);
}

static void actions_text(const struct session_actions *a, char *out, size_t size)
{
    for (size_t i = 0; i < a->count; i++) {
        char one[512];
        script_action(&a->list[i], one, sizeof one);
        size_t used = strlen(out);
        if (one[0]) snprintf(out + used, size - used, "%s%s", used ? "; " : "", one);
    }
}

/* ---- playing ---- */

void script_play(struct session *s, const struct script_line *line)
{
    struct session_actions out = {0};
    struct err e = {0};
    char text[8192] = "";
    struct session_event ev = event_make(line->event);
    int rc = session_on(s, &ev, line->at_ms, &out, &e);
    actions_text(&out, text, sizeof text);
    if (rc < 0) snprintf(text + strlen(text), sizeof text - strlen(text), "refused");
    if (strcmp(text, line->actions))
        fail_msg("at %" PRId64 " ms: %s (%s)\n  expected: %s\n  came:     %s", line->at_ms,
                 line->event, rc < 0 ? e.text : "no error", line->actions, text);
    wire_envelope *m = (wire_envelope *)(uintptr_t)ev.message;
    wire_free(&m);
    session_actions_free(&out);
}

void script_run(const struct session_settings *set, const struct script_line *lines, size_t count)
{
    struct session *s;
    struct err e;
    assert_int_equal(session_open(&s, set, 0, &e), OK);
    for (size_t i = 0; i < count; i++) script_play(s, &lines[i]);
    session_close(&s);
    assert_null(s);
}
