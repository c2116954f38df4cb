// SPDX-License-Identifier: MIT
/* predictions: one walk over the logits of both sets. */
#include "worker/measure/predictions.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Numbers the temperatures of a set; none if some are not known or most have no second snapshot. */
static int find_temperatures(struct predictions *p, const struct dataset *d, struct err *e)
{
    size_t n = d->count;
    if (!d->temperature) return OK;
    double *sorted = malloc((n + 1) * sizeof *sorted);
    p->warmth = calloc(n + 1, sizeof *p->warmth);
    p->ordered = calloc(n + 1, sizeof *p->ordered);
    p->share = calloc(n + 1, sizeof *p->share);
    bool known = sorted && p->warmth && p->ordered && p->share;
    if (!known) goto no_memory;
    memcpy(sorted, d->temperature, n * sizeof *sorted);
    for (size_t s = 0; s < n; s++) known = known && !isnan(sorted[s]);
    qsort(sorted, n, sizeof *sorted, rising);
    for (size_t s = 0; s < n && known; s++)
        if (p->temperatures == 0 || sorted[p->temperatures - 1] != sorted[s])
            sorted[p->temperatures++] = sorted[s];
    if (p->temperatures > n / 2) p->temperatures = 0;
    for (size_t s = 0; s < n && p->temperatures; s++) {
        const double *at =
            bsearch(&d->temperature[s], sorted, p->temperatures, sizeof *sorted, rising);
        p->warmth[s] = (size_t)(at - sorted);
    }
    free(sorted);
    return OK;
no_memory:
    free(sorted);
    return err_set(e, E_NOMEM, "predictions: no memory");
}

int predictions_open(struct predictions *p, size_t classes, bool shifts, const struct dataset *test,
                     struct err *e)
{
    *p = (struct predictions){.classes = classes, .shifts = shifts};
    p->sum = calloc(classes * classes, sizeof *p->sum);
    p->q = calloc(classes, sizeof *p->q);
    p->slope = vec_alloc(classes * VEC_LANES);
    p->rows = vec_alloc(VEC_LANES * VEC_ROUND(classes));
    if (!p->sum || !p->q || !p->slope || !p->rows)
        return err_set(e, E_NOMEM, "predictions: no memory");
    return find_temperatures(p, test, e);
}

void predictions_close(struct predictions *p)
{
    void *const all[] = {p->sum, p->q, p->slope, p->rows, p->warmth, p->ordered, p->share};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    *p = (struct predictions){.classes = 0};
}

/* A class is certain where p is 1 exactly, which it is just where 1 + the others is 1. */
static void count_collapse(struct predictions *p, const struct batch *b, size_t *collapsed,
                           size_t *zeros)
{
    bool certain[VEC_LANES] = {false};
    for (size_t c = 0; c < p->classes; c++) {
        const float *slope = p->slope + c * VEC_LANES;
        for (size_t s = 0; s < b->count; s++) {
            bool own = (size_t)b->label[s] == c;
            certain[s] |= slope[s] == (own ? 0.0f : 1.0f);
            *zeros += slope[s] == 0;
        }
    }
    for (size_t s = 0; s < b->count; s++) *collapsed += certain[s];
}

/* Ordered is class 0: its slope is p, or p - 1 where it is the label. */
static void add_ordered(struct predictions *p, const struct batch *b, size_t from)
{
    for (size_t s = 0; s < b->count; s++) {
        p->ordered[p->warmth[from + s]] += (double)p->slope[s] + (b->label[s] == 0);
        p->share[p->warmth[from + s]]++;
    }
}

static void walk_set(struct predictions *p, struct logits *l, int set, size_t *collapsed,
                     size_t *zeros)
{
    const struct dataset *d = l->set[set];
    struct vec_score score = {0};
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        memcpy(p->slope, logits_chunk(l, set, from), l->row * sizeof *p->slope);
        vec->softmax_xent(p->slope, VEC_LANES, b.label, p->classes, b.count, 1, &score);
        if (set == LOGITS_TRAIN) count_collapse(p, &b, collapsed, zeros);
        if (set == LOGITS_TEST && p->temperatures) add_ordered(p, &b, from);
        if (p->shifts) logits_by_label(p->sum, p->slope, b.label, p->classes, b.count, p->rows);
    }
}

