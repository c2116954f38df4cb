// SPDX-License-Identifier: MIT
/* The hub on a real database: messages in, rows in the tables, messages out, and never the last
 * before the second. */
#include "tests/coordinator/hub_rig.h"

#include <stdio.h>
#include <string.h>

/* ---- a run -------------------------------------------------------------------------------------
 */

void test_a_run_goes_from_its_file_to_its_summary(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    assert_string_equal(r.answer, "sweep 1: 1 run added (1 in the file)");
    rig_hello(&r, 7, 0, 0);
    assert_int_equal(r.sent_count, 0); /* not a word before it is on the disk */
    rig_settle(&r);
    assert_int_equal(r.sent_count, 2);
    assert_int_equal(r.sent[0]->welcome->worker, 1);
    assert_int_equal(r.sent[0]->welcome->lease_ms, 60000);
    assert_int_equal(r.sent[1]->work->run, 1);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "running");
    rig_forget(&r);
    rig_epochs(&r, 7, 1, 1, 0, 3, false);
    rig_ended(&r, 7, 1, 1, GROKD__OUTCOME__FINISHED, 3);
    assert_int_equal(r.sent_count, 0);
    rig_settle(&r);
    assert_int_equal(r.sent_count, 2);
    assert_int_equal(r.sent[0]->ack->epoch, 3);
    assert_false(r.sent[0]->ack->ended);
    assert_true(r.sent[1]->ack->ended);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 4);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM summaries"), 1);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "finished");
    assert_string_equal(help_text(&r.base, "SELECT state FROM sweeps"), "done");
    assert_string_equal(help_text(&r.base, "SELECT outcome FROM attempts"), "finished");
    rig_close(&r);
}

void test_work_says_every_hyperparameter_and_setting_so_that_they_read_back_the_same(void **state)
{
    (void)state;
    struct rig r;
    struct params p;
    struct settings s;
    struct err e = {0};
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    const Grokd__Work *w = rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work;
    assert_string_equal(w->blas->family, "Haswell");
    memset(&p, 0, sizeof p);
    params_default(&p);
    settings_default(&s);
    size_t named = 0, set = 0;
    for (size_t i = 0; i < w->n_arguments; i++) {
        char text[256], *value;
        snprintf(text, sizeof text, "%s", w->arguments[i]);
        value = strchr(text, '=');
        assert_non_null(value);
        *value++ = '\0';
        int rc = !strncmp(text, "grokd.", 6)
                     ? (set++, settings_assign(&s, text + 6, value, &e))
                     : (named++, param_assign(&p, param_find(text), value, &e));
        if (rc < 0) fail_msg("%s=%s: %s", text, value, e.text);
    }
    size_t own = 0;
    for (int i = 0; i < PARAM_COUNT; i++) own += param_belongs(i, p.task);
    assert_int_equal(named, own);
    assert_true(set > 3);
    char mine[65];
    params_hash(&p, mine);
    assert_string_equal(help_text(&r.base, "SELECT config_hash FROM runs"), mine);
    rig_close(&r);
}

void test_an_epoch_sent_twice_is_stored_once_and_one_that_differs_fails_the_run(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_epochs(&r, 7, 1, 1, 0, 2, false);
    rig_epochs(&r, 7, 1, 1, 1, 2, false);
    rig_settle(&r);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 3);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_ACK)->ack->epoch, 2);
    rig_forget(&r);
    rig_epochs(&r, 7, 1, 1, 2, 3, true);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_STOP)->stop->run, 1);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "failed");
    assert_int_equal(
        help_int(&r.base,
                 "SELECT reason LIKE 'not reproducible: epoch 2: train_loss was%' FROM runs"),
        1);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 3);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM events WHERE kind = 'differs'"), 1);
    rig_close(&r);
}

void test_a_gap_is_not_stored_and_the_run_begins_again(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    rig_epochs(&r, 7, 1, 1, 2, 3, false);
    rig_settle(&r);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 0);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work->attempt, 2);
    assert_int_equal(help_int(&r.base, "SELECT losses FROM runs"), 1);
    rig_close(&r);
}

void test_failures_carry_reason_and_log_into_the_tables_until_they_are_too_many(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    for (int attempt = 1; attempt <= 5; attempt++) { /* max_attempts of help_spec */
        r.now += 120000;
        rig_ended(&r, 7, 1, attempt, GROKD__OUTCOME__FAILED, -1);
        rig_settle(&r);
    }
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "failed");
    assert_int_equal(help_int(&r.base, "SELECT failures FROM runs"), 5);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM attempts WHERE outcome = 'failed' AND "
                                       "reason LIKE 'so it was%line two%'"),
                     5);
    rig_close(&r);
}

/* ---- who speaks --------------------------------------------------------------------------------
 */

