// SPDX-License-Identifier: MIT
/* store_epochs: what a run reports, stored once. An epoch that is there already must be equal,
 * every value bit for bit; the first that differs ends the matter, and nothing of its message that
 * is new is stored. SQLite keeps no sign of zero, so -0 and 0 are the same here.
 */
#include "coordinator/store_db.h"

#include "common/clock.h"
#include "common/hash.h"
#include "coordinator/store_keep.h"
#include "coordinator/store_upload.h"
#include "proto/sketch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_TEXT 64

/* A value as its column holds it: a text for rules, a number for the rest; both may be absent. */
struct cell {
    double number; /* NaN: NULL */
    char text[VALUE_TEXT];
};

static bool same_bits(double a, double b)
{
    a += 0.0, b += 0.0; /* -0 + 0 = 0 */
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool present(double x)
{
    return !isnan(x);
}

static struct cell cell_of(const struct metric_info *m, double value)
{
    struct cell c = {value, ""};
    if (m->kind != METRIC_RULE || !present(value)) return c;
    metric_rule_text(value, c.text);
    return c;
}

static struct cell cell_read(sqlite3_stmt *s, int column, const struct metric_info *m)
{
    struct cell c = {NAN, ""};
    if (sqlite3_column_type(s, column) == SQLITE_NULL) return c;
    if (m->kind == METRIC_RULE)
        db_text(s, column, c.text, sizeof c.text);
    else
        c.number = sqlite3_column_double(s, column);
    return c;
}

static int cell_bind(sqlite3_stmt *s, int at, const struct metric_info *m, const struct cell *c)
{
    if (!present(c->number)) return sqlite3_bind_null(s, at);
    if (m->kind != METRIC_RULE) return sqlite3_bind_double(s, at, c->number);
    return sqlite3_bind_text(s, at, c->text, -1, SQLITE_TRANSIENT);
}

static void cell_text(const struct metric_info *m, const struct cell *c, char out[VALUE_TEXT])
{
    if (m->kind == METRIC_RULE)
        snprintf(out, VALUE_TEXT, "%s", *c->text ? c->text : "nothing");
    else if (!present(c->number))
        snprintf(out, VALUE_TEXT, "nothing");
    else
        snprintf(out, VALUE_TEXT, "%.17g", c->number);
}

/* ---- comparing ---- */

static int differs(struct save_answer *a, int64_t epoch, const char *column, const char *stored,
                   const char *now)
{
    a->verdict = VERDICT_DIFFERS;
    snprintf(a->reason, sizeof a->reason,
             "not reproducible: epoch %" PRId64 ": %s was stored as %s and is now %s", epoch,
             column, stored, now);
    return OK;
}

static int compare_cell(struct save_answer *a, int64_t epoch, const struct metric_info *m,
                        const struct cell *was, const struct cell *is)
{
    bool equal = m->kind == METRIC_RULE ? strcmp(was->text, is->text) == 0
                                        : same_bits(was->number, is->number);
    if (equal || m->kind == METRIC_TIMING) return OK;
    char stored[VALUE_TEXT], now[VALUE_TEXT];
    cell_text(m, was, stored);
    cell_text(m, is, now);
    return differs(a, epoch, m->name, stored, now);
}

/* Both may be absent. They are compared as bytes: a zero has its sign here. */
static void compare_sketch(struct save_answer *a, const struct row *r, sqlite3_stmt *s, int column)
{
    const void *was = s ? sqlite3_column_blob(s, column) : NULL;
    size_t bytes = was ? (size_t)sqlite3_column_bytes(s, column) : 0;
    if (!was && !r->sketch) return;
    if (was && r->sketch && bytes == SKETCH_ROWS * sizeof *r->sketch &&
        memcmp(was, r->sketch, bytes) == 0)
        return;
    differs(a, r->epoch, "sketch", was ? "other numbers" : "nothing",
            r->sketch ? "these" : "nothing");
}

/* A row that is not there is a row of NULLs. */
static int compare_table(struct db *d, const struct row *r, struct save_answer *a,
                         enum metric_table table, struct err *e)
{
    enum sql which = table == METRIC_TABLE_epochs ? SQL_EPOCH_GET : SQL_GEOMETRY_GET;
    sqlite3_stmt *s = db_bind(d, which, e, "ii", a->run, r->epoch);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0) return found;
    int column = 0;
    for (int i = 0; i < METRIC_COUNT && a->verdict == VERDICT_STORED; i++) {
        const struct metric_info *m = &metric_list[i];
        if (m->table != table) continue;
        struct cell is = cell_of(m, r->value[i]), was = {NAN, ""};
        if (found) was = cell_read(s, column++, m);
        compare_cell(a, r->epoch, m, &was, &is);
    }
    if (table == METRIC_TABLE_geometry && a->verdict == VERDICT_STORED)
        compare_sketch(a, r, found ? s : NULL, column);
    if (found) db_done(s);
    return OK;
}

