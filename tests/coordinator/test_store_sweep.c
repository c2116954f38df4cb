// SPDX-License-Identifier: MIT
/* Tests of the store with a real database: sweeps, what is made of them, and what people ask of
 * them. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- sweeps ---- */

void test_a_sweep_becomes_a_row_and_a_waiting_run_for_every_point(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    assert_int_equal(h.state.next_sweep, 1);
    struct save_answer a = help_one(&h, help_sweep(1, help_spec("demo", 10, 3)));
    assert_int_equal(a.verdict, VERDICT_STORED);
    assert_int_equal(a.added, 10);
    assert_int_equal(a.totals.waiting, 10);
    assert_int_equal(a.totals.priority, 3);
    assert_int_equal(a.totals.settings.max_attempts, 5);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs WHERE state = 'waiting' AND "
                                  "data_seed = seed AND epochs = 3 AND learning_rate = 0.005 AND "
                                  "task = 'modular_addition' AND length(config_hash) = 64"),
                     10);
    assert_int_equal(help_int(&h, "SELECT count(DISTINCT setting) FROM runs"), 1);
    assert_string_equal(help_text(&h, "SELECT created_at FROM sweeps"), "2026-01-31T12:00:00.000Z");
    assert_string_equal(help_text(&h, "SELECT text FROM events"), "sweep 1: 10 runs");
    help_close(&h);
}

void test_the_same_sweep_twice_adds_nothing_even_after_a_restart(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 4, 0)));
    struct save_answer a = help_one(&h, help_sweep(2, help_spec("demo", 4, 0)));
    assert_int_equal(a.added, 0);
    assert_int_equal(a.sweep, 1);
    help_reopen(&h);
    assert_int_equal(h.state.next_sweep, 2);
    a = help_one(&h, help_sweep(2, help_spec("demo", 4, 0)));
    assert_int_equal(a.sweep, 1);
    assert_int_equal(a.totals.waiting, 4);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM sweeps"), 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs"), 4);
    help_close(&h);
}

void test_a_bad_sweep_is_refused_with_its_reason_and_stores_nothing(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    char *bad = strdup("method: grid\nparameters:\n  sead: {value: 1}\n");
    struct save_answer a = help_one(&h, help_sweep(1, bad));
    assert_int_equal(a.verdict, VERDICT_REFUSED);
    assert_non_null(strstr(a.reason, "sead"));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM sweeps"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs"), 0);
    help_close(&h);
}

/* Two hundred draws from eight points. */
void test_a_configuration_that_is_drawn_twice_is_one_run(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    struct save_answer a = help_one(
        &h, help_sweep(1, strdup("method: random\nrun_cap: 200\nparameters:\n"
                                 "  weight_multiplier: {values: [0.1, 10]}\n"
                                 "  seed: {values: [0, 1]}\n  data_seed: {values: [0, 1]}\n"
                                 "grokd: {sample_seed: 1}\n")));
    assert_int_equal(a.added, 8);
    assert_int_equal(a.totals.waiting, 8);
    assert_int_equal(help_int(&h, "SELECT count(DISTINCT config_hash) FROM runs"), 8);
    assert_int_equal(help_int(&h, "SELECT count(DISTINCT setting) FROM runs"), 2);
    assert_int_equal(
        help_int(&h, "SELECT count(*) FROM (SELECT DISTINCT weight_multiplier, seed, data_seed, "
                     "init_seed FROM runs WHERE init_seed = seed)"),
        8);
    help_close(&h);
}

void test_settings_part_runs_by_everything_but_their_seeds(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    char *spec = strdup("method: grid\nparameters:\n  seed: {values: [1, 2, 3]}\n"
                        "  weight_multiplier: {values: [0.1, 10]}\n");
    help_one(&h, help_sweep(1, spec));
    assert_int_equal(help_int(&h, "SELECT count(DISTINCT setting) FROM runs"), 2);
    assert_int_equal(help_int(&h, "SELECT count(DISTINCT weight_multiplier) FROM runs "
                                  "GROUP BY setting ORDER BY 1 DESC"),
                     1);
    help_close(&h);
}

/* ---- what people ask for ---- */

