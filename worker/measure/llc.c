// SPDX-License-Identifier: MIT
/* llc: a chain of steps on a copy of the weights. */
#include "worker/measure/llc.h"

#include "common/philox.h"
#include "worker/measure/gauge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 32 /* rows of 16 noise numbers made at once */

static int byte_sum(uint32_t word)
{
    return (int)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24));
}

/* Numbers first..first+16*BLOCK-1 of a step's noise: word pairs of 16 streams. */
static void make_noise(const struct llc_rule *r, int64_t step, size_t first, float *noise)
{
    _Alignas(VEC_BYTES) int32_t words[2 * BLOCK][VEC_FLOATS];
    const float unit = (float)(1 / sqrt(8 * 65535 / 12.0));
    vec->philox(words[0], 2 * BLOCK, r->seed, (uint32_t)(step * VEC_FLOATS), PHILOX_LANGEVIN,
                2 * (first / VEC_FLOATS));
    for (size_t i = 0; i < BLOCK; i++)
        for (size_t k = 0; k < VEC_FLOATS; k++) {
            int sum = byte_sum((uint32_t)words[2 * i][k]) + byte_sum((uint32_t)words[2 * i + 1][k]);
            noise[i * VEC_FLOATS + k] = (float)(sum - 1020) * unit;
        }
}

static void step_on(const struct llc_rule *r, struct llc_walk *walk, int64_t step)
{
    const float pull = (float)(r->epsilon / 2 * r->nbeta),
                back = (float)(r->epsilon / 2 * r->gamma);
    const float spread = (float)sqrt(r->epsilon);
    float noise[BLOCK * VEC_FLOATS];
    for (size_t i = 0; i < walk->size; i++) {
        size_t at = i % (BLOCK * VEC_FLOATS);
        if (at == 0) make_noise(r, step, i, noise);
        if (walk->live && !walk->live[i]) continue;
        float drift = pull * walk->gradient[i] + back * (walk->w[i] - walk->centre[i]);
        walk->w[i] = (walk->w[i] - drift) + spread * noise[at];
    }
}

double llc_chain(const struct llc_rule *r, struct llc_walk *walk, double *trace)
{
    int64_t burn = r->steps / 4, in_part[LLC_TRACE] = {0};
    double sum = 0;
    for (int i = 0; i < LLC_TRACE; i++) trace[i] = 0;
    for (int64_t t = 0; t < r->steps; t++) {
        if (walk->enough && walk->enough(walk->ctx)) return NAN;
        double loss = walk->loss(walk->ctx, t);
        int64_t part = t * LLC_TRACE / r->steps;
        trace[part] += loss;
        in_part[part]++;
        if (t >= burn) sum += loss;
        if (!isfinite(loss)) return NAN;
        step_on(r, walk, t);
    }
    for (int i = 0; i < LLC_TRACE; i++) trace[i] = in_part[i] ? trace[i] / (double)in_part[i] : NAN;
    return sum / (double)(r->steps - burn);
}

/* ---- the gauge ---- */

#define NAME_SIZE 16

struct langevin {
    struct model model; /* a copy that walks */
    struct workspace workspace;
    struct gradient gradient;
    struct dataset batch;
    const struct dataset *train; /* lent */
    uint8_t *live;               /* [size]: 0 in padding */
    uint64_t seed;
    char name[LLC_TRACE][NAME_SIZE];
    const struct view *view; /* of the call under way, and what came of asking it */
    struct err *e;
    int verdict;
};

static bool llc_fits(const struct view *v)
{
    return v->settings->llc_steps > 0 && v->task->train.count > 1;
}

