// SPDX-License-Identifier: MIT
/* linear: the coordinator's door of OpenBLAS and its LAPACK. Matrices are row-major, double. */
#ifndef GROKD_COORDINATOR_LINEAR_H
#define GROKD_COORDINATOR_LINEAR_H

#include "common/err.h"

/* s += x^T x, its upper triangle only.   x [n, m], s [m, m], aliasing nothing.   n m^2 flops. */
void linear_gram(double *s, const double *x, int n, int m);

/* The k greatest eigenvalues of a symmetric matrix, greatest first, and their unit eigenvectors (of
 * either sign) as rows of vectors [k, m]. Reads the upper triangle of a [m, m] and destroys it.
 * 4/3 m^3 flops. E_NOMEM, or E_STATE if it does not converge (a holds what is not finite). */
int linear_top(double *a, int m, int k, double *values, double *vectors, struct err *e);

#endif
