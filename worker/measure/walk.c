// SPDX-License-Identifier: MIT
/* walk: the samples in blocks, and where a walk through them begins. */
#include "worker/measure/walk_block.h"

#include "worker/num/vec.h"
#include "worker/train/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool walk_fits(const struct model *m)
{
    return m->layer_count == 3 && m->tensor_count == 4 && m->layer[0].kind == &layer_two_hot &&
           m->layer[1].kind == &layer_relu && m->layer[2].kind == &layer_dense;
}

/* ---- the order of samples ----------------------------------------------------------------------
 */

struct sample {
    uint64_t key;
    int32_t pair[2], label;
};

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct sample *)a)->key, y = ((const struct sample *)b)->key;
    return (x > y) - (x < y);
}

/* How many first operands a block's samples may have, so that it has as many second ones. */
static uint64_t tile_side(const struct walk *w)
{
    double operands = (double)w->w1->cols / 2;
    double share = (double)w->count / (operands * operands);
    return (uint64_t)fmax(1, fmin(sqrt(WALK_LANES / share), operands));
}

/* A block's samples are those of a tile of the table of pairs: few inputs, so that few weights of
 * the first layer matter to it. Within a block those of a label lie together. */
static int sort_samples(struct walk *w, const struct dataset *set, struct err *e)
{
    struct sample *list = calloc(set->count + 1, sizeof *list);
    uint64_t side = tile_side(w), inputs = w->w1->cols;
    if (!list) return err_set(e, E_NOMEM, "pruning walk: no memory");
    for (size_t i = 0; i < set->count; i++) {
        uint64_t a = (uint64_t)set->pair[i][0], b = (uint64_t)set->pair[i][1];
        list[i] = (struct sample){.key = (a / side * inputs + b) * inputs + a,
                                  .pair = {(int32_t)a, (int32_t)b},
                                  .label = set->label[i]};
    }
    qsort(list, set->count, sizeof *list, by_key);
    for (size_t i = 0; i < set->count; i++)
        list[i].key = i / WALK_LANES * w->base.classes + (uint64_t)list[i].label;
    qsort(list, set->count, sizeof *list, by_key);
    for (size_t i = 0; i < set->count; i++) {
        memcpy(w->pair[i], list[i].pair, sizeof *w->pair);
        w->label[i] = list[i].label;
    }
    free(list);
    return OK;
}

/* ---- open and close ----------------------------------------------------------------------------
 */

static bool allocate(struct walk *w)
{
    size_t lanes = WALK_LANES, inputs = w->w1->cols;
    float **const floats[] = {&w->output, &w->output_base, &w->z,     &w->h,     &w->f,
                              &w->g,      &w->own,         &w->rival, &w->slack, &w->sure,
                              &w->top,    &w->one,         &w->rows};
    const size_t sizes[] = {w->hidden * w->outputs,
                            w->hidden * w->outputs,
                            w->hidden * lanes,
                            w->hidden * lanes,
                            w->outputs * lanes,
                            w->outputs * lanes,
                            lanes,
                            lanes,
                            lanes,
                            lanes,
                            lanes,
                            lanes,
                            VEC_LANES * w->hidden};
    w->pair = malloc((w->count + 1) * sizeof *w->pair);
    w->label = malloc((w->count + 1) * sizeof *w->label);
    w->step = malloc(w->base.parameters * sizeof *w->step);
    w->front = malloc(w->base.parameters * sizeof *w->front);
    w->back = malloc(w->base.parameters * sizeof *w->back);
    w->start = calloc(inputs + 2, sizeof *w->start);
    w->cursor = calloc(inputs + 1, sizeof *w->cursor);
    w->range = calloc(lanes, sizeof *w->range);
    w->first = calloc(inputs + 1, sizeof *w->first);
    w->labelled = calloc(w->base.classes + 1, sizeof *w->labelled);
    bool all = w->pair && w->label && w->step && w->front && w->back && w->start && w->cursor &&
               w->range && w->first && w->labelled;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        all &= (*floats[i] = vec_alloc(sizes[i])) != NULL;
    return all;
}

int walk_open(struct walk *w, const struct model *m, const struct dataset *set, struct err *e)
{
    *w = (struct walk){.tie = 1e-30f, .count = set->count};
    int rc = model_copy(&w->base, m, e);
    if (rc < 0) return rc;
    w->w1 = &w->base.tensor[w->base.layer[0].weight],
    w->b1 = &w->base.tensor[w->base.layer[0].bias];
    w->w2 = &w->base.tensor[w->base.layer[2].weight],
    w->b2 = &w->base.tensor[w->base.layer[2].bias];
    w->hidden = VEC_ROUND(w->w1->rows), w->outputs = VEC_ROUND(w->w2->rows);
    if (!allocate(w)) return err_set(e, E_NOMEM, "pruning walk: no memory");
    for (size_t s = 0; s < WALK_LANES; s++) w->one[s] = 1, w->all[s] = (uint16_t)s;
    return sort_samples(w, set, e);
}

void walk_close(struct walk *w)
{
    float *const floats[] = {w->output, w->output_base, w->z,    w->h,   w->f,   w->g,   w->own,
                             w->rival,  w->slack,       w->sure, w->top, w->one, w->rows};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) free(floats[i]);
    free(w->pair);
    free(w->label);
    free(w->step);
    free(w->front);
    free(w->back);
    free(w->start);
    free(w->cursor);
    free(w->range);
    free(w->first);
    free(w->labelled);
    model_close(&w->base);
    *w = (struct walk){0};
}