static int open_llc(void **state, const struct view *v, struct err *e)
{
    struct langevin *l = *state = calloc(1, sizeof *l);
    if (!l) return err_set(e, E_NOMEM, "llc: no memory");
    l->train = &v->task->train;
    l->seed = (uint64_t)v->params->seed;
    for (unsigned i = 0; i < LLC_TRACE; i++) snprintf(l->name[i], NAME_SIZE, "loss_%u", i);
    int rc = model_open(&l->model, v->params, e);
    if (rc == OK) rc = workspace_open(&l->workspace, v->model, e);
    if (rc == OK) rc = gradient_open(&l->gradient, v->model, e);
    if (rc == OK) rc = dataset_copy(&l->batch, l->train, e);
    if (rc < 0) return rc;
    if ((size_t)v->settings->llc_batch < l->batch.count)
        l->batch.count = (size_t)v->settings->llc_batch;
    l->live = calloc(v->model->size, 1);
    if (!l->live) return err_set(e, E_NOMEM, "llc: no memory");
    for (size_t i = 0; i < v->model->tensor_count; i++) {
        const struct tensor *t = &v->model->tensor[i];
        for (size_t j = 0; j < t->rows * t->cols; j++)
            l->live[tensor_index(t, j / t->cols, j % t->cols)] = 1;
    }
    return OK;
}

static void draw_batch(struct langevin *l, int64_t step)
{
    const struct philox stream = {l->seed, (uint32_t)step, PHILOX_LANGEVIN_BATCH};
    if (l->batch.count == l->train->count) return;
    for (size_t i = 0; i < l->batch.count; i++) {
        uint32_t words[4];
        philox_words(&stream, i, words);
        dataset_put(&l->batch, i, l->train, (size_t)((uint64_t)words[0] * l->train->count >> 32));
    }
}

/* Rows that no sample touched have a gradient of zero. */
static void clear_untouched(struct langevin *l)
{
    for (size_t i = 0; i < l->model.tensor_count; i++) {
        const struct tensor *t = &l->model.tensor[i];
        for (size_t r = 0; t->by_rows && r < t->cols; r++)
            if (!l->gradient.touched[r])
                memset(l->gradient.g + t->offset + r * t->col_stride, 0,
                       t->col_stride * sizeof(float));
    }
}

static double batch_loss(void *ctx, int64_t step)
{
    struct langevin *l = ctx;
    const struct dataset *d = &l->batch;
    struct vec_score score = {0};
    draw_batch(l, step);
    memset(l->gradient.touched, 0, l->gradient.rows);
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        model_forward(&l->model, &b, &l->workspace);
        model_backward(&l->model, &b, &l->workspace, 1 / (float)d->count, from == 0, &l->gradient,
                       &score);
    }
    clear_untouched(l);
    return score.loss / (double)d->count;
}

static bool ask_enough(void *ctx)
{
    struct langevin *l = ctx;
    if (l->view->enough) l->verdict = l->view->enough(l->view->enough_ctx, l->e);
    return l->verdict != OK;
}

static int read_llc(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct langevin *l = state;
    double n = (double)l->train->count, trace[LLC_TRACE];
    const struct llc_rule rule = {v->settings->llc_steps, v->settings->llc_epsilon,
                                  (double)v->settings->llc_gamma, n / log(n), l->seed};
    struct llc_walk walk = {.size = v->model->size,
                            .w = l->model.theta,
                            .centre = v->model->theta,
                            .gradient = l->gradient.g,
                            .live = l->live,
                            .loss = batch_loss,
                            .ctx = l,
                            .enough = ask_enough};
    int rc = OK;
    if (v->epoch != v->params->epochs) return OK;
    memcpy(l->model.theta, v->model->theta, v->model->size * sizeof *l->model.theta);
    l->view = v, l->e = e, l->verdict = OK;
    double mean = llc_chain(&rule, &walk, trace);
    if (l->verdict != OK) return l->verdict;
    row->value[METRIC_llc] = rule.nbeta * (mean - v->logits->score[LOGITS_TRAIN].loss);
    for (int i = 0; i < LLC_TRACE && rc == OK && isfinite(mean); i++)
        rc = findings_add(v->findings, "llc", l->name[i], trace[i], e);
    return rc;
}

static void close_llc(void *state)
{
    struct langevin *l = state;
    if (!l) return;
    model_close(&l->model);
    workspace_close(&l->workspace);
    gradient_close(&l->gradient);
    dataset_close(&l->batch);
    free(l->live);
    free(l);
}

const struct gauge gauge_llc = {
    .name = "llc", .fits = llc_fits, .open = open_llc, .read = read_llc, .close = close_llc};
