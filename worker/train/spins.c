// SPDX-License-Identifier: MIT
/* spins: the input layer of snapshots: puts the spins of a batch, bytes in rows, into lanes of
 * floats, value[1][site][s] = spin[s][site]. Lanes after the last sample become 0 up to a whole
 * vector. Nothing is learned here and nobody asks for the slope.
 */
#include "worker/train/layer.h"

static void forward(const struct layer_pass *p, size_t l)
{
    const struct signal *y = &p->w->value[l + 1];
    vec->bytes_to_lanes(y->x, y->feature_stride, p->b->spin, p->b->count, y->features);
}

const struct layer_kind layer_spins = {
    .name = "spins", .reads = FORM_BATCH, .writes = FORM_LANES, .forward = forward};
