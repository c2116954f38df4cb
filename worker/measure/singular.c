// SPDX-License-Identifier: MIT
/* singular: everything from the product of a matrix with its transpose. */
#include "worker/measure/singular.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BISECTIONS 60

static size_t shorter(const struct tensor *t)
{
    return t->rows < t->cols ? t->rows : t->cols;
}

int singular_open(struct singular *s, const struct model *m, struct err *e)
{
    size_t n = 1, whole = 1;
    *s = (struct singular){.n = 0};
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensor[i];
        size_t side = shorter(t), other = t->rows + t->cols - side;
        if (t->bias) continue;
        if (side > n) n = side;
        if (VEC_ROUND(side) * VEC_ROUND(other) > whole) whole = VEC_ROUND(side) * VEC_ROUND(other);
    }
    size_t square = VEC_ROUND(n) * VEC_ROUND(n), exact = n > SINGULAR_MOST ? 1 : n;
    s->turned = vec_alloc(whole);
    s->gram = vec_alloc(square), s->power = vec_alloc(square), s->spare = vec_alloc(square);
    s->vector = vec_alloc(VEC_ROUND(n)), s->next = vec_alloc(VEC_ROUND(n));
    s->a = calloc(exact * (exact + 4), sizeof *s->a);
    if (s->turned && s->gram && s->power && s->spare && s->vector && s->next && s->a) return OK;
    return err_set(e, E_NOMEM, "singular values: no memory");
}

void singular_close(struct singular *s)
{
    void *const all[] = {s->turned, s->gram, s->power, s->spare, s->vector, s->next, s->a};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    *s = (struct singular){.n = 0};
}

/* G of a tensor, which lies in memory row by row or column by column; padding is zero. */
static void fill_gram(struct singular *s, const float *theta, const struct tensor *t)
{
    bool by_rows = t->col_stride == 1;
    size_t outer = by_rows ? t->rows : t->cols, inner = by_rows ? t->cols : t->rows;
    size_t distance = by_rows ? t->row_stride : t->col_stride;
    const float *w = theta + t->offset;
    s->n = shorter(t), s->ld = VEC_ROUND(s->n);
    if (outer > inner) {
        vec->gemm(s->gram, s->ld, w, 1, distance, w, distance, s->n, s->ld, outer, 0);
        return;
    }
    vec->transpose(s->turned, s->ld, w, distance, outer, inner);
    vec->gemm(s->gram, s->ld, w, distance, 1, s->turned, s->ld, s->n, s->ld, inner, 0);
}

static double trace(const float *a, size_t n, size_t ld)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i * ld + i];
    return sum;
}

/* y = a x. */
static void apply(float *y, const float *a, const float *x, const struct singular *s)
{
    for (size_t i = 0; i < s->n; i++) y[i] = (float)vec->dot(a + i * s->ld, x, s->n);
}

static void scale(float *x, size_t n, double factor)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(x[i] * factor);
}

/* A power of G, each time made small again. */
static void raise(struct singular *s)
{
    size_t size = s->n * s->ld;
    memcpy(s->power, s->gram, size * sizeof *s->power);
    for (int i = 0; i < SINGULAR_SQUARES; i++) {
        scale(s->power, size, 1 / trace(s->power, s->n, s->ld));
        vec->gemm(s->spare, s->ld, s->power, s->ld, 1, s->power, s->ld, s->n, s->ld, s->n, 0);
        float *other = s->power;
        s->power = s->spare, s->spare = other;
    }
    scale(s->power, size, 1 / trace(s->power, s->n, s->ld));
}

double singular_stable_rank(struct singular *s, const struct model *m, const struct tensor *t)
{
    fill_gram(s, m->theta, t);
    double all = trace(s->gram, s->n, s->ld);
    if (!(all > 0) || isinf(all)) return NAN;
    raise(s);
    for (size_t i = 0; i < s->n; i++) s->vector[i] = 1 + (float)(7 * i % 11) / 11;
    for (int k = 0; k < SINGULAR_STEPS; k++) {
        apply(s->next, s->power, s->vector, s);
        double length = sqrt(vec->dot(s->next, s->next, s->n));
        if (!(length > 0)) break;
        scale(s->next, s->n, 1 / length);
        float *other = s->vector;
        s->vector = s->next, s->next = other;
    }
    apply(s->next, s->gram, s->vector, s);
    double greatest = vec->dot(s->next, s->vector, s->n) / vec->dot(s->vector, s->vector, s->n);
    return all / greatest;
}

