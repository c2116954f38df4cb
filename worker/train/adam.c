// SPDX-License-Identifier: MIT
/* adam: steps of dense tensors at once, of rows when they are needed. */
#include "worker/train/adam.h"

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

int adam_open(struct adam *a, const struct model *m, const struct params *p, size_t most,
              struct err *e)
{
    size_t rows = 1;
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows) rows = m->tensor[i].cols;
    *a = (struct adam){
        .rule = {.beta1 = (float)p->beta1,
                 .rest1 = (float)(1 - p->beta1),
                 .beta2 = (float)p->beta2,
                 .rest2 = (float)(1 - p->beta2),
                 .epsilon = (float)p->epsilon,
                 .weight_decay = (float)p->weight_decay},
        .learning_rate = p->learning_rate,
        .beta1 = p->beta1,
        .beta2 = p->beta2,
        .m = vec_alloc(m->size),
        .v = vec_alloc(m->size),
        .table = calloc(most, sizeof *a->table),
        .table_size = most,
        .row_steps = calloc(rows, sizeof *a->row_steps),
    };
    if (a->m && a->v && a->table && a->row_steps) return OK;
    adam_close(a);
    return err_set(e, E_NOMEM, "adam: no memory for %zu moments and %zu steps", 2 * m->size, most);
}

void adam_close(struct adam *a)
{
    free(a->m);
    free(a->v);
    free(a->table);
    free(a->row_steps);
    *a = (struct adam){0};
}

/* Steps row r of tensor t up to a->steps. */
static void row_catch_up(struct adam *a, struct model *m, struct gradient *g,
                         const struct tensor *t, size_t r)
{
    size_t at = t->offset + r * t->col_stride, behind = (size_t)(a->steps - a->row_steps[r]);
    if (behind > 0)
        vec->adam(m->theta + at, a->m + at, a->v + at, g->touched[r] ? g->g + at : NULL,
                  VEC_ROUND(t->rows), &a->rule, &a->table[a->row_steps[r] - a->base], behind);
    a->row_steps[r] = a->steps;
    g->touched[r] = 0;
}

void adam_fetch(struct adam *a, struct model *m, struct gradient *g, const struct dataset *d,
                size_t from, size_t count)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows)
            for (size_t s = from; s < from + count; s++)
                for (int operand = 0; operand < 2; operand++)
                    row_catch_up(a, m, g, &m->tensor[i], (size_t)d->pair[s][operand]);
}

void adam_step(struct adam *a, struct model *m, const struct gradient *g)
{
    struct adam_step *now = &a->table[a->steps - a->base];
    a->steps++;
    now->rate = (float)(a->learning_rate / (1 - power(a->beta1, a->steps)));
    now->root = (float)(1 / sqrt(1 - power(a->beta2, a->steps)));
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensor[i];
        if (!t->by_rows)
            vec->adam(m->theta + t->offset, a->m + t->offset, a->v + t->offset, g->g + t->offset,
                      t->span, &a->rule, now, 1);
    }
}

void adam_settle(struct adam *a, struct model *m, struct gradient *g)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows)
            for (size_t r = 0; r < m->tensor[i].cols; r++) row_catch_up(a, m, g, &m->tensor[i], r);
    a->base = a->steps;
}

void adam_resume(struct adam *a, const struct gradient *g, int64_t steps)
{
    a->steps = a->base = steps;
    for (size_t r = 0; r < g->rows; r++) a->row_steps[r] = steps;
}
