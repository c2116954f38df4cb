// SPDX-License-Identifier: MIT
/* relu: y = max(x, 0) in the place of x, rows; dx = dy where y > 0, in the place of dy. */
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

const struct layer_kind layer_relu = {
    .name = "relu",
    .reads = FORM_ROWS,
    .writes = FORM_ROWS,
    .in_place = true,
    .forward = forward,
    .backward = backward,
};
