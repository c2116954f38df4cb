// SPDX-License-Identifier: MIT
/* chances: the probabilities p = softmax f of up to VEC_LANES samples in lanes, the most probable
 * class t kept apart: 1 - p_t is the sum of the others and keeps its digits when it is small.
 *
 * Sums over classes in double. Cost: one exponential a logit.
 */
#ifndef GROKD_MEASURE_CHANCES_H
#define GROKD_MEASURE_CHANCES_H

#include "common/err.h"
#include "worker/train/model.h"

struct chances {
    size_t classes;
    float *p;               /* [classes][VEC_LANES]; 0 for the most probable class */
    float rest[VEC_LANES];  /* 1 - its probability */
    int32_t top[VEC_LANES]; /* the first most probable class */
};

int chances_open(struct chances *c, size_t classes, struct err *e);
void chances_close(struct chances *c);

/* logits [classes][VEC_LANES]; lanes whose logits are not numbers get anything. */
void chances_find(struct chances *c, const float *logits);

#endif
