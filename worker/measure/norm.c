// SPDX-License-Identifier: MIT
/* norm: the size of the weights, all together and tensor by tensor, and where the loss would take
 * them; sums in double.
 *
 *   weight_norm = sqrt(sum over j of theta_j^2), biases included
 *
 * Features at measured epochs, layer the name of a tensor: norm, the same of it alone; stable_rank
 * of each weight. At curve_epochs also effective_rank (see singular.h) and, layer "model", with g
 * the gradient of the mean loss over the training set, without weight decay:
 *
 *   gradient_norm         |g|
 *   cos_descent_weights   -g.theta / (|g| |theta|): near 1, descent only makes the weights longer
 *                         (naive loss minimisation, arXiv 2501.04697)
 *
 * The norm of the update is step_euclid. Cost: one pass over the parameters and see singular.h; g
 * about two thirds of a training epoch. Padding is zero and adds nothing.
 */
#include "worker/measure/gauge.h"
#include "worker/measure/singular.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct norms {
    struct singular singular;
    struct workspace workspace;
    struct gradient gradient;
};

static int open_norm(void **state, const struct view *v, struct err *e)
{
    struct norms *n = *state = calloc(1, sizeof *n);
    if (!n) return err_set(e, E_NOMEM, "norms: no memory");
    int rc = singular_open(&n->singular, v->model, e);
    if (rc == OK) rc = workspace_open(&n->workspace, v->model, e);
    return rc == OK ? gradient_open(&n->gradient, v->model, e) : rc;
}

static int add_tensor(struct norms *n, const struct view *v, const struct tensor *t, struct err *e)
{
    const float *w = v->model->theta + t->offset;
    int rc = findings_add(v->findings, t->name, "norm", sqrt(vec->dot(w, w, t->span)), e);
    if (rc < 0 || t->bias) return rc;
    double stable = singular_stable_rank(&n->singular, v->model, t);
    rc = findings_add(v->findings, t->name, "stable_rank", stable, e);
    if (rc < 0 || !view_keeps_curves(v)) return rc;
    return findings_add(v->findings, t->name, "effective_rank",
                        singular_effective_rank(&n->singular), e);
}

/* Rows of a tensor by_rows that no sample touched hold no gradient. */
static double gradient_dot(const struct gradient *g, const struct model *m, const float *with)
{
    double sum = 0;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensor[i];
        size_t rows = t->by_rows ? t->cols : 1, span = t->span / rows;
        for (size_t r = 0; r < rows; r++) {
            size_t at = t->offset + r * span;
            if (!t->by_rows || g->touched[r]) sum += vec->dot(g->g + at, with + at, span);
        }
    }
    return sum;
}

static int add_gradient(struct norms *n, const struct view *v, struct err *e)
{
    const struct dataset *d = &v->task->train;
    struct vec_score score = {0};
    memset(n->gradient.touched, 0, n->gradient.rows);
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        model_forward(v->model, &b, &n->workspace);
        model_backward(v->model, &b, &n->workspace, 1 / (float)d->count, from == 0, &n->gradient,
                       &score);
    }
    const float *theta = v->model->theta;
    double length = sqrt(gradient_dot(&n->gradient, v->model, n->gradient.g));
    double along = gradient_dot(&n->gradient, v->model, theta);
    double size = sqrt(vec->dot(theta, theta, v->model->size));
    int rc = findings_add(v->findings, "model", "gradient_norm", length, e);
    if (rc < 0 || !(length > 0) || !(size > 0)) return rc;
    return findings_add(v->findings, "model", "cos_descent_weights", -along / length / size, e);
}

static int read_norm(void *state, const struct view *v, struct row *row, struct err *e)
{
    const struct model *m = v->model;
    int rc = OK;
    row->value[METRIC_weight_norm] = sqrt(vec->dot(m->theta, m->theta, m->size));
    for (size_t i = 0; i < m->tensor_count && rc == OK; i++)
        rc = add_tensor(state, v, &m->tensor[i], e);
    return rc == OK && view_keeps_curves(v) ? add_gradient(state, v, e) : rc;
}

static void close_norm(void *state)
{
    struct norms *n = state;
    if (!n) return;
    singular_close(&n->singular);
    workspace_close(&n->workspace);
    gradient_close(&n->gradient);
    free(n);
}

const struct gauge gauge_norm = {
    .name = "norm", .open = open_norm, .read = read_norm, .close = close_norm};
