// SPDX-License-Identifier: MIT
/* store_trade: the trade-off between final loss and compressibility of a sweep, a line for each
 * regime of the weight multiplier and each setting of whatever else the sweep varies but the seeds:
 * runs that differ in their batches lie on lines of their own.
 */
#include "common/clock.h"
#include "coordinator/store_aggregate.h"
#include "proto/spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOW_BELOW  0.4 /* weight multipliers of the two regimes, both included */
#define HIGH_ABOVE 1.0
#define COLUMNS    5 /* of SQL_SUMMARIES_PART before the hyperparameters */
#define LABEL      (PARAM_COUNT * (PARAM_TEXT_SIZE + 32))

void aggregate_trades_free(struct aggregate_trades *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->at[i].varied);
    free(t->at);
    *t = (struct aggregate_trades){0};
}

/* ---- which settings ---- */

static bool varies(const struct axis *x)
{
    if (x->param == PARAM_task || x->param == PARAM_weight_multiplier || schema_is_seed(x->param))
        return false;
    bool one =
        (x->distribution == SPEC_CONSTANT || x->distribution == SPEC_CATEGORICAL) && x->count == 1;
    return !one;
}

/* A sweep was checked when it was submitted: its text can be read. */
static int read_axes(struct aggregate_trades *t, struct db *d, int64_t sweep, struct err *e)
{
    struct spec *spec = NULL;
    sqlite3_stmt *s = db_bind(d, SQL_SWEEP_SPEC, e, "i", sweep);
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    const char *text = (const char *)sqlite3_column_text(s, 0);
    struct err why;
    if (!text || spec_parse(&spec, text, strlen(text), "sweep", &why) < 0)
        rc = err_set(e, E_STORE, "sweep %lld, as stored, cannot be read", (long long)sweep);
    db_done(s);
    for (int i = 0; rc >= 0 && i < spec->axis_count; i++)
        if (varies(&spec->axis[i])) t->varied[t->varied_count++] = spec->axis[i].param;
    spec_free(&spec);
    t->begun = true;
    return rc < 0 ? rc : OK;
}

/* "batch_size=64, hidden=512" of a row; what the task does not have is left out. */
static int make_label(const struct aggregate_trades *t, sqlite3_stmt *s, char out[LABEL],
                      struct err *e)
{
    struct params p;
    size_t n = 0;
    params_default(&p);
    *out = '\0';
    for (int i = 0; i < t->varied_count; i++) {
        char value[PARAM_TEXT_SIZE];
        int param = t->varied[i], column = COLUMNS + param;
        if (sqlite3_column_type(s, column) == SQLITE_NULL) continue;
        int rc = db_param(s, column, &p, param, e);
        if (rc < 0) return E_STORE;
        n += (size_t)snprintf(out + n, LABEL - n, "%s%s=%s", n ? ", " : "", param_list[param].name,
                              param_text(&p, param, value));
        if (n >= LABEL) n = LABEL - 1;
    }
    return OK;
}

/* Where a setting stands, or should stand. */
static size_t place(const struct aggregate_trades *t, const char *task, const char *label,
                    bool *found)
{
    size_t low = 0, high = t->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(t->at[middle].task, task);
        if (!order) order = strcmp(t->at[middle].varied, label);
        if (!order) return *found = true, middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The lines of a setting, new ones if need be; NULL: there are too many, or no memory (e). */
static struct aggregate_trade *trade_of(struct aggregate_trades *t, const char *task,
                                        const char *label, struct err *e)
{
    bool found;
    size_t i = place(t, task, label, &found);
    if (found) return &t->at[i];
    if (t->count == AGGREGATE_TRADES) return t->too_many = true, NULL;
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct aggregate_trade *at = realloc(t->at, room * sizeof *at);
        if (!at) return err_set(e, E_NOMEM, "no memory for lines"), NULL;
        t->at = at;
        t->room = room;
    }
    char *varied = strdup(label);
    if (!varied) return err_set(e, E_NOMEM, "no memory for lines"), NULL;
    struct aggregate_trade *new = &t->at[i];
    memmove(new + 1, new, (t->count++ - i) * sizeof *new);
    *new = (struct aggregate_trade){.varied = varied};
    snprintf(new->task, sizeof new->task, "%s", task);
    return new;
}

