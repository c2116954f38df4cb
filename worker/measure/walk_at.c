// SPDX-License-Identifier: MIT
/* walk_at: the accuracy at chosen stops. Between two stops the weights of one input come back
 * together: where they stand matters, not the order in which they went. */
#include "worker/measure/walk_block.h"
#include "worker/num/vec.h"

#include <math.h>
#include <string.h>

/* Those before the neurons by input, biases last, and those behind; each list in the order of the
 * walk, the last that went first. */
static void split_steps(struct walk *w, size_t n)
{
    size_t inputs = w->w1->cols;
    w->behind = 0;
    memset(w->start, 0, (inputs + 2) * sizeof *w->start);
    for (size_t i = n; i-- > 0;) {
        const struct walk_step *p = &w->step[i];
        if (p->output)
            w->back[w->behind++] = *p;
        else
            w->start[p->from == WALK_BIAS ? inputs : p->from]++;
    }
    for (size_t j = 1; j <= inputs + 1; j++) w->start[j] += w->start[j - 1];
    for (size_t i = 0; i < n; i++) {
        const struct walk_step *p = &w->step[i];
        if (!p->output) w->front[--w->start[p->from == WALK_BIAS ? inputs : p->from]] = *p;
    }
}

/* A weight behind the neurons is back. */
static void step_output(struct walk *w, const struct walk_step *p)
{
    const float *z = walk_before(w, p);
    vec->walk_add(w->f + p->to * WALK_LANES, z, p->weight, VEC_ROUND(w->lanes));
    if (p->from != WALK_BIAS) w->output[p->from * w->outputs + p->to] = p->weight;
}

/* A weight before neuron k is back, of the samples listed. */
static void step_input(struct walk *w, size_t k, float weight, const uint16_t *lane, size_t count)
{
    float *z = w->z + k * WALK_LANES, by[WALK_LANES];
    uint16_t moved[WALK_LANES];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        float was = z[lane[i]], is = z[lane[i]] = was + weight;
        by[n] = (is > 0 ? is : 0) - (was > 0 ? was : 0);
        moved[n] = lane[i];
        n += (is > was ? is : was) > 0;
    }
    if (n > 0) vec->walk_rows(w->g, w->outputs, w->output + k * w->outputs, by, moved, n);
}

/* All weights of an input, or biases, that come back before the stop. */
static void step_inputs(struct walk *w, size_t input, size_t stop, const uint16_t *lane,
                        size_t count)
{
    uint32_t i = w->cursor[input];
    for (; i < w->start[input + 1] && w->front[i].index >= stop; i++)
        step_input(w, w->front[i].to, w->front[i].weight, lane, count);
    w->cursor[input] = i;
}

/* The label's logit of a sample. It stays in f while weights come back. */
static float *label_logit(struct walk *w, size_t s)
{
    return &w->f[(size_t)w->is[s] * WALK_LANES + s];
}

static int64_t count_hits(struct walk *w)
{
    int64_t hits = 0;
    for (size_t s = 0; s < w->lanes; s++) {
        float *own = label_logit(w, s);
        w->own[s] = *own + w->g[s * w->outputs + (size_t)w->is[s]];
        *own = -INFINITY;
    }
    vec->walk_join(w->top, w->f, WALK_LANES, w->g, w->outputs, VEC_ROUND(w->lanes));
    for (size_t s = 0; s < w->lanes; s++) {
        *label_logit(w, s) = w->own[s];
        hits += w->own[s] > w->top[s];
    }
    return hits;
}

static void walk_block(struct walk *w, const size_t *stop, size_t stops, int64_t *hits)
{
    size_t inputs = w->w1->cols, behind = 0;
    memcpy(w->cursor, w->start, (inputs + 1) * sizeof *w->cursor);
    for (size_t s = 0; s < w->lanes; s++) *label_logit(w, s) = w->own[s];
    for (size_t i = stops; i-- > 0;) {
        for (; behind < w->behind && w->back[behind].index >= stop[i]; behind++)
            step_output(w, &w->back[behind]);
        for (size_t j = 0; j < inputs; j++)
            if (w->first[j] < w->first[j + 1])
                step_inputs(w, j, stop[i], w->lane + w->first[j], w->first[j + 1] - w->first[j]);
        step_inputs(w, inputs, stop[i], w->all, w->lanes);
        hits[i] += count_hits(w);
    }
}

size_t walk_at(struct walk *w, const struct model *m, const uint32_t *order, const size_t *stop,
               size_t stops, size_t every, int64_t *hits)
{
    size_t seen = 0;
    if (stops == 0) return 0;
    walk_start(w, m, order, stop[stops - 1]);
    split_steps(w, stop[stops - 1]);
    memset(hits, 0, stops * sizeof *hits);
    for (size_t from = 0; from < w->count; from += every * WALK_LANES) {
        walk_start_block(w, from);
        walk_block(w, stop, stops, hits);
        seen += w->lanes;
    }
    return seen;
}