static int compare_point(struct db *d, const struct row *r, const struct pruning_point *p,
                         struct save_answer *a, struct err *e)
{
    char what[128], stored[VALUE_TEXT] = "nothing", now[VALUE_TEXT];
    double accuracy = NAN, loss = NAN;
    sqlite3_stmt *s =
        db_bind(d, SQL_PRUNING_GET, e, "iittd", a->run, r->epoch, p->scheme, p->layer, p->fraction);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0) return found;
    if (found) {
        if (sqlite3_column_type(s, 0) != SQLITE_NULL) accuracy = sqlite3_column_double(s, 0);
        if (sqlite3_column_type(s, 1) != SQLITE_NULL) loss = sqlite3_column_double(s, 1);
        db_done(s);
        if (same_bits(accuracy, p->accuracy) && same_bits(loss, p->loss)) return OK;
        snprintf(stored, sizeof stored, "%.17g, %.17g", accuracy, loss);
    }
    snprintf(now, sizeof now, "%.17g, %.17g", p->accuracy, p->loss);
    snprintf(what, sizeof what, "accuracy, loss of pruning at %s, fraction %g", p->scheme,
             p->fraction);
    return differs(a, r->epoch, what, stored, now);
}

/* Of a table of parts of an epoch: as many as were stored? */
static int compare_count(struct db *d, const struct row *r, struct save_answer *a, enum sql counts,
                         size_t count, const char *table, const char *parts, struct err *e)
{
    int64_t stored;
    char was[VALUE_TEXT], is[VALUE_TEXT];
    int rc = db_integer(d, &stored, 0, counts, e, "ii", a->run, r->epoch);
    if (rc < 0 || stored == (int64_t)count) return rc;
    snprintf(was, sizeof was, "%" PRId64 " %s", stored, parts);
    snprintf(is, sizeof is, "%zu %s", count, parts);
    return differs(a, r->epoch, table, was, is);
}

static int compare_pruning(struct db *d, const struct row *r, struct save_answer *a, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < r->pruning_count && rc == OK && a->verdict == VERDICT_STORED; i++)
        rc = compare_point(d, r, &r->pruning[i], a, e);
    if (rc < 0 || a->verdict != VERDICT_STORED) return rc;
    return compare_count(d, r, a, SQL_PRUNING_COUNT, r->pruning_count, "pruning", "points", e);
}

static int compare_feature(struct db *d, const struct row *r, const struct feature *f,
                           struct save_answer *a, struct err *e)
{
    char what[128], stored[VALUE_TEXT] = "nothing", now[VALUE_TEXT];
    sqlite3_stmt *s = db_bind(d, SQL_FEATURE_GET, e, "iitt", a->run, r->epoch, f->layer, f->name);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0) return found;
    if (found) {
        double value = sqlite3_column_double(s, 0);
        db_done(s);
        if (same_bits(value, f->value)) return OK;
        snprintf(stored, sizeof stored, "%.17g", value);
    }
    snprintf(now, sizeof now, "%.17g", f->value);
    snprintf(what, sizeof what, "feature %.40s of %.40s", f->name, f->layer);
    return differs(a, r->epoch, what, stored, now);
}

static int compare_features(struct db *d, const struct row *r, struct save_answer *a, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < r->feature_count && rc == OK && a->verdict == VERDICT_STORED; i++)
        rc = compare_feature(d, r, &r->features[i], a, e);
    if (rc < 0 || a->verdict != VERDICT_STORED) return rc;
    return compare_count(d, r, a, SQL_FEATURE_COUNT, r->feature_count, "features", "features", e);
}

/* Only an epoch that names an evaluation is asked about it. */
static int compare_evaluation(struct db *d, const struct row *r, struct save_answer *a,
                              struct err *e)
{
    char stored[HASH_HEX] = "nothing";
    if (!r->evaluation.hash) return OK;
    sqlite3_stmt *s = db_bind(d, SQL_RUN_EVALUATION_GET, e, "i", a->run);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0) return found;
    if (found) {
        db_text(s, 0, stored, sizeof stored);
        db_done(s);
    }
    if (strcmp(stored, r->evaluation.hash) == 0) return OK;
    return differs(a, r->epoch, "evaluation", stored, r->evaluation.hash);
}

