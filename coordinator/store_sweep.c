// SPDX-License-Identifier: MIT
/* store_sweep: sweeps come in as one row and a run for every point, in one transaction, and change
 * their state. A million points are walked one by one, never held.
 */
#include "common/clock.h"
#include "common/hash.h"
#include "coordinator/store_db.h"
#include "proto/grid.h"
#include "proto/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same for points that differ in their seeds only: 60 bits of a hash over the values of the
 * others. Two settings of a sweep of 10^6 meet by chance once in 10^6 sweeps. */
static int64_t setting_of(const struct params *p)
{
    static const size_t sizes[] = {[PARAM_CHOICE] = sizeof(int64_t),
                                   [PARAM_INT] = sizeof(int64_t),
                                   [PARAM_REAL] = sizeof(double),
                                   [PARAM_SEED] = sizeof(int64_t),
                                   [PARAM_BOOL] = sizeof(bool)};
    struct hash h;
    char hex[HASH_HEX];
    hash_start(&h);
    for (int i = 0; i < PARAM_COUNT; i++)
        if (!schema_is_seed(i) && param_belongs(i, p->task))
            hash_add(&h, (const char *)p + param_list[i].offset, sizes[param_list[i].kind]);
    hash_end(&h, hex);
    hex[15] = '\0';
    return (int64_t)strtoull(hex, NULL, 16);
}

/* Points that are equal count once: the first stays. */
static int insert_run(struct db *d, int64_t sweep, int64_t point, const struct params *p,
                      struct err *e)
{
    char hash[65];
    params_hash(p, hash);
    sqlite3_stmt *s = db_bind(d, SQL_RUN_INSERT, e, "iiti", sweep, point, hash, setting_of(p));
    if (!s) return E_STORE;
    for (int i = 0; i < PARAM_COUNT; i++)
        if (db_bind_param(s, 5 + i, p, i) != SQLITE_OK) {
            db_done(s);
            return err_set(e, E_STORE, "%s: point %" PRId64 ": cannot bind %s", d->path, point,
                           param_list[i].name);
        }
    return db_step(d, s, e);
}

static int insert_points(struct db *d, const struct spec *spec, struct save_answer *a, size_t *rows,
                         struct err *e)
{
    int64_t count = grid_count(spec);
    for (int64_t i = 0; i < count; i++) {
        struct params p;
        int rc = grid_point(spec, i, &p, e);
        if (rc == OK) rc = insert_run(d, a->sweep, i, &p, e);
        if (rc < 0) return rc;
        a->added += sqlite3_changes(d->handle);
    }
    *rows += (size_t)a->added;
    return OK;
}

static int insert_sweep(struct db *d, const struct save *s, const struct spec *spec,
                        struct save_answer *a, size_t *rows, struct err *e)
{
    char at[CLOCK_UTC], text[128];
    clock_utc(s->at_ms, at);
    int rc = db_do(d, SQL_SWEEP_INSERT, e, "itttit", s->sweep, spec->name, spec->text, spec->hash,
                   spec->priority, at);
    if (rc == OK) rc = insert_points(d, spec, a, rows, e);
    if (rc < 0) return rc;
    snprintf(text, sizeof text, "sweep %" PRId64 ": %" PRId64 " runs", s->sweep, a->added);
    return save_event(d, s, "submitted", text, e);
}

static int refuse(struct save_answer *a, const char *reason)
{
    a->verdict = VERDICT_REFUSED;
    snprintf(a->reason, sizeof a->reason, "%.*s", (int)sizeof a->reason - 1, reason);
    return OK;
}

/* A page cache of 64 MiB while a large sweep comes in: its unique hashes land anywhere. */
static void widen_cache(struct db *d, bool wide)
{
    sqlite3_exec(d->handle, wide ? "PRAGMA cache_size = -65536" : "PRAGMA cache_size = -8000", NULL,
                 NULL, NULL);
    if (!wide) sqlite3_db_release_memory(d->handle);
}

int save_sweep(struct db *d, const struct save *s, struct save_answer *a, size_t *rows,
               struct err *e)
{
    struct spec *spec = NULL;
    struct err refused;
    int rc;
    const char *text = s->text ? s->text : "";
    if (spec_parse(&spec, text, strlen(text), "sweep", &refused) < 0)
        return refuse(a, refused.text);
    if (grid_check(spec, &refused) < 0) {
        spec_free(&spec);
        return refuse(a, refused.text);
    }
    if ((rc = db_integer(d, &a->sweep, 0, SQL_SWEEP_OF_HASH, e, "t", spec->hash)) < 0) goto end;
    if (a->sweep == 0) {
        bool large = grid_count(spec) > 20000;
        a->sweep = s->sweep;
        if (large) widen_cache(d, true);
        rc = insert_sweep(d, s, spec, a, rows, e);
        if (large) widen_cache(d, false);
    }
    if (rc == OK) rc = load_sweep(d, a->sweep, &a->totals, e);
end:
    spec_free(&spec);
    return rc < 0 ? rc : OK;
}

int save_sweep_settle(struct db *d, int64_t sweep, struct err *e)
{
    return db_do(d, SQL_SWEEP_SETTLE, e, "i", sweep);
}

int save_sweep_state(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char at[CLOCK_UTC], text[128];
    clock_utc(s->at_ms, at);
    int rc = db_do(d, SQL_SWEEP_SET_STATE, e, "it", s->sweep, save_sweep_word(s->sweep_state));
    if (rc < 0) return rc;
    if (sqlite3_changes(d->handle) == 0) {
        snprintf(text, sizeof text, "there is no sweep %" PRId64, s->sweep);
        return refuse(a, text);
    }
    if (s->sweep_state == SWEEP_CANCELLED)
        rc = db_do(d, SQL_SWEEP_CANCEL_WAITING, e, "it", s->sweep, at);
    snprintf(text, sizeof text, "sweep %" PRId64, s->sweep);
    if (rc == OK) rc = save_event(d, s, save_sweep_word(s->sweep_state), text, e);
    if (rc == OK) rc = save_sweep_settle(d, s->sweep, e);
    if (rc == OK) rc = load_sweep(d, s->sweep, &a->totals, e);
    return rc < 0 ? rc : OK;
}

static int retry_sweep(struct db *d, const struct save *s, int64_t sweep, struct save_answer *a,
                       struct err *e)
{
    char text[128];
    int rc = db_do(d, SQL_SWEEP_RETRY, e, "i", sweep);
    int64_t again = sqlite3_changes(d->handle);
    if (rc < 0 || again == 0) return rc;
    a->added += again;
    snprintf(text, sizeof text, "sweep %" PRId64 ": %" PRId64 " runs wait again", sweep, again);
    rc = db_do(d, SQL_SWEEP_REVIVE, e, "i", sweep);
    if (rc == OK) rc = save_sweep_settle(d, sweep, e);
    return rc < 0 ? rc : save_event(d, s, "retried", text, e);
}

int save_retry(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    int64_t *sweeps = NULL;
    size_t count = 0;
    int rc = load_ids(d, SQL_SWEEPS_TO_RETRY, s->sweep, &sweeps, &count, e);
    for (size_t i = 0; i < count && rc == OK; i++) rc = retry_sweep(d, s, sweeps[i], a, e);
    free(sweeps);
    if (rc < 0 || s->sweep == 0) return rc;
    if (count == 0) {
        char text[64];
        snprintf(text, sizeof text, "there is no sweep %" PRId64, s->sweep);
        return refuse(a, text);
    }
    rc = load_sweep(d, s->sweep, &a->totals, e);
    return rc < 0 ? rc : OK;
}
