// SPDX-License-Identifier: MIT
/* fourier: how few frequencies of Z_P a neuron's weights use: the inverse participation ratio (IPR)
 * of arXiv 2502.01739, equations 4 and 7, in three bases, and the energy of each frequency.
 *
 * For a signal w of length P take the orthonormal real coefficients a_0 = sum_i w_i / sqrt(P) and,
 * for each frequency 0 < f < P/2, a_f = sqrt(2/P) sum_i w_i cos(2 pi f i / P) and b_f the same with
 * sin; for even P also a_{P/2} = sum_i (-1)^i w_i / sqrt(P), b_{P/2} = 0. Energies E_f = a_f^2 +
 * b_f^2. Then, sums over f, and z_f = 1 for f = 0 and f = P/2, else 1/2:
 *
 *   real     sum of (a^4 + b^4)  / (sum of E)^2
 *   complex  sum of z E^2        / (sum of E)^2        the discrete Fourier transform's |w~|^2
 *   rfft     sum of (z E)^2      / (sum of z E)^2      its first half, as numpy.fft.rfft gives it
 *
 * each the mean over neurons. Between about 1/P (all alike) and 1 (one coefficient). A pure tone of
 * phase phi has 1 - sin^2(2 phi)/2, 1/2 and 1; normal weights have 3/(P + 2), (2P + 1)/(P (P + 2))
 * and about 4/(P + 3): .0261, .0175 and .0347 at P = 113. Neurons whose weights are all zero have
 * none and are left out of the mean.
 *
 * For operations whose labels are a + b or a - b modulo P; others have no use for these waves.
 *
 * Columns ipr_output*: the output weights of each hidden neuron, along the classes (W).
 * ipr_input*: the mean of the two operands' input weights of each hidden neuron (U and V).
 * key_frequencies: how few f > 0 hold KEY_SHARE of the energy that W has in all f > 0 (greatest
 * first, equal ones by f); arXiv 2301.05217 calls such frequencies key.
 * Features at curve_epochs: ipr_real, ipr_complex, ipr_rfft of layers U, V and W, and energy_F of
 * layer W, the sum of E_F over neurons, which add up to the sum of W's squares (no energies for P
 * above VIEW_LONGEST: an epoch would be too long to send).
 *
 * Cost: 3 H P^2 multiplications in float with one table made once, sums over coefficients in
 * double.
 */
#ifndef GROKD_MEASURE_FOURIER_H
#define GROKD_MEASURE_FOURIER_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define KEY_SHARE 0.9

struct fourier {
    size_t P, ld;       /* length of a signal; floats of a row of the arrays below */
    size_t frequencies; /* P/2 + 1, that of 0 among them */
    float *basis;       /* [P][ld]: element i of every basis vector */
    float *coefficient; /* [FOURIER_BLOCK][ld]: of a block of neurons */
    double *energy;     /* [frequencies], of all neurons of the last call */
};

/* Means over neurons; NaN if all are zero. */
struct fourier_ipr {
    double real, complex, rfft;
};

int fourier_open(struct fourier *f, size_t P, struct err *e);
void fourier_close(struct fourier *f);

/* Signals w[neuron * neuron_stride + i * axis_stride], i < P. Fills f->energy. */
struct fourier_ipr fourier_ipr(struct fourier *f, const float *w, size_t neuron_stride,
                               size_t axis_stride, size_t neurons);

/* The key frequencies of f->energy into key [frequencies], greatest first; how many there are. */
size_t fourier_keys(const struct fourier *f, uint32_t *key);

#endif
