// SPDX-License-Identifier: MIT
/* moments: how many points there are, their mean, and their scatter about it. Pure but for BLAS.
 *
 * For a point x:  n += 1,  mean += (x - mean)/n,  scatter += (x - old mean)(x - new mean)^T.
 * Points are taken a block at a time, and two sets of points become one by addition alone (Chan,
 * Golub, LeVeque, The American Statistician 37, 1983): with d the difference of the means,
 *     scatter = scatter_a + scatter_b + d d^T n_a n_b / (n_a + n_b).
 * Memory: m^2 doubles and MOMENTS_BLOCK points, whatever the count. m^2 flops a point.
 */
#ifndef GROKD_COORDINATOR_MOMENTS_H
#define GROKD_COORDINATOR_MOMENTS_H

#include "common/err.h"

#include <stdint.h>

#define MOMENTS_BLOCK 64

struct moments {
    int size;        /* m: numbers of a point */
    int64_t count;   /* points in mean and scatter */
    double *mean;    /* [m] */
    double *scatter; /* [m, m]: its upper triangle */
    int held;        /* points that wait in block */
    double *block;   /* [MOMENTS_BLOCK + 1, m] */
};

/* Makes an empty set of points of `size` numbers. E_NOMEM. Close it in any case. */
int moments_open(struct moments *m, int size, struct err *e);
void moments_close(struct moments *m); /* all zero afterwards; may be so before */

/* Adds a point x [size]. */
void moments_add(struct moments *m, const float *x);

/* Takes in what waits: afterwards count, mean and scatter are of all points. */
void moments_flush(struct moments *m);

/* Adds the points of another set of the same size, which must be flushed. */
void moments_merge(struct moments *m, const struct moments *other);

#endif
