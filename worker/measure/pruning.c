// SPDX-License-Identifier: MIT
/* pruning: finds the area under one order after another, by points or by the whole step function.
 */
#include "worker/measure/pruning.h"

#include "worker/measure/fisher.h"
#include "worker/measure/gauge.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int pruning_open(struct pruning *p, const struct model *m, const struct dataset *set, size_t points,
                 struct err *e)
{
    *p = (struct pruning){.set = set,
                          .points = points ? points : PRUNING_POINTS,
                          .bisects = points == 0,
                          .walks = points == 0 && walk_fits(m) && set->count > 0};
    int rc = model_copy(&p->pruned, m, e);
    if (rc == OK) rc = workspace_open(&p->workspace, m, e);
    if (rc == OK) rc = order_open(&p->order, m, e);
    if (rc == OK && p->walks) rc = walk_open(&p->walk, m, set, e);
    if (rc < 0) return rc;
    p->point = calloc(p->points + PRUNING_MOST, sizeof *p->point);
    p->hits = calloc(m->parameters + PRUNING_MOST, sizeof *p->hits);
    p->curve = calloc((MODEL_TENSORS + ORDER_SCHEMES) * p->points, sizeof *p->curve);
    if (p->point && p->hits && p->curve) return OK;
    return err_set(e, E_NOMEM, "pruning: no memory");
}

void pruning_close(struct pruning *p)
{
    free(p->point);
    free(p->hits);
    free(p->curve);
    walk_close(&p->walk);
    order_close(&p->order);
    workspace_close(&p->workspace);
    model_close(&p->pruned);
    *p = (struct pruning){.points = 0};
}

/* ---- accuracy at fractions --------------------------------------------------------------------
 */

/* One sample of the set, as an accuracy. */
static double grain(const struct pruning *p)
{
    return 1 / (double)p->set->count;
}

/* By a forward pass each. */
static void evaluate_dense(struct pruning *p, const struct model *m, struct area_point *point,
                           size_t count)
{
    double before = -1;
    memcpy(p->pruned.theta, m->theta, m->size * sizeof *m->theta);
    for (size_t i = 0; i < count; i++) {
        order_prune(&p->order, p->pruned.theta, before, point[i].fraction);
        before = point[i].fraction;
        point[i].accuracy = dataset_score(p->set, &p->pruned, &p->workspace).accuracy;
    }
}

/* every: as walk_at's. */
static void evaluate_walking(struct pruning *p, const struct model *m, struct area_point *point,
                             size_t count, size_t every)
{
    size_t stop[PRUNING_MOST] = {0};
    for (size_t i = 0; i < count; i++) stop[i] = order_count(&p->order, point[i].fraction);
    size_t seen = walk_at(&p->walk, m, p->order.merged, stop, count, every, p->hits);
    for (size_t i = 0; i < count; i++) point[i].accuracy = (double)p->hits[i] / (double)seen;
}

/* A walk pays for what lies between its points, a forward pass for each point alone: a point is
 * worth a step of 1/64 of the way. */
static bool worth_a_walk(const struct pruning *p, double from, double to)
{
    return p->walks && to - from <= 1 / 64.0;
}

static void evaluate(struct pruning *p, const struct model *m, struct area_point *point,
                     size_t count)
{
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (!worth_a_walk(p, point[end - 1].fraction, point[end].fraction)) break;
        if (end - i > 1)
            evaluate_walking(p, m, point + i, end - i, 1);
        else
            evaluate_dense(p, m, point + i, 1);
    }
}

/* Points at these fractions, rising, are measured and join those that there are. */
static void add_points(struct pruning *p, const struct model *m, const double *fraction,
                       size_t count)
{
    struct area_point add[PRUNING_MOST];
    for (size_t i = 0; i < count; i++) add[i].fraction = fraction[i];
    evaluate(p, m, add, count);
    area_merge(p->point, p->point_count, add, count);
    p->point_count += count;
}

/* ---- rules ------------------------------------------------------------------------------------
 */

/* The sketch of a curve: as many points, from a fraction on, of one block of samples in so many. */
#define SKETCH       24
#define SKETCH_FROM  0.25
#define SKETCH_EVERY 8
#define SKETCH_GOAL  0.72 /* of the goal: what it says is not sure, and a second walk is dear */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Where to walk: a sketch of the curve from few samples says where it falls, and there it is cut as
 * finely as the goal asks for. The sketch decides how much work is done, never the result's bound.
 */