/* ---- runs ---- */

/* A row of SQL_SUMMARIES_PART. */
static int add_run(struct aggregate *a, sqlite3_stmt *s, struct err *e)
{
    char task[AGGREGATE_TASK], label[LABEL];
    a->run = sqlite3_column_int64(s, 0);
    if (a->trades.too_many || sqlite3_column_int64(s, 1) != a->sweep ||
        sqlite3_column_type(s, 3) == SQLITE_NULL || sqlite3_column_type(s, 4) == SQLITE_NULL)
        return OK;
    double multiplier = sqlite3_column_double(s, 2), loss = sqlite3_column_double(s, 3),
           c = sqlite3_column_double(s, 4);
    bool low = multiplier <= LOW_BELOW, high = multiplier >= HIGH_ABOVE;
    if (!isfinite(loss) || !isfinite(c) || (!low && !high)) return OK;
    db_text(s, COLUMNS + PARAM_task, task, sizeof task);
    int rc = make_label(&a->trades, s, label, e);
    if (rc < 0) return rc;
    struct aggregate_trade *t = trade_of(&a->trades, task, label, e);
    if (!t) return a->trades.too_many ? OK : E_NOMEM;
    regression_add(low ? &t->low : &t->high, loss, c);
    return OK;
}

static int write_trade(struct aggregate *a, struct db *d, const struct aggregate_trade *t,
                       const char *regime, const struct regression *r, struct err *e)
{
    struct regression_line y;
    if (!r->count) return OK;
    regression_line(r, &y);
    return db_do(d, SQL_TRADEOFF_INSERT, e, "itttiddddd", a->sweep, t->task, t->varied, regime,
                 r->count, y.slope, y.slope_from, y.slope_to, y.intercept, y.r2);
}

static int say_too_many(struct aggregate *a, struct db *d, struct err *e)
{
    char at[CLOCK_UTC], text[128];
    clock_utc(clock_wall_ms(), at);
    snprintf(text, sizeof text,
             "sweep %lld: no trade-off: more than %d settings beside the weights",
             (long long)a->sweep, AGGREGATE_TRADES);
    return db_do(d, SQL_EVENT, e, "ttiit", at, "tradeoff", (int64_t)0, (int64_t)0, text);
}

static int write_trades(struct aggregate *a, struct db *d, struct err *e)
{
    int rc = db_do(d, SQL_TRADEOFF_DELETE, e, "i", a->sweep);
    if (a->trades.too_many) return rc < 0 ? rc : say_too_many(a, d, e);
    for (size_t i = 0; i < a->trades.count && rc == OK; i++) {
        const struct aggregate_trade *t = &a->trades.at[i];
        rc = write_trade(a, d, t, "low", &t->low, e);
        if (rc == OK) rc = write_trade(a, d, t, "high", &t->high, e);
    }
    return rc;
}

/* Summaries of all sweeps are walked in the order of runs, which are those of a sweep in one piece
 * as a rule: a part costs the same, whatever it finds. */
int aggregate_trades(struct aggregate *a, struct db *d, struct err *e)
{
    int rc = a->trades.begun ? OK : read_axes(&a->trades, d, a->sweep, e), rows = 0;
    if (rc < 0) return rc;
    sqlite3_stmt *s = db_bind(d, SQL_SUMMARIES_PART, e, "i", a->run);
    if (!s) return E_STORE;
    for (; (rc = db_step(d, s, e)) == 1; rows++) {
        if ((rc = add_run(a, s, e)) == OK) continue;
        db_done(s);
        return rc;
    }
    if (rc < 0 || rows) return rc < 0 ? rc : 1;
    return write_trades(a, d, e);
}
