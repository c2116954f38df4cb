// SPDX-License-Identifier: MIT
/* full: pushes steps through the network, chunk by chunk, and sums products of what they move. */
#include "worker/measure/full.h"

#include "worker/num/vec.h"
#include "worker/train/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool full_fits(const struct model *m, enum fisher_variant variant)
{
    return jvp_fits(m) && (variant == FISHER_REGRESSION || m->loss == LOSS_CROSS_ENTROPY);
}

static bool homogeneous(const struct model *m)
{
    return m->layer_count == 3 && m->layer[0].kind == &layer_two_hot &&
           m->layer[1].kind == &layer_relu && m->layer[2].kind == &layer_dense;
}

int full_open(struct full *f, const struct model *m, size_t samples, struct err *e)
{
    *f = (struct full){.homogeneous = homogeneous(m), .samples = samples};
    int rc = jvp_open(&f->jvp, m, f->homogeneous ? FULL_THETA : FULL_VECTORS, e);
    if (rc == OK) rc = chances_open(&f->chances, m->classes, e);
    for (size_t i = 0; i < FULL_VECTORS && rc == OK; i++)
        if (!(f->u[i] = vec_alloc(m->classes * VEC_LANES)))
            rc = err_set(e, E_NOMEM, "whole Fisher information: no memory");
    return rc;
}

void full_close(struct full *f)
{
    jvp_close(&f->jvp);
    chances_close(&f->chances);
    for (size_t i = 0; i < FULL_VECTORS; i++) free(f->u[i]);
    *f = (struct full){0};
}

/* ---- a chunk ---- */

/* The moves of the batch along every vector, 0 in the lanes after it. */
static void find_moves(struct full *f, const struct model *m, const struct batch *b,
                       const float *known, const float *const vector[FULL_VECTORS])
{
    const float *direction[FULL_VECTORS];
    size_t place[FULL_VECTORS], count = 0, n = m->classes * VEC_LANES;
    for (size_t i = 0; i < FULL_VECTORS; i++)
        if (vector[i] && !(i == FULL_THETA && f->homogeneous))
            direction[count] = vector[i], place[count++] = i;
    jvp_run(&f->jvp, m, b, known, direction, count);
    for (size_t i = 0; i < count; i++)
        memcpy(f->u[place[i]], jvp_moved(&f->jvp, m, i)->x, n * sizeof *f->u[0]);
    if (f->homogeneous) {
        const float *z = jvp_logits(&f->jvp, m)->x;
        const struct tensor *bias = &m->tensor[m->layer[2].bias];
        for (size_t c = 0; c < m->classes; c++)
            for (size_t s = 0; s < VEC_LANES; s++)
                f->u[FULL_THETA][c * VEC_LANES + s] =
                    2 * z[c * VEC_LANES + s] - m->theta[tensor_index(bias, c, 0)];
    }
    for (size_t i = 0; i < FULL_VECTORS; i++)
        for (size_t c = 0; c < m->classes; c++)
            for (size_t s = b->count; s < VEC_LANES; s++) f->u[i][c * VEC_LANES + s] = 0;
}

static void add_regression(const struct full *f, size_t n, const float *const vector[FULL_VECTORS],
                           double sum[FULL_VECTORS][FULL_VECTORS])
{
    for (size_t i = 0; i < FULL_VECTORS; i++)
        for (size_t j = i; j < FULL_VECTORS; j++)
            if (vector[i] && vector[j]) sum[i][j] += vec->dot(f->u[i], f->u[j], n);
}

/* Moves from that of each lane's most probable class on. */
static void take_from_top(const struct chances *p, float *u)
{
    float top[VEC_LANES];
    for (size_t s = 0; s < VEC_LANES; s++) top[s] = u[(size_t)p->top[s] * VEC_LANES + s];
    for (size_t c = 0; c < p->classes; c++)
        for (size_t s = 0; s < VEC_LANES; s++) u[c * VEC_LANES + s] -= top[s];
}

