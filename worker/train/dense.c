// SPDX-License-Identifier: MIT
/* dense: y = W x + b. W [out, in] as in the state dict, x rows [samples, in], y lanes [out,
 * samples]: the products then run along whole vectors in every pass, whatever `out` is.
 *
 *   y[o][s]  = b[o] + sum over i of W[o][i] x[i][s]     x transposed first
 *   dx[s][i] = sum over o of dy[o][s] W[o][i]
 *   dW[o][i] += sum over s of dy[o][s] x[s][i],  db[o] += sum over s of dy[o][s]
 *
 * 2*samples*in*out flops each. The lanes of dy after the last sample must be zero.
 */
#include "worker/train/layer.h"

static void forward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *y = &p->w->value[l + 1];
    size_t lanes = VEC_ROUND(p->b->count);
    vec->transpose(p->w->pack, VEC_LANES, x->x, x->sample_stride, p->b->count, layer->in);
    vec->fill_rows(y->x, y->feature_stride, p->m->theta + p->m->tensor[layer->bias].offset,
                   layer->out, lanes);
    vec->gemm(y->x, y->feature_stride, p->m->theta + weight->offset, weight->row_stride, 1,
              p->w->pack, VEC_LANES, layer->out, lanes, layer->in, 1);
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *dx = &p->w->slope[l], *dy = &p->w->slope[l + 1];
    size_t n = VEC_ROUND(layer->in), ld = dy->feature_stride;
    float *g = p->g->g;

    vec->gemm(dx->x, dx->sample_stride, dy->x, 1, ld, p->m->theta + weight->offset,
              weight->row_stride, p->b->count, n, layer->out, 0);
    vec->gemm(g + weight->offset, weight->row_stride, dy->x, ld, 1, x->x, x->sample_stride,
              layer->out, n, p->b->count, !p->first);
    vec->sum_columns(g + p->m->tensor[layer->bias].offset, dy->x, ld, layer->out,
                     VEC_ROUND(p->b->count), !p->first);
}

const struct layer_kind layer_dense = {
    .name = "dense",
    .reads = FORM_ROWS,
    .writes = FORM_LANES,
    .forward = forward,
    .backward = backward,
};
