// SPDX-License-Identifier: MIT
/* Tests of what is said of a sweep as a whole: against SQL over the same rows, at the sweep's end,
 * on demand, and after a restart. */
#include "coordinator/store_aggregate.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Until nothing is due any more. */
static void settle(struct help *h)
{
    struct err e;
    struct store_result r = {.busy = true};
    struct pollfd p = {.fd = store_fd(h->store), .events = POLLIN};
    while (help_int(h, "SELECT count(*) FROM sweeps WHERE aggregate_due > 0") && r.busy) {
        assert_int_equal(poll(&p, 1, 60000), 1);
        if (store_collect(h->store, &r, &e) < 0) fail_msg("%s", e.text);
        store_result_free(&r);
    }
    assert_int_equal(help_int(h, "SELECT count(*) FROM sweeps WHERE aggregate_due > 0"), 0);
}

static void aggregate(struct help *h, int64_t sweep)
{
    struct save s = {.kind = SAVE_AGGREGATE, .sweep = sweep, .count = sweep, .at_ms = HELP_AT};
    struct store_result r = help_store(h, &s, 1);
    store_result_free(&r);
    settle(h);
}

/* Sweep 1: three values of weight_multiplier, four seeds, epochs 0..3, all finished. */
static char *spec_of(void)
{
    return strdup(
        "name: demo\nmethod: grid\nparameters:\n  weight_multiplier: {values: [0.1, 0.4, 0.8, 2]}\n"
        "  seed: {min: 0, max: 3}\n  epochs: {value: 3}\n");
}

enum { RUNS = 16 };

static void run_all(struct help *h)
{
    help_one(h, help_sweep(1, spec_of()));
    help_one(h, help_worker(1));
    for (int64_t run = 1; run <= RUNS; run++) {
        struct row rows[4];
        for (int64_t epoch = 0; epoch < 4; epoch++) {
            rows[epoch] = help_row(run, epoch);
            if (epoch == 2) rows[epoch].value[METRIC_compressibility] = NAN;
            if (run % 5 == 1) rows[epoch].value[METRIC_step_fisher] = NAN;
        }
        rows[3].value[METRIC_train_loss] = 0.01 + 0.001 * (double)(run * run % 7);
        rows[3].value[METRIC_compressibility] = 4 + 0.1 * (double)(run * run % 7 + run % 3);
        help_one(h, help_assign(run, 1, 1));
        help_one(h, help_epochs(run, 1, rows, 4));
        help_one(h, help_end(run, 1, "finished", RUN_FINISHED));
    }
}

static void is_nothing(const struct help *h, const char *sql)
{
    int64_t n = help_int(h, sql);
    if (n) fail_msg("%lld rows: %s", (long long)n, sql);
}

/* Every measure of both tables that some seed has, and no other row; values as SQL finds them. */
static void means_are_those_of_sql(const struct help *h)
{
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);
    int measures = 0;
    fprintf(out, "SELECT count(*) FROM (SELECT NULL AS wrong WHERE 0");
    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *x = metric_list[i].name;
        if (metric_list[i].kind != METRIC_VALUE) continue;
        /* All are treated alike; two have values that are missing. */
        if (measures++ % 16 && i != METRIC_compressibility && i != METRIC_step_fisher) continue;
        fprintf(out,
                " UNION ALL SELECT 1 FROM (SELECT sweep_id, setting, epoch, avg(%s) AS mean, "
                "sqrt((avg(%s * %s) - avg(%s) * avg(%s)) / (count(%s) - 1)) AS error, count(%s) AS "
                "n FROM runs JOIN %s USING (run_id) GROUP BY 1, 2, 3) AS x LEFT JOIN seed_stats AS "
                "y ON y.sweep_id = x.sweep_id AND y.setting = x.setting AND y.epoch = x.epoch AND "
                "measure = '%s' WHERE n > 0 AND (abs(y.mean - x.mean) < 1e-12 AND "
                "abs(y.error - x.error) < 1e-7 AND y.count = n) IS NOT TRUE",
                x, x, x, x, x, x, x,
                metric_list[i].table == METRIC_TABLE_epochs ? "epochs" : "geometry", x);
    }
    fprintf(out, ")");
    fclose(out);
    is_nothing(h, sql);
    free(sql);
    assert_int_equal(help_int(h, "SELECT count(*) FROM seed_stats"), 4 * 4 * measures - 4);
}

