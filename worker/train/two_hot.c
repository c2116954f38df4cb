// SPDX-License-Identifier: MIT
/* two_hot: the input layer of pairs. Its input would be a vector of zeros with two ones, so the
 * product is the sum of two rows of the transposed weights, and its gradient goes to two rows.
 *
 * value[1] = W[:, a] + W[:, P + b] + bias, rows [samples, out], out of 2*samples*out additions.
 * Reads the batch, writes rows. The gradient of untouched rows is neither written nor read.
 */
#include "worker/train/layer.h"

static void forward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *y = &p->w->value[l + 1];
    vec->gather(y->x, y->sample_stride, p->m->theta + weight->offset, weight->col_stride,
                p->m->theta + p->m->tensor[layer->bias].offset, p->b->pair, p->b->count,
                VEC_ROUND(layer->out));
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *dy = &p->w->slope[l + 1];
    size_t n = VEC_ROUND(layer->out);
    if (!p->g) return;
    float *g = p->g->g;

    vec->sum_rows(g + p->m->tensor[layer->bias].offset, dy->x, dy->sample_stride, p->b->count, n,
                  !p->first);
    for (size_t s = 0; s < p->b->count; s++)
        for (int operand = 0; operand < 2; operand++) {
            size_t r = (size_t)p->b->pair[s][operand];
            vec->sum_rows(g + weight->offset + r * weight->col_stride,
                          dy->x + s * dy->sample_stride, 0, 1, n, p->g->touched[r]);
            p->g->touched[r] = 1;
        }
}

const struct layer_kind layer_two_hot = {
    .name = "two_hot",
    .reads = FORM_BATCH,
    .writes = FORM_ROWS,
    .weights = true,
    .forward = forward,
    .backward = backward,
};
