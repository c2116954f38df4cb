// SPDX-License-Identifier: MIT
/* filter: Grokfast and the orthogonal gradient, on a gradient made whole. */
#include "worker/train/filter.h"

#include "worker/train/init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY 1e-30 /* keeps what has no direction from being divided by 0 */

int filter_open(struct filter *f, const struct model *m, const struct params *p, struct err *e)
{
    bool mean = p->gradient_filter == FILTER_GROKFAST_EMA;
    bool past = p->gradient_filter == FILTER_GROKFAST_MA;
    *f = (struct filter){.kind = p->gradient_filter,
                         .orthogonal = p->orthogonal_gradient,
                         .alpha = p->grokfast_alpha,
                         .lambda = p->grokfast_lambda,
                         .window = (size_t)p->grokfast_window,
                         .size = m->size};
    if (mean) f->mean = vec_alloc(m->size);
    if (past) f->past = vec_alloc(f->window * m->size);
    if (past) f->sum = calloc(m->size, sizeof *f->sum);
    if ((f->mean || !mean) && ((f->past && f->sum) || !past)) return OK;
    filter_close(f);
    return err_set(e, E_NOMEM, "gradient_filter: no memory for gradients of %zu floats", m->size);
}

void filter_close(struct filter *f)
{
    free(f->mean);
    free(f->past);
    free(f->sum);
    *f = (struct filter){0};
}

bool filter_works(const struct filter *f)
{
    return f->kind != FILTER_NONE || f->orthogonal;
}

/* Rows that no sample touched hold an old gradient: they become zeros. */
static void make_whole(const struct model *m, struct gradient *g)
{
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensor[i];
        for (size_t r = 0; t->by_rows && r < t->cols; r++) {
            if (!g->touched[r])
                memset(g->g + t->offset + r * t->col_stride, 0, t->col_stride * sizeof *g->g);
            g->touched[r] = 1;
        }
    }
}

static void add_running_mean(struct filter *f, float *g, bool first)
{
    if (first)
        memcpy(f->mean, g, f->size * sizeof *g);
    else
        vec->axpby(f->mean, (float)f->alpha, g, (float)(1 - f->alpha), f->size);
    vec->axpby(g, 1, f->mean, (float)f->lambda, f->size);
}

static void add_window_mean(struct filter *f, float *g, size_t steps)
{
    float *slot = f->past + steps % f->window * f->size;
    double share = steps + 1 < f->window ? 0 : f->lambda / (double)f->window;
    for (size_t i = 0; i < f->size; i++) {
        f->sum[i] += (double)g[i] - slot[i]; /* a row that was never filled is 0 */
        slot[i] = g[i];
        g[i] = (float)(g[i] + share * f->sum[i]);
    }
}

/* Of one tensor, n floats with their padding, which is 0 in both. */
static void turn(float *g, const float *w, size_t n)
{
    double before = vec->dot(g, g, n);
    double along = vec->dot(g, w, n) / (vec->dot(w, w, n) + TINY);
    vec->axpby(g, 1, w, (float)-along, n);
    double after = sqrt(vec->dot(g, g, n)) + TINY;
    vec->axpby(g, (float)(sqrt(before) / after), w, 0, n);
}

void filter_apply(struct filter *f, const struct model *m, struct gradient *g, int64_t steps)
{
    make_whole(m, g);
    if (f->kind == FILTER_GROKFAST_EMA) add_running_mean(f, g->g, steps == 0);
    if (f->kind == FILTER_GROKFAST_MA) add_window_mean(f, g->g, (size_t)steps);
    for (size_t i = 0; f->orthogonal && i < m->tensor_count; i++)
        turn(g->g + m->tensor[i].offset, m->theta + m->tensor[i].offset, m->tensor[i].span);
}

void filter_settle(struct filter *f)
{
    if (f->kind != FILTER_GROKFAST_MA) return;
    memset(f->sum, 0, f->size * sizeof *f->sum);
    for (size_t row = 0; row < f->window; row++)
        for (size_t i = 0; i < f->size; i++) f->sum[i] += f->past[row * f->size + i];
}

/* ---- saving ------------------------------------------------------------------------------------
 */

/* Rows of past that are filled after so many steps. */
static size_t filled(const struct filter *f, int64_t steps)
{
    return (size_t)steps < f->window ? (size_t)steps : f->window;
}

static int save_past(const struct filter *f, const struct model *m, size_t rows,
                     struct safetensors *s, struct err *e)
{
    const size_t shape[] = {rows, m->parameters};
    float *flat = malloc((rows * m->parameters + 1) * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "gradient_filter: no memory for %zu gradients", rows);
    for (size_t row = 0; row < rows; row++)
        model_flatten(m, f->past + row * f->size, flat + row * m->parameters);
    int rc = safetensors_add(s, "grokfast.past", ST_F32, 2, shape, flat, e);
    free(flat);
    return rc;
}

static int load_past(struct filter *f, const struct model *m, size_t rows,
                     const struct safetensors *s, struct err *e)
{
    const size_t shape[] = {rows, m->parameters};
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, "grokfast.past", ST_F32, 2, shape, &entry, e);
    if (rc < 0) return rc;
    float *flat = malloc((m->parameters + 1) * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "gradient_filter: no memory for a gradient");
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < m->parameters; i++)
            flat[i] = (float)safetensors_real(s, entry, row * m->parameters + i);
        model_unflatten(m, flat, f->past + row * f->size);
    }
    free(flat);
    filter_settle(f);
    return OK;
}

int filter_save(const struct filter *f, const struct model *m, int64_t steps, struct safetensors *s,
                struct err *e)
{
    if (f->kind == FILTER_GROKFAST_EMA) return init_save(m, f->mean, "grokfast.mean/", s, e);
    return f->kind == FILTER_GROKFAST_MA ? save_past(f, m, filled(f, steps), s, e) : OK;
}

int filter_load(struct filter *f, const struct model *m, int64_t steps, const struct safetensors *s,
                struct err *e)
{
    if (f->kind == FILTER_GROKFAST_EMA) return init_load(m, f->mean, s, "grokfast.mean/", e);
    return f->kind == FILTER_GROKFAST_MA ? load_past(f, m, filled(f, steps), s, e) : OK;
}
