// SPDX-License-Identifier: MIT
/* Tests of the store with a real database: what each save does, once, and what is refused. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct save_answer send_row(struct help *h, int64_t run, int64_t attempt, struct row *r)
{
    return help_one(h, help_epochs(run, attempt, r, 1));
}

/* ---- fetching ---- */

void test_waiting_runs_come_by_priority_then_number_from_active_sweeps_only(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    struct save saves[] = {
        help_sweep(1, help_spec("low", 2, 0)),
        help_sweep(2, help_spec("high", 2, 5)),
        help_sweep(3, help_spec("paused", 2, 9)),
        help_sweep(4, help_spec("low too", 2, 0)),
        {.kind = SAVE_SWEEP_STATE, .sweep = 3, .sweep_state = SWEEP_PAUSED, .at_ms = HELP_AT},
        help_worker(1),
        help_assign(4, 1, 1),
        {.kind = SAVE_FETCH, .count = 4},
    };
    struct store_result r = help_store(&h, saves, COUNT(saves));
    const struct save_answer *a = &r.answers[r.answer_count - 1];
    static const int64_t runs[] = {3, 1, 2, 7}, sweeps[] = {2, 1, 1, 4};
    assert_int_equal(a->run_count, COUNT(runs));
    for (size_t i = 0; i < COUNT(runs); i++) {
        assert_int_equal(a->runs[i].run, runs[i]);
        assert_int_equal(a->runs[i].sweep, sweeps[i]);
        assert_int_equal(a->runs[i].epochs_done, -1);
        assert_int_equal(a->runs[i].attempt, 0);
        assert_int_equal(a->runs[i].params.epochs, 3);
    }
    assert_int_equal(a->runs[2].params.seed, 1);
    assert_int_equal(a->runs[2].params.order_seed, 1);
    store_result_free(&r);
    help_close(&h);
}

void test_parameters_come_back_to_the_bit(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    char *spec = strdup("method: grid\nparameters:\n  learning_rate: {value: 0.1000000000000001}\n"
                        "  seed: {value: 9223372036854775807}\n  shuffle: {value: true}\n"
                        "  weight_decay: {value: 1e-300}\n");
    struct save saves[] = {help_sweep(1, spec), {.kind = SAVE_FETCH, .count = 10}};
    struct store_result r = help_store(&h, saves, COUNT(saves));
    assert_int_equal(r.answer_count, 2);
    assert_int_equal(r.answers[1].run_count, 1);
    const struct params *p = &r.answers[1].runs[0].params;
    assert_true(p->learning_rate == 0.1000000000000001);
    assert_true(p->weight_decay == 1e-300);
    assert_true(p->seed == INT64_MAX && p->init_seed == INT64_MAX);
    assert_true(p->shuffle);
    store_result_free(&r);
    help_close(&h);
}

/* ---- the life of a run ---- */

void test_a_run_lives_through_its_attempts_to_its_summary(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    assert_int_equal(help_rows(&h, 1, 1, 0, 1).epoch, 1);
    struct save lost = help_end(1, 1, "lost", RUN_WAITING);
    lost.losses = 1;
    lost.text = strdup("last words");
    snprintf(lost.reason, sizeof lost.reason, "its worker was lost");
    assert_int_equal(help_one(&h, lost).verdict, VERDICT_STORED);
    assert_string_equal(help_text(&h, "SELECT state || losses || reason FROM runs"),
                        "waiting1its worker was lost");
    assert_string_equal(help_text(&h, "SELECT outcome || ':' || reason FROM attempts"),
                        "lost:its worker was lost\nlast words");
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "active");

    help_one(&h, help_assign(1, 2, 1));
    assert_int_equal(help_rows(&h, 1, 2, 1, 3).epoch, 3);
    assert_int_equal(help_one(&h, help_end(1, 2, "finished", RUN_FINISHED)).epoch, 3);
    assert_string_equal(help_text(&h, "SELECT state || attempt || ifnull(reason, '-') || "
                                      "ifnull(worker_id, '-') FROM runs"),
                        "finished2--");
    assert_string_equal(help_text(&h, "SELECT from_epoch || '-' || to_epoch || ' ' || seconds "
                                      "|| ended_at FROM attempts WHERE attempt = 2"),
                        "1-3 1.52026-01-31T12:01:00.000Z");
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "done");
    assert_int_equal(help_int(&h, "SELECT last_epoch FROM summaries WHERE run_id = 1"), 3);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM summaries JOIN epochs USING (run_id) WHERE "
                                  "epoch = 3 AND final_test_loss = test_loss AND "
                                  "compressibility_final = compressibility"),
                     1);
    help_close(&h);
}