static void find_mean(const struct chances *p, const float *u, float mean[VEC_LANES])
{
    double sum[VEC_LANES] = {0};
    for (size_t c = 0; c < p->classes; c++)
        for (size_t s = 0; s < VEC_LANES; s++)
            sum[s] += p->p[c * VEC_LANES + s] * u[c * VEC_LANES + s];
    for (size_t s = 0; s < VEC_LANES; s++) mean[s] = (float)sum[s];
}

static void add_classification(struct full *f, size_t n, const float *const vector[FULL_VECTORS],
                               double sum[FULL_VECTORS][FULL_VECTORS])
{
    float mean[FULL_VECTORS][VEC_LANES];
    for (size_t i = 0; i < FULL_VECTORS; i++)
        if (vector[i]) {
            take_from_top(&f->chances, f->u[i]);
            find_mean(&f->chances, f->u[i], mean[i]);
        }
    for (size_t i = 0; i < FULL_VECTORS; i++)
        for (size_t j = i; j < FULL_VECTORS; j++)
            if (vector[i] && vector[j])
                sum[i][j] += vec->dot_weighted(f->chances.p, f->u[i], f->u[j], n) -
                             vec->dot(mean[i], mean[j], VEC_LANES);
}

/* Lanes after the batch hold logits of earlier ones: 0 is always a number. */
static void find_chances(struct full *f, const struct model *m, size_t count)
{
    float *z = jvp_logits(&f->jvp, m)->x;
    for (size_t c = 0; c < m->classes; c++)
        for (size_t s = count; s < VEC_LANES; s++) z[c * VEC_LANES + s] = 0;
    chances_find(&f->chances, z);
}

/* ---- the whole set ---- */

static void clear(struct full_products *out, const float *const vector[FULL_VECTORS])
{
    for (int v = 0; v < FISHER_VARIANTS; v++)
        for (size_t i = 0; i < FULL_VECTORS; i++)
            for (size_t j = 0; j < FULL_VECTORS; j++)
                out->of[v][i][j] = vector[i] && vector[j] ? 0 : NAN;
}

void full_find(struct full *f, const struct model *m, const struct dataset *set, const float *known,
               const float *step, const float *previous, struct full_products *out)
{
    const float *const vector[FULL_VECTORS] = {step, previous, m->theta};
    size_t samples = f->samples && f->samples < set->count ? f->samples : set->count;
    size_t n = m->classes * VEC_LANES;
    clear(out, vector);
    for (size_t from = 0; from < samples; from += VEC_LANES) {
        struct batch b = dataset_chunk(set, from);
        if (b.count > samples - from) b.count = samples - from;
        find_moves(f, m, &b, known ? known + from / VEC_LANES * n : NULL, vector);
        find_chances(f, m, b.count);
        add_regression(f, n, vector, out->of[FISHER_REGRESSION]);
        add_classification(f, n, vector, out->of[FISHER_CLASSIFICATION]);
    }
    for (int v = 0; v < FISHER_VARIANTS; v++)
        for (size_t i = 0; i < FULL_VECTORS && samples; i++)
            for (size_t j = 0; j < FULL_VECTORS; j++) out->of[v][i][j] /= (double)samples;
}

static double cosine(double inner, double a, double b)
{
    return a > 0 && b > 0 ? inner / sqrt(a) / sqrt(b) : NAN;
}

struct geometry_step full_step(const struct full_products *p, enum fisher_variant variant)
{
    const double(*q)[FULL_VECTORS] = p->of[variant];
    double step = q[FULL_STEP][FULL_STEP];
    return (struct geometry_step){
        /* A sum of squares may end a rounding below 0. */
        .length = step < 0 ? 0 : sqrt(step),
        .cos_previous = cosine(q[FULL_STEP][FULL_PREVIOUS], step, q[FULL_PREVIOUS][FULL_PREVIOUS]),
        .cos_origin = cosine(-q[FULL_STEP][FULL_THETA], step, q[FULL_THETA][FULL_THETA]),
    };
}
