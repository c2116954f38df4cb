// SPDX-License-Identifier: MIT
/* order: sorts keys by their bits, and merges the parts by the fraction at which their turn comes.
 */
#include "worker/measure/order.h"

#include "worker/measure/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t elements(const struct tensor *t)
{
    return t->rows * t->cols;
}

int order_open(struct order *o, const struct model *m, struct err *e)
{
    *o = (struct order){.n = 0};
    if (m->size > UINT32_MAX)
        return err_set(e, E_STATE, "pruning: %zu parameters, at most 2^32 - 1", m->parameters);
    o->block = malloc(m->parameters * sizeof *o->block);
    o->merged = malloc(m->parameters * sizeof *o->merged);
    o->at = malloc(m->parameters * sizeof *o->at);
    o->key = malloc(m->size * sizeof *o->key);
    o->spare = malloc(2 * m->parameters * sizeof *o->spare);
    if (o->block && o->merged && o->at && o->key && o->spare) return OK;
    return err_set(e, E_NOMEM, "pruning: no memory");
}

void order_close(struct order *o)
{
    free(o->block);
    free(o->merged);
    free(o->at);
    free(o->key);
    free(o->spare);
    *o = (struct order){.n = 0};
}

/* Adds a part of these tensors, which follow each other in state-dict order. */
static void add_part(struct order *o, const float *key, const struct tensor *const *tensor,
                     size_t count)
{
    struct order_part *p = &o->part[o->parts++];
    *p = (struct order_part){0, o->block + o->n};
    for (size_t i = 0; i < count; i++) p->n += elements(tensor[i]);
    rank_by_magnitude(key, tensor, count, p->place, o->spare);
    o->n += p->n;
}

/* Keys are |w| / ||W||, the quotient in double. */
static void rescale(struct order *o, const struct model *m)
{
    for (size_t t = 0; t < m->tensor_count; t++) {
        const struct tensor *y = &m->tensor[t];
        double sum = 0;
        for (size_t i = 0; i < y->span; i++)
            sum += (double)m->theta[y->offset + i] * m->theta[y->offset + i];
        double norm = sum > 0 ? sqrt(sum) : 1;
        for (size_t i = y->offset; i < y->offset + y->span; i++)
            o->key[i] = (float)(m->theta[i] / norm);
    }
}

void order_make(struct order *o, const struct model *m, enum order_scheme scheme, size_t tensor,
                const float *diagonal)
{
    const struct tensor *list[MODEL_TENSORS];
    const float *key = m->theta;
    size_t count = 0;
    for (size_t t = 0; t < m->tensor_count; t++)
        if (scheme == ORDER_SINGLE ? t == tensor : scheme == ORDER_FISHER || !m->tensor[t].bias)
            list[count++] = &m->tensor[t];
    o->n = o->parts = 0;
    if (scheme == ORDER_FISHER) key = diagonal;
    if (scheme == ORDER_RESCALED) rescale(o, m), key = o->key;
    if (scheme == ORDER_LAYER)
        for (size_t i = 0; i < count; i++) add_part(o, key, &list[i], 1);
    else
        add_part(o, key, list, count);
}

size_t order_part_count(size_t n, double fraction)
{
    return (size_t)nearbyint(fraction * (double)n);
}

size_t order_count(const struct order *o, double fraction)
{
    size_t count = 0;
    for (size_t i = 0; i < o->parts; i++) count += order_part_count(o->part[i].n, fraction);
    return count;
}

void order_prune(const struct order *o, float *theta, double from, double to)
{
    for (size_t i = 0; i < o->parts; i++) {
        const struct order_part *p = &o->part[i];
        size_t end = order_part_count(p->n, to);
        for (size_t k = from < 0 ? 0 : order_part_count(p->n, from); k < end; k++)
            theta[p->place[k]] = 0;
    }
}

/* Whether parameter i of n goes before parameter j of m: at (2i + 1)/2n against (2j + 1)/2m. Of two
 * at the same fraction the odd one is pruned there already, by the rounding to even. */
static bool before(size_t i, size_t n, size_t j, size_t m)
{
    uint64_t a = (2 * (uint64_t)i + 1) * m, b = (2 * (uint64_t)j + 1) * n;
    return a != b ? a < b : i % 2 > j % 2;
}

void order_merge(struct order *o)
{
    size_t next[MODEL_TENSORS] = {0};
    for (size_t k = 0; k < o->n; k++) {
        size_t best = MODEL_TENSORS;
        for (size_t t = 0; t < o->parts; t++) {
            if (next[t] == o->part[t].n) continue;
            if (best == MODEL_TENSORS || before(next[t], o->part[t].n, next[best], o->part[best].n))
                best = t;
        }
        const struct order_part *p = &o->part[best];
        o->merged[k] = p->place[next[best]];
        o->at[k] = ((double)next[best]++ + 0.5) / (double)p->n;
    }
}
