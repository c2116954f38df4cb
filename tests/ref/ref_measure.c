// SPDX-License-Identifier: MIT
/* ref_measure: slow twins of the measures; see the header for the definitions. */
#include "tests/ref/ref_measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ref_layout ref_net_layout(size_t P, size_t H)
{
    struct ref_layout l = {.w1 = 0};
    l.b1 = H * 2 * P;
    l.w2 = l.b1 + H;
    l.b2 = l.w2 + P * H;
    l.end = l.b2 + P;
    return l;
}

size_t ref_net_size(size_t P, size_t H)
{
    return ref_net_layout(P, H).end;
}

void ref_logits(const struct ref_net *n, int a, int b, double *f)
{
    struct ref_layout l = ref_net_layout(n->P, n->H);
    const double *t = n->theta;
    for (size_t c = 0; c < n->P; c++) f[c] = t[l.b2 + c];
    for (size_t k = 0; k < n->H; k++) {
        const double *row = t + l.w1 + k * 2 * n->P;
        double z = t[l.b1 + k] + row[a] + row[n->P + (size_t)b];
        double h = n->square ? z * z : fmax(z, 0);
        for (size_t c = 0; c < n->P; c++) f[c] += t[l.w2 + c * n->H + k] * h;
    }
}

void ref_evaluate(const struct ref_net *n, const int32_t *pairs, size_t count, double *loss,
                  double *accuracy)
{
    double *f = calloc(n->P, sizeof *f), total = 0, right = 0;
    for (size_t i = 0; i < count; i++) {
        int a = pairs[2 * i], b = pairs[2 * i + 1];
        size_t label = (size_t)(a + b) % n->P, best = 0;
        ref_logits(n, a, b, f);
        for (size_t c = 1; c < n->P; c++)
            if (f[c] > f[best]) best = c;
        double sum = 0;
        for (size_t c = 0; c < n->P; c++) sum += exp(f[c] - f[best]);
        total += f[best] + log(sum) - f[label];
        right += best == label;
    }
    free(f);
    *loss = total / (double)count;
    *accuracy = right / (double)count;
}

/* Slopes of all logits of one pair by one parameter. */
static void logit_slopes(const struct ref_net *n, double *theta, size_t j, const int32_t *pair,
                         double *slope, double *spare)
{
    struct ref_net moved = {n->P, n->H, theta, n->square};
    double h = 1e-6;
    theta[j] = n->theta[j] + h;
    ref_logits(&moved, pair[0], pair[1], slope);
    theta[j] = n->theta[j] - h;
    ref_logits(&moved, pair[0], pair[1], spare);
    theta[j] = n->theta[j];
    for (size_t c = 0; c < n->P; c++) slope[c] = (slope[c] - spare[c]) / (2 * h);
}

static double sum_squares(const double *x, const double *weight, double centre, size_t n)
{
    double sum = 0;
    for (size_t c = 0; c < n; c++) sum += (weight ? weight[c] : 1) * pow(x[c] - centre, 2);
    return sum;
}

/* d ln p_c = d f_c - sum of p d f. */
static double class_squares(const struct ref_net *n, const int32_t *pair, const double *slope,
                            double *p)
{
    double all = 0, mean = 0;
    ref_logits(n, pair[0], pair[1], p);
    for (size_t c = 0; c < n->P; c++) all += p[c] = exp(p[c]);
    for (size_t c = 0; c < n->P; c++) mean += (p[c] /= all) * slope[c];
    return sum_squares(slope, p, mean, n->P);
}

static void fisher(const struct ref_net *n, const int32_t *pairs, size_t count, int classes,
                   double *diagonal)
{
    size_t size = ref_net_size(n->P, n->H);
    double *t = malloc(size * sizeof *t), *slope = malloc(n->P * sizeof *slope),
           *spare = malloc(n->P * sizeof *spare);
    memcpy(t, n->theta, size * sizeof *t);
    for (size_t j = 0; j < size; j++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            logit_slopes(n, t, j, pairs + 2 * i, slope, spare);
            sum += classes ? class_squares(n, pairs + 2 * i, slope, spare)
                           : sum_squares(slope, NULL, 0, n->P);
        }
        diagonal[j] = sum / (double)count;
    }
    free(t);
    free(slope);
    free(spare);
}

