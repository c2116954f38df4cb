// SPDX-License-Identifier: MIT
/* hub_rig: a hub on a real database, and a door that keeps what is sent. */
#include "tests/coordinator/hub_rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int catch_send(void *ctx, uint64_t peer, const wire_envelope *m, struct err *e)
{
    struct rig *r = ctx;
    uint8_t *bytes;
    size_t size;
    assert_true(r->sent_count < SENT);
    if (peer == GONE) return err_set(e, E_NET, "peer 666 is gone");
    assert_int_equal(wire_pack(m, &bytes, &size, e), OK); /* through the wire, as it would be */
    assert_int_equal(wire_unpack(&r->sent[r->sent_count], bytes, size, e), OK);
    r->to[r->sent_count++] = peer;
    free(bytes);
    return OK;
}

static int give_keys(void *ctx, struct event *ev, struct err *e)
{
    struct rig *r = ctx;
    if (!r->users) return err_set(e, E_FILE, "allowed:3: a key of 40 characters of Z85 expected");
    ev->users = r->users;
    ev->user_count = r->user_count;
    return OK;
}

static void catch_answer(void *ctx, int code, const char *text)
{
    struct rig *r = ctx;
    r->code = code;
    snprintf(r->answer, sizeof r->answer, "%s", text);
}

struct moment rig_at(const struct rig *r)
{
    return (struct moment){r->now, HELP_AT + r->now};
}

void rig_forget(struct rig *r)
{
    for (size_t i = 0; i < r->sent_count; i++) wire_free(&r->sent[i]);
    r->sent_count = 0;
}

static void begin(struct rig *r)
{
    struct sched_config config = SCHED_DEFAULTS;
    struct hub_door door = {catch_send, catch_answer, give_keys, r};
    struct err e = {0};
    if (hub_open(&r->hub, r->base.store, &r->base.state, &config, &door, rig_at(r), &e) < 0)
        fail_msg("%s", e.text);
}

void rig_settle(struct rig *r)
{
    struct err e = {0};
    while (!hub_quiet(&r->hub)) {
        struct pollfd p = {.fd = store_fd(r->base.store), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        if (hub_collect(&r->hub, rig_at(r), &e) < 0) fail_msg("%s", e.text);
    }
}

void rig_open(struct rig *r, int seeds)
{
    memset(r, 0, sizeof *r);
    r->now = 5000;
    help_open(&r->base);
    begin(r);
    if (seeds) {
        struct err e = {0};
        char *spec = help_spec("one", seeds, 0);
        if (hub_submit(&r->hub, spec, "one.yaml", rig_at(r), &e) < 0) fail_msg("%s", e.text);
        free(spec);
    }
    rig_settle(r);
}

void rig_close(struct rig *r)
{
    rig_forget(r);
    hub_close(&r->hub);
    help_close(&r->base);
}

void rig_restart(struct rig *r)
{
    rig_forget(r);
    hub_close(&r->hub);
    help_reopen(&r->base);
    begin(r);
    rig_settle(r);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

void rig_give(struct rig *r, uint64_t peer, bool local, const wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    struct err e = {0};
    wire_envelope *copy;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    if (wire_unpack(&copy, bytes, size, &e) < 0) fail_msg("%s", e.text);
    free(bytes);
    if (hub_message(&r->hub, peer, local ? "" : "key", local, copy, rig_at(r), &e) < 0)
        fail_msg("%s", e.text);
}

wire_envelope rig_envelope(int body)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.major = WIRE_MAJOR;
    m.body_case = (Grokd__Envelope__BodyCase)body;
    return m;
}

void rig_hello(struct rig *r, uint64_t peer, int64_t run, int64_t attempt)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_HELLO);
    Grokd__Blas blas = GROKD__BLAS__INIT, *offers[] = {&blas};
    Grokd__Holding h = GROKD__HOLDING__INIT, *holdings[] = {&h};
    Grokd__Hello x = GROKD__HELLO__INIT;
    char family[] = "Haswell", print[] = "aa", name[] = "w", uuid[32];
    snprintf(uuid, sizeof uuid, "u%llu", (unsigned long long)peer);
    blas.family = family;
    blas.fingerprint = print;
    h.run = run;
    h.attempt = attempt;
    x.uuid = uuid;
    x.host = x.cpu = x.version = name;
    x.slots = 1;
    x.n_blas = 1;
    x.blas = offers;
    x.n_holdings = run > 0;
    x.holdings = holdings;
    m.hello = &x;
    rig_give(r, peer, false, &m);
}

void rig_epochs(struct rig *r, uint64_t peer, int64_t run, int64_t attempt, int64_t first,
                int64_t last, bool wrong)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_EPOCHS);
    Grokd__Epochs x = GROKD__EPOCHS__INIT;
    Grokd__Epoch *list[8];
    x.run = run;
    x.attempt = attempt;
    x.epochs = list;
    for (int64_t epoch = first; epoch <= last; epoch++) {
        struct row row = help_row(run, epoch);
        if (wrong && epoch == first) row.value[METRIC_train_loss] += 1e-9;
        list[x.n_epochs++] = wire_epoch(&row);
    }
    m.epochs = &x;
    rig_give(r, peer, false, &m);
    for (size_t i = 0; i < x.n_epochs; i++) grokd__epoch__free_unpacked(list[i], NULL);
}

void rig_ended(struct rig *r, uint64_t peer, int64_t run, int64_t attempt, int outcome,
               int64_t epoch)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_ENDED);
    Grokd__Ended x = GROKD__ENDED__INIT;
    char reason[] = "so it was", log[] = "line one\nline two\n";
    x.run = run;
    x.attempt = attempt;
    x.outcome = (Grokd__Outcome)outcome;
    x.reason = reason;
    x.log = log;
    x.epoch = epoch;
    x.has_seconds = 1;
    x.seconds = 2.5;
    m.ended = &x;
    rig_give(r, peer, false, &m);
}

const char *rig_command(struct rig *r, const char *verb, const char *a, const char *b,
                        const char *text)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_COMMAND);
    Grokd__Command x = GROKD__COMMAND__INIT;
    char *arguments[] = {(char *)a, (char *)b};
    x.verb = (char *)verb;
    x.n_arguments = (size_t)(a != NULL) + (b != NULL);
    x.arguments = arguments;
    x.text = (char *)text;
    m.command = &x;
    rig_forget(r);
    rig_give(r, 99, true, &m);
    rig_settle(r);
    for (size_t i = 0; i < r->sent_count; i++) {
        if (r->sent[i]->body_case != GROKD__ENVELOPE__BODY_ANSWER) continue;
        assert_int_equal(r->to[i], 99);
        r->code = r->sent[i]->answer->code;
        return r->sent[i]->answer->text;
    }
    fail_msg("%s was not answered", verb);
    return NULL;
}

const wire_envelope *rig_last(const struct rig *r, int body)
{
    for (size_t i = r->sent_count; i-- > 0;)
        if ((int)r->sent[i]->body_case == body) return r->sent[i];
    fail_msg("nothing of kind %d was sent", body);
    return NULL;
}