/* Of the sums of p - [c = label]: the pairs' own class gets its 1 back. */
static void average_shifts(struct predictions *p, double pairs)
{
    for (size_t d = 0; d < p->classes; d++) {
        double sum = d == 0 ? pairs : 0;
        for (size_t s = 0; s < p->classes; s++)
            sum += p->sum[s * p->classes + (s + d) % p->classes];
        p->q[d] = sum / pairs;
    }
}

void predictions_measure(struct predictions *p, struct logits *l)
{
    size_t collapsed = 0, zeros = 0, train = l->set[LOGITS_TRAIN]->count;
    memset(p->sum, 0, p->classes * p->classes * sizeof *p->sum);
    for (size_t i = 0; i < p->temperatures; i++) p->ordered[i] = 0, p->share[i] = 0;
    for (int set = 0; set < LOGITS_SETS; set++) walk_set(p, l, set, &collapsed, &zeros);
    average_shifts(p, (double)(train + l->set[LOGITS_TEST]->count));
    for (size_t i = 0; i < p->temperatures; i++) p->ordered[i] /= (double)p->share[i];
    p->collapse = (double)collapsed / (double)train;
    p->zeros = (double)zeros / (double)(train * p->classes);
}

/* ---- the gauge ---- */

#define NAME_SIZE 32

struct prediction_gauge {
    struct predictions predictions;
    size_t count;            /* of features: shifts or temperatures */
    char (*name)[NAME_SIZE]; /* [count] */
};

static bool predictions_fit(const struct view *v)
{
    return view_softmax(v);
}

static int open_predictions(void **state, const struct view *v, struct err *e)
{
    struct prediction_gauge *g = *state = calloc(1, sizeof *g);
    if (!g) return err_set(e, E_NOMEM, "predictions: no memory");
    int rc =
        predictions_open(&g->predictions, v->model->classes, view_cyclic(v), &v->task->test, e);
    if (rc < 0) return rc;
    bool shifts = g->predictions.shifts;
    size_t count = shifts ? g->predictions.classes : g->predictions.temperatures;
    g->count = count <= VIEW_LONGEST ? count : 0;
    g->name = calloc(g->count + 1, sizeof *g->name);
    if (!g->name) return err_set(e, E_NOMEM, "predictions: no memory");
    for (size_t i = 0; i < g->count; i++)
        snprintf(g->name[i], NAME_SIZE, "%s_%zu", shifts ? "shift" : "ordered", i);
    return OK;
}

/* -sum of q ln q; a float's logarithm is enough of one. */
static double entropy(const double *q, size_t n)
{
    double sum = 0;
    for (size_t d = 0; d < n; d++) {
        _Alignas(VEC_BYTES) float x[VEC_FLOATS] = {(float)q[d]};
        vec->log(x, x, 1);
        if (q[d] > 1e-30) sum -= q[d] * x[0];
    }
    return sum;
}

static int read_predictions(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct prediction_gauge *g = state;
    struct predictions *p = &g->predictions;
    int rc = OK;
    predictions_measure(p, v->logits);
    row->value[METRIC_collapse_share] = p->collapse;
    row->value[METRIC_zero_gradient_share] = p->zeros;
    if (p->shifts) {
        row->value[METRIC_translation_right] = p->q[0];
        row->value[METRIC_translation_entropy] = entropy(p->q, p->classes);
    }
    for (size_t i = 0; i < g->count && rc == OK && view_keeps_curves(v); i++)
        rc = findings_add(v->findings, p->shifts ? "all" : "test", g->name[i],
                          p->shifts ? p->q[i] : p->ordered[i], e);
    return rc;
}

static void close_predictions(void *state)
{
    struct prediction_gauge *g = state;
    if (!g) return;
    predictions_close(&g->predictions);
    free(g->name);
    free(g);
}

const struct gauge gauge_predictions = {.name = "predictions",
                                        .fits = predictions_fit,
                                        .open = open_predictions,
                                        .read = read_predictions,
                                        .close = close_predictions};