void test_failed_runs_wait_again_and_their_sweep_with_them(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 2);
    help_one(&h, help_assign(2, 1, 1));
    struct save failed = help_end(1, 1, "failed", RUN_FAILED);
    failed.failures = 3;
    help_one(&h, failed);
    help_rows(&h, 2, 1, 0, 3);
    help_one(&h, help_end(2, 1, "finished", RUN_FINISHED));
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "done");
    struct save retry = {.kind = SAVE_RETRY, .sweep = 1, .at_ms = HELP_AT};
    struct save_answer a = help_one(&h, retry);
    assert_int_equal(a.added, 1);
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "active");
    assert_string_equal(help_text(&h, "SELECT state || failures || ifnull(finished_at, '-') FROM "
                                      "runs WHERE run_id = 1"),
                        "waiting0-");
    a = help_one(&h, retry);
    assert_int_equal(a.added, 0);
    assert_int_equal(a.totals.waiting, 1);
    assert_int_equal(a.totals.finished, 1);
    retry.sweep = 7;
    assert_int_equal(help_one(&h, retry).verdict, VERDICT_REFUSED);
    help_close(&h);
}

void test_a_cancelled_sweep_takes_its_waiting_runs_along(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 3);
    struct save cancel = {.kind = SAVE_SWEEP_STATE, .sweep = 1, .sweep_state = SWEEP_CANCELLED};
    struct save_answer a = help_one(&h, cancel);
    assert_int_equal(a.totals.cancelled, 2);
    assert_int_equal(a.totals.running, 1);
    struct save run = {.kind = SAVE_CANCEL, .run = 1, .at_ms = HELP_AT};
    snprintf(run.reason, sizeof run.reason, "its sweep was cancelled");
    assert_int_equal(help_one(&h, run).verdict, VERDICT_STORED);
    assert_int_equal(help_one(&h, run).verdict, VERDICT_STALE);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs WHERE state = 'cancelled'"), 3);
    assert_string_equal(help_text(&h, "SELECT outcome FROM attempts"), "cancelled");
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "cancelled");
    assert_int_equal(help_rows(&h, 1, 1, 0, 0).verdict, VERDICT_STALE);
    cancel.sweep = 4;
    assert_int_equal(help_one(&h, cancel).verdict, VERDICT_REFUSED);
    help_close(&h);
}

/* More than one statement changes: they go in parts, so that no part needs much memory. */
void test_a_large_sweep_is_cancelled_and_tried_again_whole(void **state)
{
    (void)state;
    struct help h;
    enum { RUNS = 10500 };
    struct save cancel = {.kind = SAVE_SWEEP_STATE, .sweep = 1, .sweep_state = SWEEP_CANCELLED};
    struct save retry = {.kind = SAVE_RETRY, .sweep = 1, .revive = true, .at_ms = HELP_AT};
    help_open_run(&h, RUNS);
    struct save_answer a = help_one(&h, cancel);
    assert_int_equal(a.totals.cancelled, RUNS - 1);
    sqlite3 *writer;
    store_close(&h.store);
    assert_int_equal(sqlite3_open(h.path, &writer), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(writer, "UPDATE runs SET state = 'failed', failures = 3", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(writer);
    help_reopen(&h);
    a = help_one(&h, retry);
    assert_int_equal(a.added, RUNS);
    assert_int_equal(a.totals.waiting, RUNS);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs WHERE failures = 0"), RUNS);
    help_close(&h);
}

void test_a_cancelled_sweep_is_tried_again_only_when_it_may_be_revived(void **state)
{
    (void)state;
    struct help h;
    struct save cancel = {.kind = SAVE_SWEEP_STATE, .sweep = 1, .sweep_state = SWEEP_CANCELLED};
    struct save retry = {.kind = SAVE_RETRY, .sweep = 1, .at_ms = HELP_AT};
    help_open_run(&h, 2);
    help_one(&h, help_end(1, 1, "failed", RUN_FAILED));
    help_one(&h, cancel);
    assert_int_equal(help_one(&h, retry).added, 0);
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "cancelled");
    retry.revive = true;
    assert_int_equal(help_one(&h, retry).added, 1);
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "active");
    help_close(&h);
}