void test_every_value_is_stored_in_its_column(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row r = help_row(1, 0);
    struct pruning_point points[] = {{"layer", "", 0, 0.5, 1.25}, {"layer", "", 0.05, 0.25, NAN}};
    r.pruning = points;
    r.pruning_count = 2;
    assert_int_equal(send_row(&h, 1, 1, &r).verdict, VERDICT_STORED);
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *m = &metric_list[i];
        char sql[256];
        if (m->kind == METRIC_RULE) continue;
        snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE run_id = 1 AND epoch = 0", m->name,
                 m->table == METRIC_TABLE_epochs ? "epochs" : "geometry");
        double stored = help_real(&h, sql);
        if (stored != r.value[i]) fail_msg("%s: %.17g, not %.17g", sql, stored, r.value[i]);
    }
    assert_string_equal(help_text(&h, "SELECT compressibility_rule FROM epochs"), "trapezoid 21");
    assert_string_equal(help_text(&h, "SELECT group_concat(fraction || '/' || accuracy || '/' || "
                                      "ifnull(loss, '-')) FROM pruning"),
                        "0.0/0.5/1.25,0.05/0.25/-");
    help_close(&h);
}

/* What a worker may send for a number that the table keeps as a text. */
void test_a_rule_that_is_none_is_stored_as_such(void **state)
{
    (void)state;
    static const double odd[] = {INFINITY, -INFINITY, 1e300};
    struct help h;
    help_open_run(&h, 1);
    for (int i = 0; i < 3; i++) {
        struct row row = help_row(1, i);
        row.value[METRIC_compressibility_rule] = odd[i];
        assert_int_equal(send_row(&h, 1, 1, &row).verdict, VERDICT_STORED);
    }
    assert_string_equal(
        help_text(&h, "SELECT group_concat(DISTINCT compressibility_rule) FROM epochs"), "unknown");
    help_close(&h);
}

void test_what_was_not_measured_is_null_and_has_no_geometry(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row r;
    row_clear(&r, 0);
    r.value[METRIC_train_loss] = 4.7;
    send_row(&h, 1, 1, &r);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE train_loss = 4.7 AND "
                                  "test_loss IS NULL AND compressibility_rule IS NULL"),
                     1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM geometry"), 0);
    help_close(&h);
}

/* ---- once ---- */

void test_an_attempt_that_is_not_the_current_one_is_stale(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 2);
    help_rows(&h, 1, 1, 0, 1);
    help_one(&h, help_end(1, 1, "lost", RUN_WAITING));
    assert_int_equal(help_rows(&h, 1, 1, 2, 2).verdict, VERDICT_STALE);
    help_one(&h, help_assign(1, 2, 1));
    assert_int_equal(help_rows(&h, 1, 1, 2, 2).verdict, VERDICT_STALE);
    assert_int_equal(help_rows(&h, 1, 3, 2, 2).verdict, VERDICT_STALE);
    assert_int_equal(help_one(&h, help_end(1, 1, "finished", RUN_FINISHED)).verdict, VERDICT_STALE);
    assert_int_equal(help_rows(&h, 99, 1, 0, 0).verdict, VERDICT_STALE);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 2);
    assert_string_equal(help_text(&h, "SELECT state FROM runs WHERE run_id = 1"), "running");
    assert_int_equal(help_rows(&h, 1, 2, 2, 2).verdict, VERDICT_STORED);
    help_close(&h);
}

void test_a_replay_that_is_equal_changes_nothing(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row r = help_row(1, 0);
    struct pruning_point point = {"layer", "", 0.5, 0.25, 2};
    r.pruning = &point;
    r.pruning_count = 1;
    r.value[METRIC_cos_origin_euclid] = -0.0;
    assert_int_equal(send_row(&h, 1, 1, &r).verdict, VERDICT_STORED);
    r.value[METRIC_seconds] = 77;
    struct save_answer a = send_row(&h, 1, 1, &r);
    assert_int_equal(a.verdict, VERDICT_STORED);
    assert_int_equal(a.epoch, 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE seconds <> 77"), 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'differs'"), 0);
    help_close(&h);
}

void test_one_bit_in_any_value_is_a_difference_and_stores_nothing_new(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 0);
    int64_t events = 0, attempt = 1;
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (metric_list[i].kind == METRIC_TIMING) continue;
        struct row rows[] = {help_row(1, 0), help_row(1, 1)};
        rows[0].value[i] = metric_list[i].kind == METRIC_RULE ? 22 : nextafter(rows[0].value[i], 9);
        struct save_answer a = help_one(&h, help_epochs(1, attempt, rows, 2));
        assert_int_equal(a.verdict, VERDICT_DIFFERS);
        attempt = help_again(&h, 1);
        if (!strstr(a.reason, metric_list[i].name))
            fail_msg("no %s: %s", metric_list[i].name, a.reason);
        assert_non_null(strstr(a.reason, "epoch 0"));
        events++;
    }
    assert_int_equal(
        help_int(&h, "SELECT count(*) FROM events WHERE kind = 'differs' AND run_id = 1"), events);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 1);
    assert_int_equal(help_int(&h, "SELECT epochs_done FROM runs"), 0);
    help_close(&h);
}