void ref_fisher(const struct ref_net *n, const int32_t *pairs, size_t count, double *diagonal)
{
    fisher(n, pairs, count, 0, diagonal);
}

void ref_fisher_class(const struct ref_net *n, const int32_t *pairs, size_t count, double *diagonal)
{
    fisher(n, pairs, count, 1, diagonal);
}

struct ranked {
    double size;
    size_t index;
};

static int rank_order(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

void ref_prune(double *w, size_t n, size_t count)
{
    struct ranked *r = malloc((n + 1) * sizeof *r);
    for (size_t i = 0; i < n; i++) r[i] = (struct ranked){fabs(w[i]), i};
    qsort(r, n, sizeof *r, rank_order);
    for (size_t i = 0; i < count; i++) w[r[i].index] = 0;
    free(r);
}

double ref_pruning(const struct ref_net *n, const int32_t *pairs, size_t count, size_t points,
                   double *accuracy, double *loss)
{
    struct ref_layout l = ref_net_layout(n->P, n->H);
    double *t = malloc(l.end * sizeof *t), area = 0;
    for (size_t i = 0; i < points; i++) {
        double fraction = (double)i / (double)(points - 1);
        memcpy(t, n->theta, l.end * sizeof *t);
        ref_prune(t + l.w1, l.b1 - l.w1, (size_t)nearbyint(fraction * (double)(l.b1 - l.w1)));
        ref_prune(t + l.w2, l.b2 - l.w2, (size_t)nearbyint(fraction * (double)(l.b2 - l.w2)));
        ref_evaluate(&(struct ref_net){n->P, n->H, t, n->square}, pairs, count, &loss[i],
                     &accuracy[i]);
        if (i > 0) area += (accuracy[i - 1] + accuracy[i]) / 2 / (double)(points - 1);
    }
    free(t);
    return area;
}

/* Row 0 is constant, rows 2f-1 and 2f are cosine and sine of f turns; of even P the last row is the
 * alternating one, which like the constant has no sine beside it and so no factor sqrt(2). */
static double coefficient(const double *w, size_t P, size_t stride, size_t row)
{
    size_t f = (row + 1) / 2;
    double sum = 0, norm = sqrt((row == 0 || 2 * f == P ? 1 : 2) / (double)P);
    for (size_t i = 0; i < P; i++) {
        double turn = 2 * acos(-1) * (double)(f * i % P) / (double)P;
        sum += w[i * stride] * norm * (row == 0 || row % 2 ? cos(turn) : sin(turn));
    }
    return sum;
}

double ref_ipr(const double *w, size_t P, size_t n, size_t stride_i, size_t stride_j)
{
    double mean = 0;
    for (size_t j = 0; j < n; j++) {
        double four = 0, two = 0;
        for (size_t row = 0; row < P; row++) {
            double c = coefficient(w + j * stride_j, P, stride_i, row);
            two += c * c;
            four += c * c * c * c;
        }
        mean += four / (two * two) / (double)n;
    }
    return mean;
}

struct ref_step ref_geometry(const double *before, const double *here, const double *next,
                             const double *metric, size_t n)
{
    double ss = 0, sp = 0, pp = 0, so = 0, oo = 0;
    for (size_t i = 0; i < n; i++) {
        double g = metric ? metric[i] : 1, s = next[i] - here[i], p = here[i] - before[i];
        ss += g * s * s;
        sp += g * s * p;
        pp += g * p * p;
        so -= g * s * here[i];
        oo += g * here[i] * here[i];
    }
    return (struct ref_step){sqrt(ss), sp / sqrt(ss * pp), so / sqrt(ss * oo)};
}

double ref_uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

double ref_normal(uint64_t *state)
{
    double u = 1 - ref_uniform(state), v = ref_uniform(state);
    return sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
}

int ref_close(double a, double b, double tolerance, double floor)
{
    return fabs(a - b) <= tolerance * fmax(fmax(fabs(a), fabs(b)), floor);
}
