// SPDX-License-Identifier: MIT
/* square: y = x^2, dx = 2 x dy. x keeps its place, since y has forgotten its sign. Rows, or lanes:
 * there all VEC_LANES lanes, what is in the last of a short batch being of no account.
 */
#include "worker/train/layer.h"

/* Floats of a signal of which the batch has samples. */
static size_t extent(const struct layer_pass *p, const struct signal *x)
{
    bool lanes = x->sample_stride == 1;
    return lanes ? x->features * x->feature_stride : p->b->count * x->sample_stride;
}

static void forward(const struct layer_pass *p, size_t l)
{
    const struct signal *x = &p->w->value[l], *y = &p->w->value[l + 1];
    vec->square(y->x, x->x, extent(p, x));
}

static void backward(const struct layer_pass *p, size_t l)
{
    const struct signal *x = &p->w->value[l], *dx = &p->w->slope[l], *dy = &p->w->slope[l + 1];
    vec->square_backward(dx->x, dy->x, x->x, extent(p, x));
}

const struct layer_kind layer_square_lanes = {
    .name = "square in lanes",
    .reads = FORM_LANES,
    .writes = FORM_LANES,
    .forward = forward,
    .backward = backward,
};

const struct layer_kind layer_square = {
    .name = "square",
    .reads = FORM_ROWS,
    .writes = FORM_ROWS,
    .forward = forward,
    .backward = backward,
};
