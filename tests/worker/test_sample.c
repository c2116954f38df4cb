// SPDX-License-Identifier: MIT
/* Predictions on a few inputs: which epochs, which inputs, and every half. */
#include "tests/test.h"

#include "tests/ref/ref_coords.h"
#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/coords.h"
#include "worker/measure/sample.h"

#include <math.h>
#include <stdlib.h>

enum { P = 17, H = 8 };

static double of_half(uint16_t h)
{
    int exponent = h >> 10;
    double m = h & 1023;
    return exponent ? ldexp(1 + m / 1024, exponent - 15) : ldexp(m, -24);
}

void test_halves_are_the_nearest(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x3c00; h++) {
        double low = of_half((uint16_t)h), high = of_half((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2);
        assert_int_equal(sample_half((float)low), h);
        assert_int_equal(sample_half(nextafterf(middle, 0)), h);
        assert_int_equal(sample_half(nextafterf(middle, 1)), h + 1);
        assert_int_equal(sample_half(middle), h + (h & 1)); /* to even */
    }
    assert_int_equal(sample_half(1), 0x3c00);
    assert_int_equal(sample_half(1e-30F), 0);
}

void test_marks_are_spaced_as_the_logarithm_of_the_epoch(void **state)
{
    (void)state;
    static const int64_t due[] = {0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96};
    size_t next = 0;
    for (int64_t e = 0; e < 100; e++) {
        bool is = next < sizeof due / sizeof *due && due[next] == e;
        if (sample_due(2, e - 1, e) != is) fail_msg("epoch %d", (int)e);
        next += is;
        assert_false(sample_due(0, e - 1, e));
    }
    /* measured every 10: the first one from a mark on */
    assert_true(sample_due(2, 10, 20) && sample_due(2, 20, 30) && sample_due(2, 30, 40));
    assert_true(sample_due(2, 40, 50) && !sample_due(2, 50, 60) && sample_due(2, 60, 70));
}

void test_roots_are_those_of_the_inputs_named(void **state)
{
    (void)state;
    struct specimen s;
    struct table t;
    struct coords *c;
    struct row row;
    struct err e;
    specimen_open(&s, P, H, 0.5);
    assert_int_equal(table_open(&t, &s.params, 1, &s.task, &e), OK);
    assert_int_equal(coords_open(&c, &t, &s.model, &e), OK);
    assert_int_equal(coords_keep(c, 1, &e), OK);
    for (int epoch = 0; epoch < 4; epoch++) {
        row_clear(&row, epoch);
        coords_read(c, &s.model, NULL, epoch, &row);
        assert_int_equal(row.predictions.count, epoch == 3 ? 0 : SAMPLE_INPUTS);
        const struct row_predictions *p = &row.predictions;
        for (uint32_t i = 0; i < p->count; i++) {
            double psi[P];
            int32_t pair[2] = {p->input[i] / P, p->input[i] % P};
            assert_true(i == 0 || p->input[i] > p->input[i - 1]);
            assert_int_equal(p->label[i], (pair[0] + pair[1]) % P);
            ref_roots(&s.net, pair, 1, psi);
            for (int k = 0; k < P; k++)
                assert_true(fabs(of_half(p->root[i * P + (uint32_t)k]) - psi[k]) <=
                            psi[k] / 2047 + 6e-8);
        }
    }
    coords_close(&c);
    table_close(&t);
    specimen_close(&s);
}
