// SPDX-License-Identifier: MIT
/* fisher_two_hot: the diagonal of the Fisher information in closed form, for one hidden layer of
 * ReLU or of squares behind a two-hot input and a dense one.
 *
 * With h = relu(z), m = 1[z > 0], or h = z^2, m = (2 z)^2 = 4 h, S_k = sum over c of W2[c,k]^2, and
 * V_k the variance of W2[c,k] over classes c ~ p:
 *
 *               regression           classification
 *   b2[c]       1                    E p_c (1 - p_c)
 *   W2[c,k]     E h_k^2              E p_c (1 - p_c) h_k^2
 *   b1[k]       S_k E m_k            E m_k V_k
 *   W1[k,j]     S_k E[m_k x_j]       E[m_k x_j V_k]
 *
 * Regression: one walk over the samples for the moments, then one over each tensor; n H operations,
 * no logits (of squares, the hidden layer of a forward pass and as many). Classification: three
 * products of the size of a forward pass, and one for the logits unless they are known. The
 * variance is taken about the weight of the most probable class t, so that what cancels is of the
 * order of 1 - p_t: with d_c = W2[c,k] - W2[t,k], V = sum of p_c d_c^2 - (sum of p_c d_c)^2.
 *
 * Sums over samples in double, over RUN chunks of up to VEC_LANES and over those that show an input
 * in float.
 */
#include "worker/measure/chances.h"
#include "worker/measure/fisher_form.h"
#include "worker/num/vec.h"

#include <stdlib.h>
#include <string.h>

#define RUN 8 /* chunks whose sums for W2 are added in float */

struct two_hot {
    size_t hidden, classes; /* hidden rounded up to whole vectors */
    struct workspace workspace;
    double *square; /* [hidden]: sum over samples of h_k^2 */
    double *slope;  /* [hidden]: what scales the sums of W1: S_k, or 1 */
    /* Of a chunk of samples s. */
    struct chances chances;
    float *spread;         /* [classes][VEC_LANES]: p_c (1 - p_c) */
    float *first, *second; /* [VEC_LANES][hidden]: sums over c of p W2 and p W2^2 */
    float *squares;        /* [classes][hidden]: W2^2 */
    float *active;         /* [VEC_LANES][hidden]: h^2 */
    float *partial;        /* [classes][hidden]: sums for W2 of up to RUN chunks */
    size_t chunks;         /* in partial */
    double *output;        /* [classes][hidden + 1]: sums for W2 and, last, b2 */
};

/* The four tensors of the network, looked up by name. */
struct net {
    const struct tensor *w1, *b1, *w2, *b2;
};

static const struct tensor *find(const struct model *m, const char *name)
{
    int i = model_find(m, name);
    return i < 0 ? NULL : &m->tensor[i];
}

static struct net net_of(const struct model *m)
{
    return (struct net){find(m, "model.0.weight"), find(m, "model.0.bias"),
                        find(m, "model.2.weight"), find(m, "model.2.bias")};
}

static bool fits(const struct model *m)
{
    struct net n = net_of(m);
    return m->tensor_count == 4 && n.w1 && n.b1 && n.w2 && n.b2 && n.w1->row_stride == 1 &&
           n.b1->row_stride == 1 && n.w1->by_rows && n.w1->cols == 2 * n.w2->rows;
}

static int open_two_hot(void **state, const struct model *m, struct err *e)
{
    struct two_hot *f = *state = calloc(1, sizeof *f);
    if (!f) return err_set(e, E_NOMEM, "Fisher information: no memory");
    size_t hidden = f->hidden = VEC_ROUND(net_of(m).w1->rows), classes = f->classes = m->classes;
    int rc = workspace_open(&f->workspace, m, e);
    if (rc == OK) rc = chances_open(&f->chances, classes, e);
    if (rc < 0) return rc;
    f->square = calloc(hidden, sizeof *f->square);
    f->slope = calloc(hidden, sizeof *f->slope);
    f->output = calloc(classes * (hidden + 1), sizeof *f->output);
    f->partial = vec_alloc(classes * hidden);
    f->spread = vec_alloc(classes * VEC_LANES);
    f->first = vec_alloc(VEC_LANES * hidden);
    f->second = vec_alloc(VEC_LANES * hidden);
    f->active = vec_alloc(VEC_LANES * hidden);
    f->squares = vec_alloc(classes * hidden);
    if (f->square && f->slope && f->output && f->partial && f->spread && f->first && f->second &&
        f->active && f->squares)
        return OK;
    return err_set(e, E_NOMEM, "Fisher information: no memory");
}

static void close_two_hot(void *state)
{
    struct two_hot *f = state;
    if (!f) return;
    workspace_close(&f->workspace);
    free(f->square);
    free(f->slope);
    free(f->output);
    chances_close(&f->chances);
    free(f->partial);
    free(f->spread);
    free(f->first);
    free(f->second);
    free(f->active);
    free(f->squares);
    free(f);
}

/* ---- regression ---- */

