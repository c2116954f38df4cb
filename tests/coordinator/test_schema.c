// SPDX-License-Identifier: MIT
/* Tests of the tables: every column of the lists is there, explained, and the views answer. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int columns_named(const struct help *h, const char *table, const char *column)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
             table, column);
    return (int)help_int(h, sql);
}

void test_every_column_of_the_lists_is_there(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    for (int i = 0; i < PARAM_COUNT; i++) {
        assert_int_equal(columns_named(&h, "runs", param_list[i].name), 1);
        assert_int_equal(columns_named(&h, "run_summary", param_list[i].name), 1);
    }
    for (int i = 0; i < METRIC_COUNT; i++)
        assert_int_equal(
            columns_named(&h, metric_list[i].table == METRIC_TABLE_epochs ? "epochs" : "geometry",
                          metric_list[i].name),
            1);
    help_close(&h);
}

void test_the_columns_of_the_design_are_there(void **state)
{
    (void)state;
    static const char *const columns[][2] = {
        {"sweeps", "sweep_id name spec spec_hash state priority created_at"},
        {"runs",
         "run_id sweep_id point config_hash state reason attempt failures losses epochs_done "
         "evaluation_id "
         "started_at finished_at"},
        {"attempts",
         "run_id attempt worker_id started_at ended_at outcome reason from_epoch to_epoch "
         "blas seconds"},
        {"workers",
         "worker_id uuid host cpu slots version git state connected_at last_seen_at key_name"},
        {"pruning", "run_id epoch scheme layer fraction accuracy loss"},
        {"geometry", "run_id epoch sketch"},
        {"predictions", "run_id epoch classes inputs labels roots"},
        {"evaluations", "evaluation_id hash task samples classes sketch_rows ignorance truth"},
        {"features", "run_id epoch layer name value"},
        {"summaries",
         "run_id t_train t_test t_grok grokked t_train_95 t_test_95 t_grok_95 grokked_95 "
         "t_plateau_end final_train_loss final_test_loss final_test_accuracy "
         "compressibility_final compressibility_peak epoch_peak t_step_min t_step_max"},
        {"events", "event_id at kind run_id worker_id text"},
    };
    struct help h;
    help_open(&h);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char *list = strdup(columns[i][1]), *rest = NULL;
        for (char *c = strtok_r(list, " ", &rest); c; c = strtok_r(NULL, " ", &rest))
            if (columns_named(&h, columns[i][0], c) != 1)
                fail_msg("%s has no %s", columns[i][0], c);
        free(list);
    }
    help_close(&h);
}

void test_the_schema_explains_itself_and_has_no_mark_left(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%--@%'"), 0);
    assert_int_equal(help_int(&h, "SELECT sql LIKE '%test_loss%-- nat: mean loss%' FROM "
                                  "sqlite_schema WHERE name = 'epochs'"),
                     1);
    assert_int_equal(help_int(&h, "SELECT sql LIKE '%modulus%INTEGER, -- P: inputs%' FROM "
                                  "sqlite_schema WHERE name = 'runs'"),
                     1);
    assert_int_equal(help_int(&h,
                              "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND "
                              "type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0"),
                     0);
    assert_int_equal(help_int(&h, "PRAGMA application_id"), 0x47524b44);
    assert_int_equal(help_int(&h, "PRAGMA user_version"), SAVE_VERSION);
    help_close(&h);
}

/* Both statements of a dispatch use their index, in its order. */
void test_the_next_run_is_found_without_a_scan_or_a_sort(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    sqlite3 *db;
    sqlite3_stmt *s;
    char found[1024] = "";
    assert_int_equal(sqlite3_open_v2(h.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "EXPLAIN QUERY PLAN SELECT r.run_id, r.seed FROM sweeps AS s "
                           "CROSS JOIN runs AS r USING (sweep_id) WHERE s.state = 'active' AND "
                           "r.state = 'waiting' ORDER BY s.priority DESC, s.sweep_id, r.run_id "
                           "LIMIT ?",
                           -1, &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        size_t n = strlen(found);
        snprintf(found + n, sizeof found - n, "%s; ", (const char *)sqlite3_column_text(s, 3));
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    if (!strstr(found, "sweeps_to_serve") || !strstr(found, "SEARCH r USING INDEX runs_by_state") ||
        strstr(found, "B-TREE") || strstr(found, "SCAN r"))
        fail_msg("%s", found);
    help_close(&h);
}

void test_seed_mean_is_the_mean_and_its_standard_error(void **state)
{
    (void)state;
    static const double losses[] = {1.5, 2.5, 4.0};
    struct help h;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 3, 0)));
    help_one(&h, help_worker(1));
    for (int i = 0; i < 3; i++) {
        struct row r;
        row_clear(&r, 0);
        r.value[METRIC_test_loss] = losses[i];
        if (i < 1) r.value[METRIC_compressibility] = 7;
        help_one(&h, help_assign(i + 1, 1, 1));
        help_one(&h, help_epochs(i + 1, 1, &r, 1));
    }
    double mean = (1.5 + 2.5 + 4.0) / 3, squares = 0;
    for (int i = 0; i < 3; i++) squares += (losses[i] - mean) * (losses[i] - mean);
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM seed_mean WHERE sweep_id = 1 AND epoch = 0 AND seeds = 3 AND "
             "abs(test_loss - %.17g) < 1e-14 AND abs(test_loss_error - %.17g) < 1e-14 AND "
             "compressibility = 7 AND compressibility_error IS NULL AND train_loss IS NULL AND "
             "weight_multiplier = 1",
             mean, sqrt(squares / 2 / 3));
    assert_int_equal(help_int(&h, sql), 1);
    assert_int_equal(columns_named(&h, "seed_mean", "seed"), 0);
    help_close(&h);
}