static size_t walk_look(struct pruning *p, const struct model *m, double accuracy, double *fraction)
{
    struct area_point sketch[SKETCH + 1] = {{0, accuracy}};
    for (size_t i = 1; i <= SKETCH; i++)
        sketch[i].fraction = SKETCH_FROM + (1 - SKETCH_FROM) * (double)i / SKETCH;
    evaluate_walking(p, m, sketch + 1, SKETCH, SKETCH_EVERY);
    for (size_t i = SKETCH; i-- > 0;)
        sketch[i].accuracy = fmax(sketch[i].accuracy, sketch[i + 1].accuracy);
    struct area a = area_of_points(sketch, SKETCH + 1, grain(p));
    size_t count =
        area_refine(sketch + 1, SKETCH, grain(p), SKETCH_GOAL * PRUNING_GOAL * (1 - a.area),
                    1 / (double)p->order.n, PRUNING_MOST / 4, fraction);
    double first = count > 0 ? fraction[0] : 1;
    for (size_t i = 1; i <= SKETCH; i++)
        if (i == SKETCH || sketch[i + 1].fraction > first) fraction[count++] = sketch[i].fraction;
    qsort(fraction, count, sizeof *fraction, by_size);
    return count;
}

/* What the first look is at: forward passes are dear per point. */
static size_t first_look(struct pruning *p, const struct model *m, double accuracy,
                         double *fraction)
{
    size_t count = 0, parts = 8;
    if (p->walks) return walk_look(p, m, accuracy, fraction);
    for (size_t i = 1; i <= parts; i++) fraction[count++] = (double)i / (double)parts;
    return count;
}

static struct area bisect(struct pruning *p, const struct model *m, double accuracy)
{
    double fraction[PRUNING_MOST];
    size_t most = p->walks ? PRUNING_MOST / 4 : 32;
    p->point[0] = (struct area_point){0, accuracy};
    p->point_count = 1;
    for (size_t count = first_look(p, m, accuracy, fraction); count > 0;) {
        add_points(p, m, fraction, count);
        struct area a = area_of_points(p->point, p->point_count, grain(p));
        double goal = PRUNING_GOAL * (1 - a.area), least = 1 / (double)p->order.n;
        if (a.doubt <= goal) break;
        if (most > PRUNING_MOST - p->point_count) most = PRUNING_MOST - p->point_count;
        count = area_refine(p->point, p->point_count, grain(p), 0.9 * goal, least, most, fraction);
    }
    return area_of_points(p->point, p->point_count, grain(p));
}

static struct area trapezoid(struct pruning *p, const struct model *m)
{
    for (size_t i = 0; i < p->points; i++)
        p->point[i].fraction = (double)i / (double)(p->points - 1);
    p->point_count = p->points;
    evaluate_dense(p, m, p->point, p->points);
    return area_of_points(p->point, p->points, grain(p));
}

/* Greatest fraction with enough accuracy: of the points, or of the steps, whose end is the last. */
static double endurance(const struct pruning *p, double accuracy, bool exact)
{
    double enough = 0.95 * accuracy;
    size_t n = exact ? p->order.n : p->point_count - 1;
    for (size_t i = n; i > 0; i--) {
        double a = exact ? (double)p->hits[i] / (double)p->set->count : p->point[i].accuracy;
        if (a >= enough) return exact ? (double)i / (double)n : p->point[i].fraction;
    }
    return 0;
}

struct pruning_result pruning_measure(struct pruning *p, const struct model *m, double accuracy,
                                      double greatest, bool exact)
{
    struct pruning_result r = {.relative = NAN, .kept = NAN};
    struct area a;
    exact &= p->walks;
    if (p->walks) {
        order_merge(&p->order);
        p->walk.tie = fmaxf((float)greatest * 0x1p-20f, 0x1p-100f);
    }
    if (!exact) {
        a = p->bisects ? bisect(p, m, accuracy) : trapezoid(p, m);
        exact = p->walks && a.doubt > PRUNING_GOAL * (1 - a.area);
    }
    if (exact) {
        walk_every(&p->walk, m, p->order.merged, p->order.n, p->hits);
        a = area_of_steps(p->order.at, p->hits, p->order.n, p->set->count);
    }
    r.c = area_compressibility(a), r.bound = area_bound(a);
    r.rule = exact ? METRIC_EXACT : p->bisects ? METRIC_BISECT : (double)p->points;
    if (accuracy > 0) {
        r.relative = a.area / accuracy;
        r.kept = 1 - endurance(p, accuracy, exact);
    }
    return r;
}

void pruning_curve(struct pruning *p, const struct model *m, const char *scheme, const char *layer)
{
    double before = -1;
    memcpy(p->pruned.theta, m->theta, m->size * sizeof *m->theta);
    for (size_t i = 0; i < p->points; i++) {
        double fraction = (double)i / (double)(p->points - 1);
        order_prune(&p->order, p->pruned.theta, before, fraction);
        struct score s = dataset_score(p->set, &p->pruned, &p->workspace);
        p->curve[p->curve_count++] = (struct pruning_point){.scheme = scheme,
                                                            .layer = layer,
                                                            .fraction = fraction,
                                                            .accuracy = s.accuracy,
                                                            .loss = s.loss};
        before = fraction;
    }
}

/* ---- the gauge --------------------------------------------------------------------------------
 */

