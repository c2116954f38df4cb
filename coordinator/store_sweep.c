// SPDX-License-Identifier: MIT
/* store_sweep: sweeps come in as one row and a run for every point, in one transaction, and change
 * their state. A million points are walked one by one, never held.
 */
#include "common/clock.h"
#include "coordinator/store_keep.h"
#include "proto/grid.h"
#include "proto/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The runs of one sweep on their way into the table. From a point to the next few values change:
 * the others stay bound, and their text hashed. */
struct writer {
    struct db *db;
    sqlite3_stmt *insert;
    int64_t sweep;
    bool bound; /* `last` is */
    struct params last;
    struct params_lines lines;
};

/* A bijection of 64 bits whose every bit of output depends on every bit of input: the finisher of
 * SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The same for points that differ in their seeds only: 63 bits of a hash over the values of the
 * others. Two settings of a sweep of 10^6 meet by chance once in 10^7 sweeps. */
static int64_t setting_of(const struct params *p)
{
    uint64_t h = 0, bits;
    for (int i = 0; i < PARAM_COUNT; i++) {
        union param_value v = param_get(p, i);
        memcpy(&bits, &v, sizeof bits);
        if (!schema_is_seed(i) && param_belongs(i, p->task))
            h = mix(h + 0x9e3779b97f4a7c15u + bits);
    }
    return (int64_t)(h >> 1);
}

static bool bind_point(struct writer *w, int64_t point, const char *hash, const struct params *p)
{
    sqlite3_stmt *s = w->insert;
    bool ok = sqlite3_bind_int64(s, 1, w->sweep) == SQLITE_OK &&
              sqlite3_bind_int64(s, 2, point) == SQLITE_OK &&
              sqlite3_bind_text(s, 3, hash, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_int64(s, 4, setting_of(p)) == SQLITE_OK;
    for (int i = 0; i < PARAM_COUNT && ok; i++)
        if (!w->bound || w->last.task != p->task || !param_same(&w->last, p, i))
            ok = db_bind_param(s, 5 + i, p, i) == SQLITE_OK;
    w->last = *p;
    w->bound = true;
    return ok;
}

/* Points that are equal count once: the first stays. */
static int insert_run(struct writer *w, int64_t point, const struct params *p, struct err *e)
{
    char hash[HASH_HEX];
    params_hash_next(&w->lines, p, hash);
    if (!bind_point(w, point, hash, p))
        return err_set(e, E_STORE, "%s: point %" PRId64 " cannot be bound", w->db->path, point);
    int rc = sqlite3_step(w->insert) == SQLITE_DONE ? OK : db_fail(w->db, e, "RUN_INSERT");
    sqlite3_reset(w->insert);
    return rc;
}

static int insert_points(struct db *d, const struct spec *spec, struct save_answer *a, size_t *rows,
                         struct err *e)
{
    struct writer w = {.db = d, .insert = d->statement[SQL_RUN_INSERT], .sweep = a->sweep};
    int64_t count = grid_count(spec);
    int rc = OK;
    for (int64_t i = 0; i < count && rc == OK; i++) {
        struct params p;
        rc = grid_point(spec, i, &p, e);
        if (rc == OK) rc = insert_run(&w, i, &p, e);
        if (rc == OK) a->added += sqlite3_changes(d->handle);
    }
    db_done(w.insert);
    *rows += (size_t)a->added;
    return rc;
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

/* A page cache of 24 MiB while a large sweep comes in: its settings land anywhere. */
static void widen_cache(struct db *d, bool wide)
{
    sqlite3_exec(d->handle, wide ? "PRAGMA cache_size = -24576" : "PRAGMA cache_size = -8000", NULL,
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

/* Carries out a statement that changes some runs at a time until there are no more. All at once,
 * SQLite would hold every page they stand on, in case that the statement fails. */
static int change_runs(struct db *d, enum sql which, int64_t sweep, const char *at,
                       int64_t *changed, struct err *e)
{
    *changed = 0;
    for (int64_t part = 1; part > 0; *changed += part) {
        int rc = db_do(d, which, e, at ? "it" : "i", sweep, at);
        if (rc < 0) return rc;
        part = sqlite3_changes(d->handle);
    }
    return OK;
}

int save_sweep_state(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char at[CLOCK_UTC], text[128];
    int64_t cancelled;
    clock_utc(s->at_ms, at);
    int rc = db_do(d, SQL_SWEEP_SET_STATE, e, "it", s->sweep, save_sweep_word(s->sweep_state));
    if (rc < 0) return rc;
    if (sqlite3_changes(d->handle) == 0) {
        snprintf(text, sizeof text, "there is no sweep %" PRId64, s->sweep);
        return refuse(a, text);
    }
    if (s->sweep_state == SWEEP_CANCELLED)
        rc = change_runs(d, SQL_SWEEP_CANCEL_WAITING, s->sweep, at, &cancelled, e);
    snprintf(text, sizeof text, "sweep %" PRId64, s->sweep);
    if (rc == OK) rc = save_event(d, s, save_sweep_word(s->sweep_state), text, e);
    if (rc == OK) rc = save_sweep_settle(d, s->sweep, e);
    if (rc == OK) rc = load_sweep(d, s->sweep, &a->totals, e);
    return rc < 0 ? rc : OK;
}

static int retry_sweep(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char text[128];
    int rc = s->fresh ? keep_wipe_failed(d, s->sweep, e) : OK;
    if (rc == OK) rc = change_runs(d, SQL_SWEEP_RETRY, s->sweep, NULL, &a->added, e);
    if (rc < 0 || a->added == 0) return rc;
    snprintf(text, sizeof text, "sweep %" PRId64 ": %" PRId64 " runs wait again%s", s->sweep,
             a->added, s->fresh ? " and begin anew" : "");
    rc = db_do(d, SQL_SWEEP_REVIVE, e, "i", s->sweep);
    if (rc == OK) rc = save_sweep_settle(d, s->sweep, e);
    if (rc == OK) rc = save_event(d, s, "retried", text, e);
    if (rc == OK) rc = load_sweep(d, s->sweep, &a->totals, e);
    return rc < 0 ? rc : OK;
}

int save_retry(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char text[64];
    int rc = load_sweep(d, s->sweep, &a->totals, e);
    if (rc < 0) return rc;
    if (rc == 0) {
        snprintf(text, sizeof text, "there is no sweep %" PRId64, s->sweep);
        return refuse(a, text);
    }
    bool spared = a->totals.state == SWEEP_CANCELLED && !s->revive;
    return spared ? OK : retry_sweep(d, s, a, e);
}