/* Textbook sums; regimes by weight_multiplier, 0.8 belongs to neither. */
static void the_trade_off_is_that_of_sql(const struct help *h)
{
    is_nothing(
        h, "WITH p AS (SELECT CASE WHEN weight_multiplier <= 0.4 THEN 'low' ELSE 'high' END AS "
           "regime, final_train_loss AS x, compressibility_final AS y FROM run_summary WHERE "
           "weight_multiplier <> 0.8), q AS (SELECT regime, count(*) AS n, sum((x - mx) * (x - "
           "mx)) AS xx, sum((x - mx) * (y - my)) AS xy, sum((y - my) * (y - my)) AS yy, mx, my "
           "FROM p JOIN (SELECT regime, avg(x) AS mx, avg(y) AS my FROM p GROUP BY regime) "
           "USING (regime) GROUP BY regime) SELECT count(*) FROM q LEFT JOIN tradeoff AS t USING "
           "(regime) WHERE (t.runs = n AND n = CASE regime WHEN 'low' THEN 8 ELSE 4 END AND "
           "abs(slope - xy / xx) < 1e-7 AND abs(intercept - my + xy / xx * mx) < 1e-9 AND "
           "abs(r2 - xy * xy / xx / yy) < 1e-9 AND slope_from < slope AND abs((slope_to - "
           "slope_from) / 2 - CASE n WHEN 8 THEN 2.44691185 ELSE 4.30265273 END * sqrt((yy - xy "
           "* xy / xx) / (n - 2) / xx)) < 1e-5) IS NOT TRUE");
}

/* Finished runs of sweep 1, each with its own loss and c = slope * loss + 3, slope 10 for batches
 * of 64, -20 for others. */
static void run_lines(struct help *h, const char *axis, int64_t runs)
{
    char *spec = NULL;
    assert_true(asprintf(&spec,
                         "name: lines\nmethod: grid\nparameters:\n  seed: {min: 0, max: 3}\n"
                         "  epochs: {value: 1}\n%s\n",
                         axis) > 0);
    help_one(h, help_sweep(1, spec));
    help_one(h, help_worker(1));
    for (int64_t run = 1; run <= runs; run++) {
        struct row rows[2] = {help_row(run, 0), help_row(run, 1)};
        char sql[96];
        snprintf(sql, sizeof sql, "SELECT batch_size = 64 FROM runs WHERE run_id = %d", (int)run);
        double loss = 0.01 * (double)run, slope = help_int(h, sql) ? 10 : -20;
        rows[1].value[METRIC_train_loss] = loss;
        rows[1].value[METRIC_compressibility] = slope * loss + 3;
        help_one(h, help_assign(run, 1, 1));
        help_one(h, help_epochs(run, 1, rows, 2));
        help_one(h, help_end(run, 1, "finished", RUN_FINISHED));
    }
    settle(h);
}

#define LINES                                                                                      \
    "SELECT group_concat(varied || '|' || regime || '|' || runs || '|' || round(slope, 6), ' ') "  \
    "FROM (SELECT * FROM tradeoff ORDER BY varied, regime)"

void test_settings_that_differ_in_more_than_the_weights_have_lines_of_their_own(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    run_lines(&h,
              "  batch_size: {values: [64, 200]}\n  weight_multiplier: {values: [0.1, 2]}\n"
              "  weight_decay: {value: 1e-4}\n  learning_rate: {values: [0.001]}",
              16);
    assert_string_equal(help_text(&h, LINES),
                        "batch_size=200|high|4|-20.0 batch_size=200|low|4|-20.0 "
                        "batch_size=64|high|4|10.0 batch_size=64|low|4|10.0");
    aggregate(&h, 1); /* anew: the same rows */
    assert_int_equal(help_int(&h, "SELECT count(*) FROM tradeoff"), 4);
    help_close(&h);
    help_open(&h);
    run_lines(&h, "  init_seed: {values: [1, 2]}\n  weight_multiplier: {value: 0.1}", 8);
    assert_string_equal(help_text(&h, LINES), "|low|8|10.0");
    help_close(&h);
}

/* A sweep over `settings` hidden layers of its own, one run each, as if all had finished. */
static void finish_all(struct help *h, int64_t settings)
{
    char *spec = NULL;
    sqlite3 *db;
    assert_true(asprintf(&spec,
                         "name: all\nmethod: grid\nparameters:\n  hidden: {min: 1, max: %d}\n"
                         "  weight_multiplier: {value: 0.1}\n",
                         (int)settings) > 0);
    help_one(h, help_sweep(1, spec));
    assert_int_equal(sqlite3_open(h->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO summaries (run_id, last_epoch, final_train_loss, "
                                  "compressibility_final) SELECT run_id, 1, 1, 1 FROM runs",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    aggregate(h, 1);
}

/* Where nearly every run has a setting of its own there is no line to be drawn. */
void test_of_more_settings_than_are_worth_a_table_there_is_none_and_that_is_said(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    finish_all(&h, AGGREGATE_TRADES);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM tradeoff"), AGGREGATE_TRADES);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'tradeoff'"), 0);
    help_close(&h);
    help_open(&h);
    finish_all(&h, AGGREGATE_TRADES + 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM tradeoff"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'tradeoff'"), 1);
    help_close(&h);
}