/* S_k; the walk follows the shorter stride. */
static void sum_slopes(double *slope, const float *theta, const struct tensor *w2)
{
    memset(slope, 0, w2->cols * sizeof *slope);
    if (w2->col_stride == 1) {
        for (size_t c = 0; c < w2->rows; c++)
            for (size_t k = 0; k < w2->cols; k++) {
                double w = theta[tensor_index(w2, c, k)];
                slope[k] += w * w;
            }
        return;
    }
    for (size_t k = 0; k < w2->cols; k++)
        for (size_t c = 0; c < w2->rows; c++) {
            double w = theta[tensor_index(w2, c, k)];
            slope[k] += w * w;
        }
}

/* On entry W1's part of the diagonal holds, for input j and neuron k, a sum over the samples that
 * show j. Each sample has one first operand, so those rows add up to the sum over all samples. */
static void scale_input(const struct two_hot *f, const struct net *n, double samples,
                        float *diagonal)
{
    for (size_t k = 0; k < n->b1->rows; k++) diagonal[n->b1->offset + k] = 0;
    for (size_t j = 0; j < n->w1->cols; j++) {
        float *row = diagonal + tensor_index(n->w1, 0, j);
        for (size_t k = 0; k < n->w1->rows; k++) {
            if (2 * j < n->w1->cols) diagonal[n->b1->offset + k] += row[k];
            row[k] = (float)(f->slope[k] * row[k] / samples);
        }
    }
    for (size_t k = 0; k < n->b1->rows; k++) {
        float *b = &diagonal[n->b1->offset + k];
        *b = (float)(f->slope[k] * *b / samples);
    }
}

static void fill_output(const struct two_hot *f, const struct net *n, double samples,
                        float *diagonal)
{
    for (size_t c = 0; c < n->w2->rows; c++) {
        for (size_t k = 0; k < n->w2->cols; k++)
            diagonal[tensor_index(n->w2, c, k)] = (float)(f->square[k] / samples);
        diagonal[tensor_index(n->b2, c, 0)] = 1;
    }
}

/* What measure_moments does for ReLU: sums of h^2, and of m by the inputs shown. */
static void find_moments_of_squares(struct two_hot *f, const struct model *m, const struct net *n,
                                    const struct dataset *set, size_t samples, float *active)
{
    for (size_t from = 0; from < samples; from += VEC_LANES) {
        struct batch b = dataset_chunk(set, from);
        if (b.count > samples - from) b.count = samples - from;
        model_forward_part(m, &b, &f->workspace, 0, m->layer_count - 1);
        const struct signal *h = model_hidden(m, &f->workspace);
        for (size_t s = 0; s < b.count; s++) {
            const float *x = h->x + s * h->sample_stride;
            float *first = active + (size_t)b.pair[s][0] * n->w1->col_stride;
            float *second = active + (size_t)b.pair[s][1] * n->w1->col_stride;
            for (size_t k = 0; k < n->w1->rows; k++) {
                f->square[k] += (double)x[k] * x[k];
                first[k] += 4 * x[k];
                second[k] += 4 * x[k];
            }
        }
    }
}

static void regression(struct two_hot *f, const struct model *m, const struct dataset *set,
                       size_t samples, float *diagonal)
{
    struct net n = net_of(m);
    memset(f->square, 0, f->hidden * sizeof *f->square);
    if (m->activation == ACTIVATION_SQUARE)
        find_moments_of_squares(f, m, &n, set, samples, diagonal + n.w1->offset);
    else
        vec->measure_moments(f->square, diagonal + n.w1->offset, m->theta + n.w1->offset,
                             n.w1->col_stride, m->theta + n.b1->offset,
                             (const int32_t(*)[2])set->pair, samples, f->hidden);
    sum_slopes(f->slope, m->theta, n.w2);
    scale_input(f, &n, (double)samples, diagonal);
    fill_output(f, &n, (double)samples, diagonal);
}

/* ---- classification ---- */

/* p_c (1 - p_c), of the most probable class from what is left of 1. */
static void find_spread(struct two_hot *f)
{
    const struct chances *c = &f->chances;
    for (size_t i = 0; i < f->classes * VEC_LANES; i++) f->spread[i] = c->p[i] * (1 - c->p[i]);
    for (size_t s = 0; s < VEC_LANES; s++)
        f->spread[(size_t)c->top[s] * VEC_LANES + s] = c->rest[s] * (1 - c->rest[s]);
}

/* What the chunks since the last time have added in float. */
static void flush(struct two_hot *f)
{
    for (size_t i = 0; i < f->classes; i++)
        for (size_t k = 0; k < f->hidden; k++)
            f->output[i * (f->hidden + 1) + k] += f->partial[i * f->hidden + k];
    f->chunks = 0;
}

/* Adds p_c (1 - p_c) h_k^2 and p_c (1 - p_c). */
static void add_output(struct two_hot *f, const struct signal *h, size_t count)
{
    for (size_t s = 0; s < count; s++)
        vec->square(f->active + s * f->hidden, h->x + s * h->sample_stride, f->hidden);
    vec->gemm(f->partial, f->hidden, f->spread, VEC_LANES, 1, f->active, f->hidden, f->classes,
              f->hidden, count, f->chunks > 0);
    for (size_t c = 0; c < f->classes; c++)
        for (size_t s = 0; s < count; s++)
            f->output[c * (f->hidden + 1) + f->hidden] += f->spread[c * VEC_LANES + s];
    if (++f->chunks == RUN) flush(f);
}

