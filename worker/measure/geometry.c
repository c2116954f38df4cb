// SPDX-License-Identifier: MIT
/* geometry: remembers the weights of the last two measured epochs and the metrics at the last. */
#include "worker/measure/geometry.h"

#include "worker/measure/fisher.h"
#include "worker/measure/gauge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEVER (-1) /* as an epoch: there was none */

/* Blocks are laid out as theta. */
struct road {
    struct fisher fisher;
    struct model here;   /* at the last measured epoch */
    float *before;       /* weights at the one before */
    float *step, *prior; /* scratch: the step from here, the step to here */
    /* Fisher diagonal at here; NULL: that variant is not asked for. */
    float *metric[FISHER_VARIANTS];
    int64_t here_epoch, before_epoch;
};

static double product(const float *a, const float *b, const float *metric, size_t n)
{
    return metric ? vec->dot_weighted(metric, a, b, n) : vec->dot(a, b, n);
}

static double cosine(double inner, double length, double other)
{
    return length > 0 && other > 0 ? inner / length / other : NAN;
}

struct geometry_step geometry_step(const float *step, const float *previous, const float *origin,
                                   const float *metric, size_t n)
{
    double length = sqrt(product(step, step, metric, n));
    double away = sqrt(product(origin, origin, metric, n));
    struct geometry_step g = {.length = length, .cos_previous = NAN};
    g.cos_origin = cosine(-product(step, origin, metric, n), length, away);
    if (previous) {
        double last = sqrt(product(previous, previous, metric, n));
        g.cos_previous = cosine(product(step, previous, metric, n), length, last);
    }
    return g;
}

static bool asked(const struct view *v, enum fisher_variant variant)
{
    return v->settings->fisher_variants & 1 << variant && fisher_fits(v->model, variant);
}

static int open_geometry(void **state, const struct view *v, struct err *e)
{
    struct road *r = *state = calloc(1, sizeof *r);
    if (!r) return err_set(e, E_NOMEM, "geometry: no memory");
    r->here_epoch = r->before_epoch = NEVER;
    int rc = model_copy(&r->here, v->model, e);
    bool any = asked(v, FISHER_REGRESSION) || asked(v, FISHER_CLASSIFICATION);
    if (rc == OK && any)
        rc = fisher_open(&r->fisher, v->model, (size_t)v->settings->fisher_samples, e);
    if (rc < 0) return rc;
    r->before = vec_alloc(v->model->size);
    r->step = vec_alloc(v->model->size);
    r->prior = vec_alloc(v->model->size);
    bool full = r->before && r->step && r->prior;
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (asked(v, (enum fisher_variant)i))
            full = (r->metric[i] = vec_alloc(v->model->size)) && full;
    return full ? OK : err_set(e, E_NOMEM, "geometry: no memory");
}

static void close_geometry(void *state)
{
    struct road *r = state;
    if (!r) return;
    fisher_close(&r->fisher);
    model_close(&r->here);
    free(r->before);
    free(r->step);
    free(r->prior);
    for (int i = 0; i < FISHER_VARIANTS; i++) free(r->metric[i]);
    free(r);
}

static void subtract(float *d, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) d[i] = a[i] - b[i];
}

/* Columns of each metric: length, cos_previous, cos_origin. */
enum { METRICS = 1 + FISHER_VARIANTS };
static const int column[METRICS][3] = {
    {METRIC_step_euclid, METRIC_cos_previous_euclid, METRIC_cos_origin_euclid},
    {METRIC_step_fisher, METRIC_cos_previous_fisher, METRIC_cos_origin_fisher},
    {METRIC_step_fisher_class, METRIC_cos_previous_fisher_class, METRIC_cos_origin_fisher_class},
};

/* The row of a step that ends at the view's model and begins here. */
static void fill_row(struct road *r, const struct view *v, struct row *row)
{
    size_t n = v->model->size;
    const float *origin = r->here.theta, *prior = NULL;
    subtract(r->step, v->model->theta, origin, n);
    if (r->before_epoch != NEVER && v->epoch - r->here_epoch == r->here_epoch - r->before_epoch) {
        subtract(r->prior, origin, r->before, n);
        prior = r->prior;
    }
    const float *const metric[] = {NULL, r->metric[FISHER_REGRESSION],
                                   r->metric[FISHER_CLASSIFICATION]};
    for (int i = 0; i < METRICS; i++) {
        if (i && !metric[i]) continue;
        struct geometry_step g = geometry_step(r->step, prior, origin, metric[i], n);
        row->value[column[i][0]] = g.length;
        row->value[column[i][1]] = g.cos_previous;
        row->value[column[i][2]] = g.cos_origin;
    }
}

/* The weights here become those before, the given ones those here, and the metric follows. */
static void walk(struct road *r, const struct view *v, const float *theta, int64_t epoch)
{
    size_t bytes = r->here.size * sizeof *theta;
    memcpy(r->before, r->here.theta, bytes);
    r->before_epoch = r->here_epoch;
    memcpy(r->here.theta, theta, bytes);
    r->here_epoch = epoch;
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (r->metric[i])
            fisher_diagonal(&r->fisher, &r->here, &v->task->test, (enum fisher_variant)i,
                            r->metric[i]);
}

static int read_geometry(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    struct road *r = state;
    if (r->here_epoch != NEVER) fill_row(r, v, row);
    walk(r, v, v->model->theta, v->epoch);
    return OK;
}

static int save_geometry(const void *state, const struct view *v, struct safetensors *s,
                         struct err *e)
{
    const struct road *r = state;
    size_t count = v->model->parameters, two = 2;
    const int64_t epochs[2] = {r->before_epoch, r->here_epoch};
    float *flat = malloc(count * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "geometry: no memory");
    int rc = safetensors_add(s, "measure.epochs", ST_I64, 1, &two, epochs, e);
    model_flatten(v->model, r->before, flat);
    if (rc == OK) rc = safetensors_add(s, "measure.before", ST_F32, 1, &count, flat, e);
    model_flatten(v->model, r->here.theta, flat);
    if (rc == OK) rc = safetensors_add(s, "measure.here", ST_F32, 1, &count, flat, e);
    free(flat);
    return rc;
}

static int load_block(float *block, const struct view *v, const struct safetensors *s,
                      const char *name, struct err *e)
{
    size_t count = v->model->parameters;
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, name, ST_F32, 1, &count, &entry, e);
    if (rc < 0) return rc;
    float *flat = malloc(count * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "geometry: no memory");
    for (size_t i = 0; i < count; i++) flat[i] = (float)safetensors_real(s, entry, i);
    model_unflatten(v->model, flat, block);
    free(flat);
    return OK;
}

static int load_geometry(void *state, const struct view *v, const struct safetensors *s,
                         struct err *e)
{
    struct road *r = state;
    size_t two = 2;
    int64_t epochs[2];
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, "measure.epochs", ST_I64, 1, &two, &entry, e);
    if (rc == OK) rc = load_block(r->here.theta, v, s, "measure.before", e);
    if (rc == OK) rc = load_block(r->step, v, s, "measure.here", e);
    if (rc < 0) return rc;
    memcpy(epochs, safetensors_data(s, entry), sizeof epochs);
    r->here_epoch = epochs[0];
    walk(r, v, r->step, epochs[1]);
    return OK;
}

const struct gauge gauge_geometry = {.name = "geometry",
                                     .open = open_geometry,
                                     .read = read_geometry,
                                     .close = close_geometry,
                                     .save = save_geometry,
                                     .load = load_geometry};