static bool same_bytes(sqlite3_stmt *s, int column, const void *now, size_t bytes)
{
    return (size_t)sqlite3_column_bytes(s, column) == bytes &&
           (bytes == 0 || memcmp(sqlite3_column_blob(s, column), now, bytes) == 0);
}

static int compare_predictions(struct db *d, const struct row *r, struct save_answer *a,
                               struct err *e)
{
    const struct row_predictions *p = &r->predictions;
    sqlite3_stmt *s = db_bind(d, SQL_PREDICTIONS_GET, e, "ii", a->run, r->epoch);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0 || (!found && !p->count)) return found;
    bool same = found && same_bytes(s, 0, p->input, p->count * sizeof *p->input) &&
                same_bytes(s, 1, p->label, p->count * sizeof *p->label) &&
                same_bytes(s, 2, p->root, (size_t)p->count * p->classes * sizeof *p->root);
    if (found) db_done(s);
    return same ? OK
                : differs(a, r->epoch, "predictions", found ? "other numbers" : "nothing",
                          p->count ? "these" : "nothing");
}

static int compare(struct db *d, const struct row *r, struct save_answer *a, struct err *e)
{
    int rc = compare_table(d, r, a, METRIC_TABLE_epochs, e);
    if (rc == OK && a->verdict == VERDICT_STORED)
        rc = compare_table(d, r, a, METRIC_TABLE_geometry, e);
    if (rc == OK && a->verdict == VERDICT_STORED) rc = compare_pruning(d, r, a, e);
    if (rc == OK && a->verdict == VERDICT_STORED) rc = compare_features(d, r, a, e);
    if (rc == OK && a->verdict == VERDICT_STORED) rc = compare_evaluation(d, r, a, e);
    if (rc == OK && a->verdict == VERDICT_STORED) rc = compare_predictions(d, r, a, e);
    return rc;
}

/* Only an epoch that brings a model is asked about it. */
static int compare_model(struct db *d, const Grokd__Epoch *m, struct save_answer *a, struct err *e)
{
    char stored[HASH_HEX] = "nothing", now[HASH_HEX];
    if (!m->has_model && !m->model_file) return OK;
    sqlite3_stmt *s = db_bind(d, SQL_MODEL_GET, e, "ii", a->run, m->epoch);
    int found = s ? db_step(d, s, e) : E_STORE;
    if (found < 0) return found;
    if (found) {
        db_text(s, 1, stored, sizeof stored);
        db_done(s);
    }
    if (m->model_file)
        snprintf(now, sizeof now, "%s", m->model_file->sha256);
    else
        hash_sha256_hex(m->model.data, m->model.len, now);
    return strcmp(stored, now) == 0 ? OK
                                    : differs(a, m->epoch, "SHA-256 of the model", stored, now);
}

/* ---- inserting ---- */

static int insert_table(struct db *d, const struct row *r, int64_t run, enum metric_table table,
                        struct err *e)
{
    enum sql which = table == METRIC_TABLE_epochs ? SQL_EPOCH_INSERT : SQL_GEOMETRY_INSERT;
    sqlite3_stmt *s = db_bind(d, which, e, "ii", run, r->epoch);
    if (!s) return E_STORE;
    int at = 3;
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *m = &metric_list[i];
        if (m->table != table) continue;
        struct cell c = cell_of(m, r->value[i]);
        if (cell_bind(s, at++, m, &c) == SQLITE_OK) continue;
        db_done(s);
        return err_set(e, E_STORE, "%s: run %" PRId64 ": cannot bind %s", d->path, run, m->name);
    }
    size_t bytes = SKETCH_ROWS * sizeof *r->sketch;
    if (table == METRIC_TABLE_geometry && r->sketch &&
        sqlite3_bind_blob(s, at, r->sketch, (int)bytes, SQLITE_TRANSIENT) != SQLITE_OK) {
        db_done(s);
        return err_set(e, E_STORE, "%s: run %" PRId64 ": cannot bind a sketch", d->path, run);
    }
    return db_step(d, s, e);
}

static bool has_geometry(const struct row *r)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (metric_list[i].table == METRIC_TABLE_geometry && present(r->value[i])) return true;
    return r->sketch != NULL;
}

