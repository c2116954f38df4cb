// SPDX-License-Identifier: MIT
/* landmark: overlaps, distances and progress; see the header for the formulas. Functions beyond +,
 * -, *, / and root are series of our own: the same bits with every C library.
 */
#include "worker/measure/landmark.h"

#include "worker/num/vec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define HALF_PI 1.5707963267948966
#define LN2     0.69314718055994531

int landmark_open(struct landmark *l, size_t n, size_t classes, struct err *e)
{
    size_t lists = 3 * LANDMARKS + 1;
    *l = (struct landmark){.classes = classes};
    double *next = l->block = calloc(lists * n + 1, sizeof *l->block);
    if (!next) return err_set(e, E_NOMEM, "landmarks: no memory");
    for (int k = 0; k < LANDMARKS; k++) {
        l->square[k] = next, next += n;
        l->overlap[k] = next, next += n;
        l->arc[k] = next, next += n;
    }
    l->own = next;
    return OK;
}

void landmark_close(struct landmark *l)
{
    free(l->block);
    *l = (struct landmark){0};
}

/* The overlap of unit vectors is 1 - chord^2/2, which keeps digits near 1; where it is small, what
 * was summed directly does. */
void landmark_update(struct landmark *l, size_t n)
{
    for (int k = 0; k < LANDMARKS; k++) vec->measure_arcs(l->arc[k], l->square[k], n);
    for (size_t i = 0; i < n; i++) {
        double truth = l->square[LANDMARK_TRUTH][i];
        l->overlap[LANDMARK_IGNORANCE][i] = 1 - l->square[LANDMARK_IGNORANCE][i] / 2;
        l->overlap[LANDMARK_TRUTH][i] = truth < 1 ? 1 - truth / 2 : l->own[i];
    }
}

/* ---- series ---- */

/* 2 artanh(s), |s| < .18. */
static double twice_artanh(double s)
{
    double q = s * s, sum = 2.0 / 21;
    for (int k = 19; k >= 1; k -= 2) sum = sum * q + 2.0 / k;
    return s * sum;
}

/* -ln of an overlap whose chord has a square. */
static double minus_log(double overlap, double square)
{
    int n;
    if (square < 0.5) return twice_artanh(square / (4 - square));
    double m = frexp(overlap < (double)FLT_MIN ? (double)FLT_MIN : overlap, &n);
    if (m < 0.70710678118654752) m *= 2, n--;
    return -n * LN2 - twice_artanh((m - 1) / (m + 1));
}

/* sin x for 0 <= x <= pi/2. */
static double sine(double x)
{
    double q = x * x, sum = 0;
    for (int k = 26; k >= 2; k -= 2) sum = (1 + sum) * -q / (k * (k + 1));
    return x * (1 + sum);
}

/* arcsin of the root of q. */
static double arcsine_of_root(double q)
{
    double square = 4 * q, arc;
    vec->measure_arcs(&arc, &square, 1);
    return arc / 2;
}

static double arctangent(double x)
{
    return copysign(arcsine_of_root(x * x / (1 + x * x)), x);
}

/* ---- progress ---- */

struct geodesic {
    double length, sine; /* G and its sine */
    const double *alpha, *beta;
    size_t count;
};

/* Weights of the landmarks at t, [0] of ignorance, and their derivatives by tG. */
static void weights(const struct geodesic *g, double t, double at[2], double slope[2])
{
    double to = t * g->length, back = g->length - to;
    at[0] = sine(back) / g->sine;
    at[1] = sine(to) / g->sine;
    slope[0] = -sine(HALF_PI - back) / g->sine;
    slope[1] = sine(HALF_PI - to) / g->sine;
}

/* Above 0 where the sum of arcs falls with t. */
static double pull(const struct geodesic *g, double t)
{
    double at[2], slope[2];
    weights(g, t, at, slope);
    return vec->measure_pull(g->alpha, g->beta, g->count, at, slope);
}

static double nearest(const struct geodesic *g)
{
    double low = 0, high = 1, at_low = pull(g, low), at_high = pull(g, high);
    if (isnan(at_low) || isnan(at_high)) return NAN;
    if (at_low <= 0) return 0;
    if (at_high >= 0) return 1;
    for (int i = 0; i < 24; i++) {
        double middle = (low + high) / 2, p = pull(g, middle);
        if (p > 0)
            low = middle, at_low = p;
        else
            high = middle, at_high = p;
    }
    return low + (high - low) * at_low / (at_low - at_high);
}

/* Mean arc to the point at t, doubled. In blocks, for want of a list. */
static double mean_arc(const struct geodesic *g, double t)
{
    enum { BLOCK = 256 };
    double at[2], slope[2], square[BLOCK], sum = 0;
    weights(g, t, at, slope);
    for (size_t from = 0; from < g->count; from += BLOCK) {
        size_t n = g->count - from < BLOCK ? g->count - from : BLOCK;
        for (size_t i = 0; i < n; i++) {
            double w = at[0] * g->alpha[from + i] + at[1] * g->beta[from + i];
            square[i] = w > 1 ? 0 : 2 - 2 * w;
        }
        vec->measure_arcs(square, square, n);
        for (size_t i = 0; i < n; i++) sum += square[i];
    }
    return 2 * sum / (double)g->count;
}

static void add_progress(const struct landmark *l, size_t from, size_t count,
                         struct landmark_values *v)
{
    double C = (double)l->classes, cosine = 1 / sqrt(C);
    struct geodesic g = {.length = 2 * arcsine_of_root((1 - cosine) / 2),
                         .sine = sqrt(1 - 1 / C),
                         .alpha = l->overlap[LANDMARK_IGNORANCE] + from,
                         .beta = l->overlap[LANDMARK_TRUTH] + from,
                         .count = count};
    double ratio = v->overlap[LANDMARK_TRUTH] / v->overlap[LANDMARK_IGNORANCE];
    v->progress = arctangent((ratio - cosine) / g.sine) / g.length;
    v->progress_mao = nearest(&g);
    v->off_geodesic = mean_arc(&g, v->progress_mao);
}

/* ---- means ---- */

struct landmark_values landmark_values(const struct landmark *l, size_t from, size_t count)
{
    struct landmark_values v;
    double n = (double)count;
    for (int k = 0; k < LANDMARKS; k++) {
        double overlap = 0, logs = 0, arcs = 0, squares = 0;
        for (size_t i = from; i < from + count; i++) {
            overlap += l->overlap[k][i];
            logs += minus_log(l->overlap[k][i], l->square[k][i]);
            arcs += l->arc[k][i] * l->arc[k][i];
            squares += 1 - l->overlap[k][i];
        }
        v.overlap[k] = overlap / n;
        v.bhattacharyya[k] = logs / n;
        v.distance[k] = 2 * sqrt(arcs / n);
        v.hellinger[k] = sqrt(2 * squares / n);
    }
    if (count > 0)
        add_progress(l, from, count, &v);
    else
        v.progress = v.progress_mao = v.off_geodesic = NAN;
    return v;
}
