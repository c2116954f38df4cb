// SPDX-License-Identifier: MIT
/* features: one pass over the snapshots for the sums of every neuron, then statistics of layers. */
#include "worker/measure/features.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum statistic { MEAN, WEIGHTED, MEDIAN, SHARE, STATISTICS };

static const char *const names[FEATURE_QUANTITIES][STATISTICS] = {
    {"energy_mean", "energy_weighted", "energy_median", "energy_share"},
    {"magnetization_mean", "magnetization_weighted", "magnetization_median", "magnetization_share"},
    {"abs_magnetization_mean", "abs_magnetization_weighted", "abs_magnetization_median",
     "abs_magnetization_share"},
};

/* ---- the physics of a snapshot ---- */

double features_energy(const int8_t *spin, size_t side)
{
    int bonds = 0;
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++) {
            int right = spin[i * side + (j + 1) % side], below = spin[(i + 1) % side * side + j];
            bonds += spin[i * side + j] * (right + below);
        }
    return -(double)bonds / (double)(2 * side * side);
}

double features_magnetization(const int8_t *spin, size_t side)
{
    int sum = 0;
    for (size_t i = 0; i < side * side; i++) sum += spin[i];
    return (double)sum / (double)(side * side);
}

/* Takes the mean off and gives the root of the sum of squares. */
static double centre(double *x, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        x[i] -= mean;
        squares += x[i] * x[i];
    }
    return sqrt(squares);
}

static void fill_quantities(struct features *f, const struct dataset *set, size_t side)
{
    for (size_t s = 0; s < set->count; s++) {
        const int8_t *spin = set->spin + s * set->sites;
        double magnetization = features_magnetization(spin, side);
        f->quantity[FEATURE_ENERGY][s] = features_energy(spin, side);
        f->quantity[FEATURE_MAGNETIZATION][s] = magnetization;
        f->quantity[FEATURE_ABS_MAGNETIZATION][s] = fabs(magnetization);
    }
    for (int q = 0; q < FEATURE_QUANTITIES; q++) f->spread[q] = centre(f->quantity[q], set->count);
}

/* ---- opening ---- */

/* Every layer with weights but the last, whose outputs are the logits. */
static void find_layers(struct features *f, const struct model *m)
{
    size_t convolutions = 0, dense = 0;
    for (size_t l = 0; l + 1 < m->layer_count; l++) {
        if (m->layer[l].weight < 0) continue;
        struct feature_layer *y = &f->layer[f->layer_count++];
        bool image = m->tensor[m->layer[l].weight].rank == 4;
        *y = (struct feature_layer){l, f->neurons, m->layer[l].out, ""};
        snprintf(y->name, sizeof y->name, "%s%zu", image ? "conv" : "fc",
                 image ? ++convolutions : ++dense);
        f->neurons += y->neurons;
    }
}

int features_open(struct features *f, const struct model *m, const struct dataset *set, size_t side,
                  struct err *e)
{
    *f = (struct features){.layer_count = 0};
    find_layers(f, m);
    int rc = workspace_open(&f->workspace, m, e);
    if (rc < 0) return rc;
    bool full = true;
    for (int q = 0; q < FEATURE_QUANTITIES; q++)
        full = (f->quantity[q] = calloc(set->count + 1, sizeof(double))) && full;
    f->sums = calloc(f->neurons + 1, sizeof *f->sums);
    f->r = calloc(f->neurons + 1, FEATURE_QUANTITIES * sizeof *f->r);
    f->value = calloc(f->layer_count * FEATURE_QUANTITIES * STATISTICS + 1, sizeof *f->value);
    if (!full || !f->sums || !f->r || !f->value) return err_set(e, E_NOMEM, "features: no memory");
    fill_quantities(f, set, side);
    return OK;
}

void features_close(struct features *f)
{
    workspace_close(&f->workspace);
    for (int q = 0; q < FEATURE_QUANTITIES; q++) free(f->quantity[q]);
    free(f->sums);
    free(f->r);
    free(f->value);
    *f = (struct features){.layer_count = 0};
}

/* ---- sums ---- */

/* Adds samples from..from+count-1, whose pre-activations stand in z [count], `stride` apart. The
 * difference to the first sample's is exact enough in double, and 0 for a constant neuron. */
static void add_samples(struct feature_sums *sums, const struct features *f, const float *z,
                        size_t stride, size_t from, size_t count)
{
    const double *energy = f->quantity[0] + from, *m = f->quantity[1] + from,
                 *size = f->quantity[2] + from;
    if (from == 0) *sums = (struct feature_sums){.origin = z[0]};
    struct feature_sums t = *sums;
    for (size_t s = 0; s < count; s++) {
        double value = z[s * stride], x = value - t.origin;
        t.one += x;
        t.two += x * x;
        t.size += fabs(value);
        t.with[0] += x * energy[s];
        t.with[1] += x * m[s];
        t.with[2] += x * size[s];
    }
    *sums = t;
}

