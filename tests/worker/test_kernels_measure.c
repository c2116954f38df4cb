// SPDX-License-Identifier: MIT
/* Kernels of the coordinates: each against plain loops in double, and both levels against each
 * other, bit for bit. */
#include "tests/test.h"

#include "common/philox.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 37, FLOATS = CLASSES * VEC_LANES };

static float *random_floats(uint32_t stream, double scale)
{
    const struct philox p = {5, stream, PHILOX_INIT};
    float *x = vec_alloc(FLOATS);
    for (size_t i = 0; i < FLOATS; i++) x[i] = (float)(scale * philox_normal(&p, i));
    return x;
}

void test_roots_are_those_of_the_softmax_and_zero_beyond_the_samples(void **state)
{
    (void)state;
    float *z = random_floats(1, 8), *psi[2] = {vec_alloc(FLOATS), vec_alloc(FLOATS)};
    vec_set_float_mode();
    for (size_t count = 1; count <= VEC_LANES; count += 21)
        for (int level = 3; level <= 4; level++) {
            float *is = psi[level - 3];
            if (!vec_level(level)) continue;
            for (size_t i = 0; i < FLOATS; i++) is[i] = 9;
            vec_level(level)->measure_roots(is, z, VEC_LANES, CLASSES, count);
            assert_memory_equal(psi[0], is, FLOATS * sizeof *is);
            for (size_t s = 0; s < VEC_LANES; s++) {
                double sum = 0;
                for (size_t c = 0; c < CLASSES; c++) sum += exp((double)z[c * VEC_LANES + s]);
                for (size_t c = 0; c < CLASSES; c++) {
                    double right = sqrt(exp((double)z[c * VEC_LANES + s]) / sum);
                    if (s >= count) right = 0;
                    assert_true(fabs((double)is[c * VEC_LANES + s] - right) <= 4e-6 * right);
                }
            }
        }
    free(z), free(psi[0]), free(psi[1]);
}

void test_a_logit_that_is_no_number_leaves_no_root(void **state)
{
    (void)state;
    float *z = random_floats(1, 1), *psi = vec_alloc(FLOATS);
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        z[0] = z[3 * VEC_LANES + 1] = NAN;
        vec_level(level)->measure_roots(psi, z, VEC_LANES, CLASSES, VEC_LANES);
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(isnan(psi[c * VEC_LANES]) && isnan(psi[c * VEC_LANES + 1]) &&
                        psi[c * VEC_LANES + 2] > 0);
    }
    free(z), free(psi);
}

void test_chords_are_sums_of_squared_differences(void **state)
{
    (void)state;
    float *a = random_floats(1, 1), *b = random_floats(2, 1);
    double square[2][VEC_LANES];
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        double *is = square[level - 3];
        vec_level(level)->measure_chords(is, a, b, CLASSES);
        assert_memory_equal(square[0], is, sizeof square[0]);
        for (size_t s = 0; s < VEC_LANES; s++) {
            double right = 0;
            for (size_t i = s; i < FLOATS; i += VEC_LANES)
                right += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
            assert_true(fabs(is[s] - right) < 1e-6 * right);
        }
    }
    free(a), free(b);
}

void test_arcs_are_right_from_the_smallest_to_the_widest(void **state)
{
    (void)state;
    enum { N = 4001 };
    static double square[N], arc[2][N];
    for (int i = 0; i < N; i++) square[i] = i < 2000 ? ldexp(2, -i / 4) : (i - 2000) / 500.0;
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        double *is = arc[level - 3];
        vec_level(level)->measure_arcs(is, square, N);
        assert_memory_equal(arc[0], is, sizeof arc[0]);
        for (int i = 0; i < N; i++) {
            double right = 2 * atan2(sqrt(square[i] / 4), sqrt(1 - square[i] / 4));
            if (!(fabs(is[i] - right) <= 6 * 2.3e-16 * right))
                fail_msg("square %g: %.17g, expected %.17g", square[i], is[i], right);
        }
        double in_place = 5, none = NAN; /* beyond the widest chord; no number */
        vec_level(level)->measure_arcs(&in_place, &in_place, 1);
        assert_true(fabs(in_place - 3.14159265358979) < 1e-14);
        vec_level(level)->measure_arcs(&none, &none, 1);
        assert_true(isnan(none));
    }
}

void test_a_pull_is_the_slope_of_the_sum_of_arcs(void **state)
{
    (void)state;
    enum { N = 53 };
    const struct philox p = {5, 0, PHILOX_INIT};
    double a[N], b[N], sum[2];
    const double at[2] = {0.6, 0.5}, slope[2] = {-0.3, 0.8}, h = 1e-6;
    for (uint64_t i = 0; i < N; i++) {
        a[i] = (double)philox_uniform(&p, i);
        b[i] = 0.7 * (double)philox_uniform(&p, N + i);
    }
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        double *is = &sum[level - 3], right = 0;
        *is = vec_level(level)->measure_pull(a, b, N, at, slope);
        assert_memory_equal(&sum[0], is, sizeof *is);
        for (int i = 0; i < N; i++) {
            double w = at[0] * a[i] + at[1] * b[i], d = slope[0] * a[i] + slope[1] * b[i];
            right -= (acos(w + h * d) - acos(w - h * d)) / (2 * h);
        }
        assert_true(fabs(*is - right) < 1e-7 * fabs(right));
    }
}
