// SPDX-License-Identifier: MIT
/* ref_coords: the definitions, one loop each. */
#include "tests/ref/ref_coords.h"

#include <math.h>
#include <stdlib.h>

void ref_roots(const struct ref_net *n, const int32_t *pairs, size_t count, double *psi)
{
    for (size_t x = 0; x < count; x++) {
        double *p = psi + x * n->P, sum = 0, most = -INFINITY;
        ref_logits(n, pairs[2 * x], pairs[2 * x + 1], p);
        for (size_t c = 0; c < n->P; c++) most = fmax(most, p[c]);
        for (size_t c = 0; c < n->P; c++) sum += exp(p[c] - most);
        for (size_t c = 0; c < n->P; c++) p[c] = sqrt(exp(p[c] - most) / sum);
    }
}

static double angle(const double *a, const double *b, size_t C)
{
    double apart = 0, along = 0;
    for (size_t c = 0; c < C; c++) {
        apart += (a[c] - b[c]) * (a[c] - b[c]);
        along += (a[c] + b[c]) * (a[c] + b[c]);
    }
    return 2 * atan2(sqrt(apart), sqrt(along));
}

double ref_distance(const double *a, const double *b, size_t n, size_t C)
{
    double sum = 0;
    for (size_t x = 0; x < n; x++) {
        double t = angle(a + x * C, b + x * C, C);
        sum += 4 * t * t;
    }
    return sqrt(sum / (double)n);
}

/* Tangent vector at `from` that leads to `to`. */
static void tangent(const double *from, const double *to, size_t C, double *v)
{
    double t = angle(from, to, C);
    for (size_t c = 0; c < C; c++) v[c] = t > 0 ? (to[c] - cos(t) * from[c]) * t / sin(t) : 0;
}

double ref_step_cosine(const double *before, const double *here, const double *next, size_t n,
                       size_t C)
{
    double *back = malloc(2 * C * sizeof *back), *on = back + C;
    double product = 0, size_back = 0, size_on = 0;
    for (size_t x = 0; x < n; x++) {
        tangent(here + x * C, before + x * C, C, back);
        tangent(here + x * C, next + x * C, C, on);
        for (size_t c = 0; c < C; c++) {
            product -= back[c] * on[c];
            size_back += back[c] * back[c];
            size_on += on[c] * on[c];
        }
    }
    free(back);
    return product / sqrt(size_back * size_on);
}

/* Mean of twice the angles to the points at t of the geodesics. */
static double off(const double *psi, const int32_t *label, size_t n, size_t C, double t)
{
    double G = acos(1 / sqrt((double)C)), sum = 0;
    double *point = malloc(C * sizeof *point);
    for (size_t x = 0; x < n; x++) {
        for (size_t c = 0; c < C; c++)
            point[c] =
                (sin((1 - t) * G) / sqrt((double)C) + sin(t * G) * ((int32_t)c == label[x])) /
                sin(G);
        sum += 2 * angle(psi + x * C, point, C);
    }
    free(point);
    return sum / (double)n;
}

/* By thirds: the sum is convex in t. */
static double nearest(const double *psi, const int32_t *label, size_t n, size_t C)
{
    double low = 0, high = 1;
    for (int round = 0; round < 60; round++) {
        double third = (high - low) / 3;
        if (off(psi, label, n, C, low + third) < off(psi, label, n, C, high - third))
            high -= third;
        else
            low += third;
    }
    return (low + high) / 2;
}

struct ref_landmarks ref_landmarks(const double *psi, const int32_t *label, size_t n, size_t C)
{
    struct ref_landmarks r = {.progress = 0};
    double G = acos(1 / sqrt((double)C));
    for (size_t x = 0; x < n; x++) {
        double overlap[2] = {0, psi[x * C + (size_t)label[x]]};
        for (size_t c = 0; c < C; c++) overlap[0] += psi[x * C + c] / sqrt((double)C);
        for (int k = 0; k < 2; k++) {
            double arc = acos(fmin(1, overlap[k]));
            r.overlap[k] += overlap[k] / (double)n;
            r.bhattacharyya[k] -= log(overlap[k]) / (double)n;
            r.distance[k] += 4 * arc * arc / (double)n;
        }
    }
    for (int k = 0; k < 2; k++) {
        r.distance[k] = sqrt(r.distance[k]);
        r.hellinger[k] = sqrt(2 - 2 * r.overlap[k]);
    }
    r.progress = atan((r.overlap[1] / r.overlap[0] - cos(G)) / sin(G)) / G;
    r.progress_mao = nearest(psi, label, n, C);
    r.off_geodesic = off(psi, label, n, C, r.progress_mao);
    return r;
}