/* The run's evaluation, which is stored with the first run that names it. */
static int insert_evaluation(struct db *d, const struct evaluation *v, int64_t run, struct err *e)
{
    int64_t number = 0;
    int rc = db_integer(d, &number, 0, SQL_EVALUATION_OF_HASH, e, "t", v->hash);
    if (rc == OK && !number) {
        rc = db_do(d, SQL_EVALUATION_INSERT, e, "itiiiss", run, v->hash, (int64_t)v->samples,
                   (int64_t)v->classes, (int64_t)SKETCH_ROWS, v->ignorance, v->truth);
        number = sqlite3_last_insert_rowid(d->handle);
    }
    return rc < 0 ? rc : db_do(d, SQL_RUN_EVALUATION, e, "ii", run, number);
}

/* For the cloud of its sweep and evaluation, once it is durable. The first of a cloud comes with
 * epoch 0 of the only run of both. */
static int stage_sketch(struct db *d, const struct row *r, int64_t run, struct err *e)
{
    struct clouds_staged x = {.run = run, .epoch = r->epoch};
    sqlite3_stmt *s = db_bind(d, SQL_RUN_CLOUD, e, "i", run);
    int64_t runs = 0;
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    x.sweep = sqlite3_column_int64(s, 0);
    x.evaluation = sqlite3_column_int64(s, 1);
    db_done(s);
    if (!x.evaluation) return OK;
    if (r->epoch == 0)
        rc = db_integer(d, &runs, 0, SQL_CLOUD_RUNS, e, "ii", x.sweep, x.evaluation);
    else
        rc = OK;
    x.first = runs == 1;
    memcpy(x.sketch, r->sketch, sizeof x.sketch);
    return rc < 0 ? rc : clouds_stage(d->clouds, &x, e);
}

static int insert_predictions(struct db *d, const struct row *r, int64_t run, struct err *e)
{
    const struct row_predictions *p = &r->predictions;
    return db_do(d, SQL_PREDICTIONS_INSERT, e, "iiibbb", run, r->epoch, (int64_t)p->classes,
                 (const void *)p->input, p->count * sizeof *p->input, (const void *)p->label,
                 p->count * sizeof *p->label, (const void *)p->root,
                 (size_t)p->count * p->classes * sizeof *p->root);
}

static int insert(struct db *d, const struct row *r, int64_t run, size_t *rows, struct err *e)
{
    int rc = insert_table(d, r, run, METRIC_TABLE_epochs, e);
    *rows += 1 + r->pruning_count + r->feature_count;
    if (rc == OK && has_geometry(r)) rc = insert_table(d, r, run, METRIC_TABLE_geometry, e);
    for (size_t i = 0; i < r->pruning_count && rc == OK; i++) {
        const struct pruning_point *p = &r->pruning[i];
        rc = db_do(d, SQL_PRUNING_INSERT, e, "iittddd", run, r->epoch, p->scheme, p->layer,
                   p->fraction, p->accuracy, p->loss);
    }
    for (size_t i = 0; i < r->feature_count && rc == OK; i++) {
        const struct feature *f = &r->features[i];
        rc = db_do(d, SQL_FEATURE_INSERT, e, "iittd", run, r->epoch, f->layer, f->name, f->value);
    }
    if (rc == OK && r->evaluation.hash) rc = insert_evaluation(d, &r->evaluation, run, e);
    if (rc == OK && r->predictions.count) rc = insert_predictions(d, r, run, e);
    return rc == OK && r->sketch && d->clouds ? stage_sketch(d, r, run, e) : rc;
}

/* ---- a message ---- */

/* Nothing of a message with a gap is looked at: what should have come before it is missing. */
static bool has_gap(const Grokd__Epochs *m, int64_t done)
{
    for (size_t i = 0; i < m->n_epochs; i++) {
        if (m->epochs[i]->epoch > done + 1) return true;
        if (m->epochs[i]->epoch > done) done = m->epochs[i]->epoch;
    }
    return false;
}

/* The parts of a model must have come before it is named; else the run begins again where it was.
 */
static int save_model(struct db *d, const struct save *s, const Grokd__Epoch *m,
                      struct save_answer *a, struct err *e)
{
    if (!m->has_model && !m->model_file) return OK;
    int rc = keep_model(d, s, m, e);
    if (rc != E_FILE) return rc;
    a->verdict = VERDICT_GAP;
    snprintf(a->reason, sizeof a->reason, "model of epoch %" PRId64 ": %.200s", m->epoch, e->text);
    return OK;
}

