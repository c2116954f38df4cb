// SPDX-License-Identifier: MIT
/* sketch: the seeded map, applied element by element; the header says what it promises. */
#include "proto/sketch.h"

#include "common/philox.h"

#include <math.h>
#include <string.h>

enum { BLOCK = SKETCH_ROWS / SKETCH_NONZEROS };

/* One word of the generator for each block: its low seven bits are row and sign. */
uint32_t sketch_column(uint64_t index)
{
    const struct philox stream = {SKETCH_SEED, 0, PHILOX_SKETCH};
    uint32_t words[4], column = 0;
    philox_words(&stream, index, words);
    for (int b = 0; b < SKETCH_NONZEROS; b++) column |= (words[b] & (2 * BLOCK - 1)) << 8 * b;
    return column;
}

void sketch_columns(uint32_t *column, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) column[i] = sketch_column(first + i);
}

void sketch_clear(struct sketch *s)
{
    memset(s, 0, sizeof *s);
}

void sketch_add(struct sketch *s, const uint32_t *column, const float *value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = column[i];
        double v = value[i];
        s->sum[0][at & 127] += v;
        s->sum[1][at >> 8 & 127] += v;
        s->sum[2][at >> 16 & 127] += v;
        s->sum[3][at >> 24 & 127] += v;
    }
}

void sketch_read(const struct sketch *s, double factor, float y[SKETCH_ROWS])
{
    double scale = factor / sqrt(SKETCH_NONZEROS);
    for (int b = 0; b < SKETCH_NONZEROS; b++)
        for (int i = 0; i < BLOCK; i++)
            y[b * BLOCK + i] = (float)(scale * (s->sum[b][i] - s->sum[b][BLOCK + i]));
}

double sketch_distance2(const float a[SKETCH_ROWS], const float b[SKETCH_ROWS])
{
    double sum = 0;
    for (int i = 0; i < SKETCH_ROWS; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum;
}
