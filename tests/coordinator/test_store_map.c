// SPDX-License-Identifier: MIT
/* Tests of the map in the database: distances of a flat cloud, the same map from what arrived and
 * from what is read, maps of two evaluations apart, rows that went away. */
#include "proto/sketch.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 3, EPOCHS = 4, CLASSES = 5, MOST = 40 };

static const char *const hashes[] = {
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"};

static float ignorance[SKETCH_ROWS], truth[SKETCH_ROWS];

static void make_ends(void)
{
    memset(ignorance, 0, sizeof ignorance);
    memset(truth, 0, sizeof truth);
    ignorance[10] = 1;
    truth[10] = (float)(1 / sqrt(CLASSES));
    truth[200] = (float)sqrt(1 - 1.0 / CLASSES);
}

/* In the space of ignorance, truth and one more direction. */
static void point(float y[SKETCH_ROWS], int64_t run, int64_t epoch)
{
    double t = (double)(10 * run + epoch);
    memset(y, 0, SKETCH_ROWS * sizeof *y);
    y[10] = (float)cos(t);
    y[200] = (float)(sin(t) * cos(3 * t));
    y[77] = (float)(sin(t) * sin(3 * t));
}

/* Epochs from..to of a run; the first one names the evaluation. */
static void report(struct help *h, int64_t run, int64_t from, int64_t to, const char *hash)
{
    static float y[EPOCHS * 4][SKETCH_ROWS];
    struct row rows[EPOCHS * 4];
    for (int64_t epoch = from; epoch <= to; epoch++) {
        struct row *r = &rows[epoch - from];
        *r = help_row(run, epoch);
        point(y[epoch], run, epoch);
        r->sketch = y[epoch];
        if (epoch == 0) r->evaluation = (struct evaluation){hash, 100, CLASSES, ignorance, truth};
    }
    struct save_answer a = help_one(h, help_epochs(run, 1, rows, (size_t)(to - from + 1)));
    assert_int_equal(a.verdict, VERDICT_STORED);
}

static void aggregate(struct help *h)
{
    struct err e;
    struct save s = {.kind = SAVE_AGGREGATE, .sweep = 1, .count = 1, .at_ms = HELP_AT};
    struct store_result r = help_store(h, &s, 1);
    struct pollfd p = {.fd = store_fd(h->store), .events = POLLIN};
    while (help_int(h, "SELECT count(*) FROM sweeps WHERE aggregate_due > 0")) {
        store_result_free(&r);
        assert_int_equal(poll(&p, 1, 60000), 1);
        if (store_collect(h->store, &r, &e) < 0) fail_msg("%s", e.text);
    }
    store_result_free(&r);
}

static void open_three(struct help *h)
{
    make_ends();
    help_open_run(h, RUNS);
    for (int64_t run = 2; run <= RUNS; run++) help_one(h, help_assign(run, 1, 1));
    for (int64_t run = 1; run <= RUNS; run++) report(h, run, 0, EPOCHS - 1, hashes[0]);
}

/* All places, in the order of runs and epochs; gives their number. */
static int read_places(const struct help *h, double x[MOST][3])
{
    const char *text =
        help_text(h, "SELECT group_concat(printf('%.17g %.17g %.17g', x1, x2, x3), ' ') "
                     "FROM (SELECT * FROM embedding ORDER BY run_id, epoch)");
    char *rest = (char *)(uintptr_t)text;
    int n = 0;
    for (; *rest && n < 3 * MOST; n++) x[n / 3][n % 3] = strtod(rest, &rest);
    return n / 3;
}

/* Between the first place and all others; `last` is the last epoch of each run. */
static void distances_are_right(const struct help *h, const int last[RUNS])
{
    float a[SKETCH_ROWS], b[SKETCH_ROWS];
    double x[MOST][3];
    int count = read_places(h, x), at = 0;
    point(a, 1, 0);
    for (int run = 1; run <= RUNS; run++)
        for (int epoch = 0; epoch <= last[run - 1]; epoch++, at++) {
            double right = 0, is = 0;
            point(b, run, epoch);
            for (int i = 0; i < SKETCH_ROWS; i++) right += pow((double)a[i] - (double)b[i], 2);
            for (int k = 0; k < 3; k++) is += pow(x[0][k] - x[at][k], 2);
            if (fabs(sqrt(is) - sqrt(right)) > 1e-6) fail_msg("%g, not %g", sqrt(is), sqrt(right));
        }
    assert_int_equal(count, at);
}

void test_every_sketch_has_its_place_and_distances_are_kept(void **state)
{
    (void)state;
    struct help h;
    open_three(&h);
    aggregate(&h);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding WHERE sweep_id = 1"),
                     RUNS * EPOCHS);
    assert_int_equal(help_int(&h, "SELECT points FROM embedding_quality"), RUNS * EPOCHS);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding_quality WHERE kept_3 > 1 - 1e-9 "
                                  "AND kept_1 < kept_2 AND kept_2 < kept_3"),
                     1);
    distances_are_right(&h, (int[]){3, 3, 3});
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding_anchors AS i JOIN "
                                  "embedding_anchors AS t USING (sweep_id, evaluation_id) WHERE "
                                  "i.name = 'ignorance' AND t.name = 'truth' AND i.x1 < t.x1 AND "
                                  "i.x2 < t.x2"),
                     1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding_anchors"), 5);
    help_close(&h);
}

