// SPDX-License-Identifier: MIT
/* regression: the line through points (x, y) by least squares, with what is known of its slope.
 * Pure.
 *
 * Points come one at a time (sums about the means, so that nothing cancels). With S the sums of
 * products about the means:  slope = Sxy / Sxx,  r2 = Sxy^2 / (Sxx Syy),  and at confidence .95 the
 * slope lies within  t sqrt((Syy - Sxy^2 / Sxx) / (n - 2) / Sxx),  t of Student with n - 2 degrees
 * of freedom, if residuals are normal and alike.
 */
#ifndef GROKD_COORDINATOR_REGRESSION_H
#define GROKD_COORDINATOR_REGRESSION_H

#include <stdint.h>

struct regression {
    int64_t count;
    double mean_x, mean_y, sxx, sxy, syy;
};

struct regression_line {
    double slope, intercept, r2; /* NaN: the points do not say */
    double slope_from, slope_to; /* 95 % */
};

/* Adds a point; all zero is a regression of none. */
void regression_add(struct regression *r, double x, double y);

void regression_line(const struct regression *r, struct regression_line *out);

/* t with P(|T| < t) = share, of Student's distribution with `freedom` >= 1 degrees; 0 < share < 1.
 * Exact finite sums (Abramowitz, Stegun 26.7.3, 26.7.4), inverted by bisection: 30 freedom
 * multiplications. */
double regression_student(double share, int64_t freedom);

#endif
