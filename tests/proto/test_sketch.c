// SPDX-License-Identifier: MIT
/* sketch: the map is what it says it is, and keeps distances. */
#include "proto/sketch.h"

#include "common/philox.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Entry (row, i) of the map, from its packed column. */
static double entry(uint32_t column, int row)
{
    int block = row / 64;
    uint32_t byte = column >> 8 * block & 255;
    if ((int)(byte & 63) != row % 64) return 0;
    return byte & 64 ? -0.5 : 0.5;
}

/* The golden values are those of another implementation of the generator. */
void test_columns_have_golden_values(void **state)
{
    (void)state;
    assert_int_equal(sketch_column(0, 0), 0x8bc28ca4);
    assert_int_equal(sketch_column(0, 5), 0x2a9ececb);
    assert_int_equal(sketch_column(12768, 112), 0x92738ae5);
}

void test_a_sketch_is_the_product_with_the_map(void **state)
{
    (void)state;
    enum { N = 300 };
    const struct philox stream = {3, 0, PHILOX_INIT};
    uint32_t column[N];
    float value[N], y[SKETCH_ROWS];
    struct sketch s;
    for (uint32_t i = 0; i < N; i++) column[i] = sketch_column(1000 + i / 7, i % 7);
    for (int i = 0; i < N; i++) value[i] = philox_uniform(&stream, (uint64_t)i) - 0.5F;
    sketch_clear(&s);
    sketch_add(&s, column, value, 100);
    sketch_add(&s, column + 100, value + 100, N - 100);
    sketch_read(&s, 3, y);
    for (int row = 0; row < SKETCH_ROWS; row++) {
        double sum = 0;
        for (int i = 0; i < N; i++) sum += 3 * entry(column[i], row) * (double)value[i];
        assert_true(fabs(y[row] - sum) < 1e-6);
    }
}

void test_rows_and_signs_are_even(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    static uint32_t seen[SKETCH_NONZEROS][128];
    for (uint32_t i = 0; i < N; i++)
        for (int b = 0; b < SKETCH_NONZEROS; b++)
            seen[b][sketch_column(i / 16, i % 16) >> 8 * b & 127]++;
    for (int b = 0; b < SKETCH_NONZEROS; b++) {
        double chi = 0, mean = N / 128.0;
        for (int i = 0; i < 128; i++) chi += (seen[b][i] - mean) * (seen[b][i] - mean) / mean;
        assert_true(chi > 80 && chi < 190); /* 127 expected, standard deviation 16 */
    }
}

/* Predictions of a random model: probabilities of `classes` for `samples` inputs, as the square
 * root, from logits of a random width. */
static void random_model(float *root, int samples, int classes, uint32_t number)
{
    const struct philox stream = {17, number, PHILOX_INIT};
    double width = 6 * (double)philox_uniform(&stream, 1u << 30);
    for (int x = 0; x < samples; x++) {
        double sum = 0;
        float *p = root + x * classes;
        for (int c = 0; c < classes; c++) {
            uint64_t at = (uint64_t)(x * classes + c);
            p[c] = (float)exp(width * ((double)philox_uniform(&stream, at) - 0.5));
            sum += (double)p[c];
        }
        for (int c = 0; c < classes; c++) p[c] = (float)sqrt((double)p[c] / sum / samples);
    }
}

/* 10,000 pairs of models at 12 inputs of 11 classes, each pair at places of the map of its own. */
void test_the_relative_error_of_squared_distances_keeps_its_bound(void **state)
{
    (void)state;
    enum { SAMPLES = 12, CLASSES = 11, N = SAMPLES * CLASSES, PAIRS = 10000 };
    float a[N], b[N], y[SKETCH_ROWS], z[SKETCH_ROWS];
    uint32_t column[N];
    double one = 0, two = 0;
    for (uint32_t pair = 0; pair < PAIRS; pair++) {
        struct sketch s, t;
        random_model(a, SAMPLES, CLASSES, 2 * pair);
        random_model(b, SAMPLES, CLASSES, 2 * pair + 1);
        for (uint32_t i = 0; i < N; i++)
            column[i] = sketch_column(pair * SAMPLES + i / CLASSES, i % CLASSES);
        sketch_clear(&s);
        sketch_clear(&t);
        sketch_add(&s, column, a, N);
        sketch_add(&t, column, b, N);
        sketch_read(&s, 1, y);
        sketch_read(&t, 1, z);
        double exact = 0;
        for (int i = 0; i < N; i++)
            exact += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        double error = sketch_distance2(y, z) / exact - 1;
        one += error / PAIRS;
        two += error * error / PAIRS;
    }
    double deviation = sqrt(two - one * one), bound = sqrt(2.0 / SKETCH_ROWS);
    if (deviation > 1.1 * bound || deviation < 0.7 * bound || fabs(one) > 0.004)
        fail_msg("deviation %g, bound %g, mean %g", deviation, bound, one);
}