void test_a_value_that_appears_or_vanishes_is_a_difference(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row bare;
    row_clear(&bare, 0);
    bare.value[METRIC_train_loss] = 1;
    send_row(&h, 1, 1, &bare);
    struct row more = bare;
    more.value[METRIC_step_euclid] = 0.5;
    struct save_answer a = send_row(&h, 1, 1, &more);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_string_equal(
        a.reason, "not reproducible: epoch 0: step_euclid was stored as nothing and is now 0.5");
    bare.value[METRIC_train_loss] = NAN;
    a = send_row(&h, 1, help_again(&h, 1), &bare);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_string_equal(a.reason,
                        "not reproducible: epoch 0: train_loss was stored as 1 and is now nothing");
    help_close(&h);
}

/* What was on its way behind a difference is not stored, nor after a restart in between. */
void test_nothing_that_an_attempt_says_behind_a_difference_is_stored(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 1);
    int64_t attempt = help_again(&h, 1);
    struct row wrong = help_row(1, 1), next = help_row(1, 2);
    wrong.value[METRIC_train_loss] += 1;
    struct save two[] = {help_epochs(1, attempt, &wrong, 1), help_epochs(1, attempt, &next, 1)};
    struct store_result r = help_store(&h, two, 2);
    assert_int_equal(r.answers[0].verdict, VERDICT_DIFFERS);
    assert_int_equal(r.answers[1].verdict, VERDICT_STALE);
    store_result_free(&r);
    help_reopen(&h);
    assert_int_equal(help_rows(&h, 1, attempt, 0, 2).verdict, VERDICT_STALE);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 2);
    assert_int_equal(help_int(&h, "SELECT epochs_done FROM runs"), 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'differs'"), 1);
    help_close(&h);
}

/* In the transaction that found it: whoever dies behind it, no other attempt begins. */
void test_a_difference_fails_its_run_and_ends_its_sweep_at_once(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 1);
    int64_t attempt = help_again(&h, 1);
    struct row wrong = help_row(1, 1);
    wrong.value[METRIC_train_loss] += 1;
    assert_int_equal(send_row(&h, 1, attempt, &wrong).verdict, VERDICT_DIFFERS);
    help_reopen(&h);
    assert_int_equal(help_one(&h, help_end(1, attempt, "lost", RUN_WAITING)).verdict,
                     VERDICT_STALE);
    assert_string_equal(help_text(&h, "SELECT state || failures FROM runs"), "failed1");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs JOIN attempts USING (run_id, attempt) "
                                  "WHERE runs.reason = attempts.reason AND outcome = 'failed' "
                                  "AND runs.reason LIKE 'not reproducible: epoch 1: train_loss%'"),
                     1);
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps"), "done");
    help_close(&h);
}

void test_a_pruning_curve_is_compared_point_by_point(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct pruning_point points[] = {{"layer", "", 0, 1, 2}, {"layer", "", 0.5, 0.25, 3}};
    struct row r = help_row(1, 0);
    r.pruning = points;
    r.pruning_count = 2;
    send_row(&h, 1, 1, &r);
    assert_int_equal(send_row(&h, 1, 1, &r).verdict, VERDICT_STORED);
    points[1].loss = nextafter(3, 4);
    assert_int_equal(send_row(&h, 1, 1, &r).verdict, VERDICT_DIFFERS);
    points[1].loss = 3;
    points[1].fraction = 0.55;
    struct save_answer a = send_row(&h, 1, help_again(&h, 1), &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "fraction 0.55 was stored as nothing"));
    r.pruning_count = 1;
    a = send_row(&h, 1, help_again(&h, 1), &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "2 points"));
    help_close(&h);
}

void test_an_epoch_whose_forerunner_is_missing_is_a_gap(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    assert_int_equal(help_rows(&h, 1, 1, 1, 2).verdict, VERDICT_GAP);
    assert_int_equal(help_rows(&h, 1, 1, 0, 1).verdict, VERDICT_STORED);
    struct save_answer a = help_rows(&h, 1, 1, 3, 3);
    assert_int_equal(a.verdict, VERDICT_GAP);
    assert_string_equal(a.reason, "epoch 2 was never stored");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 2);
    assert_int_equal(help_rows(&h, 1, 1, 0, 3).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 4);
    help_close(&h);
}

