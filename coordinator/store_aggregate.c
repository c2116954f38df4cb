// SPDX-License-Identifier: MIT
/* store_aggregate: what is said of a sweep as a whole, in steps between the store's commits. */
#include "coordinator/store_aggregate.h"

#include "common/clock.h"
#include "proto/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS      128  /* most of a part of seed_stats */
#define PART_ROWS   4000 /* most rows it reads, if a setting has no more seeds than that */
#define SEEDS_START (-1) /* settings are not negative */

int aggregate_is_due(struct db *d)
{
    int64_t sweep = 0;
    struct err e;
    return db_integer(d, &sweep, 0, SQL_SWEEP_DUE, &e, "") == OK && sweep != 0;
}

void aggregate_drop(struct aggregate *a)
{
    free(a->means);
    map_close(&a->map);
    aggregate_trades_free(&a->trades);
    *a = (struct aggregate){0};
}

/* ---- seed_stats --------------------------------------------------------------------------------
 */

static void mean_add(struct aggregate_mean *m, double x)
{
    double d = x - m->mean;
    m->count++;
    m->mean += d / (double)m->count;
    m->squares += d * (x - m->mean);
}

/* The next setting: 1; none: 0. */
static int next_setting(struct aggregate *a, struct db *d, struct err *e)
{
    sqlite3_stmt *s = db_bind(d, SQL_SETTING_NEXT, e, "ii", a->sweep, a->setting);
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    a->setting = sqlite3_column_int64(s, 0);
    a->seeds = sqlite3_column_int64(s, 1);
    a->last_epoch = sqlite3_column_int64(s, 2);
    a->epoch = 0;
    db_done(s);
    return 1;
}

/* Rows of one table, epochs from..to of the setting, into the means. */
static int read_part(struct aggregate *a, struct db *d, enum sql which, enum metric_table table,
                     int64_t to, struct err *e)
{
    int rc;
    sqlite3_stmt *s = db_bind(d, which, e, "iiii", a->sweep, a->setting, a->epoch, to);
    if (!s) return E_STORE;
    while ((rc = db_step(d, s, e)) == 1) {
        struct aggregate_mean *at =
            a->means + (sqlite3_column_int64(s, 0) - a->epoch) * METRIC_COUNT;
        for (int i = 0, column = 1; i < METRIC_COUNT; i++) {
            if (metric_list[i].table != table) continue;
            if (metric_list[i].kind == METRIC_VALUE &&
                sqlite3_column_type(s, column) != SQLITE_NULL)
                mean_add(&at[i], sqlite3_column_double(s, column));
            column++;
        }
    }
    return rc;
}

static int write_mean(struct aggregate *a, struct db *d, int64_t epoch, int measure,
                      const struct aggregate_mean *m, struct err *e)
{
    double n = (double)m->count, error = m->count > 1 ? sqrt(m->squares / (n - 1) / n) : NAN;
    return db_do(d, SQL_SEED_STATS_INSERT, e, "iiitddi", a->sweep, a->setting, epoch,
                 metric_list[measure].name, m->mean, error, m->count);
}

static int write_part(struct aggregate *a, struct db *d, int64_t to, struct err *e)
{
    int64_t end = to < a->last_epoch ? to : INT64_MAX;
    int rc = db_do(d, SQL_SEED_STATS_DELETE, e, "iiii", a->sweep, a->setting, a->epoch, end);
    for (int64_t epoch = a->epoch; epoch <= to && rc == OK; epoch++)
        for (int i = 0; i < METRIC_COUNT && rc == OK; i++) {
            const struct aggregate_mean *m = &a->means[(epoch - a->epoch) * METRIC_COUNT + i];
            if (m->count) rc = write_mean(a, d, epoch, i, m, e);
        }
    return rc;
}

static int seed_stats(struct aggregate *a, struct db *d, struct err *e)
{
    if (a->epoch > a->last_epoch) {
        int rc = next_setting(a, d, e);
        if (rc <= 0) return rc;
    }
    int64_t count = PART_ROWS / a->seeds, last = a->last_epoch;
    if (count > EPOCHS) count = EPOCHS;
    if (count < 1) count = 1;
    int64_t to = a->epoch + count - 1 < last ? a->epoch + count - 1 : last;
    size_t size = EPOCHS * METRIC_COUNT * sizeof *a->means;
    if (!a->means && !(a->means = malloc(size))) return err_set(e, E_NOMEM, "no memory for means");
    memset(a->means, 0, size);
    int rc = read_part(a, d, SQL_SETTING_EPOCHS, METRIC_TABLE_epochs, to, e);
    if (rc == OK) rc = read_part(a, d, SQL_SETTING_GEOMETRY, METRIC_TABLE_geometry, to, e);
    if (rc == OK) rc = write_part(a, d, to, e);
    a->epoch = to + 1;
    return rc < 0 ? rc : 1;
}

/* ---- the steps ---------------------------------------------------------------------------------
 */

/* A sweep that becomes due again while it is in work stays so. */
static int begin(struct aggregate *a, struct db *d, struct err *e)
{
    int rc = db_integer(d, &a->sweep, 0, SQL_SWEEP_DUE, e, "");
    a->setting = SEEDS_START;
    a->epoch = 0;
    a->last_epoch = -1;
    return rc < 0 || !a->sweep ? rc : db_do(d, SQL_SWEEP_AGGREGATES, e, "i", a->sweep);
}

static int end(struct aggregate *a, struct db *d, struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(clock_wall_ms(), at);
    int rc = db_do(d, SQL_SWEEP_AGGREGATED, e, "it", a->sweep, at);
    aggregate_drop(a);
    return rc;
}

/* In this order. 1: there is more of it; 0: the next. */
static int (*const stages[])(struct aggregate *a, struct db *d, struct err *e) = {
    seed_stats,
    aggregate_trades,
    aggregate_map,
    end,
};

static int work(struct aggregate *a, struct db *d, struct err *e)
{
    int64_t until = clock_now_ms() + AGGREGATE_MS;
    int rc = a->sweep ? OK : begin(a, d, e);
    while (rc == OK && a->sweep && clock_now_ms() < until) {
        int stage = a->stage;
        rc = stages[stage](a, d, e);
        if (rc == 0 && a->sweep) a->stage = stage + 1;
        if (rc > 0) rc = OK;
    }
    return rc;
}

int aggregate_step(struct aggregate *a, struct db *d, struct err *e)
{
    int rc = db_begin(d, e);
    if (rc == OK) rc = work(a, d, e);
    if (rc == OK) rc = db_commit(d, e);
    if (rc == OK) return OK;
    db_rollback(d);
    aggregate_drop(a);
    return rc;
}
