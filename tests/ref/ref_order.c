// SPDX-License-Identifier: MIT
/* ref_order: pruning by brute force; see the header. */
#include "tests/ref/ref_order.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    double key;
    size_t index;
};

static int by_key(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorts a list and says at which fraction of it each goes. */
static size_t part(struct entry *list, size_t n, size_t *index, double *at)
{
    qsort(list, n, sizeof *list, by_key);
    for (size_t i = 0; i < n; i++) {
        index[i] = list[i].index;
        at[i] = ((double)i + 0.5) / (double)n;
    }
    return n;
}

static size_t add(struct entry *list, size_t from, size_t to, const double *key, double norm)
{
    for (size_t i = from; i < to; i++)
        list[i - from] = (struct entry){(float)(fabs(key[i]) / norm), i};
    return to - from;
}

static double norm_of(const double *w, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++) sum += w[i] * w[i];
    return sqrt(sum);
}

/* Two parts side by side, in the order of their fractions. */
static size_t both(struct entry *list, const struct ref_net *n, size_t *index, double *at)
{
    struct ref_layout l = ref_net_layout(n->P, n->H);
    size_t *which = calloc(l.end, sizeof *which), *all = calloc(l.end, sizeof *all);
    double *when = calloc(l.end, sizeof *when);
    size_t count = part(list, add(list, l.w1, l.b1, n->theta, 1), which, when);
    count += part(list, add(list, l.w2, l.b2, n->theta, 1), which + count, when + count);
    memcpy(all, which, count * sizeof *all);
    for (size_t i = 0; i < count; i++) list[i] = (struct entry){when[i], i};
    qsort(list, count, sizeof *list, by_key);
    for (size_t i = 0; i < count; i++) index[i] = all[list[i].index], at[i] = list[i].key;
    free(which), free(when), free(all);
    return count;
}

size_t ref_order(const struct ref_net *n, const char *scheme, const char *tensor,
                 const double *diagonal, size_t *index, double *at)
{
    struct ref_layout l = ref_net_layout(n->P, n->H);
    struct entry *list = calloc(l.end, sizeof *list);
    size_t count;
    if (!strcmp(scheme, "layer")) {
        count = both(list, n, index, at);
    } else {
        bool scaled = !strcmp(scheme, "rescaled");
        if (!strcmp(scheme, "fisher"))
            count = add(list, 0, l.end, diagonal, 1);
        else if (!strcmp(scheme, "single") && !strcmp(tensor, "model.0.weight"))
            count = add(list, l.w1, l.b1, n->theta, 1);
        else if (!strcmp(scheme, "single"))
            count = add(list, l.w2, l.b2, n->theta, 1);
        else {
            count = add(list, l.w1, l.b1, n->theta, scaled ? norm_of(n->theta, l.w1, l.b1) : 1);
            count +=
                add(list + count, l.w2, l.b2, n->theta, scaled ? norm_of(n->theta, l.w2, l.b2) : 1);
        }
        count = part(list, count, index, at);
    }
    free(list);
    return count;
}

void ref_steps(const struct ref_net *n, const int32_t *pairs, size_t count, const size_t *index,
               size_t steps, int64_t *hits)
{
    size_t size = ref_net_size(n->P, n->H);
    double *theta = malloc(size * sizeof *theta), loss, accuracy;
    memcpy(theta, n->theta, size * sizeof *theta);
    for (size_t i = 0; i <= steps; i++) {
        ref_evaluate(&(struct ref_net){n->P, n->H, theta, n->square}, pairs, count, &loss,
                     &accuracy);
        hits[i] = llround(accuracy * (double)count);
        if (i < steps) theta[index[i]] = 0;
    }
    free(theta);
}

double ref_steps_area(const double *at, const int64_t *hits, size_t steps, size_t count)
{
    double area = 0;
    for (size_t i = 0; i <= steps; i++) {
        double from = i ? at[i - 1] : 0, to = i < steps ? at[i] : 1;
        area += (to - from) * (double)hits[i] / (double)count;
    }
    return area;
}
