// SPDX-License-Identifier: MIT
/* fourier: how few frequencies of Z_P a neuron's weights use: the inverse participation ratio (IPR)
 * of arXiv 2502.01739, equations 4 and 7, in the orthonormal real basis.
 *
 * For a signal w of length P with coefficients c_0 = sum_i w_i / sqrt(P) and, for each frequency
 * 0 < f < P/2, sqrt(2/P) sum_i w_i cos(2 pi f i / P) and the same with sin (for even P also
 * sum_i (-1)^i w_i / sqrt(P)):
 *
 *   IPR = sum of c^4 / (sum of c^2)^2,   the mean over neurons.
 *
 * Between 1/P (all alike) and 1 (one coefficient). A pure tone of phase phi has 1 - sin^2(2 phi)/2,
 * normal weights about .0265 at P = 113. Neurons whose weights are all zero have none and are left
 * out of the mean.
 *
 * For operations whose labels are a + b or a - b modulo P; others have no use for these waves.
 *
 * ipr_output: the output weights of each hidden neuron, along the classes (W).
 * ipr_input: the mean of the two operands' input weights of each hidden neuron (U and V).
 *
 * Cost: 3 H P^2 multiplications in float with one table made once, sums over coefficients in
 * double.
 */
#ifndef GROKD_MEASURE_FOURIER_H
#define GROKD_MEASURE_FOURIER_H

#include "common/err.h"

#include <stddef.h>

struct fourier {
    size_t P, ld;       /* length of a signal; floats of a row of the arrays below */
    float *basis;       /* [P][ld]: element i of every basis vector */
    float *coefficient; /* [FOURIER_BLOCK][ld]: of a block of neurons */
};

int fourier_open(struct fourier *f, size_t P, struct err *e);
void fourier_close(struct fourier *f);

/* Mean IPR of signals w[neuron * neuron_stride + i * axis_stride], i < P. NaN if all are zero. */
double fourier_ipr(const struct fourier *f, const float *w, size_t neuron_stride,
                   size_t axis_stride, size_t neurons);

#endif
