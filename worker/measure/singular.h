// SPDX-License-Identifier: MIT
/* singular: how many directions the weights of a layer use. With singular values sigma_1 >= ... of
 * a weight tensor's rows x cols matrix W:
 *
 *   stable rank     |W|_F^2 / sigma_1^2
 *   effective rank  exp(-sum of p ln p), p = sigma / sum of sigma
 *                   (O. Roy, M. Vetterli, EUSIPCO 2007; as in arXiv 2412.09810)
 *
 * Both lie between 1 and min(rows, cols) and are NaN for W = 0.
 *
 * sigma_1 by power iteration on G = W W^T (or W^T W, whichever is smaller, n x n) from a fixed
 * start: SINGULAR_STEPS steps with G^(2^SINGULAR_SQUARES), so that even of two nearly equal
 * greatest values it errs by 5e-4 at most; a Rayleigh quotient of G at the end. All of them from
 * the same G in double: Householder's tridiagonal form and bisection by signs (J. H. Wilkinson, The
 * Algebraic Eigenvalue Problem, chapter 5).
 *
 * Cost: stable rank about rows cols n + 6 n^3 multiplications in float; effective rank 2 n^3 in
 * double and 60 n^2 divisions.   Twin: Jacobi's rotations in tests/worker/test_singular.
 */
#ifndef GROKD_MEASURE_SINGULAR_H
#define GROKD_MEASURE_SINGULAR_H

#include "common/err.h"
#include "worker/train/model.h"

#define SINGULAR_SQUARES 6
#define SINGULAR_STEPS   32
#define SINGULAR_MOST    1100 /* n of an effective rank at most; NaN above */

struct singular {
    size_t n, ld;                /* of the last matrix: the shorter side; floats of a row of n */
    float *turned;               /* [long side][ld] */
    float *gram, *power, *spare; /* [n][ld] */
    float *vector, *next;        /* [ld] */
    double *a;                   /* [n][n], and what follows [n] */
    double *diagonal, *beside, *v, *w;
};

/* For the weights of models of m's shape. singular_close frees what is half made. */
int singular_open(struct singular *s, const struct model *m, struct err *e);
void singular_close(struct singular *s);

double singular_stable_rank(struct singular *s, const struct model *m, const struct tensor *t);

/* Of the tensor of the last singular_stable_rank. */
double singular_effective_rank(struct singular *s);

#endif