/* Lanes after the batch hold logits of earlier ones: 0 is always a number. */
static void clear_lanes(const struct signal *z, size_t count)
{
    for (size_t c = 0; c < z->features; c++)
        for (size_t s = count; s < VEC_LANES; s++) z->x[c * VEC_LANES + s] = 0;
}

/* Of the chunk from `from` on, and the hidden layer: whole chunks whose logits are known need the
 * hidden layer alone. */
static void find_chances(struct two_hot *f, const struct model *m, const struct batch *b,
                         struct logits *known, size_t from)
{
    const struct signal *z = &f->workspace.value[m->layer_count];
    bool whole = known && known->kept[LOGITS_TEST] && b->count == VEC_LANES;
    model_forward_part(m, b, &f->workspace, 0, whole ? m->layer_count - 1 : m->layer_count);
    if (!whole) clear_lanes(z, b->count);
    chances_find(&f->chances, whole ? logits_chunk(known, LOGITS_TEST, from) : z->x);
    find_spread(f);
}

/* What measure_variances does for ReLU, with m = 4 h for 1[h > 0]: the same sums of one sample. */
static void add_variances_of_squares(float *a, float *b, const float *h, const float *top,
                                     const float *first, const float *second, float rest, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        float mean = first[k] - top[k] * rest;
        float square = second[k] - top[k] * (first[k] + mean);
        float variance = square - mean * mean;
        float sum = variance > 0 ? 4 * h[k] * variance : 0;
        a[k] += sum;
        b[k] += sum;
    }
}

/* w1: sums for the input weights, laid out as they are. */
static void add_chunk(struct two_hot *f, const struct model *m, const struct net *n,
                      const struct batch *b, float *w1)
{
    const struct signal *h = model_hidden(m, &f->workspace);
    vec->gemm(f->first, f->hidden, f->chances.p, 1, VEC_LANES, m->theta + n->w2->offset,
              n->w2->row_stride, b->count, f->hidden, f->classes, 0);
    vec->gemm(f->second, f->hidden, f->chances.p, 1, VEC_LANES, f->squares, f->hidden, b->count,
              f->hidden, f->classes, 0);
    void (*add)(float *, float *, const float *, const float *, const float *, const float *, float,
                size_t) =
        m->activation == ACTIVATION_SQUARE ? add_variances_of_squares : vec->measure_variances;
    for (size_t s = 0; s < b->count; s++)
        add(w1 + (size_t)b->pair[s][0] * n->w1->col_stride,
            w1 + (size_t)b->pair[s][1] * n->w1->col_stride, h->x + s * h->sample_stride,
            m->theta + tensor_index(n->w2, (size_t)f->chances.top[s], 0), f->first + s * f->hidden,
            f->second + s * f->hidden, f->chances.rest[s], f->hidden);
    add_output(f, h, b->count);
}

static void clear_sums(struct two_hot *f, const struct model *m, const struct net *n)
{
    memset(f->output, 0, f->classes * (f->hidden + 1) * sizeof *f->output);
    for (size_t c = 0; c < f->classes; c++)
        for (size_t k = 0; k < n->w2->cols; k++) {
            float w = m->theta[tensor_index(n->w2, c, k)];
            f->squares[c * f->hidden + k] = w * w;
        }
}

static void classification(struct two_hot *f, const struct model *m, const struct dataset *set,
                           size_t samples, struct logits *known, float *diagonal)
{
    struct net n = net_of(m);
    double all = (double)samples;
    clear_sums(f, m, &n);
    f->chunks = 0;
    for (size_t from = 0; from < samples; from += VEC_LANES) {
        struct batch b = dataset_chunk(set, from);
        if (b.count > samples - from) b.count = samples - from;
        find_chances(f, m, &b, known, from);
        add_chunk(f, m, &n, &b, diagonal + n.w1->offset);
    }
    if (f->chunks) flush(f);
    for (size_t k = 0; k < f->hidden; k++) f->slope[k] = 1;
    scale_input(f, &n, all, diagonal);
    for (size_t c = 0; c < f->classes; c++) {
        const double *sum = f->output + c * (f->hidden + 1);
        for (size_t k = 0; k < n.w2->cols; k++)
            diagonal[tensor_index(n.w2, c, k)] = (float)(sum[k] / all);
        diagonal[tensor_index(n.b2, c, 0)] = (float)(sum[f->hidden] / all);
    }
}

static void diagonal_two_hot(void *state, const struct model *m, const struct dataset *set,
                             size_t samples, enum fisher_variant variant, struct logits *known,
                             float *diagonal)
{
    if (variant == FISHER_REGRESSION)
        regression(state, m, set, samples, diagonal);
    else
        classification(state, m, set, samples, known, diagonal);
}

const struct fisher_form fisher_two_hot = {
    .fits = fits, .open = open_two_hot, .close = close_two_hot, .diagonal = diagonal_two_hot};
