// SPDX-License-Identifier: MIT
/* logits: a forward pass in chunks, copied out of the workspace where there is room. */
#include "worker/measure/logits.h"

#include <stdlib.h>
#include <string.h>

static size_t set_floats(const struct logits *l, int set)
{
    return (l->set[set]->count + VEC_LANES - 1) / VEC_LANES * l->row;
}

int logits_open(struct logits *l, const struct model *m, const struct task *t, struct err *e)
{
    *l = (struct logits){.set = {&t->train, &t->test}, .row = m->classes * VEC_LANES};
    int rc = workspace_open(&l->workspace, m, e);
    size_t floats = set_floats(l, LOGITS_TRAIN) + set_floats(l, LOGITS_TEST);
    if (rc < 0 || floats > LOGITS_KEPT / sizeof(float)) return rc;
    for (int i = 0; i < LOGITS_SETS; i++)
        if (!(l->kept[i] = vec_alloc(set_floats(l, i) + VEC_FLOATS)))
            return err_set(e, E_NOMEM, "logits: no memory for %zu floats", floats);
    return OK;
}

void logits_close(struct logits *l)
{
    workspace_close(&l->workspace);
    for (int i = 0; i < LOGITS_SETS; i++) free(l->kept[i]);
    *l = (struct logits){.row = 0};
}

static struct score take_set(struct logits *l, int set)
{
    const struct dataset *d = l->set[set];
    struct vec_score sum = {0};
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        model_forward(l->model, &b, &l->workspace);
        if (l->kept[set])
            memcpy(l->kept[set] + from / VEC_LANES * l->row,
                   l->workspace.value[l->model->layer_count].x, l->row * sizeof(float));
        model_score(l->model, &b, &l->workspace, &sum);
    }
    double n = (double)d->count;
    return (struct score){.loss = sum.loss / n, .accuracy = (double)sum.hits / n};
}

void logits_take(struct logits *l, const struct model *m)
{
    l->model = m;
    for (int i = 0; i < LOGITS_SETS; i++) l->score[i] = take_set(l, i);
}

const float *logits_chunk(struct logits *l, enum logits_set set, size_t from)
{
    if (l->kept[set]) return l->kept[set] + from / VEC_LANES * l->row;
    struct batch b = dataset_chunk(l->set[set], from);
    model_forward(l->model, &b, &l->workspace);
    return l->workspace.value[l->model->layer_count].x;
}

void logits_by_label(double *sum, const float *x, const int32_t *label, size_t classes,
                     size_t count, float *rows)
{
    size_t ld = VEC_ROUND(classes);
    vec->transpose(rows, ld, x, VEC_LANES, classes, count);
    for (size_t s = 0; s < count; s++) {
        double *to = sum + (size_t)label[s] * classes;
        for (size_t c = 0; c < classes; c++) to[c] += rows[s * ld + c];
    }
}
