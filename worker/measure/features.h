// SPDX-License-Identifier: MIT
/* features: what the neurons of an Ising network have learned: how their pre-activations correlate
 * with the physics of a snapshot (arXiv 2502.01739, section 2 and equation 6).
 *
 * Over the n snapshots of a set, z_k the pre-activation of neuron k (every site of a convolution's
 * output is a neuron) and q one of
 *
 *   energy             E/(2N) = -1/(2N) sum over bonds of s s', N = L*L sites, each with 2 bonds
 *   magnetization      M = 1/N sum of s
 *   abs_magnetization  |M|
 *
 *   r_k   = sum (z - mean z)(q - mean q) / sqrt(sum (z - mean z)^2 sum (q - mean q)^2)
 *
 * r_k = 0 where either is constant. Of a layer, each the mean over its neurons of |r_k| ...
 *
 *   q_mean      ... all alike
 *   q_weighted  ... with weights sum over snapshots of |z_k|, divided by their sum (the paper's r~;
 *               as printed it divides by the number of neurons once more, which its values do not)
 *   q_median    the middle one of |r_k|, of an even number the mean of the middle two
 *   q_share     share of neurons whose greatest |r_k| is that with q; the first of equal ones, and
 *               neurons with none count for nothing
 *
 * Layers: the hidden ones that have weights, conv1, conv2, ... and fc1, ... in their order.
 * corr_energy and corr_abs_magnetization are q_weighted of the last of them.
 *
 * Cost: one forward pass over the set and 10 operations a neuron and snapshot; sums in double.
 */
#ifndef GROKD_MEASURE_FEATURES_H
#define GROKD_MEASURE_FEATURES_H

#include "common/err.h"
#include "proto/metric.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stddef.h>

enum feature_quantity {
    FEATURE_ENERGY,
    FEATURE_MAGNETIZATION,
    FEATURE_ABS_MAGNETIZATION,
    FEATURE_QUANTITIES
};

/* Energy a bond and magnetisation of one snapshot [side*side] of +1 and -1, periodic. */
double features_energy(const int8_t *spin, size_t side);
double features_magnetization(const int8_t *spin, size_t side);

/* Sums over snapshots of one neuron, z taken from its value at the first one. */
struct feature_sums {
    double origin, one, two, size, with[FEATURE_QUANTITIES];
};

/* A layer and where its neurons stand in the sums. */
struct feature_layer {
    size_t layer, first, neurons;
    char name[16];
};

struct features {
    struct workspace workspace;
    size_t layer_count, neurons;
    struct feature_layer layer[MODEL_LAYERS];
    double *quantity[FEATURE_QUANTITIES]; /* [count] of the set, less their means */
    double spread[FEATURE_QUANTITIES];    /* roots of the sums of their squares */
    struct feature_sums *sums;            /* [neurons] */
    double *r;                            /* [FEATURE_QUANTITIES][neurons], |r| */
    size_t value_count;
    struct feature *value; /* of the last call; names are constants, layers stand above */
};

/* For models of m's shape on `set`, spins of side*side sites. */
int features_open(struct features *f, const struct model *m, const struct dataset *set, size_t side,
                  struct err *e);
void features_close(struct features *f);

/* Fills f->value. A value that is undefined is NaN. */
void features_measure(struct features *f, const struct model *m, const struct dataset *set);

#endif
