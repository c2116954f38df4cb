// SPDX-License-Identifier: MIT
/* pruning: how many weights a model can lose: compressibility by layer-wise magnitude pruning
 * (arXiv 2502.01739, equation 5).
 *
 * At a fraction p every weight tensor (biases are spared) loses its round(p n) smallest |w|, half
 * to even, equal ones by index in state-dict order; a(p) is the accuracy on the whole test set.
 * At K equally spaced fractions p_i = i / (K - 1):
 *
 *   area                  = sum over i of (a_i + a_{i+1})/2 * (p_{i+1} - p_i)
 *   compressibility       = c = 1 / (1 - area)
 *   compressibility_bound = c^2 * 1/2 sum over i of (p_{i+1} - p_i) |a_{i+1} - a_i|
 *   compressibility_rule  = K
 *
 * c is NULL for area 1, and 1/(1 - 1/P) for a model that guesses. The bound says how far c may be
 * off, to first order, if accuracy never rises with pruning.
 *
 * Sets are nested, so each point only zeroes the next slice of one sorted order. Point 0 is the
 * model itself and gives the bits of test_loss and test_accuracy: the same call on the same
 * weights.
 *
 * Cost: one sort, and K forward passes over the test set of n H P multiplications each.
 */
#ifndef GROKD_MEASURE_PRUNING_H
#define GROKD_MEASURE_PRUNING_H

#include "common/err.h"
#include "proto/metric.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stddef.h>
#include <stdint.h>

struct pruning {
    struct model pruned; /* a copy that loses its weights */
    struct workspace workspace;
    size_t points;                     /* K >= 2 */
    struct pruning_point *curve;       /* [points], of the last call */
    uint32_t *position[MODEL_TENSORS]; /* of a weight: places in theta by rank; of a bias: NULL */
    uint64_t *spare;                   /* of the sort */
};

int pruning_open(struct pruning *p, const struct model *m, size_t points, struct err *e);
void pruning_close(struct pruning *p);

/* Fills the curve of a model of the same shape on a set. */
void pruning_curve(struct pruning *p, const struct model *m, const struct dataset *set);

/* Weights that a tensor of n loses at point i of `points`. */
size_t pruning_count(size_t n, size_t i, size_t points);

/* Area, c and its bound from a curve; c and bound are NaN for area 1. */
struct compressibility {
    double area, c, bound;
};
struct compressibility pruning_compressibility(const struct pruning_point *curve, size_t points);

#endif
