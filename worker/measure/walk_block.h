// SPDX-License-Identifier: MIT
/* walk_block: what both walks share: the parameters that come back, and a block of samples at the
 * point from which they do.
 */
#ifndef GROKD_MEASURE_WALK_BLOCK_H
#define GROKD_MEASURE_WALK_BLOCK_H

#include "worker/measure/walk.h"

/* A parameter that comes back, the index-th of the order. to: neuron or class; from: input or
 * neuron, or WALK_BIAS. output: of the second layer. */
struct walk_step {
    float weight;
    uint32_t to, from, index : 31, output : 1;
};
#define WALK_BIAS UINT32_MAX

/* w->base = m without the first `pruned` of the order; w->step = the way back from there. */
void walk_start(struct walk *w, const struct model *m, const uint32_t *order, size_t pruned);

/* The block of samples from `from` on, in the network w->base. */
void walk_start_block(struct walk *w, size_t from);

/* z of the neuron that a weight of the output layer comes from: 1 for a bias. */
static inline const float *walk_before(const struct walk *w, const struct walk_step *p)
{
    return p->from == WALK_BIAS ? w->one : w->z + p->from * WALK_LANES;
}

#endif