/* ---- all of them ---- */

/* Reflects a so that column k ends below its diagonal: (1 - 2 v v^T) a (1 - 2 v v^T) = a - 2 (v w^T
 * + w v^T), w = a v - (v.a v) v. */
static void reflect(struct singular *s, size_t k)
{
    size_t n = s->n;
    double *a = s->a, square = 0, along = 0, length = 0;
    for (size_t i = k + 1; i < n; i++) {
        s->v[i] = a[i * n + k];
        square += s->v[i] * s->v[i];
    }
    double alpha = s->v[k + 1] > 0 ? -sqrt(square) : sqrt(square);
    s->beside[k] = alpha;
    s->v[k + 1] -= alpha;
    for (size_t i = k + 1; i < n; i++) length += s->v[i] * s->v[i];
    if (!(length > 0)) return;
    for (size_t i = k + 1; i < n; i++) s->v[i] /= sqrt(length);
    for (size_t i = k + 1; i < n; i++) {
        s->w[i] = 0;
        for (size_t j = k + 1; j < n; j++) s->w[i] += a[i * n + j] * s->v[j];
        along += s->w[i] * s->v[i];
    }
    for (size_t i = k + 1; i < n; i++) s->w[i] -= along * s->v[i];
    for (size_t i = k + 1; i < n; i++)
        for (size_t j = k + 1; j < n; j++)
            a[i * n + j] -= 2 * (s->v[i] * s->w[j] + s->w[i] * s->v[j]);
}

static void make_tridiagonal(struct singular *s)
{
    size_t n = s->n;
    s->diagonal = s->a + n * n, s->beside = s->diagonal + n;
    s->v = s->beside + n, s->w = s->v + n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) s->a[i * n + j] = s->gram[i * s->ld + j];
    for (size_t k = 0; k + 2 < n; k++) reflect(s, k);
    if (n > 1) s->beside[n - 2] = s->a[(n - 1) * n + n - 2];
    for (size_t k = 0; k < n; k++) s->diagonal[k] = s->a[k * n + k];
}

/* Eigenvalues below x: negative pivots of the tridiagonal matrix less x. */
static size_t below(const struct singular *s, double x)
{
    size_t count = 0;
    double pivot = 1;
    for (size_t k = 0; k < s->n; k++) {
        double beside = k ? s->beside[k - 1] : 0;
        if (pivot == 0) pivot = 1e-300;
        pivot = s->diagonal[k] - x - beside * beside / pivot;
        count += pivot < 0;
    }
    return count;
}

/* The eigenvalue with `rank` smaller ones. */
static double eigenvalue(const struct singular *s, size_t rank, double most)
{
    double low = 0, high = most;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        if (below(s, middle) > rank)
            high = middle;
        else
            low = middle;
    }
    return (low + high) / 2;
}

static double exp_or_log(void (*f)(float *, const float *, size_t), double x)
{
    _Alignas(VEC_BYTES) float y[VEC_FLOATS] = {(float)x};
    f(y, y, 1);
    return y[0];
}

double singular_effective_rank(struct singular *s)
{
    double all = trace(s->gram, s->n, s->ld), sum = 0, entropy = 0;
    if (!(all > 0) || isinf(all) || s->n > SINGULAR_MOST) return NAN;
    make_tridiagonal(s);
    for (size_t i = 0; i < s->n; i++) {
        s->v[i] = sqrt(eigenvalue(s, i, 1.001 * all));
        sum += s->v[i];
    }
    for (size_t i = 0; i < s->n; i++) {
        double p = s->v[i] / sum;
        if (p > 1e-30) entropy -= p * exp_or_log(vec->log, p);
    }
    return exp_or_log(vec->exp, entropy);
}