void test_a_sweep_that_ends_gets_its_statistics_and_they_are_those_of_sql(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    run_all(&h);
    settle(&h);
    assert_string_equal(help_text(&h, "SELECT state FROM sweeps WHERE aggregated_at IS NOT NULL"),
                        "done");
    means_are_those_of_sql(&h);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM tradeoff"), 2);
    the_trade_off_is_that_of_sql(&h);
    help_close(&h);
}

void test_a_sweep_under_way_has_them_on_demand_and_anew(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 3);
    help_rows(&h, 1, 1, 0, 1);
    aggregate(&h, 1);
    assert_int_equal(help_int(&h, "SELECT max(epoch) FROM seed_stats"), 1);
    assert_int_equal(help_int(&h, "SELECT max(count) FROM seed_stats"), 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM seed_stats WHERE error IS NOT NULL"), 0);
    help_rows(&h, 1, 1, 2, 3);
    help_one(&h, help_assign(2, 1, 1));
    help_rows(&h, 2, 1, 0, 0);
    aggregate(&h, 1);
    assert_int_equal(help_int(&h, "SELECT max(epoch) FROM seed_stats"), 3);
    assert_int_equal(help_int(&h, "SELECT max(epoch) FROM seed_stats WHERE count = 2"), 0);
    aggregate(&h, 7); /* there is none: nothing happens */
    help_close(&h);
}

/* The end of the plateau of a run whose test accuracy is 0.017, 0.1, 1 at epochs 2 to 4: the first
 * above twice chance. classes: of its evaluation, 0: it names none. */
static int64_t plateau_end(const char *operation, uint32_t classes)
{
    static const double accuracy[] = {0, 0, 0.017, 0.1, 1};
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const float sketch[SKETCH_ROWS];
    struct help h;
    struct row rows[5];
    char *spec = NULL;
    help_open(&h);
    assert_true(asprintf(&spec,
                         "name: s\nmethod: grid\nparameters:\n  epochs: {value: 4}\n"
                         "  operation: {value: %s}\n",
                         operation) > 0);
    help_one(&h, help_sweep(1, spec));
    help_one(&h, help_worker(1));
    help_one(&h, help_assign(1, 1, 1));
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        rows[epoch] = help_row(1, epoch);
        rows[epoch].value[METRIC_train_accuracy] = epoch > 0;
        rows[epoch].value[METRIC_test_accuracy] = accuracy[epoch];
    }
    if (classes) rows[0].evaluation = (struct evaluation){hash, 10, classes, sketch, sketch};
    help_one(&h, help_epochs(1, 1, rows, 5));
    help_one(&h, help_end(1, 1, "finished", RUN_FINISHED));
    int64_t end = help_int(&h, "SELECT t_plateau_end FROM summaries");
    help_close(&h);
    return end;
}

void test_chance_is_that_of_the_classes_there_are(void **state)
{
    (void)state;
    assert_int_equal(plateau_end("addition", 0), 3); /* of 113: 0.0177 */
    assert_int_equal(plateau_end("addition", 113), 3);
    assert_int_equal(plateau_end("s5", 120), 2); /* 0.0167, whatever the modulus */
    assert_int_equal(plateau_end("s5", 0), 2);
    assert_int_equal(plateau_end("addition", 7), 4); /* 0.29 */
}

/* A mark without its work: the process was killed in between. */
void test_what_was_due_is_written_after_a_restart(void **state)
{
    (void)state;
    struct help h;
    char command[256];
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 3);
    store_close(&h.store);
    snprintf(command, sizeof command, "sqlite3 %s 'UPDATE sweeps SET aggregate_due = 2'", h.path);
    assert_int_equal(system(command), 0);
    help_reopen(&h);
    settle(&h);
    assert_true(help_int(&h, "SELECT count(*) FROM seed_stats") > 0);
    help_close(&h);
}

/* It is stored as NULL, and said once for each measure of a run. */
void test_what_is_not_a_number_has_an_event(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row rows[3];
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        rows[epoch] = help_row(1, epoch);
        if (epoch > 0) rows[epoch].value[METRIC_test_loss] = NAN;
    }
    rows[2].value[METRIC_test_accuracy] = NAN;
    rows[2].value[METRIC_compressibility] = NAN; /* may be missing */
    help_one(&h, help_epochs(1, 1, rows, 3));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE test_loss IS NULL"), 2);
    assert_string_equal(help_text(&h, "SELECT group_concat(substr(text, 1, 26), '; ') FROM events "
                                      "WHERE kind = 'not_finite' AND run_id = 1"),
                        "epoch 1: test_loss is not ; epoch 2: test_accuracy is ");
    help_close(&h);
}