void test_after_a_restart_the_worker_introduces_itself_and_goes_on(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 2);
    rig_hello(&r, 7, 0, 0);
    rig_epochs(&r, 7, 1, 1, 0, 1, false);
    rig_settle(&r);
    rig_restart(&r);
    rig_epochs(&r, 7, 1, 1, 2, 3, false);
    rig_settle(&r);
    assert_string_equal(rig_last(&r, GROKD__ENVELOPE__BODY_REFUSE)->refuse->reason, "hello");
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 2);
    rig_hello(&r, 7, 1, 1);
    rig_epochs(&r, 7, 1, 1, 2, 3, false);
    rig_ended(&r, 7, 1, 1, GROKD__OUTCOME__FINISHED, 3);
    rig_settle(&r);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 4);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs WHERE run_id = 1"), "finished");
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work->run, 2);
    rig_close(&r);
}

void test_heartbeats_are_answered_without_waiting_for_the_disk(void **state)
{
    (void)state;
    struct rig r;
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_HEARTBEAT);
    Grokd__Heartbeat x = GROKD__HEARTBEAT__INIT;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    m.heartbeat = &x;
    rig_give(&r, 7, false, &m); /* Welcome and Work still wait */
    assert_int_equal(r.sent_count, 1);
    assert_int_equal(r.sent[0]->body_case, GROKD__ENVELOPE__BODY_HEARTBEAT);
    rig_settle(&r);
    assert_int_equal(r.sent_count, 3);
    rig_close(&r);
}

void test_who_greets_again_before_the_disk_answers_gets_one_welcome_and_one_run(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 2);
    for (int i = 0; i < 200; i++) rig_hello(&r, 7, 0, 0);
    assert_int_equal(r.hub.count, 2);
    rig_settle(&r);
    assert_int_equal(r.sent_count, 2);
    assert_int_equal(r.sent[0]->welcome->worker, 1);
    assert_int_equal(r.sent[1]->work->run, 1);
    assert_int_equal(help_int(&r.base, "SELECT max(attempt) FROM runs"), 1);
    rig_hello(&r, 7, 1, 1); /* that Welcome has left: another one is due */
    rig_settle(&r);
    assert_int_equal(r.sent_count, 3);
    rig_close(&r);
}

void test_each_door_takes_only_its_own_kind_of_message(void **state)
{
    (void)state;
    struct rig r;
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_GOODBYE);
    Grokd__Goodbye bye = GROKD__GOODBYE__INIT;
    Grokd__Command pause = GROKD__COMMAND__INIT;
    char verb[] = "pause", all[] = "all", *arguments[] = {all};
    rig_open(&r, 1);
    m.goodbye = &bye;
    rig_give(&r, 99, true, &m);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_ANSWER)->answer->code, 2);
    m = rig_envelope(GROKD__ENVELOPE__BODY_COMMAND);
    pause.verb = verb;
    pause.n_arguments = 1;
    pause.arguments = arguments;
    m.command = &pause;
    rig_give(&r, 7, false, &m);
    rig_settle(&r);
    assert_non_null(
        strstr(rig_last(&r, GROKD__ENVELOPE__BODY_REFUSE)->refuse->reason, "no worker"));
    assert_string_equal(help_text(&r.base, "SELECT state FROM sweeps"), "active");
    rig_close(&r);
}

void test_a_peer_that_is_gone_stops_nobody_else(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 2);
    rig_hello(&r, GONE, 0, 0);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    assert_int_equal(rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work->run, 2);
    for (size_t i = 0; i < r.sent_count; i++) assert_int_equal(r.to[i], 7);
    rig_close(&r);
}

/* ---- checkpoints -------------------------------------------------------------------------------
 */

void test_the_next_attempt_gets_the_checkpoint_of_the_one_before(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    assert_false(rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work->has_checkpoint);
    Grokd__Epoch x = GROKD__EPOCH__INIT, *list[] = {&x};
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_EPOCHS);
    x.has_checkpoint = 1;
    x.checkpoint = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "saved"};
    epochs.run = epochs.attempt = 1;
    epochs.n_epochs = 1;
    epochs.epochs = list;
    m.epochs = &epochs;
    rig_give(&r, 7, false, &m);
    rig_ended(&r, 7, 1, 1, GROKD__OUTCOME__RETURNED, 0);
    rig_settle(&r);
    rig_forget(&r);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    const Grokd__Work *w = rig_last(&r, GROKD__ENVELOPE__BODY_WORK)->work;
    assert_int_equal(w->attempt, 2);
    assert_true(w->has_checkpoint);
    assert_int_equal(w->checkpoint.len, 5);
    assert_memory_equal(w->checkpoint.data, "saved", 5);
    rig_close(&r);
}
