// SPDX-License-Identifier: MIT
/* What people say to the coordinator, on a real database. */
#include "tests/coordinator/hub_rig.h"

#include "coordinator/hub_command.h"

#include <stdlib.h>
#include <string.h>

void test_a_sweep_is_submitted_once_however_often_it_is_sent(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 0);
    char *spec = help_spec("two", 6, 0);
    assert_string_equal(rig_command(&r, "submit", "two.yaml", NULL, spec),
                        "sweep 1: 6 runs added (6 in the file)");
    assert_string_equal(rig_command(&r, "submit", "two.yaml", NULL, spec),
                        "sweep 1: 0 runs added (6 in the file)");
    assert_int_equal(r.code, 0);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM runs"), 6);
    free(spec);
    rig_close(&r);
}

void test_a_bad_sweep_gets_its_line_and_nothing_is_stored(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 0);
    const char *text = rig_command(&r, "submit", "bad.yaml", NULL,
                                   "method: grid\nparameters:\n  seeds: {value: 1}\n");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(text, "bad.yaml:3:3: "));
    assert_null(strchr(text, '\n'));
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM sweeps"), 0);
    struct err e = {0};
    assert_int_equal(hub_submit(&r.hub, "method: bayes\n", "own.yaml", rig_at(&r), &e), E_FILE);
    assert_non_null(strstr(e.text, "own.yaml:1:"));
    rig_close(&r);
}

void test_a_revoked_key_hands_its_run_back_and_a_bad_list_changes_nothing(void **state)
{
    (void)state;
    struct rig r;
    static const char *const nobody[] = {"another"};
    rig_open(&r, 1);
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    assert_non_null(strstr(rig_command(&r, "keys", NULL, NULL, NULL), "allowed:3"));
    assert_int_equal(r.code, 2);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "running");
    r.users = nobody;
    r.user_count = 1;
    assert_string_equal(rig_command(&r, "keys", NULL, NULL, NULL), "1 key may come in");
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "waiting");
    assert_int_equal(help_int(&r.base, "SELECT losses + failures FROM runs"), 0);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM events WHERE kind = 'revoked'"), 1);
    rig_epochs(&r, 7, 1, 1, 0, 1, false);
    rig_settle(&r);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM epochs"), 0);
    rig_close(&r);
}

/* What was answered before the store said a word. */
static const char *answer_at_once(struct rig *r, const char *verb)
{
    wire_envelope m = rig_envelope(GROKD__ENVELOPE__BODY_COMMAND);
    Grokd__Command x = GROKD__COMMAND__INIT;
    x.verb = (char *)verb;
    m.command = &x;
    rig_forget(r);
    rig_give(r, 99, true, &m);
    return rig_last(r, GROKD__ENVELOPE__BODY_ANSWER)->answer->text;
}

void test_answers_of_which_nothing_is_stored_do_not_wait_for_the_store(void **state)
{
    (void)state;
    struct rig r;
    static const char *const nobody[] = {"another"};
    rig_open(&r, 1);
    r.users = nobody;
    r.user_count = 1;
    rig_hello(&r, 7, 0, 0); /* Welcome and Work wait, and would go first */
    assert_non_null(strstr(answer_at_once(&r, "ping"), "grokd-coord"));
    assert_non_null(strstr(answer_at_once(&r, "frobnicate"), "unknown command"));
    assert_string_equal(answer_at_once(&r, "keys"), "1 key may come in");
    assert_string_equal(answer_at_once(&r, "stop"), "stopping");
    rig_settle(&r);
    rig_close(&r);
}

void test_the_owner_is_told_what_the_store_waits_for(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    assert_null(strchr(answer_at_once(&r, "ping"), ':'));
    r.hub.full = true;
    err_set(&r.hub.why, E_FULL, "results.db: database is locked");
    assert_non_null(strstr(answer_at_once(&r, "ping"),
                           ": nothing is handed out or acknowledged: results.db: database is "
                           "locked"));
    r.hub.full = false;
    assert_null(strchr(answer_at_once(&r, "ping"), ':'));
    rig_close(&r);
}

