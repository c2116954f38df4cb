// SPDX-License-Identifier: MIT
/* optimizer: steps of dense tensors at once, of rows when they are needed. */
#include "worker/train/optimizer.h"

#include "worker/train/init.h"

#include <math.h>
#include <stdlib.h>

/* x^n by squaring: the same bits everywhere, which a C library's pow does not promise. */
static double power(double x, int64_t n)
{
    double y = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2) y *= x;
    return y;
}

int optimizer_open(struct optimizer *a, const struct model *m, const struct params *p, size_t most,
                   struct err *e)
{
    size_t rows = 1;
    bool decoupled = p->optimizer == OPTIMIZER_ADAMW, two = p->optimizer != OPTIMIZER_SGD;
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows) rows = m->tensor[i].cols;
    *a = (struct optimizer){
        .rule = {.beta1 = (float)p->beta1,
                 .rest1 = (float)(1 - p->beta1),
                 .beta2 = (float)p->beta2,
                 .rest2 = (float)(1 - p->beta2),
                 .epsilon = (float)p->epsilon,
                 .weight_decay =
                     (float)(decoupled ? p->learning_rate * p->weight_decay : p->weight_decay)},
        .descent = {(float)p->learning_rate, (float)p->momentum, (float)p->weight_decay},
        .kind = p->optimizer,
        .learning_rate = p->learning_rate,
        .beta1 = p->beta1,
        .beta2 = p->beta2,
        .m = vec_alloc(m->size),
        .v = two ? vec_alloc(m->size) : NULL,
        .table = calloc(most, sizeof *a->table),
        .table_size = most,
        .row_steps = calloc(rows, sizeof *a->row_steps),
    };
    if (a->m && (a->v || !two) && a->table && a->row_steps) return OK;
    optimizer_close(a);
    return err_set(e, E_NOMEM, "optimizer: no memory for %zu moments and %zu steps", 2 * m->size,
                   most);
}

void optimizer_close(struct optimizer *a)
{
    free(a->m);
    free(a->v);
    free(a->table);
    free(a->row_steps);
    *a = (struct optimizer){0};
}

/* `count` steps, from the one that `first` has the constants of, of n elements at `at`. */
static void take_steps(struct optimizer *a, struct model *m, const float *g, size_t at, size_t n,
                       const struct adam_step *first, size_t count)
{
    float *w = m->theta + at;
    switch (a->kind) {
    case OPTIMIZER_SGD: vec->sgd(w, a->m + at, g, n, &a->descent, count); return;
    case OPTIMIZER_ADAMW: vec->adamw(w, a->m + at, a->v + at, g, n, &a->rule, first, count); return;
    default: vec->adam(w, a->m + at, a->v + at, g, n, &a->rule, first, count);
    }
}

/* Steps row r of tensor t up to a->steps. */
static void row_catch_up(struct optimizer *a, struct model *m, struct gradient *g,
                         const struct tensor *t, size_t r)
{
    size_t at = t->offset + r * t->col_stride, behind = (size_t)(a->steps - a->row_steps[r]);
    if (behind > 0)
        take_steps(a, m, g->touched[r] ? g->g + at : NULL, at, VEC_ROUND(t->rows),
                   &a->table[a->row_steps[r] - a->base], behind);
    a->row_steps[r] = a->steps;
    g->touched[r] = 0;
}

void optimizer_fetch(struct optimizer *a, struct model *m, struct gradient *g,
                     const struct dataset *d, size_t from, size_t count)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows)
            for (size_t s = from; s < from + count; s++)
                for (int operand = 0; operand < 2; operand++)
                    row_catch_up(a, m, g, &m->tensor[i], (size_t)d->pair[s][operand]);
}

void optimizer_step(struct optimizer *a, struct model *m, const struct gradient *g)
{
    struct adam_step *now = &a->table[a->steps - a->base];
    a->steps++;
    now->rate = (float)(a->learning_rate / (1 - power(a->beta1, a->steps)));
    now->root = (float)(1 / sqrt(1 - power(a->beta2, a->steps)));
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensor[i];
        if (!t->by_rows) take_steps(a, m, g->g + t->offset, t->offset, t->span, now, 1);
    }
}

void optimizer_settle(struct optimizer *a, struct model *m, struct gradient *g)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows)
            for (size_t r = 0; r < m->tensor[i].cols; r++) row_catch_up(a, m, g, &m->tensor[i], r);
    a->base = a->steps;
}

static const char *first_prefix(const struct optimizer *a)
{
    return a->kind == OPTIMIZER_SGD ? "sgd.m/" : "adam.m/";
}

int optimizer_save(const struct optimizer *a, const struct model *m, struct safetensors *s,
                   struct err *e)
{
    int rc = init_save(m, a->m, first_prefix(a), s, e);
    return rc < 0 || !a->v ? rc : init_save(m, a->v, "adam.v/", s, e);
}

int optimizer_load(struct optimizer *a, const struct model *m, const struct safetensors *s,
                   int64_t steps, struct err *e)
{
    int rc = init_load(m, a->m, s, first_prefix(a), e);
    if (rc == OK && a->v) rc = init_load(m, a->v, s, "adam.v/", e);
    if (rc < 0) return rc;
    a->steps = a->base = steps;
    for (size_t i = 0; i < m->tensor_count; i++)
        for (size_t r = 0; m->tensor[i].by_rows && r < m->tensor[i].cols; r++)
            a->row_steps[r] = steps;
    return OK;
}
