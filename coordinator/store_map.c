// SPDX-License-Identifier: MIT
/* store_map: the map of a sweep's sketches, one for each of its evaluation tables: the cloud is
 * read unless it was kept as epochs arrived, its axes are found, and every sketch is placed.
 */
#include "common/log.h"
#include "coordinator/store_aggregate.h"
#include "proto/sketch.h"

#include <string.h>

#define NOTHING (-1)
#define BYTES   ((int)(SKETCH_ROWS * sizeof(float)))

/* ---- walking through the sketches of a cloud, run by run, epoch by epoch ---- */

struct walker {
    /* What is done with each; y is lent. */
    int (*visit)(struct aggregate *a, struct db *d, int64_t run, int64_t epoch, const float *y,
                 struct err *e);
    /* What is done when the walk comes to a run; may be NULL. */
    int (*enter)(struct db *d, int64_t run, struct err *e);
};

static int visit_rows(struct aggregate *a, struct db *d, const struct walker *w, int64_t run,
                      int64_t *epoch, struct err *e)
{
    int rc, rows = 0;
    float y[SKETCH_ROWS];
    sqlite3_stmt *s = db_bind(d, SQL_SKETCHES, e, "ii", run, *epoch);
    if (!s) return E_STORE;
    for (; (rc = db_step(d, s, e)) == 1; rows++) {
        *epoch = sqlite3_column_int64(s, 0);
        if (sqlite3_column_bytes(s, 1) != BYTES) continue;
        memcpy(y, sqlite3_column_blob(s, 1), sizeof y);
        rc = w->visit(a, d, run, *epoch, y, e);
        if (rc < 0) {
            db_done(s);
            break;
        }
    }
    return rc < 0 ? rc : rows;
}

/* A part of the walk from (*run, *epoch): 1; at its end: 0. */
static int walk(struct aggregate *a, struct db *d, const struct walker *w, int64_t *run,
                int64_t *epoch, struct err *e)
{
    int rows = *run == NOTHING ? 0 : visit_rows(a, d, w, *run, epoch, e);
    if (rows != 0) return rows < 0 ? rows : 1;
    int64_t next;
    int rc = db_integer(d, &next, 0, SQL_CLOUD_RUN, e, "iii", a->sweep, a->evaluation, *run);
    if (rc < 0 || next == 0) return rc;
    *run = next;
    *epoch = NOTHING;
    rc = w->enter ? w->enter(d, next, e) : OK;
    return rc < 0 ? rc : 1;
}

/* ---- the cloud ---- */

static int add(struct aggregate *a, struct db *d, int64_t run, int64_t epoch, const float *y,
               struct err *e)
{
    (void)run, (void)epoch, (void)e;
    moments_add(&clouds_find(d->clouds, a->sweep, a->evaluation)->moments, y);
    return OK;
}

/* The cloud is whole: 0; one more part of it was read: 1. */
static int read_cloud(struct aggregate *a, struct db *d, struct cloud **out, struct err *e)
{
    static const struct walker adder = {add, NULL};
    struct cloud *x = clouds_find(d->clouds, a->sweep, a->evaluation);
    int rc = x ? OK : clouds_make(d->clouds, a->sweep, a->evaluation, &x, e);
    if (rc < 0) return rc;
    *out = x;
    if (x->whole) return 0;
    rc = walk(a, d, &adder, &x->run, &x->epoch, e);
    x->whole = rc == 0;
    if (rc < 0) clouds_drop(x); /* part of it may be added */
    return rc;
}

/* ---- the map ---- */

static int write_map(struct aggregate *a, struct db *d, struct err *e)
{
    const struct map *m = &a->map;
    int rc = db_do(d, SQL_QUALITY_PUT, e, "iiidddd", a->sweep, a->evaluation, m->points,
                   m->variance, m->kept[0], m->kept[1], m->kept[2]);
    for (int i = 0; i < MAP_ANCHORS && rc == OK; i++)
        rc = db_do(d, SQL_ANCHOR_PUT, e, "iitddd", a->sweep, a->evaluation, map_anchor_names[i],
                   m->anchors[i][0], m->anchors[i][1], m->anchors[i][2]);
    return rc;
}