/* ---- workers and events ---- */

void test_workers_come_and_go(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    struct save gone = {.kind = SAVE_WORKER_GONE, .worker = 1, .at_ms = HELP_AT + 1};
    snprintf(gone.reason, sizeof gone.reason, "quarantined");
    struct save seen = {.kind = SAVE_WORKER_SEEN, .worker = 2, .at_ms = HELP_AT + 2};
    struct save saves[] = {help_worker(1), help_worker(2), gone, seen};
    struct store_result r = help_store(&h, saves, COUNT(saves));
    store_result_free(&r);
    assert_string_equal(help_text(&h, "SELECT group_concat(state || slots || host) FROM workers"),
                        "quarantined8node7,connected8node7");
    assert_string_equal(help_text(&h, "SELECT group_concat(substr(last_seen_at, 20)) FROM workers"),
                        ".001Z,.002Z");
    help_reopen(&h);
    assert_int_equal(h.state.next_worker, 3);
    assert_string_equal(help_text(&h, "SELECT state FROM workers WHERE worker_id = 2"), "lost");
    help_close(&h);
}

void test_events_say_what_happened(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    struct save s = {.kind = SAVE_EVENT, .run = 4, .at_ms = HELP_AT, .text = strdup("it happened")};
    snprintf(s.blas.family, sizeof s.blas.family, "hung");
    help_one(&h, s);
    assert_string_equal(help_text(&h, "SELECT at || kind || run_id || ifnull(worker_id, '-') || "
                                      "text FROM events"),
                        "2026-01-31T12:00:00.000Zhung4-it happened");
    help_close(&h);
}

/* ---- restart ---- */

void test_a_restart_knows_sweeps_and_running_runs(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 3);
    help_rows(&h, 1, 1, 0, 2);
    help_reopen(&h);
    assert_int_equal(h.state.next_sweep, 2);
    assert_int_equal(h.state.next_worker, 2);
    assert_int_equal(h.state.sweep_count, 1);
    assert_int_equal(h.state.sweeps[0].waiting, 2);
    assert_int_equal(h.state.sweeps[0].running, 1);
    assert_int_equal(h.state.sweeps[0].settings.max_attempts, 5);
    assert_int_equal(h.state.running_count, 1);
    const struct save_run *r = &h.state.running[0];
    assert_int_equal(r->run, 1);
    assert_int_equal(r->attempt, 1);
    assert_int_equal(r->worker, 1);
    assert_string_equal(r->holder, help_text(&h, "SELECT uuid FROM workers"));
    assert_int_equal(r->epochs_done, 2);
    assert_string_equal(r->blas.family, "Haswell");
    assert_int_equal(help_rows(&h, 1, 1, 2, 3).verdict, VERDICT_STORED);
    help_close(&h);
}

void test_a_run_keeps_the_kernels_of_its_first_epochs(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 0);
    help_one(&h, help_end(1, 1, "lost", RUN_WAITING));
    struct save again = help_assign(1, 2, 1);
    snprintf(again.blas.family, sizeof again.blas.family, "Zen");
    help_one(&h, again);
    assert_string_equal(help_text(&h, "SELECT blas FROM runs"), "Haswell");
    assert_string_equal(help_text(&h, "SELECT blas FROM attempts WHERE attempt = 2"), "Zen");
    help_close(&h);
}

void test_counts_are_taken_back_of_runs_that_are_not_over(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 2);
    struct save ended[] = {help_end(1, 1, "failed", RUN_WAITING), help_assign(2, 1, 1),
                           help_end(2, 1, "failed", RUN_FAILED)};
    for (size_t i = 0; i < COUNT(ended); i++) ended[i].failures = ended[i].losses = 3;
    struct store_result r = help_store(&h, ended, COUNT(ended));
    store_result_free(&r);
    struct save forgive[] = {{.kind = SAVE_FORGIVE, .run = 1, .failures = 1, .losses = 4},
                             {.kind = SAVE_FORGIVE, .run = 2, .failures = 1, .losses = 1},
                             {.kind = SAVE_FETCH, .count = 1}};
    r = help_store(&h, forgive, COUNT(forgive));
    assert_int_equal(r.answer_count, 1);
    assert_int_equal(r.answers[0].runs[0].failures, 2);
    assert_int_equal(r.answers[0].runs[0].losses, 0);
    assert_int_equal(help_int(&h, "SELECT failures + losses FROM runs WHERE run_id = 2"), 6);
    store_result_free(&r);
    help_close(&h);
}