static void add_batch(struct features *f, const struct model *m, const struct batch *b, size_t from)
{
    size_t done = 0;
    for (size_t i = 0; i < f->layer_count; i++) {
        const struct feature_layer *y = &f->layer[i];
        const struct signal *z = &f->workspace.value[y->layer + 1];
        model_forward_part(m, b, &f->workspace, done, y->layer + 1);
        done = y->layer + 1;
        for (size_t k = 0; k < y->neurons; k++)
            add_samples(&f->sums[y->first + k], f, z->x + k * z->feature_stride, z->sample_stride,
                        from, b->count);
    }
}

/* |r| of a neuron and a quantity; sums of the quantity are 0, so that of x needs no mean. */
static double correlation(const struct features *f, const struct feature_sums *sums, int q,
                          double count)
{
    double variance = sums->two - sums->one * sums->one / count;
    double spread = variance > 0 ? sqrt(variance) * f->spread[q] : 0;
    return spread > 0 ? fmin(1, fabs(sums->with[q]) / spread) : 0;
}

/* ---- statistics ---- */

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, rising);
    return n ? (x[(n - 1) / 2] + x[n / 2]) / 2 : NAN;
}

/* The quantity that a neuron correlates with most; FEATURE_QUANTITIES: with none. */
static int best(const struct features *f, size_t k)
{
    int best = FEATURE_QUANTITIES;
    double most = 0;
    for (int q = 0; q < FEATURE_QUANTITIES; q++)
        if (f->r[(size_t)q * f->neurons + k] > most)
            most = f->r[(size_t)q * f->neurons + k], best = q;
    return best;
}

static void count_shares(const struct features *f, const struct feature_layer *y,
                         double share[FEATURE_QUANTITIES + 1])
{
    memset(share, 0, (FEATURE_QUANTITIES + 1) * sizeof *share);
    for (size_t k = 0; k < y->neurons; k++) share[best(f, y->first + k)]++;
    for (int q = 0; q < FEATURE_QUANTITIES; q++) share[q] /= (double)y->neurons;
}

/* Shares of all quantities before the medians, which change the order of r. */
static void fill_layer(struct features *f, const struct feature_layer *y)
{
    double share[FEATURE_QUANTITIES + 1];
    count_shares(f, y, share);
    for (int q = 0; q < FEATURE_QUANTITIES; q++) {
        double *r = f->r + (size_t)q * f->neurons + y->first, mean = 0, weighted = 0, weight = 0;
        for (size_t k = 0; k < y->neurons; k++) {
            mean += r[k] / (double)y->neurons;
            weighted += r[k] * f->sums[y->first + k].size;
            weight += f->sums[y->first + k].size;
        }
        double value[STATISTICS] = {mean, weight > 0 ? weighted / weight : NAN,
                                    median(r, y->neurons), share[q]};
        for (int i = 0; i < STATISTICS; i++)
            f->value[f->value_count++] = (struct feature){y->name, names[q][i], value[i]};
    }
}

void features_measure(struct features *f, const struct model *m, const struct dataset *set)
{
    f->value_count = 0;
    if (set->count == 0) return;
    for (size_t from = 0; from < set->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(set, from);
        add_batch(f, m, &b, from);
    }
    for (int q = 0; q < FEATURE_QUANTITIES; q++)
        for (size_t k = 0; k < f->neurons; k++)
            f->r[(size_t)q * f->neurons + k] = correlation(f, &f->sums[k], q, (double)set->count);
    for (size_t i = 0; i < f->layer_count; i++) fill_layer(f, &f->layer[i]);
}

/* ---- the gauge ---- */

static bool features_fit(const struct view *v)
{
    return v->task->lattice > 0;
}

static int open_features(void **state, const struct view *v, struct err *e)
{
    *state = calloc(1, sizeof(struct features));
    if (!*state) return err_set(e, E_NOMEM, "features: no memory");
    return features_open(*state, v->model, &v->task->test, v->task->lattice, e);
}

static int read_features(void *state, const struct view *v, struct row *row, struct err *e)
{
    int rc = OK;
    struct features *f = state;
    features_measure(f, v->model, &v->task->test);
    for (size_t i = 0; i < f->value_count && rc == OK; i++)
        rc = findings_add(v->findings, f->value[i].layer, f->value[i].name, f->value[i].value, e);
    if (rc < 0 || f->value_count == 0) return rc;
    const struct feature *last = f->value + f->value_count - FEATURE_QUANTITIES * STATISTICS;
    row->value[METRIC_corr_energy] = last[FEATURE_ENERGY * STATISTICS + WEIGHTED].value;
    row->value[METRIC_corr_abs_magnetization] =
        last[FEATURE_ABS_MAGNETIZATION * STATISTICS + WEIGHTED].value;
    return OK;
}

static void close_features(void *state)
{
    if (state) features_close(state);
    free(state);
}

const struct gauge gauge_features = {.name = "features",
                                     .fits = features_fit,
                                     .open = open_features,
                                     .read = read_features,
                                     .close = close_features};
