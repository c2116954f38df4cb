// SPDX-License-Identifier: MIT
/* lanes: what the losses share: samples lie in lanes, 16 of them walked at a time. */
#ifndef GROKD_NUM_LANES_H
#define GROKD_NUM_LANES_H

#include "worker/num/kernels/kernel.h"

/* Greatest logit of each lane and the index of its first appearance, as a float. */
INLINE vf lane_greatest(const float *z, size_t ld, size_t classes, vf *index)
{
    vf best = vf_load(z), at = vf_set(0);
    for (size_t c = 1; c < classes; c++) {
        vf x = vf_load(z + c * ld);
        vm more = vf_greater(x, best);
        best = vf_select(more, x, best);
        at = vf_select(more, vf_set((float)c), at);
    }
    *index = at;
    return best;
}

#endif
