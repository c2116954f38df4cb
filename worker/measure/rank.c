// SPDX-License-Identifier: MIT
/* rank: floats without their sign order as their bits do, so |w| is sorted as an integer. */
#include "worker/measure/rank.h"

#include <string.h>

#define PASSES 3
#define DIGIT  11 /* bits of a pass; 3 of them cover the 31 bits of a magnitude */
#define BINS   (1u << DIGIT)

/* A word is |w| in the upper half and the place in the lower. */
static unsigned digit(uint64_t word, int pass)
{
    return word >> (32 + pass * DIGIT) & (BINS - 1);
}

/* Returns the first word after the tensor's. */
static uint64_t *read_words(const float *theta, const struct tensor *t, uint64_t *word,
                            uint32_t bins[PASSES][BINS])
{
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->cols; j++) {
            size_t place = tensor_index(t, i, j);
            uint32_t bits;
            memcpy(&bits, &theta[place], sizeof bits);
            *word = (uint64_t)(bits & 0x7fffffff) << 32 | (uint32_t)place;
            for (int pass = 0; pass < PASSES; pass++) bins[pass][digit(*word, pass)]++;
            word++;
        }
    return word;
}

/* Counts become the first place of each bin. */
static void to_starts(uint32_t bins[BINS])
{
    uint32_t start = 0;
    for (size_t b = 0; b < BINS; b++) {
        uint32_t count = bins[b];
        bins[b] = start;
        start += count;
    }
}

void rank_by_magnitude(const float *theta, const struct tensor *const *tensor, size_t count,
                       uint32_t *position, uint64_t *spare)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) n += tensor[i]->rows * tensor[i]->cols;
    uint64_t *from = spare, *to = spare + n, *word = spare;
    uint32_t bins[PASSES][BINS] = {{0}};
    for (size_t i = 0; i < count; i++) word = read_words(theta, tensor[i], word, bins);
    for (int pass = 0; pass < PASSES; pass++) {
        to_starts(bins[pass]);
        for (size_t i = 0; i < n; i++) to[bins[pass][digit(from[i], pass)]++] = from[i];
        uint64_t *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < n; i++) position[i] = (uint32_t)from[i];
}
