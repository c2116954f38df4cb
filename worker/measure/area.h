// SPDX-License-Identifier: MIT
/* area: the area under accuracy over pruned fraction, from points of the curve or from all of it,
 * and compressibility c = 1/(1 - area) (arXiv 2502.01739, equation 5).
 *
 * From N + 1 points (p_i, a_i), p_0 = 0 and p_N = 1:
 *
 *   area  = sum over i of dp_i (a_{i-1} + a_i)/2
 *   doubt = sum over i of dp_i (|a_i - a_{i-1}|/2 + r_i + grain dp_i)
 *   r_i   = the greatest of the rises a_j - a_{j-1} > 0, j from i - 1 to i + 1, or 0
 *
 * For an accuracy that never rises with pruning the first term alone is a proven bound of the
 * error: in every interval the curve lies between its ends. If it also rises inside intervals, by
 * u_i in all, the error grows by at most dp_i u_i; the other terms allow for rises that are not
 * seen as great as those seen there and next to it, and one sample (grain, 1/n) more on the whole
 * way. So the doubt is a bound for curves that rise no more between the points than that; of the
 * whole step function it is 0.
 */
#ifndef GROKD_MEASURE_AREA_H
#define GROKD_MEASURE_AREA_H

#include <stddef.h>
#include <stdint.h>

struct area_point {
    double fraction, accuracy;
};

struct area {
    double area, doubt;
};

/* points rise in fraction, from 0 to 1. */
struct area area_of_points(const struct area_point *point, size_t points, double grain);

/* Of the step function that has hits[0] of `samples` right at first, and hits[i + 1] from at[i] on,
 * i < n, at rising. */
struct area area_of_steps(const double *at, const int64_t *hits, size_t n, size_t samples);

/* c, and how far it may be off, to first order: c^2 doubt. NaN for area 1. */
double area_compressibility(struct area a);
double area_bound(struct area a);

/* New fractions, rising, at most `most`: as few cuts of intervals into equal parts as may bring the
 * doubt below `goal`; no part narrower than `least`. Returns how many. */
size_t area_refine(const struct area_point *point, size_t points, double grain, double goal,
                   double least, size_t most, double *fraction);

/* Merges `added` points, rising, with the `points` there are. */
void area_merge(struct area_point *point, size_t points, const struct area_point *add,
                size_t added);

#endif
