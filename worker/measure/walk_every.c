// SPDX-License-Identifier: MIT
/* walk_every: the accuracy after every single step. A bound of each sample's lead over its best
 * rival says at which steps it need not be looked at. */
#include "worker/measure/walk_block.h"
#include "worker/num/vec.h"

#include <math.h>
#include <string.h>

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

/* Settles anew whether a sample is right: what was sure is known again. Returns
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

/* A weight before neuron k is back: of the samples listed. Returns the change of hits. */
static int64_t step_input(struct walk *w, const struct walk_step *p, const uint16_t *lane,
                          size_t count)
{
    float *z = w->z + p->to * WALK_LANES;
    int64_t change = 0;
    for (size_t i = 0; i < count; i++) {
        size_t s = lane[i];
        float was = z[s], is = z[s] = was + p->weight;
        float by = (is > 0 ? is : 0) - (was > 0 ? was : 0);
        if (by == 0) continue;
        vec->walk_row(w->g + s * w->outputs, w->output + p->to * w->outputs, by, w->range[s],
                      w->outputs);
        measure_slack(w, s);
        if (!(w->sure[s] > w->slack[s])) change += settle(w, s);
    }
    return change;
}

static int64_t step_output(struct walk *w, const struct walk_step *p)
{
    const float *z = walk_before(w, p);
    const struct vec_watch watch = {w->own, w->rival, w->slack, w->sure};
    uint16_t doubt[WALK_LANES];
    int64_t change = 0;
    if (p->from != WALK_BIAS) w->output[p->from * w->outputs + p->to] = p->weight;
    for (size_t s = w->labelled[p->to]; s < w->labelled[p->to + 1]; s++) {
        float by = p->weight * (z[s] > 0 ? z[s] : 0);
        w->own[s] += by;
        w->sure[s] += w->rival[s] < 0 ? by : -by;
    }
    size_t doubts = vec->walk_watch(w->f + p->to * WALK_LANES, z, p->weight, (float)p->to, &watch,
                                    doubt, VEC_ROUND(w->lanes));
    for (size_t i = 0; i < doubts; i++) change += settle(w, doubt[i]);
    return change;
}

static int64_t step_back(struct walk *w, const struct walk_step *p)
{
    if (p->output) return step_output(w, p);
    if (p->from == WALK_BIAS) return step_input(w, p, w->all, w->lanes);
    uint32_t first = w->first[p->from];
    return step_input(w, p, w->lane + first, w->first[p->from + 1] - first);
}

void walk_every(struct walk *w, const struct model *m, const uint32_t *order, size_t n,
                int64_t *hits)
{
    walk_start(w, m, order, n);
    memset(hits, 0, (n + 1) * sizeof *hits);
    for (size_t from = 0; from < w->count; from += WALK_LANES) {
        walk_start_block(w, from);
        hits[n] += (int64_t)w->lanes;
        for (size_t s = 0; s < w->lanes; s++) hits[n] += settle(w, s);
        for (size_t left = n; left-- > 0;) hits[left] += step_back(w, &w->step[left]);
    }
    for (size_t i = n; i-- > 0;) hits[i] += hits[i + 1];
}
