// SPDX-License-Identifier: MIT
/* gini: how unequal the magnitudes x of n parameters' values are, 0 all the same, 1 - 1/n all but
 * one zero: with x_(1) <= x_(2) <= ... in order
 *
 *   gini = sum over i of (2 i - n - 1) x_(i) / (n sum of x)
 *
 * gini_weights is that of all parameters, biases included, at the end of an epoch; gini_fisher that
 * of the diagonal of the Fisher information there (fisher.h, regression: the paper's), and is taken
 * where the diagonal is. NULL when all are zero.
 *
 * Cost: three passes of a radix sort over the 31 bits of a magnitude, about 3 ns an element; the
 * sum in double. Source: arXiv 2502.01739. Twin: a double loop over all pairs in
 * tests/worker/test_gini.
 */
#ifndef GROKD_MEASURE_GINI_H
#define GROKD_MEASURE_GINI_H

#include "worker/train/model.h"

#include <stddef.h>
#include <stdint.h>

/* Of the tensors' elements in a block laid out as theta. word: twice as many as parameters,
 * overwritten. */
double gini_of(const struct model *m, const float *block, uint32_t *word);

#endif
