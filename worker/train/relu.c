// SPDX-License-Identifier: MIT
/* relu: y = max(x, 0) in the place of x; dx = dy where y > 0, in the place of dy. Rows, or lanes:
 * there all VEC_LANES lanes, what is in the last of a short batch being of no account. */
#include "worker/train/layer.h"

static void forward(const struct layer_pass *p, size_t l)
{
    const struct signal *y = &p->w->value[l + 1];
    vec->relu(y->x, p->b->count * y->sample_stride);
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct signal *y = &p->w->value[l + 1], *dy = &p->w->slope[l + 1];
    vec->relu_backward(dy->x, y->x, p->b->count * y->sample_stride);
}

static void lanes_forward(const struct layer_pass *p, size_t l)
{
    const struct signal *y = &p->w->value[l + 1];
    vec->relu(y->x, y->features * y->feature_stride);
}

static void lanes_backward(const struct layer_pass *p, size_t l)
{
    const struct signal *y = &p->w->value[l + 1], *dy = &p->w->slope[l + 1];
    vec->relu_backward(dy->x, y->x, y->features * y->feature_stride);
}

const struct layer_kind layer_relu_lanes = {
    .name = "relu in lanes",
    .reads = FORM_LANES,
    .writes = FORM_LANES,
    .in_place = true,
    .forward = lanes_forward,
    .backward = lanes_backward,
};

const struct layer_kind layer_relu = {
    .name = "relu",
    .reads = FORM_ROWS,
    .writes = FORM_ROWS,
    .in_place = true,
    .forward = forward,
    .backward = backward,
};
