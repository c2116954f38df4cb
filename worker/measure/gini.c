// SPDX-License-Identifier: MIT
/* gini: floats without their sign order as their bits do, so magnitudes are sorted as integers. */
#include "worker/measure/gini.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PASSES 3
#define DIGIT  11 /* bits of a pass; 3 of them cover the 31 bits of a magnitude */
#define BINS   (1u << DIGIT)

static unsigned digit(uint32_t word, int pass)
{
    return word >> (pass * DIGIT) & (BINS - 1);
}

static uint32_t *take_row(uint32_t *word, const float *x, size_t n, size_t stride,
                          uint32_t bins[PASSES][BINS])
{
    for (size_t i = 0; i < n; i++, word++) {
        memcpy(word, &x[i * stride], sizeof *word);
        *word &= 0x7fffffff;
        for (int pass = 0; pass < PASSES; pass++) bins[pass][digit(*word, pass)]++;
    }
    return word;
}

/* Every element once, along memory; the order is lost anyway. */
static void take(const struct model *m, const float *block, uint32_t *word,
                 uint32_t bins[PASSES][BINS])
{
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *t = &m->tensor[n];
        bool down = t->row_stride == 1;
        for (size_t i = 0; i < (down ? t->cols : t->rows); i++)
            word =
                down ? take_row(word, block + tensor_index(t, 0, i), t->rows, 1, bins)
                     : take_row(word, block + tensor_index(t, i, 0), t->cols, t->col_stride, bins);
    }
}

/* Leaves the words in order in `from` or `to`, and says where. */
static const uint32_t *sort(uint32_t *from, uint32_t *to, size_t n, uint32_t bins[PASSES][BINS])
{
    for (int pass = 0; pass < PASSES; pass++) {
        uint32_t start = 0;
        for (size_t b = 0; b < BINS; b++) {
            uint32_t count = bins[pass][b];
            bins[pass][b] = start;
            start += count;
        }
        for (size_t i = 0; i < n; i++) to[bins[pass][digit(from[i], pass)]++] = from[i];
        uint32_t *other = from;
        from = to;
        to = other;
    }
    return from;
}

double gini_of(const struct model *m, const float *block, uint32_t *word)
{
    uint32_t bins[PASSES][BINS] = {{0}};
    size_t n = m->parameters;
    double sum = 0, weighted = 0;
    take(m, block, word, bins);
    const uint32_t *sorted = sort(word, word + n, n, bins);
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, &sorted[i], sizeof x);
        sum += x;
        weighted += (2 * (double)(i + 1) - (double)n - 1) * x;
    }
    return sum > 0 ? weighted / ((double)n * sum) : NAN;
}

static int open_gini(void **state, const struct view *v, struct err *e)
{
    *state = malloc(2 * v->model->parameters * sizeof(uint32_t));
    return *state ? OK : err_set(e, E_NOMEM, "Gini coefficient: no memory");
}

static int read_gini(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    row->value[METRIC_gini_weights] = gini_of(v->model, v->model->theta, state);
    return OK;
}

const struct gauge gauge_gini = {
    .name = "gini", .open = open_gini, .read = read_gini, .close = free};