/* Streamed, read after a restart, and read with more that arrives afterwards. */
void test_the_map_is_the_same_after_a_restart_and_takes_in_what_comes(void **state)
{
    (void)state;
    struct help h;
    double x[MOST][3], now[MOST][3];
    open_three(&h);
    aggregate(&h);
    assert_int_equal(read_places(&h, x), RUNS * EPOCHS);
    help_reopen(&h);
    aggregate(&h);
    assert_int_equal(read_places(&h, now), RUNS * EPOCHS);
    for (int i = 0; i < RUNS * EPOCHS * 3; i++)
        if (fabs(now[i / 3][i % 3] - x[i / 3][i % 3]) > 1e-9)
            fail_msg("%.15g, not %.15g", now[i / 3][i % 3], x[i / 3][i % 3]);
    report(&h, 2, EPOCHS, EPOCHS + 5, NULL);
    aggregate(&h);
    assert_int_equal(help_int(&h, "SELECT points FROM embedding_quality"), RUNS * EPOCHS + 6);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding"), RUNS * EPOCHS + 6);
    distances_are_right(&h, (int[]){3, 9, 3});
    help_close(&h);
}

void test_each_evaluation_has_a_map_of_its_own(void **state)
{
    (void)state;
    struct help h;
    make_ends();
    help_open_run(&h, RUNS);
    for (int64_t run = 2; run <= RUNS; run++) help_one(&h, help_assign(run, 1, 1));
    for (int64_t run = 1; run <= RUNS; run++) report(&h, run, 0, EPOCHS - 1, hashes[run == 2]);
    aggregate(&h);
    assert_string_equal(help_text(&h, "SELECT group_concat(points, ' ') FROM (SELECT points FROM "
                                      "embedding_quality ORDER BY evaluation_id)"),
                        "8 4");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding_anchors"), 10);
    help_close(&h);
}

/* Somebody deletes rows behind the store's back, as a verb that trains a run anew would. */
void test_sketches_that_went_away_leave_the_map(void **state)
{
    (void)state;
    struct help h;
    sqlite3 *db;
    open_three(&h);
    aggregate(&h);
    assert_int_equal(sqlite3_open(h.path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(
        sqlite3_exec(db, "DELETE FROM geometry WHERE run_id = 2 AND epoch > 1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    aggregate(&h);
    assert_int_equal(help_int(&h, "SELECT points FROM embedding_quality"), RUNS * EPOCHS - 2);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM embedding"), RUNS * EPOCHS - 2);
    help_close(&h);
}

void test_a_sweep_without_sketches_has_no_map(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    help_rows(&h, 1, 1, 0, 3);
    aggregate(&h);
    assert_int_equal(help_int(&h, "SELECT (SELECT count(*) FROM embedding) + (SELECT count(*) FROM "
                                  "embedding_quality) + (SELECT count(*) FROM embedding_anchors)"),
                     0);
    help_close(&h);
}
