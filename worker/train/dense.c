// SPDX-License-Identifier: MIT
/* dense: y = W x + b. W [out, in] as in the state dict, x rows [samples, in], y lanes [out,
 * samples]: the products then run along whole vectors in every pass, whatever `out` is.
 *
 *   y[o][s]  = b[o] + sum over i of W[o][i] x[i][s]     x transposed first
 *   dx[s][i] = sum over o of dy[o][s] W[o][i]
 *   dW[o][i] += sum over s of dy[o][s] x[s][i],  db[o] += sum over s of dy[o][s]
 *
 * 2*samples*in*out flops each. The lanes of dy after the last sample must be zero. The kind for x
 * in lanes [in, samples] has the transposing in dW instead:
 *
 *   y[o][s] as above, dx[i][s] = sum over o of W[o][i] dy[o][s],  dW from x transposed
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

/* dW and db from inputs in rows. */
static void gradient(const struct layer_pass *p, size_t l, const float *rows, size_t stride)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *dy = &p->w->slope[l + 1];
    float *g = p->g->g;
    vec->gemm(g + weight->offset, weight->row_stride, dy->x, dy->feature_stride, 1, rows, stride,
              layer->out, VEC_ROUND(layer->in), p->b->count, !p->first);
    vec->sum_columns(g + p->m->tensor[layer->bias].offset, dy->x, dy->feature_stride, layer->out,
                     VEC_ROUND(p->b->count), !p->first);
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *dx = &p->w->slope[l], *dy = &p->w->slope[l + 1];
    size_t n = VEC_ROUND(layer->in), ld = dy->feature_stride;

    vec->gemm(dx->x, dx->sample_stride, dy->x, 1, ld, p->m->theta + weight->offset,
              weight->row_stride, p->b->count, n, layer->out, 0);
    if (p->g) gradient(p, l, x->x, x->sample_stride);
}

static void lanes_forward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *y = &p->w->value[l + 1];
    size_t lanes = VEC_ROUND(p->b->count);
    vec->fill_rows(y->x, y->feature_stride, p->m->theta + p->m->tensor[layer->bias].offset,
                   layer->out, lanes);
    vec->gemm(y->x, y->feature_stride, p->m->theta + weight->offset, weight->row_stride, 1, x->x,
              x->feature_stride, layer->out, lanes, layer->in, 1);
}

static void lanes_backward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *dx = &p->w->slope[l], *dy = &p->w->slope[l + 1];
    size_t n = VEC_ROUND(layer->in);
    vec->gemm(dx->x, dx->feature_stride, p->m->theta + weight->offset, 1, weight->row_stride, dy->x,
              dy->feature_stride, layer->in, VEC_ROUND(p->b->count), layer->out, 0);
    if (!p->g) return;
    vec->transpose(p->w->pack, n, x->x, x->feature_stride, layer->in, p->b->count);
    gradient(p, l, p->w->pack, n);
}

const struct layer_kind layer_dense = {
    .name = "dense",
    .reads = FORM_ROWS,
    .writes = FORM_LANES,
    .weights = true,
    .forward = forward,
    .backward = backward,
};

const struct layer_kind layer_dense_lanes = {
    .name = "dense in lanes",
    .reads = FORM_LANES,
    .writes = FORM_LANES,
    .weights = true,
    .forward = lanes_forward,
    .backward = lanes_backward,
};