static int save_row(struct db *d, const struct save *s, const Grokd__Epoch *m, int64_t *done,
                    struct save_answer *a, size_t *rows, struct err *e)
{
    struct row r;
    struct pruning_point *points = calloc(m->n_pruning + 1, sizeof *points);
    struct feature *features = calloc(m->n_features + 1, sizeof *features);
    int rc = OK;
    if (points && features)
        wire_row(m, &r, points, features);
    else
        rc = err_set(e, E_NOMEM, "run %" PRId64 ": no memory for an epoch", a->run);
    if (rc == OK && r.epoch <= *done) {
        rc = compare(d, &r, a, e);
        if (rc == OK && a->verdict == VERDICT_STORED) rc = compare_model(d, m, a, e);
    } else if (rc == OK && (rc = save_model(d, s, m, a, e)) == OK && a->verdict == VERDICT_STORED) {
        rc = insert(d, &r, a->run, rows, e);
        if (rc == OK) rc = save_notes(d, s, &r, e);
        *done = r.epoch;
    }
    if (rc == OK && a->verdict == VERDICT_STORED) {
        a->epoch = r.epoch;
        if (m->has_checkpoint || m->checkpoint_file) rc = keep_checkpoint(d, s, m, e);
    }
    free(points);
    free(features);
    return rc;
}

/* The run has failed with the difference, whatever else becomes of the attempt or of who heard of
 * it: nothing that it says behind that is believed, nor does another attempt begin. */
static int fail_differing(struct db *d, const struct save *s, const struct save_answer *a,
                          struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    int rc = save_event(d, s, "differs", a->reason, e);
    if (rc == OK)
        rc = db_do(d, SQL_ATTEMPT_END, e, "iitttd", s->run, s->attempt, at, "failed", a->reason,
                   (double)NAN);
    if (rc == OK) rc = db_do(d, SQL_RUN_DIFFERS, e, "itt", s->run, a->reason, at);
    upload_end(d, s->run);
    return rc < 0 ? rc : save_sweep_settle(d, a->sweep, e);
}

/* How far the run and its attempt are. */
static int conclude(struct db *d, const struct save *s, const Grokd__Epochs *m,
                    const struct save_answer *a, struct err *e)
{
    if (a->verdict == VERDICT_DIFFERS) return fail_differing(d, s, a, e);
    if (a->epoch < 0) return OK;
    int rc = db_do(d, SQL_RUN_EPOCHS_DONE, e, "ii", s->run, a->epoch);
    if (rc < 0) return rc;
    return db_do(d, SQL_ATTEMPT_PROGRESS, e, "iiii", s->run, s->attempt, m->epochs[0]->epoch,
                 a->epoch);
}

/* Whether the attempt is believed, and the last epoch of its run that is stored. */
static int ask_attempt(struct db *d, const struct save *s, int64_t *done, struct save_answer *a,
                       struct err *e)
{
    sqlite3_stmt *q = db_bind(d, SQL_RUN_CURRENT, e, "ii", s->run, s->attempt);
    int rc = q ? db_step(d, q, e) : E_STORE;
    if (rc == 0) a->verdict = VERDICT_STALE;
    if (rc != 1) return rc;
    *done = sqlite3_column_int64(q, 0);
    a->sweep = sqlite3_column_int64(q, 1);
    db_done(q);
    return OK;
}

int save_epochs(struct db *d, const struct save *s, struct save_answer *a, size_t *rows,
                struct err *e)
{
    int64_t done = -1;
    if (!s->message || s->message->body_case != GROKD__ENVELOPE__BODY_EPOCHS)
        return err_set(e, E_STORE, "run %" PRId64 ": no Epochs to store", s->run);
    const Grokd__Epochs *m = s->message->epochs;
    int rc = ask_attempt(d, s, &done, a, e);
    if (rc < 0) return rc;
    if (a->verdict == VERDICT_STORED && has_gap(m, done)) {
        a->verdict = VERDICT_GAP;
        snprintf(a->reason, sizeof a->reason, "epoch %" PRId64 " was never stored", done + 1);
    }
    if (a->verdict != VERDICT_STORED) return OK;
    for (size_t i = 0; i < m->n_epochs && rc == OK && a->verdict == VERDICT_STORED; i++)
        rc = save_row(d, s, m->epochs[i], &done, a, rows, e);
    return rc == OK ? conclude(d, s, m, a, e) : rc;
}
