// SPDX-License-Identifier: MIT
/* store_load: runs and sweeps out of the tables, as the scheduler needs them. */
#include "common/clock.h"
#include "coordinator/store_db.h"
#include "proto/spec.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more in an array of count; grows to the powers of two. */
static void *room(void *array, size_t count, size_t size)
{
    if (count & (count - 1)) return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

static int read_run(sqlite3_stmt *s, struct save_run *r, struct err *e)
{
    *r = (struct save_run){.run = sqlite3_column_int64(s, 0),
                           .sweep = sqlite3_column_int64(s, 1),
                           .priority = sqlite3_column_int64(s, 2),
                           .attempt = sqlite3_column_int64(s, 3),
                           .worker = sqlite3_column_int64(s, 4),
                           .epochs_done = sqlite3_column_int64(s, 5),
                           .failures = sqlite3_column_int64(s, 6),
                           .losses = sqlite3_column_int64(s, 7)};
    db_text(s, 8, r->blas.family, sizeof r->blas.family);
    db_text(s, 9, r->blas.fingerprint, sizeof r->blas.fingerprint);
    db_text(s, 10, r->holder, sizeof r->holder);
    db_text(s, 11, r->holder_key, sizeof r->holder_key);
    params_default(&r->params);
    for (int i = 0; i < PARAM_COUNT; i++) {
        struct err why;
        if (db_param(s, 12 + i, &r->params, i, &why) < 0)
            return err_set(e, E_STORE, "run %lld, as stored: %s", (long long)r->run, why.text);
    }
    return OK;
}

int load_runs(struct db *d, sqlite3_stmt *s, struct save_run **runs, size_t *count, struct err *e)
{
    int rc;
    while ((rc = db_step(d, s, e)) == 1) {
        struct save_run *more = room(*runs, *count, sizeof **runs);
        if (more) *runs = more;
        rc = more ? read_run(s, &more[*count], e) : err_set(e, E_NOMEM, "no memory for runs");
        if (rc < 0) {
            db_done(s);
            break;
        }
        ++*count;
    }
    return rc;
}

static int load_open_sweeps(struct db *d, int64_t **ids, size_t *count, struct err *e)
{
    int rc;
    sqlite3_stmt *s = db_bind(d, SQL_SWEEPS_OPEN, e, "");
    if (!s) return E_STORE;
    while ((rc = db_step(d, s, e)) == 1) {
        int64_t *more = room(*ids, *count, sizeof **ids);
        if (!more) {
            db_done(s);
            return err_set(e, E_NOMEM, "no memory for sweeps");
        }
        *ids = more;
        more[(*count)++] = sqlite3_column_int64(s, 0);
    }
    return rc;
}

static int read_sweep(sqlite3_stmt *s, struct save_sweep *out, struct err *e)
{
    char state[SAVE_NAME];
    struct spec *spec = NULL;
    out->priority = sqlite3_column_int64(s, 0);
    db_text(s, 1, state, sizeof state);
    for (enum sweep_state i = SWEEP_ACTIVE; i <= SWEEP_DONE; i++)
        if (strcmp(state, save_sweep_word(i)) == 0) out->state = i;
    const char *text = (const char *)sqlite3_column_text(s, 2);
    struct err why;
    if (spec_parse(&spec, text ? text : "", text ? strlen(text) : 0, "sweep", &why) < 0)
        return err_set(e, E_STORE, "sweep %lld, as stored: %s", (long long)out->sweep, why.text);
    out->settings = spec->settings;
    spec_free(&spec);
    return OK;
}

static int read_counts(struct db *d, struct save_sweep *out, struct err *e)
{
    int64_t *const slots[] = {&out->waiting, &out->running, &out->finished, &out->failed,
                              &out->cancelled};
    char state[SAVE_NAME];
    int rc;
    sqlite3_stmt *s = db_bind(d, SQL_SWEEP_COUNTS, e, "i", out->sweep);
    if (!s) return E_STORE;
    while ((rc = db_step(d, s, e)) == 1) {
        db_text(s, 0, state, sizeof state);
        for (enum run_state i = RUN_WAITING; i <= RUN_CANCELLED; i++)
            if (strcmp(state, save_run_word(i)) == 0) *slots[i] = sqlite3_column_int64(s, 1);
    }
    return rc;
}

int load_sweep(struct db *d, int64_t sweep, struct save_sweep *out, struct err *e)
{
    *out = (struct save_sweep){.sweep = sweep};
    sqlite3_stmt *s = db_bind(d, SQL_SWEEP_GET, e, "i", sweep);
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    rc = read_sweep(s, out, e);
    db_done(s);
    if (rc == OK) rc = read_counts(d, out, e);
    return rc < 0 ? rc : 1;
}

static int load_sweeps(struct db *d, struct store_state *out, struct err *e)
{
    int64_t *ids = NULL;
    size_t count = 0;
    int rc = load_open_sweeps(d, &ids, &count, e);
    if (rc == OK && count && !(out->sweeps = calloc(count, sizeof *out->sweeps)))
        rc = err_set(e, E_NOMEM, "no memory for sweeps");
    for (size_t i = 0; i < count && rc == OK; i++) {
        rc = load_sweep(d, ids[i], &out->sweeps[i], e);
        if (rc == 1) out->sweep_count++, rc = OK;
    }
    free(ids);
    return rc;
}

/* Nobody is connected when the store is opened, whatever was written before a crash. */
int load_state(struct db *d, struct store_state *out, struct err *e)
{
    *out = (struct store_state){0};
    int rc = db_do(d, SQL_WORKERS_GONE, e, "");
    if (rc == OK) rc = db_integer(d, &out->next_sweep, 1, SQL_NEXT_SWEEP, e, "");
    if (rc == OK) rc = db_integer(d, &out->next_worker, 1, SQL_NEXT_WORKER, e, "");
    if (rc == OK) rc = load_sweeps(d, out, e);
    if (rc < 0) return rc;
    sqlite3_stmt *held = db_bind(d, SQL_RUNS_HELD, e, "");
    return held ? load_runs(d, held, &out->running, &out->running_count, e) : E_STORE;
}
