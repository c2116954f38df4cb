// SPDX-License-Identifier: MIT
/* dot: sums of products in double, in one order whatever the level. */
#include "worker/num/kernels/kernel.h"

#define PARTS 16

static double parts_sum(double p[PARTS])
{
    for (int half = PARTS / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) p[i] += p[i + half];
    return p[0];
}

/* The inner loops are of a fixed length, so that a compiler makes vectors of them; products of
 * two floats are exact in double. */
double KERNEL(dot)(const float *a, const float *b, size_t n)
{
    double p[PARTS] = {0};
    size_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int j = 0; j < PARTS; j++) p[j] += (double)a[i + j] * b[i + j];
    for (int j = 0; i + j < n; j++) p[j] += (double)a[i + j] * b[i + j];
    return parts_sum(p);
}

double KERNEL(dot_weighted)(const float *g, const float *a, const float *b, size_t n)
{
    double p[PARTS] = {0};
    size_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int j = 0; j < PARTS; j++) p[j] += (double)a[i + j] * b[i + j] * g[i + j];
    for (int j = 0; i + j < n; j++) p[j] += (double)a[i + j] * b[i + j] * g[i + j];
    return parts_sum(p);
}