void test_commands_steer_sweeps_and_runs(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 3);
    assert_string_equal(rig_command(&r, "pause", "1", NULL, NULL), "1 sweep paused");
    assert_string_equal(help_text(&r.base, "SELECT state FROM sweeps"), "paused");
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM attempts"), 0);
    assert_string_equal(rig_command(&r, "resume", "last", NULL, NULL), "1 sweep resumed");
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM attempts"), 2); /* one prefetched */
    assert_string_equal(rig_command(&r, "cancel", "--runs", "1,3", NULL), "2 runs cancelled");
    assert_string_equal(rig_command(&r, "cancel", "--runs", "3-4", NULL),
                        "0 runs cancelled; 2 not: over or unknown");
    assert_int_equal(r.code, 1);
    for (int attempt = 1; attempt <= 5; attempt++) {
        r.now += 100000;
        rig_ended(&r, 7, 2, attempt, GROKD__OUTCOME__FAILED, -1);
    }
    rig_settle(&r);
    assert_string_equal(help_text(&r.base, "SELECT state FROM sweeps"), "done");
    assert_string_equal(rig_command(&r, "retry", "--failed", NULL, NULL), "1 run waits again");
    assert_int_equal(help_int(&r.base, "SELECT attempt FROM runs WHERE run_id = 2"), 6);
    assert_string_equal(rig_command(&r, "cancel", "all", NULL, NULL), "1 sweep cancelled");
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM runs WHERE state = 'cancelled'"), 3);
    rig_close(&r);
}

void test_commands_that_cannot_be_are_answered_with_what_would_be_right(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 0);
    assert_non_null(strstr(rig_command(&r, "frobnicate", NULL, NULL, NULL), "unknown command"));
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(rig_command(&r, "pause", NULL, NULL, NULL), "usage: pause SWEEP"));
    assert_non_null(strstr(rig_command(&r, "pause", "0", NULL, NULL), "3, 1-9, 1,4, all or last"));
    assert_non_null(strstr(rig_command(&r, "pause", "9-1", NULL, NULL), "cannot read '9-1'"));
    assert_non_null(strstr(rig_command(&r, "pause", "1,,2", NULL, NULL), "cannot read ''"));
    assert_non_null(strstr(rig_command(&r, "retry", "1", NULL, NULL), "retry --failed"));
    assert_non_null(strstr(rig_command(&r, "submit", "x", NULL, NULL), "submit FILE"));
    assert_non_null(
        strstr(rig_command(&r, "pause", "7", NULL, NULL), "no sweep of this selection"));
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(rig_command(&r, "ping", NULL, NULL, NULL), "grokd-coord"));
    assert_int_equal(r.code, 0);
    assert_false(r.hub.stop);
    rig_command(&r, "stop", NULL, NULL, NULL);
    assert_true(r.hub.stop);
    rig_close(&r);
}

void test_selectors_name_numbers_ranges_and_words(void **state)
{
    (void)state;
    struct hub_command x;
    struct err e;
    memset(&x, 0, sizeof x);
    assert_int_equal(hub_command_ranges(&x, "3,5-9,all,last", &e), OK);
    assert_int_equal(x.event.range_count, 4);
    assert_int_equal(x.ranges[0].from, 3);
    assert_int_equal(x.ranges[0].to, 3);
    assert_int_equal(x.ranges[1].to, 9);
    assert_int_equal(x.ranges[2].from, RANGE_ALL);
    assert_int_equal(x.ranges[3].from, RANGE_LAST);
    static const char *const bad[] = {"", "x", "1-", "-1", "1-2-3", "1.5", "9999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&x, 0, sizeof x);
        assert_int_equal(hub_command_ranges(&x, bad[i], &e), E_USAGE);
    }
}
