// SPDX-License-Identifier: MIT
/* The hub on a real database: what is decided is told only when it is on the disk, and work goes
 * out with the checkpoint that was found for it. The hub learns that something is durable in a
 * collect: what has left before was said too early. */
#include "common/clock.h"
#include "tests/coordinator/hub_rig.h"

#include <stdio.h>
#include <string.h>

/* As rig_command, but nothing is collected yet. */
static void command(struct rig *r, const char *verb, const char *a, const char *b, const char *text)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_COMMAND);
    Grokd__Command x = GROKD__COMMAND__INIT;
    char *arguments[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b};
    x.verb = (char *)(uintptr_t)verb;
    x.n_arguments = 1 + (size_t)(b != NULL);
    x.arguments = arguments;
    x.text = (char *)(uintptr_t)text;
    m.command = &x;
    rig_forget(r);
    rig_give(r, 99, true, &m);
}

static void goodbye(struct rig *r, uint64_t peer)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_GOODBYE);
    Grokd__Goodbye x = GROKD__GOODBYE__INIT;
    m.goodbye = &x;
    rig_give(r, peer, false, &m);
}

void test_a_worker_is_stopped_when_the_end_of_its_run_is_stored(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    command(&r, "cancel", "--runs", "1", NULL);
    assert_int_equal(r.sent_count, 0);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_STOP)->stop->run, 1);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "cancelled");
    rig_close(&r);
}

void test_a_person_is_answered_when_what_was_asked_is_stored(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_epochs(&r, 7, 1, 1, 0, 3, false);
    rig_ended(&r, 7, 1, 1, GROKD__OUTCOME__FINISHED, 3);
    rig_settle(&r);
    command(&r, "aggregate", "1", NULL, NULL);
    assert_int_equal(r.sent_count, 0);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_ANSWER)->answer->code, 0);
    command(&r, "stiff", "1", NULL, "1 stiff step_fisher 0.5\n");
    assert_int_equal(r.sent_count, 0);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_ANSWER)->answer->code, 0);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM features WHERE layer = 'stiff'"), 1);
    rig_close(&r);
}

/* What worker 7 says it holds: run 1, or nothing. */
static void heartbeat(struct rig *r, bool holds)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_HEARTBEAT);
    Grokd__Holding h = GROKD__HOLDING__INIT, *list[] = {&h};
    Grokd__Heartbeat x = GROKD__HEARTBEAT__INIT;
    h.run = h.attempt = 1;
    x.holdings = list;
    x.n_holdings = holds;
    m.heartbeat = &x;
    rig_give(r, 7, false, &m);
}

/* The end was decided before, by another message. */
void test_that_an_attempt_is_over_is_said_when_it_is_stored_whoever_ended_it(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    rig_command(&r, "pause", "1", NULL, NULL); /* what comes back waits */
    rig_forget(&r);
    r.now += 61000;
    heartbeat(&r, false);
    heartbeat(&r, true);
    for (size_t i = 0; i < r.sent_count; i++)
        assert_int_not_equal(r.sent[i]->body_case, GROKD__ENVELOPE__BODY_STOP);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_STOP)->stop->run, 1);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "waiting");
    rig_close(&r);
}

static void report_with_checkpoint(struct rig *r, const char *bytes)
{
    Grokd__Epoch x = GROKD__EPOCH__INIT, *list[] = {&x};
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_EPOCHS);
    x.has_checkpoint = 1;
    x.checkpoint = (ProtobufCBinaryData){strlen(bytes), (uint8_t *)(uintptr_t)bytes};
    epochs.run = epochs.attempt = 1;
    epochs.n_epochs = 1;
    epochs.epochs = list;
    m.epochs = &epochs;
    rig_give(r, 7, false, &m);
}

/* Until a third attempt is on the disk, of which nothing is collected. */
static void await_third(const struct rig *r)
{
    for (int64_t start = clock_now_ms(); help_int(&r->base, "SELECT attempt FROM runs") < 3;)
        if (clock_now_ms() - start > 20000)
            fail_msg("after 20 s the run is at attempt %lld",
                     (long long)help_int(&r->base, "SELECT attempt FROM runs"));
}

/* Attempt 2 is over before its work has left, and both are found on the disk at once. */
void test_each_of_two_attempts_under_way_gets_its_checkpoint(void **state)
{
    (void)state;
    struct rig r;
    int works = 0;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    report_with_checkpoint(&r, "saved");
    rig_settle(&r);
    rig_forget(&r);
    goodbye(&r, 7);
    rig_hello(&r, 8, 0, 0);
    goodbye(&r, 8);
    rig_hello(&r, 9, 0, 0);
    await_third(&r);
    rig_settle(&r);
    for (size_t i = 0; i < r.sent_count; i++) {
        if (r.sent[i]->body_case != GROKD__ENVELOPE__BODY_WORK) continue;
        const Grokd__Work *w = r.sent[i]->work;
        assert_int_equal(w->attempt, 2 + works++);
        assert_int_equal(w->checkpoint.len, 5);
        assert_memory_equal(w->checkpoint.data, "saved", 5);
    }
    assert_int_equal(works, 2);
    rig_close(&r);
}