void test_run_summary_has_a_row_for_every_run(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 5, 0)));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM run_summary WHERE sweep = 'demo' AND "
                                  "state = 'waiting' AND t_grok IS NULL"),
                     5);
    help_close(&h);
}

/* Runs of a sweep file that end at once: what paper_runs lists of them, a line each. */
static const char *paper_runs(const char *parameters)
{
    struct help h;
    static char lines[1024];
    char *spec = NULL;
    help_open(&h);
    assert_true(asprintf(&spec, "name: x\nmethod: grid\nparameters:\n%s", parameters) > 0);
    help_one(&h, help_sweep(1, spec));
    help_one(&h, help_worker(1));
    int64_t runs = help_int(&h, "SELECT count(*) FROM runs");
    for (int64_t run = 1; run <= runs; run++) {
        struct row r = help_row(run, 0);
        help_one(&h, help_assign(run, 1, 1));
        help_one(&h, help_epochs(run, 1, &r, 1));
        if (run < runs) help_one(&h, help_end(run, 1, "finished", RUN_FINISHED));
    }
    snprintf(lines, sizeof lines, "%s",
             help_text(&h, "SELECT group_concat(printf('%s %g %d', task, weight_multiplier, "
                           "epochs)) FROM paper_runs"));
    help_close(&h);
    return lines;
}

void test_paper_runs_are_finished_ones_at_its_settings(void **state)
{
    (void)state;
    assert_string_equal(paper_runs("  weight_multiplier: {values: [0.1, 4, 10]}\n"),
                        "modular_addition 0.1 1000,modular_addition 4 1000");
    assert_string_equal(paper_runs("  task: {value: ising}\n  seed: {min: 0, max: 1}\n"),
                        "ising 1 100000");
    assert_string_equal(paper_runs("  hidden: {values: [256, 512, 1024]}\n"),
                        "modular_addition 1 1000");
    assert_string_equal(paper_runs("  epochs: {values: [100, 900, 5000, 20]}\n"),
                        "modular_addition 1 900");
    assert_string_equal(paper_runs("  init_seed: {values: [0, 1, 2]}\n"),
                        "modular_addition 1 1000");
}
