// SPDX-License-Identifier: MIT
/* sample: what a model predicts on 256 inputs of the evaluation table, exactly enough for distances
 * and maps that a sketch cannot give (Bhattacharyya, InPCA of PMC6628833, isKL): roots of the
 * probabilities in half precision, 57 KB at 113 classes.
 *
 * The inputs are the first of a permutation of the table by the seed of sketches: the same in every
 * run. Epochs are spaced as their logarithm: 0, 1, and in every doubling 2^j .. 2^(j+1) n evenly
 * spaced ones (all, where there are no more); each mark counts at the first measured epoch from it
 * on. Halves are rounded to nearest, ties to even.
 *
 * Cost: one conversion a kept number. Memory: the kept numbers.
 */
#ifndef GROKD_MEASURE_SAMPLE_H
#define GROKD_MEASURE_SAMPLE_H

#include "proto/metric.h"
#include "worker/measure/table.h"

#include <stdbool.h>

#define SAMPLE_INPUTS 256 /* of a table that has as many */

struct sample {
    uint32_t count, classes;
    int32_t *input, *label; /* inputs rise */
    uint32_t *slot;         /* of each input, as the table is walked */
    uint16_t *root;         /* [count][classes] */
};

int sample_open(struct sample *s, const struct table *t, struct err *e);
void sample_close(struct sample *s);

/* Takes what it keeps of a chunk of the table's sets, psi [classes][VEC_LANES]. */
void sample_take(struct sample *s, const float *psi, size_t chunk);

/* Lent. */
struct row_predictions sample_predictions(const struct sample *s);

/* Whether, with n marks in a doubling, one lies after the measured epoch before (-1: none) and not
 * after this one. */
bool sample_due(int64_t n, int64_t before, int64_t epoch);

/* A number from 0 to 65504 in half precision. */
uint16_t sample_half(float x);

#endif