/* ---- the start of a walk -----------------------------------------------------------------------
 */

static struct walk_step step_of(const struct walk *w, const float *theta, size_t place)
{
    struct walk_step s = {.weight = theta[place], .from = WALK_BIAS};
    if (place < w->b1->offset) {
        s.to = (uint32_t)((place - w->w1->offset) % w->w1->col_stride);
        s.from = (uint32_t)((place - w->w1->offset) / w->w1->col_stride);
    } else if (place < w->w2->offset) {
        s.to = (uint32_t)(place - w->b1->offset);
    } else if (place < w->b2->offset) {
        s.output = true;
        s.to = (uint32_t)((place - w->w2->offset) / w->w2->row_stride);
        s.from = (uint32_t)((place - w->w2->offset) % w->w2->row_stride);
    } else {
        s.output = true;
        s.to = (uint32_t)(place - w->b2->offset);
    }
    return s;
}

/* The network without the first `pruned` of the order, and the steps back from there. */
void walk_start(struct walk *w, const struct model *m, const uint32_t *order, size_t pruned)
{
    memcpy(w->base.theta, m->theta, m->size * sizeof *m->theta);
    for (size_t i = 0; i < pruned; i++) {
        w->step[i] = step_of(w, m->theta, order[i]);
        w->step[i].index = (uint32_t)i;
        w->base.theta[order[i]] = 0;
    }
    w->any_output = false;
    for (size_t c = 0; c < w->w2->rows; c++)
        for (size_t k = 0; k < w->w2->cols; k++) {
            float x = w->base.theta[tensor_index(w->w2, c, k)];
            w->output_base[k * w->outputs + c] = x;
            w->any_output |= x != 0;
        }
}

/* ---- the start of a block ----------------------------------------------------------------------
 */

/* Lists the samples of each input. */
static void list_inputs(struct walk *w)
{
    size_t inputs = w->w1->cols;
    memset(w->first, 0, (inputs + 1) * sizeof *w->first);
    for (size_t s = 0; s < w->lanes; s++) w->first[w->at[s][0]]++, w->first[w->at[s][1]]++;
    for (size_t j = 1; j <= inputs; j++) w->first[j] += w->first[j - 1];
    for (size_t s = w->lanes; s-- > 0;)
        for (int operand = 0; operand < 2; operand++)
            w->lane[--w->first[w->at[s][operand]]] = (uint16_t)s;
}

static void forward(struct walk *w)
{
    for (size_t s = 0; s < w->lanes; s += VEC_LANES) {
        size_t count = w->lanes - s < VEC_LANES ? w->lanes - s : VEC_LANES;
        vec->gather(w->rows, w->hidden, w->base.theta + w->w1->offset, w->w1->col_stride,
                    w->base.theta + w->b1->offset, w->at + s, count, w->hidden);
        vec->transpose(w->z + s, WALK_LANES, w->rows, w->hidden, count, w->hidden);
    }
    memcpy(w->h, w->z, w->hidden * WALK_LANES * sizeof *w->h);
    vec->relu(w->h, w->hidden * WALK_LANES);
    vec->fill_rows(w->f, WALK_LANES, w->base.theta + w->b2->offset, w->w2->rows, WALK_LANES);
    if (w->any_output)
        vec->gemm(w->f, WALK_LANES, w->base.theta + w->w2->offset, w->w2->row_stride, 1, w->h,
                  WALK_LANES, w->w2->rows, WALK_LANES, w->w2->cols, 1);
}

/* Takes the label's logit out of f, and lets the first of equal ones win. */
static void set_labels(struct walk *w)
{
    for (size_t s = 0; s < WALK_LANES; s++) {
        bool live = s < w->lanes;
        w->own[s] = live ? w->f[(size_t)w->is[s] * WALK_LANES + s] : INFINITY;
        w->rival[s] = -1, w->slack[s] = 0, w->sure[s] = INFINITY;
    }
    for (size_t c = 0, s = 0; c < w->w2->rows; c++) {
        w->labelled[c] = (uint16_t)s;
        for (size_t i = 0; i < w->lanes; i++)
            w->f[c * WALK_LANES + i] += (int32_t)c < w->is[i] ? w->tie : -w->tie;
        for (; s < w->lanes && w->is[s] == (int32_t)c; s++) w->f[c * WALK_LANES + s] = -INFINITY;
        w->labelled[c + 1] = (uint16_t)s;
    }
    for (size_t i = w->w2->rows * WALK_LANES; i < w->outputs * WALK_LANES; i++) w->f[i] = -INFINITY;
}

void walk_start_block(struct walk *w, size_t from)
{
    w->lanes = w->count - from < WALK_LANES ? w->count - from : WALK_LANES;
    w->at = (const int32_t(*)[2])w->pair + from;
    w->is = w->label + from;
    memcpy(w->output, w->output_base, w->hidden * w->outputs * sizeof *w->output);
    memset(w->z, 0, w->hidden * WALK_LANES * sizeof *w->z);
    memset(w->g, 0, w->outputs * WALK_LANES * sizeof *w->g);
    memset(w->range, 0, WALK_LANES * sizeof *w->range);
    list_inputs(w);
    forward(w);
    set_labels(w);
}
