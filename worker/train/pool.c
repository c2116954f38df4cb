// SPDX-License-Identifier: MIT
/* pool: the greatest of each 2 x 2 window, lanes to lanes, half the side. The slope goes to the
 * first of the greatest in the order of reading, as in PyTorch; the others get 0.
 */
#include "worker/train/layer.h"

static struct vec_image image_of(const struct layer_pass *p, size_t l)
{
    const struct layer *layer = &p->m->layer[l];
    return (struct vec_image){layer->in_channels, layer->out_channels, layer->in_side,
                              VEC_ROUND(p->b->count)};
}

static void forward(const struct layer_pass *p, size_t l)
{
    struct vec_image image = image_of(p, l);
    vec->pool(p->w->value[l + 1].x, p->w->value[l].x, &image);
}

static void backward(const struct layer_pass *p, size_t l)
{
    struct vec_image image = image_of(p, l);
    vec->pool_backward(p->w->slope[l].x, p->w->slope[l + 1].x, p->w->value[l].x,
                       p->w->value[l + 1].x, &image);
}

const struct layer_kind layer_pool = {
    .name = "pool",
    .reads = FORM_LANES,
    .writes = FORM_LANES,
    .forward = forward,
    .backward = backward,
};
