// SPDX-License-Identifier: MIT
/* pruning: sort once, then walk the points, zeroing one slice of each tensor after another. */
#include "worker/measure/pruning.h"

#include "worker/measure/gauge.h"
#include "worker/measure/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t elements(const struct tensor *t)
{
    return t->rows * t->cols;
}

int pruning_open(struct pruning *p, const struct model *m, size_t points, struct err *e)
{
    size_t most = 0;
    *p = (struct pruning){.points = points};
    if (m->size > UINT32_MAX)
        return err_set(e, E_STATE, "pruning: %zu parameters, at most 2^32 - 1", m->parameters);
    int rc = model_copy(&p->pruned, m, e);
    if (rc == OK) rc = workspace_open(&p->workspace, m, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < m->tensor_count; i++) {
        size_t n = elements(&m->tensor[i]);
        if (m->tensor[i].bias) continue;
        if (n > most) most = n;
        if (!(p->position[i] = malloc(n * sizeof **p->position))) goto no_memory;
    }
    p->spare = malloc(2 * most * sizeof *p->spare);
    p->curve = calloc(points, sizeof *p->curve);
    if (p->spare && p->curve) return OK;
no_memory:
    return err_set(e, E_NOMEM, "pruning: no memory");
}

void pruning_close(struct pruning *p)
{
    for (size_t i = 0; i < MODEL_TENSORS; i++) free(p->position[i]);
    free(p->spare);
    free(p->curve);
    workspace_close(&p->workspace);
    model_close(&p->pruned);
    *p = (struct pruning){0};
}

size_t pruning_count(size_t n, size_t i, size_t points)
{
    double fraction = (double)i / (double)(points - 1);
    return (size_t)nearbyint(fraction * (double)n);
}

/* From the set pruned at point i - 1 to that of point i. */
static void prune_further(struct pruning *p, size_t i)
{
    for (size_t t = 0; t < p->pruned.tensor_count; t++) {
        if (!p->position[t]) continue;
        size_t n = elements(&p->pruned.tensor[t]);
        size_t from = i == 0 ? 0 : pruning_count(n, i - 1, p->points);
        for (size_t k = from; k < pruning_count(n, i, p->points); k++)
            p->pruned.theta[p->position[t][k]] = 0;
    }
}

void pruning_curve(struct pruning *p, const struct model *m, const struct dataset *set)
{
    memcpy(p->pruned.theta, m->theta, m->size * sizeof *m->theta);
    for (size_t t = 0; t < m->tensor_count; t++)
        if (p->position[t]) rank_by_magnitude(m->theta, &m->tensor[t], p->position[t], p->spare);
    for (size_t i = 0; i < p->points; i++) {
        prune_further(p, i);
        struct score s = dataset_score(set, &p->pruned, &p->workspace);
        p->curve[i] = (struct pruning_point){.scheme = "layer",
                                             .layer = "",
                                             .fraction = (double)i / (double)(p->points - 1),
                                             .accuracy = s.accuracy,
                                             .loss = s.loss};
    }
}

struct compressibility pruning_compressibility(const struct pruning_point *curve, size_t points)
{
    double sum = 0, change = 0, width = 1 / (double)(points - 1);
    for (size_t i = 1; i < points; i++) {
        sum += (curve[i - 1].accuracy + curve[i].accuracy) / 2;
        change += fabs(curve[i].accuracy - curve[i - 1].accuracy);
    }
    struct compressibility r = {.area = sum / (double)(points - 1), .c = NAN, .bound = NAN};
    if (r.area < 1) {
        r.c = 1 / (1 - r.area);
        r.bound = r.c * r.c * width * change / 2;
    }
    return r;
}

static int open_pruning(void **state, const struct view *v, struct err *e)
{
    *state = calloc(1, sizeof(struct pruning));
    if (!*state) return err_set(e, E_NOMEM, "pruning: no memory");
    return pruning_open(*state, v->model, (size_t)v->settings->pruning_points, e);
}

static int read_pruning(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    struct pruning *p = state;
    pruning_curve(p, v->model, &v->task->test);
    struct compressibility r = pruning_compressibility(p->curve, p->points);
    row->value[METRIC_compressibility] = r.c;
    row->value[METRIC_compressibility_bound] = r.bound;
    row->value[METRIC_compressibility_rule] = (double)p->points;
    if (epoch_list_holds(&v->settings->curve_epochs, v->epoch, v->params->epochs)) {
        row->pruning = p->curve;
        row->pruning_count = p->points;
    }
    return OK;
}

static void close_pruning(void *state)
{
    if (state) pruning_close(state);
    free(state);
}

const struct gauge gauge_pruning = {
    .name = "pruning", .open = open_pruning, .read = read_pruning, .close = close_pruning};
