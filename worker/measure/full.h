// SPDX-License-Identifier: MIT
/* full: the Fisher information as a metric, whole, without taking it for diagonal.
 *
 * With u = J a, u' = J b the moves of the logits (jvp.h) at the same parameters theta, p = softmax
 * f and expectations over the first samples of the test set:
 *
 *   regression      a F b = E_x sum over c of u_c u'_c
 *   classification  a F b = E_x [sum of p_c u_c u'_c - (sum of p_c u_c) (sum of p_c u'_c)]
 *
 * for a, b among the step, the one before, and theta itself. A network of a two-hot input, ReLU and
 * a dense layer is homogeneous, J theta = 2 f - b2; elsewhere theta is one more direction. For
 * classification moves are taken from that of the most probable class, so that little cancels.
 *
 * Cost: five products of the size of a forward pass over the samples for the two-hot network, seven
 * forward passes elsewhere; sums in double. Source: arXiv 2502.01739, equation 14, of which it
 * takes the diagonal.
 */
#ifndef GROKD_MEASURE_FULL_H
#define GROKD_MEASURE_FULL_H

#include "common/err.h"
#include "worker/measure/chances.h"
#include "worker/measure/fisher.h"
#include "worker/measure/geometry.h"
#include "worker/measure/jvp.h"
#include "worker/train/task.h"

enum full_vector { FULL_STEP, FULL_PREVIOUS, FULL_THETA, FULL_VECTORS };

/* Products of vectors i <= j; NaN where a vector is not given. */
struct full_products {
    double of[FISHER_VARIANTS][FULL_VECTORS][FULL_VECTORS];
};

struct full {
    struct jvp jvp;
    struct chances chances;
    float *u[FULL_VECTORS]; /* [classes][VEC_LANES], 0 after the last sample */
    bool homogeneous;       /* J theta = 2 f - b2 */
    size_t samples;         /* 0: the whole set */
};

/* Whether a model has it: every layer has a rule, and classification its softmax. */
bool full_fits(const struct model *m, enum fisher_variant variant);

int full_open(struct full *f, const struct model *m, size_t samples, struct err *e);
void full_close(struct full *f);

/* step, previous: blocks laid out as theta; previous NULL: none. known: m's logits on the set,
 * chunk by chunk [classes][VEC_LANES], or NULL: made here. All 0 for an empty set. */
void full_find(struct full *f, const struct model *m, const struct dataset *set, const float *known,
               const float *step, const float *previous, struct full_products *out);

/* Length and cosines of the step, as geometry_step gives them for a diagonal metric. */
struct geometry_step full_step(const struct full_products *p, enum fisher_variant variant);

#endif