/* The ends of the evaluation table: 1; there are none of the right size: 0. */
static int read_ends(struct aggregate *a, struct db *d, float ignorance[SKETCH_ROWS],
                     float truth[SKETCH_ROWS], int *classes, struct err *e)
{
    sqlite3_stmt *s = db_bind(d, SQL_EVALUATION_ENDS, e, "i", a->evaluation);
    int rc = s ? db_step(d, s, e) : E_STORE;
    if (rc <= 0) return rc;
    int right = sqlite3_column_bytes(s, 1) == BYTES && sqlite3_column_bytes(s, 2) == BYTES;
    *classes = sqlite3_column_int(s, 0);
    if (right) {
        memcpy(ignorance, sqlite3_column_blob(s, 1), (size_t)BYTES);
        memcpy(truth, sqlite3_column_blob(s, 2), (size_t)BYTES);
    }
    db_done(s);
    return right;
}

/* There is a map: 1; these sketches make none: 0. */
static int make_map(struct aggregate *a, struct db *d, struct cloud *x, struct err *e)
{
    float ignorance[SKETCH_ROWS], truth[SKETCH_ROWS];
    struct map_ends ends = {ignorance, truth, 0};
    struct err why;
    int rc = read_ends(a, d, ignorance, truth, &ends.classes, e);
    if (rc <= 0) return rc;
    map_close(&a->map);
    rc = map_make(&a->map, &x->moments, &ends, &why);
    a->at_run = a->at_epoch = NOTHING;
    a->placed = 0;
    if (rc == OK)
        rc = write_map(a, d, e);
    else if (rc != E_STATE)
        return err_set(e, rc, "%s", why.text);
    else {
        log_warn("no_map", "sweep=%lld reason=%s", (long long)a->sweep, why.text);
        return 0;
    }
    return rc < 0 ? rc : 1;
}

/* ---- the places ---- */

static int forget_places(struct db *d, int64_t run, struct err *e)
{
    return db_do(d, SQL_EMBEDDING_DELETE, e, "i", run);
}

static int place(struct aggregate *a, struct db *d, int64_t run, int64_t epoch, const float *y,
                 struct err *e)
{
    double x[MAP_AXES];
    map_place(&a->map, y, x);
    a->placed++;
    return db_do(d, SQL_EMBEDDING_INSERT, e, "iiiddd", a->sweep, run, epoch, x[0], x[1], x[2]);
}

/* Sketches are added only: fewer than the cloud has points, and somebody deleted rows. */
static int place_all(struct aggregate *a, struct db *d, struct err *e)
{
    static const struct walker placer = {place, forget_places};
    int rc = walk(a, d, &placer, &a->at_run, &a->at_epoch, e);
    if (rc != 0) return rc;
    if (a->placed < a->map.points && !a->again) {
        clouds_drop(clouds_find(d->clouds, a->sweep, a->evaluation));
        a->again = true;
    } else
        a->evaluation_done = true;
    map_close(&a->map);
    return 1;
}

/* ---- the stage ---- */

static int next_evaluation(struct aggregate *a, struct db *d, struct err *e)
{
    int rc =
        db_integer(d, &a->evaluation, 0, SQL_EVALUATION_NEXT, e, "ii", a->sweep, a->evaluation);
    a->evaluation_done = a->again = false;
    return rc < 0 ? rc : a->evaluation != 0;
}

int aggregate_map(struct aggregate *a, struct db *d, struct err *e)
{
    struct cloud *x = NULL;
    if (a->evaluation == 0 || a->evaluation_done) return next_evaluation(a, d, e);
    if (a->map.axes) return place_all(a, d, e);
    int rc = read_cloud(a, d, &x, e);
    if (rc != 0) return rc;
    rc = make_map(a, d, x, e);
    if (rc == 0) {
        map_close(&a->map);
        a->evaluation_done = true;
    }
    return rc < 0 ? rc : 1;
}