struct pruning_gauge {
    struct pruning pruning;
    struct fisher fisher; /* if its order is asked for */
    float *diagonal;
    double accuracy, greatest; /* of the model at hand */
};

static const char *const scheme_names[ORDER_SCHEMES] = {"layer", "global", "rescaled", "single",
                                                        "fisher"};

static bool asked(const struct view *v, enum order_scheme scheme)
{
    return v->settings->pruning_schemes >> scheme & 1;
}

static int open_pruning(void **state, const struct view *v, struct err *e)
{
    struct pruning_gauge *g = *state = calloc(1, sizeof *g);
    if (!g) return err_set(e, E_NOMEM, "pruning: no memory");
    int rc =
        pruning_open(&g->pruning, v->model, &v->task->test, (size_t)v->settings->pruning_points, e);
    if (rc < 0 || !asked(v, ORDER_FISHER)) return rc;
    g->diagonal = vec_alloc(v->model->size);
    if (!g->diagonal) return err_set(e, E_NOMEM, "pruning: no memory");
    return fisher_open(&g->fisher, v->model, (size_t)v->settings->fisher_samples, e);
}

static void close_pruning(void *state)
{
    struct pruning_gauge *g = state;
    if (!g) return;
    fisher_close(&g->fisher);
    free(g->diagonal);
    pruning_close(&g->pruning);
    free(g);
}

static double greatest_logit(const struct view *v)
{
    double most = 0;
    for (size_t from = 0; from < v->task->test.count; from += VEC_LANES) {
        const float *z = logits_chunk(v->logits, LOGITS_TEST, from);
        size_t count = dataset_chunk(&v->task->test, from).count;
        for (size_t c = 0; c < v->model->classes; c++)
            for (size_t s = 0; s < count; s++) most = fmax(most, fabsf(z[c * VEC_LANES + s]));
    }
    return most;
}

/* One order at a curve epoch: its c, and its curve. */
static double read_order(struct pruning_gauge *g, const struct view *v, enum order_scheme scheme,
                         size_t tensor)
{
    const char *layer = scheme == ORDER_SINGLE ? g->pruning.pruned.tensor[tensor].name : "";
    order_make(&g->pruning.order, v->model, scheme, tensor, g->diagonal);
    struct pruning_result r =
        pruning_measure(&g->pruning, v->model, g->accuracy, g->greatest, true);
    pruning_curve(&g->pruning, v->model, scheme_names[scheme], layer);
    return r.c;
}

static int read_singles(struct pruning_gauge *g, const struct view *v, struct err *e)
{
    int rc = OK;
    for (size_t t = 0; t < v->model->tensor_count && rc == OK; t++) {
        if (v->model->tensor[t].bias) continue;
        double c = read_order(g, v, ORDER_SINGLE, t);
        rc = findings_add(v->findings, g->pruning.pruned.tensor[t].name, "compressibility", c, e);
    }
    return rc;
}

static int read_others(struct pruning_gauge *g, const struct view *v, struct row *row,
                       struct err *e)
{
    if (asked(v, ORDER_GLOBAL))
        row->value[METRIC_compressibility_global] = read_order(g, v, ORDER_GLOBAL, 0);
    if (asked(v, ORDER_RESCALED))
        row->value[METRIC_compressibility_rescaled] = read_order(g, v, ORDER_RESCALED, 0);
    if (asked(v, ORDER_FISHER)) {
        fisher_diagonal(&g->fisher, v->model, &v->task->test, FISHER_REGRESSION, NULL, g->diagonal);
        row->value[METRIC_compressibility_fisher] = read_order(g, v, ORDER_FISHER, 0);
    }
    return asked(v, ORDER_SINGLE) ? read_singles(g, v, e) : OK;
}

static int read_pruning(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct pruning_gauge *g = state;
    struct pruning *p = &g->pruning;
    bool curves = epoch_list_holds(&v->settings->curve_epochs, v->epoch, v->params->epochs);
    g->accuracy = v->logits->score[LOGITS_TEST].accuracy;
    g->greatest = p->walks ? greatest_logit(v) : 0;
    order_make(&p->order, v->model, ORDER_LAYER, 0, NULL);
    struct pruning_result r = pruning_measure(p, v->model, g->accuracy, g->greatest, curves);
    row->value[METRIC_compressibility] = r.c;
    row->value[METRIC_compressibility_bound] = r.bound;
    row->value[METRIC_compressibility_rule] = r.rule;
    row->value[METRIC_compressibility_relative] = r.relative;
    row->value[METRIC_weights_for_95] = r.kept;
    p->curve_count = 0;
    if (!curves) return OK;
    if (asked(v, ORDER_LAYER)) pruning_curve(p, v->model, scheme_names[ORDER_LAYER], "");
    int rc = read_others(g, v, row, e);
    row->pruning = p->curve;
    row->pruning_count = p->curve_count;
    return rc;
}

const struct gauge gauge_pruning = {
    .name = "pruning", .open = open_pruning, .read = read_pruning, .close = close_pruning};
