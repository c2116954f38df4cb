// SPDX-License-Identifier: MIT
/* conv: 3 x 3 convolution with a border of zeros, lanes to lanes, images of the same side.
 *
 *   y[o][r][c]  = b[o] + sum over i, v, h of W[o][i][v][h] x[i][r+v-1][c+h-1]
 *   dx[i][r][c] = sum over o, v, h of W[o][i][2-v][2-h] dy[o][r+v-1][c+h-1]
 *   dW[o][i][v][h] += sum over s, r, c of dy[o][r][c] x[i][r+v-1][c+h-1],  db[o] += sum of dy[o]
 *
 * each for every sample s, all in their lanes; 18*samples*in*out*side^2 flops each. The lanes of dy
 * after the last sample must be zero. The slope of the input is left out where nobody asks for it.
 */
#include "worker/train/layer.h"

#define TAPS 9

static struct vec_image image_of(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    return (struct vec_image){layer->in_channels, layer->out_channels, layer->in_side,
                              VEC_ROUND(p->b->count)};
}

static void forward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    struct vec_image image = image_of(p, l);
    vec->conv(p->w->value[l + 1].x, p->w->value[l].x, p->m->theta + weight->offset,
              weight->row_stride, p->m->theta + p->m->tensor[layer->bias].offset, &image);
}

/* The same convolution with the kernels turned round and channels changed over. */
static void input_slope(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *t = &p->m->tensor[layer->weight];
    const struct vec_image forth = image_of(p, l);
    const struct vec_image back = {forth.out, forth.in, forth.side, forth.lanes};
    static const float zero[LAYER_PLANE];
    float turned[LAYER_PLANE * TAPS];
    for (size_t o = 0; o < forth.out; o++)
        for (size_t i = 0; i < forth.in; i++)
            for (size_t k = 0; k < TAPS; k++)
                turned[(i * forth.out + o) * TAPS + k] =
                    p->m->theta[tensor_index(t, o, i * TAPS + TAPS - 1 - k)];
    vec->conv(p->w->slope[l].x, p->w->slope[l + 1].x, turned, forth.out * TAPS, zero, &back);
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    const struct tensor *weight = &p->m->tensor[layer->weight];
    const struct signal *x = &p->w->value[l], *dy = &p->w->slope[l + 1];
    struct vec_image image = image_of(p, l);
    size_t taps = TAPS * image.in;
    if (p->m->layer[l - 1].kind->backward) input_slope(p, l);
    if (!p->g) return;
    float *g = p->g->g, *sum = p->w->pack;
    vec->conv_slope(sum, sum + image.out * taps * VEC_LANES, x->x, dy->x, &image);
    for (size_t o = 0; o < image.out; o++)
        vec->sum_columns(g + weight->offset + o * weight->row_stride, sum + o * taps * VEC_LANES,
                         VEC_LANES, taps, image.lanes, !p->first);
    vec->sum_columns(g + p->m->tensor[layer->bias].offset, sum + image.out * taps * VEC_LANES,
                     VEC_LANES, image.out, image.lanes, !p->first);
}

const struct layer_kind layer_conv = {
    .name = "conv",
    .reads = FORM_LANES,
    .writes = FORM_LANES,
    .weights = true,
    .forward = forward,
    .backward = backward,
};
