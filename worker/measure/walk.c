// SPDX-License-Identifier: MIT
/* walk: blocks of samples, through which the parameters come back one by one. */
#include "worker/measure/walk.h"

#include "worker/num/vec.h"
#include "worker/train/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A parameter that comes back. to: neuron or class; from: input or neuron, or BIAS. */
struct walk_step {
    float weight;
    uint32_t to, from;
    bool output;
};
#define BIAS UINT32_MAX

bool walk_fits(const struct model *m)
{
    return m->layer_count == 3 && m->tensor_count == 4 && m->layer[0].kind == &layer_two_hot &&
           m->layer[1].kind == &layer_relu && m->layer[2].kind == &layer_dense;
}

/* Samples in the order of their labels, so that those of a label lie together. */
static void sort_samples(struct walk *w, const struct dataset *set)
{
    size_t s = 0;
    for (int32_t c = 0; c < (int32_t)w->base.classes; c++)
        for (size_t i = 0; i < set->count; i++)
            if (set->label[i] == c) {
                memcpy(w->pair[s], set->pair[i], sizeof *w->pair);
                w->label[s++] = c;
            }
}

static bool allocate(struct walk *w)
{
    size_t lanes = WALK_LANES, inputs = w->w1->cols;
    float **const floats[] = {&w->input, &w->bias, &w->output, &w->output_base, &w->z,
                              &w->h,     &w->f,    &w->g,      &w->own,         &w->rival,
                              &w->slack, &w->sure, &w->top,    &w->one,         &w->rows};
    const size_t sizes[] = {w->w1->span,
                            w->hidden,
                            w->hidden * w->outputs,
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
    w->range = calloc(lanes, sizeof *w->range);
    w->first = calloc(inputs + 1, sizeof *w->first);
    w->labelled = calloc(w->base.classes + 1, sizeof *w->labelled);
    bool all = w->pair && w->label && w->step && w->range && w->first && w->labelled;
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
    sort_samples(w, set);
    for (size_t s = 0; s < WALK_LANES; s++) w->one[s] = 1, w->all[s] = (uint16_t)s;
    return OK;
}

void walk_close(struct walk *w)
{
    float *const floats[] = {w->input, w->bias, w->output, w->output_base, w->z,
                             w->h,     w->f,    w->g,      w->own,         w->rival,
                             w->slack, w->sure, w->top,    w->one,         w->rows};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) free(floats[i]);
    free(w->pair);
    free(w->label);
    free(w->step);
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
    struct walk_step s = {.weight = theta[place], .from = BIAS};
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
static void start_walk(struct walk *w, const struct model *m, const uint32_t *order, size_t pruned)
{
    memcpy(w->base.theta, m->theta, m->size * sizeof *m->theta);
    for (size_t i = 0; i < pruned; i++) {
        w->step[i] = step_of(w, m->theta, order[i]);
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
        vec->gather(w->rows, w->hidden, w->input, w->w1->col_stride, w->bias, w->at + s, count,
                    w->hidden);
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
}

static void start_block(struct walk *w, size_t from)
{
    w->lanes = w->count - from < WALK_LANES ? w->count - from : WALK_LANES;
    w->at = (const int32_t(*)[2])w->pair + from;
    w->is = w->label + from;
    memcpy(w->input, w->base.theta + w->w1->offset, w->w1->span * sizeof *w->input);
    memcpy(w->bias, w->base.theta + w->b1->offset, w->w1->rows * sizeof *w->bias);
    memcpy(w->output, w->output_base, w->hidden * w->outputs * sizeof *w->output);
    memset(w->z, 0, w->hidden * WALK_LANES * sizeof *w->z);
    memset(w->g, 0, w->outputs * WALK_LANES * sizeof *w->g);
    memset(w->range, 0, WALK_LANES * sizeof *w->range);
    list_inputs(w);
    forward(w);
    set_labels(w);
}

/* ---- who is right ------------------------------------------------------------------------------
 */

/* Joins g to f for a sample. Returns its best rival. */
static size_t join(struct walk *w, size_t s)
{
    float *g = w->g + s * w->outputs, *f = w->f + s, best = -INFINITY;
    size_t rival = 0;
    w->own[s] += g[w->is[s]];
    for (size_t c = 0; c < w->w2->rows; c++) {
        float x = f[c * WALK_LANES] += g[c];
        if (x > best) best = x, rival = c;
    }
    memset(g, 0, w->outputs * sizeof *g);
    w->range[s][0] = w->range[s][1] = 0;
    w->top[s] = best;
    return rival;
}

/* Samples that are right, walk_at's way: only those in doubt are joined. */
static int64_t count_hits(struct walk *w)
{
    int64_t hits = 0;
    vec->walk_top(w->top, w->f, WALK_LANES, w->w2->rows, VEC_ROUND(w->lanes));
    for (size_t s = 0; s < w->lanes; s++) {
        float lead = w->own[s] + w->g[s * w->outputs + (size_t)w->is[s]] - w->top[s];
        if (lead > w->range[s][1]) {
            hits++;
        } else if (!(lead < w->range[s][0])) {
            join(w, s);
            hits += w->own[s] > w->top[s];
        }
    }
    return hits;
}

/* Settles anew whether a sample is right, walk_every's way: what was sure is known again. Returns
 * how the number of right ones changes. */
static int64_t settle(struct walk *w, size_t s)
{
    bool was = w->rival[s] < 0;
    size_t rival = join(w, s);
    bool is = w->own[s] > w->top[s];
    w->rival[s] = is ? -1 : (float)rival;
    w->sure[s] = fabsf(w->own[s] - w->top[s]);
    w->slack[s] = 0;
    return (int64_t)is - was;
}

static void measure_slack(struct walk *w, size_t s)
{
    const float *g = w->g + s * w->outputs;
    float own = g[w->is[s]];
    w->slack[s] = w->rival[s] < 0 ? w->range[s][1] - own : own - g[(size_t)w->rival[s]];
}

/* ---- steps -------------------------------------------------------------------------------------
 */

/* A weight before neuron k is back: of the samples listed. Returns the change of hits, if every. */
static int64_t step_input(struct walk *w, size_t k, const uint16_t *lane, size_t count, bool every)
{
    size_t ld = w->w1->col_stride;
    int64_t change = 0;
    for (size_t i = 0; i < count; i++) {
        size_t s = lane[i];
        float *z = &w->z[k * WALK_LANES + s], was = *z;
        *z = (w->input[(size_t)w->at[s][0] * ld + k] + w->input[(size_t)w->at[s][1] * ld + k]) +
             w->bias[k];
        float by = (*z > 0 ? *z : 0) - (was > 0 ? was : 0);
        if (by == 0) continue;
        vec->walk_row(w->g + s * w->outputs, w->output + k * w->outputs, by, w->range[s],
                      w->outputs);
        if (!every) continue;
        measure_slack(w, s);
        if (!(w->sure[s] > w->slack[s])) change += settle(w, s);
    }
    return change;
}

static int64_t step_back(struct walk *w, const struct walk_step *p, bool every)
{
    const float *z = p->from == BIAS ? w->one : w->z + p->from * WALK_LANES;
    float *f = w->f + p->to * WALK_LANES;
    size_t n = VEC_ROUND(w->lanes), doubts = 0;
    uint16_t doubt[WALK_LANES];
    int64_t change = 0;
    if (!p->output && p->from == BIAS) {
        w->bias[p->to] = p->weight;
        return step_input(w, p->to, w->all, w->lanes, every);
    }
    if (!p->output) {
        w->input[p->from * w->w1->col_stride + p->to] = p->weight;
        return step_input(w, p->to, w->lane + w->first[p->from],
                          w->first[p->from + 1] - w->first[p->from], every);
    }
    if (p->from != BIAS) w->output[p->from * w->outputs + p->to] = p->weight;
    for (size_t s = w->labelled[p->to]; s < w->labelled[p->to + 1]; s++) {
        float by = p->weight * (z[s] > 0 ? z[s] : 0);
        w->own[s] += by;
        w->sure[s] += w->rival[s] < 0 ? by : -by;
    }
    if (!every) {
        vec->walk_add(f, z, p->weight, n);
        return 0;
    }
    const struct vec_watch watch = {w->own, w->rival, w->slack, w->sure};
    doubts = vec->walk_watch(f, z, p->weight, (float)p->to, &watch, doubt, n);
    for (size_t i = 0; i < doubts; i++) change += settle(w, doubt[i]);
    return change;
}

void walk_at(struct walk *w, const struct model *m, const uint32_t *order, const size_t *stop,
             size_t stops, int64_t *hits)
{
    if (stops == 0) return;
    start_walk(w, m, order, stop[stops - 1]);
    memset(hits, 0, stops * sizeof *hits);
    for (size_t from = 0; from < w->count; from += WALK_LANES) {
        size_t left = stop[stops - 1];
        start_block(w, from);
        for (size_t i = stops; i-- > 0;) {
            while (left > stop[i]) step_back(w, &w->step[--left], false);
            hits[i] += count_hits(w);
        }
    }
}

void walk_every(struct walk *w, const struct model *m, const uint32_t *order, size_t n,
                int64_t *hits)
{
    start_walk(w, m, order, n);
    memset(hits, 0, (n + 1) * sizeof *hits);
    for (size_t from = 0; from < w->count; from += WALK_LANES) {
        start_block(w, from);
        hits[n] += (int64_t)w->lanes;
        for (size_t s = 0; s < w->lanes; s++) hits[n] += settle(w, s);
        for (size_t left = n; left-- > 0;) hits[left] += step_back(w, &w->step[left], true);
    }
    for (size_t i = n; i-- > 0;) hits[i] += hits[i + 1];
}
