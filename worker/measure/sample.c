// SPDX-License-Identifier: MIT
/* sample: the inputs, the marks, and halves by whole numbers. */
#include "worker/measure/sample.h"

#include "common/philox.h"

#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int sample_open(struct sample *s, const struct table *t, struct err *e)
{
    const struct dataset *d = t->whole;
    const struct philox stream = {SKETCH_SEED, 0, PHILOX_PREDICTIONS};
    uint32_t n = (uint32_t)d->count, *order = malloc((n + 1) * sizeof *order);
    *s = (struct sample){.count = n < SAMPLE_INPUTS ? n : SAMPLE_INPUTS,
                         .classes = (uint32_t)t->classes};
    s->input = calloc(s->count + 1, sizeof *s->input);
    s->label = calloc(s->count + 1, sizeof *s->label);
    s->slot = calloc(s->count + 1, sizeof *s->slot);
    s->root = calloc((size_t)s->count * s->classes + 1, sizeof *s->root);
    bool full = order && s->input && s->label && s->slot && s->root;
    if (full) philox_permutation(&stream, order, n);
    for (uint32_t i = 0; full && i < s->count; i++) s->input[i] = (int32_t)order[i];
    if (full) qsort(s->input, s->count, sizeof *s->input, by_number);
    for (uint32_t i = 0; full && i < s->count; i++) {
        s->label[i] = d->label[s->input[i]];
        s->slot[i] = t->slot ? t->slot[s->input[i]] : (uint32_t)s->input[i];
    }
    free(order);
    return full ? OK : err_set(e, E_NOMEM, "predictions: no memory");
}

void sample_close(struct sample *s)
{
    free(s->input);
    free(s->label);
    free(s->slot);
    free(s->root);
    *s = (struct sample){0};
}

uint16_t sample_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t exponent = bits >> 23, drop = exponent < 113 ? 126 - exponent : 13;
    if (exponent < 102) return 0; /* below half of the least number, 2^-24 */
    uint32_t whole = (bits & 0x7fffff) | (exponent < 113 ? 0x800000 : (exponent - 112) << 23);
    uint32_t rest = whole & ((1u << drop) - 1), half = 1u << (drop - 1), kept = whole >> drop;
    return (uint16_t)(kept + (rest > half || (rest == half && (kept & 1))));
}

void sample_take(struct sample *s, const float *psi, size_t chunk)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->slot[i] / VEC_LANES != chunk) continue;
        for (uint32_t c = 0; c < s->classes; c++)
            s->root[(size_t)i * s->classes + c] =
                sample_half(psi[(size_t)c * VEC_LANES + s->slot[i] % VEC_LANES]);
    }
}

struct row_predictions sample_predictions(const struct sample *s)
{
    return (struct row_predictions){s->count, s->classes, s->input, s->label, s->root};
}

/* The last mark that is not after an epoch. */
static int64_t last_mark(int64_t n, int64_t epoch)
{
    int64_t octave = 1;
    if (epoch < 1) return 0;
    while (octave <= epoch / 2) octave *= 2;
    int64_t step = octave / n > 1 ? octave / n : 1;
    return octave + (epoch - octave) / step * step;
}

bool sample_due(int64_t n, int64_t before, int64_t epoch)
{
    return n > 0 && (before < 0 || last_mark(n, epoch) > before);
}
