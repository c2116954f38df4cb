// SPDX-License-Identifier: MIT
/* store_end: an attempt ends. Its row is closed, its run gets the state it leaves it in; a finished
 * run is summed up from its stored rows, and a sweep whose runs are all over is done.
 */
#include "common/clock.h"
#include "coordinator/store_keep.h"
#include "coordinator/store_upload.h"
#include "coordinator/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CURVES 7 /* columns of SQL_CURVE */

static double column(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL ? NAN : sqlite3_column_double(s, i);
}

/* Reads up to `count` epochs into CURVES arrays, one behind the other. */
static int read_curve(struct db *d, int64_t run, double *x, size_t count, size_t *read,
                      struct err *e)
{
    int rc;
    sqlite3_stmt *s = db_bind(d, SQL_CURVE, e, "i", run);
    if (!s) return E_STORE;
    while ((rc = db_step(d, s, e)) == 1) {
        if (*read == count) {
            db_done(s);
            return err_set(e, E_STORE, "%s: run %" PRId64 " has more epochs than it counts",
                           d->path, run);
        }
        for (int i = 0; i < CURVES; i++) x[(size_t)i * count + *read] = column(s, i);
        ++*read;
    }
    return rc;
}

static int put_summary(struct db *d, int64_t run, const struct summary *y, struct err *e)
{
    return db_do(d, SQL_SUMMARY_PUT, e,
                 "innnnnnnnnidddd"
                 "ddnndndnn",
                 run, y->at_90.t_train, y->at_90.t_test, y->at_90.t_grok, y->at_90.grokked,
                 y->at_95.t_train, y->at_95.t_test, y->at_95.t_grok, y->at_95.grokked,
                 y->t_plateau_end, y->last_epoch, y->final_train_loss, y->final_test_loss,
                 y->final_train_accuracy, y->final_test_accuracy, y->compressibility_final,
                 y->compressibility_peak, y->epoch_peak, y->peak_lag, y->straightness_max,
                 y->epoch_straightness_max, y->straightness_plateau, y->t_step_min, y->t_step_max);
}

static int sum_up(struct db *d, int64_t run, struct err *e)
{
    sqlite3_stmt *s = db_bind(d, SQL_RUN_TASK, e, "i", run);
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    size_t count = (size_t)sqlite3_column_int64(s, 0), read = 0;
    double chance = 1 / column(s, 1);
    db_done(s);
    if (count == 0) return OK;
    double *x = calloc(count, CURVES * sizeof *x);
    if (!x) return err_set(e, E_NOMEM, "run %" PRId64 ": no memory for its curve", run);
    rc = read_curve(d, run, x, count, &read, e);
    if (rc == OK) {
        struct summary y;
        summary_compute(&y,
                        &(struct summary_curve){.count = read,
                                                .train_loss = x,
                                                .train_accuracy = x + count,
                                                .test_loss = x + 2 * count,
                                                .test_accuracy = x + 3 * count,
                                                .compressibility = x + 4 * count,
                                                .straightness = x + 5 * count,
                                                .step_fisher = x + 6 * count},
                        chance);
        rc = put_summary(d, run, &y, e);
    }
    free(x);
    return rc;
}

/* The reason in words, then the end of the log. */
static int close_attempt(struct db *d, const struct save *s, const char *at, struct err *e)
{
    char *text = NULL;
    const char *log = s->text ? s->text : "";
    if (asprintf(&text, "%s%s%s", s->reason, *s->reason && *log ? "\n" : "", log) < 0)
        return err_set(e, E_NOMEM, "run %" PRId64 ": no memory for its log", s->run);
    int rc = db_do(d, SQL_ATTEMPT_END, e, "iitttd", s->run, s->attempt, at, s->outcome,
                   save_text_or_null(text), s->seconds);
    free(text);
    return rc;
}

int save_end(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char at[CLOCK_UTC];
    int64_t sweep = 0;
    clock_utc(s->at_ms, at);
    sqlite3_stmt *q = db_bind(d, SQL_RUN_CURRENT, e, "ii", s->run, s->attempt);
    int rc = q ? db_step(d, q, e) : E_STORE;
    if (rc < 0) return rc;
    if (rc == 0) {
        a->verdict = VERDICT_STALE;
        return OK;
    }
    a->epoch = sqlite3_column_int64(q, 0);
    sweep = sqlite3_column_int64(q, 1);
    db_done(q);
    upload_end(d, s->run);
    bool over = s->run_state != RUN_WAITING && s->run_state != RUN_RUNNING;
    rc = db_do(d, SQL_RUN_END, e, "ittiit", s->run, save_run_word(s->run_state),
               save_text_or_null(s->reason), s->failures, s->losses, over ? at : NULL);
    if (rc == OK) rc = close_attempt(d, s, at, e);
    if (rc == OK && s->run_state == RUN_FINISHED) rc = sum_up(d, s->run, e);
    if (rc == OK && s->run_state == RUN_FINISHED) rc = keep_forget(d, s->run, e);
    if (rc == OK && over) rc = save_sweep_settle(d, sweep, e);
    return rc;
}
