// SPDX-License-Identifier: MIT
/* sketch: the seeded map, applied element by element; the header says what it promises. */
#include "proto/sketch.h"

#include "common/philox.h"

#include <math.h>
#include <string.h>

enum { BLOCK = SKETCH_ROWS / SKETCH_NONZEROS };

uint32_t sketch_column(uint32_t input, uint32_t class)
{
    const struct philox stream = {SKETCH_SEED, input, PHILOX_SKETCH};
    uint32_t words[4];
    philox_words(&stream, class / 4, words);
    return words[class % 4];
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
