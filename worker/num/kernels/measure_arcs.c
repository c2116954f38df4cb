// SPDX-License-Identifier: MIT
/* measure_arcs: angles between unit vectors from the squares of their chords, in double, and the
 * pull of a point along an arc. Loops without a branch, so that a compiler makes vectors of them;
 * only +, -, *, / and root: the same bits everywhere.
 */
#include "worker/num/kernels/kernel.h"

#include <math.h>

#define PARTS 16

/* sin^2 of half an angle from sin^2 of it, for angles up to pi/2. */
INLINE double halved(double square)
{
    return square / (2 + 2 * sqrt(1 - square));
}

/* arcsin(root of q) = 8 arcsin(root of q'), q' below .0381: by the series, whose next term is below
 * 1e-17 of it. */
INLINE double arcsine_of_root(double q)
{
    q = halved(halved(halved(q)));
    double sum = 88179.0 / 12058624;
    sum = sum * q + 46189.0 / 5505024;
    sum = sum * q + 12155.0 / 1245184;
    sum = sum * q + 6435.0 / 557056;
    sum = sum * q + 143.0 / 10240;
    sum = sum * q + 231.0 / 13312;
    sum = sum * q + 63.0 / 2816;
    sum = sum * q + 35.0 / 1152;
    sum = sum * q + 5.0 / 112;
    sum = sum * q + 3.0 / 40;
    sum = sum * q + 1.0 / 6;
    return 8 * sqrt(q) * (sum * q + 1);
}

void KERNEL(measure_arcs)(double *arc, const double *square, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double q = 0.25 * square[i];
        arc[i] = 2 * arcsine_of_root(q > 1 ? 1 : q);
    }
}

INLINE double pull_of(double a, double b, const double at[2], const double slope[2])
{
    double w = at[0] * a + at[1] * b, rest = (1 - w) * (1 + w);
    return (slope[0] * a + slope[1] * b) / sqrt(rest < 1e-24 ? 1e-24 : rest);
}

double KERNEL(measure_pull)(const double *a, const double *b, size_t n, const double at[2],
                            const double slope[2])
{
    double p[PARTS] = {0};
    size_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (size_t j = 0; j < PARTS; j++) p[j] += pull_of(a[i + j], b[i + j], at, slope);
    for (size_t j = 0; i + j < n; j++) p[j] += pull_of(a[i + j], b[i + j], at, slope);
    for (int half = PARTS / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) p[j] += p[j + half];
    return p[0];
}
