// SPDX-License-Identifier: MIT
/* fisher: one walk over the samples for the moments, then one over each tensor. */
#include "worker/measure/fisher.h"

#include "worker/num/vec.h"

#include <stdlib.h>
#include <string.h>

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

int fisher_open(struct fisher *f, const struct model *m, size_t samples, struct err *e)
{
    struct net n = net_of(m);
    *f = (struct fisher){.samples = samples};
    if (m->tensor_count != 4 || !n.w1 || !n.b1 || !n.w2 || !n.b2 || n.w1->row_stride != 1 ||
        n.b1->row_stride != 1 || n.w1->cols != 2 * n.w2->rows)
        return err_set(e, E_STATE,
                       "Fisher information: closed form is for a two-hot input, one "
                       "ReLU layer and a dense one");
    size_t hidden = VEC_ROUND(n.w1->rows);
    f->square = calloc(hidden, sizeof *f->square);
    f->slope = calloc(hidden, sizeof *f->slope);
    if (!f->square || !f->slope) return err_set(e, E_NOMEM, "Fisher information: no memory");
    return OK;
}

void fisher_close(struct fisher *f)
{
    free(f->square);
    free(f->slope);
    *f = (struct fisher){0};
}

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

/* On entry W1's part of the diagonal holds the number of samples where input j met active neuron k.
 * Each sample has one first operand, so those rows add up to the samples where k was active. */
static void scale_input(const struct fisher *f, const struct net *n, double samples,
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

static void fill_output(const struct fisher *f, const struct net *n, double samples,
                        float *diagonal)
{
    for (size_t c = 0; c < n->w2->rows; c++) {
        for (size_t k = 0; k < n->w2->cols; k++)
            diagonal[tensor_index(n->w2, c, k)] = (float)(f->square[k] / samples);
        diagonal[tensor_index(n->b2, c, 0)] = 1;
    }
}

void fisher_diagonal(struct fisher *f, const struct model *m, const struct dataset *set,
                     float *diagonal)
{
    struct net n = net_of(m);
    size_t samples = f->samples && f->samples < set->count ? f->samples : set->count;
    size_t hidden = VEC_ROUND(n.w1->rows);
    memset(diagonal, 0, m->size * sizeof *diagonal);
    memset(f->square, 0, hidden * sizeof *f->square);
    vec->measure_moments(f->square, diagonal + n.w1->offset, m->theta + n.w1->offset,
                         n.w1->col_stride, m->theta + n.b1->offset, (const int32_t(*)[2])set->pair,
                         samples, hidden);
    sum_slopes(f->slope, m->theta, n.w2);
    scale_input(f, &n, (double)samples, diagonal);
    fill_output(f, &n, (double)samples, diagonal);
}
