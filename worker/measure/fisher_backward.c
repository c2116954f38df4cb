// SPDX-License-Identifier: MIT
/* fisher_backward: the diagonal of the Fisher information by backward passes, one a sample and
 * class, for a chain of convolutions and dense layers to two classes.
 *
 * A pass starts from slopes at the logits, z = f_1 - f_0, p = softmax f:
 *
 *   regression      two passes, from f_0 and from f_1
 *   classification  one, from sqrt(p_0 p_1) z: of two classes the variance of d f_c over c ~ p
 *
 * and each adds the squares of its gradients, sample by sample:
 *
 *   dense        W[o][i]: sum over s of dy[o][s]^2 x[i][s]^2             b[o]: sum over s of
 * dy[o][s]^2 convolution  W, b:    sum over s of (sum over sites of dy x)^2       a weight is used
 * at every site
 *
 * Samples lie in lanes; sums over the up to VEC_LANES samples of a chunk of a dense layer are in
 * float, all others in double. A forward pass over the samples, and twice to three times a backward
 * pass for the two variants together; no gradient is held for longer than its chunk.
 */
#include "worker/measure/fisher_form.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct backward {
    struct workspace workspace;
    double *sum;   /* [size], laid out as theta */
    float *square; /* [widest row] * [most rows]: of a dense layer's chunk */
    float *input;  /* [VEC_LANES][widest row]: squares of its inputs, a row a sample */
    float *slope;  /* [most rows][VEC_LANES]: squares of its slopes */
    float *factor; /* [VEC_LANES]: sqrt(p_0 p_1) */
};

/* Signals in lanes throughout: whatever does not begin with pairs. */
static bool fits(const struct model *m)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows) return false;
    return m->classes == 2;
}

static int open_backward(void **state, const struct model *m, struct err *e)
{
    size_t rows = 0, cols = 0;
    struct backward *b = *state = calloc(1, sizeof *b);
    if (!b) return err_set(e, E_NOMEM, "Fisher information: no memory");
    for (size_t i = 0; i < m->tensor_count; i++) {
        if (m->tensor[i].rows > rows) rows = m->tensor[i].rows;
        if (m->tensor[i].cols > cols) cols = m->tensor[i].cols;
    }
    cols = VEC_ROUND(cols);
    int rc = workspace_open(&b->workspace, m, e);
    if (rc < 0) return rc;
    b->sum = calloc(m->size, sizeof *b->sum);
    b->square = vec_alloc(rows * cols);
    b->input = vec_alloc(VEC_LANES * cols);
    b->slope = vec_alloc(rows * VEC_LANES);
    b->factor = vec_alloc(VEC_LANES);
    if (b->sum && b->square && b->input && b->slope && b->factor) return OK;
    return err_set(e, E_NOMEM, "Fisher information: no memory");
}

static void close_backward(void *state)
{
    struct backward *b = state;
    if (!b) return;
    workspace_close(&b->workspace);
    free(b->sum);
    free(b->square);
    free(b->input);
    free(b->slope);
    free(b->factor);
    free(b);
}

/* ---- squares of one layer and chunk ---- */

static void square_all(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] * x[i];
}

static void add_dense(struct backward *b, const struct model *m, const struct layer *y,
                      const struct signal *x, const struct signal *dy, size_t count)
{
    const struct tensor *weight = &m->tensor[y->weight], *bias = &m->tensor[y->bias];
    size_t ld = VEC_ROUND(y->in);
    vec->transpose(b->input, ld, x->x, x->feature_stride, y->in, count);
    square_all(b->input, b->input, count * ld);
    square_all(b->slope, dy->x, y->out * VEC_LANES);
    vec->gemm(b->square, ld, b->slope, VEC_LANES, 1, b->input, ld, y->out, ld, count, 0);
    for (size_t o = 0; o < y->out; o++) {
        double *row = b->sum + tensor_index(weight, o, 0);
        for (size_t i = 0; i < y->in; i++) row[i] += b->square[o * ld + i];
        for (size_t s = 0; s < count; s++)
            b->sum[tensor_index(bias, o, 0)] += b->slope[o * VEC_LANES + s];
    }
}

static void add_convolution(struct backward *b, const struct model *m, const struct layer *y,
                            const struct signal *x, const struct signal *dy, size_t count)
{
    const struct tensor *weight = &m->tensor[y->weight], *bias = &m->tensor[y->bias];
    vec->measure_taps(b->sum + weight->offset, weight->row_stride, b->sum + bias->offset, dy->x,
                      x->x, y->out_channels, y->in_channels, y->in_side, VEC_ROUND(count));
}

static void add_layers(struct backward *b, const struct model *m, size_t count)
{
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct layer *y = &m->layer[l];
        const struct signal *x = &b->workspace.value[l], *dy = &b->workspace.slope[l + 1];
        if (y->weight < 0) continue;
        if (m->tensor[y->weight].rank == 4)
            add_convolution(b, m, y, x, dy, count);
        else
            add_dense(b, m, y, x, dy, count);
    }
}

/* ---- passes ---- */

/* Of the logits of a chunk. p_0 p_1 = e^-|z| / (1 + e^-|z|)^2, which keeps small ones exact. */
static void find_factors(struct backward *b, const struct signal *logits, size_t count)
{
    for (size_t s = 0; s < count; s++) {
        double z = (double)logits->x[logits->feature_stride + s] - logits->x[s];
        double half = exp(-fabs(z) / 2);
        b->factor[s] = (float)(half / (1 + half * half));
    }
}

/* One backward pass from slopes of the two logits times the factors (NULL: 1), and its squares. */
static void add_pass(struct backward *b, const struct model *m, const struct batch *batch,
                     float first, float second, const float *factor)
{
    const struct signal *dz = &b->workspace.slope[m->layer_count];
    memset(dz->x, 0, VEC_LANES * sizeof *dz->x);
    memset(dz->x + dz->feature_stride, 0, VEC_LANES * sizeof *dz->x);
    for (size_t s = 0; s < batch->count; s++) {
        dz->x[s] = factor ? first * factor[s] : first;
        dz->x[dz->feature_stride + s] = factor ? second * factor[s] : second;
    }
    model_backward_slopes(m, batch, &b->workspace);
    add_layers(b, m, batch->count);
}

static void add_chunk(struct backward *b, const struct model *m, const struct batch *batch,
                      enum fisher_variant variant)
{
    model_forward(m, batch, &b->workspace);
    if (variant == FISHER_REGRESSION) {
        add_pass(b, m, batch, 1, 0, NULL);
        add_pass(b, m, batch, 0, 1, NULL);
        return;
    }
    find_factors(b, &b->workspace.value[m->layer_count], batch->count);
    add_pass(b, m, batch, -1, 1, b->factor);
}

static void diagonal_backward(void *state, const struct model *m, const struct dataset *set,
                              size_t samples, enum fisher_variant variant, struct logits *known,
                              float *diagonal)
{
    (void)known;
    struct backward *b = state;
    memset(b->sum, 0, m->size * sizeof *b->sum);
    for (size_t from = 0; from < samples; from += VEC_LANES) {
        struct batch batch = dataset_chunk(set, from);
        if (batch.count > samples - from) batch.count = samples - from;
        add_chunk(b, m, &batch, variant);
    }
    for (size_t i = 0; i < m->size; i++) diagonal[i] = (float)(b->sum[i] / (double)samples);
}

const struct fisher_form fisher_backward = {
    .fits = fits, .open = open_backward, .close = close_backward, .diagonal = diagonal_backward};
