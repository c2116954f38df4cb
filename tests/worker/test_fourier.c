// SPDX-License-Identifier: MIT
/* The Fourier IPR against its slow twin, pure tones, white noise and signals that have none. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/fourier.h"

#include <math.h>
#include <stdlib.h>

static struct fourier opened(size_t P)
{
    struct fourier f;
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    assert_int_equal(fourier_open(&f, P, &e), OK);
    return f;
}

/* Signals along rows [P][n] and along columns [n][P] give what the twin gives. */
static void check_random(size_t P, size_t n)
{
    struct fourier f = opened(P);
    float *w = malloc(P * n * sizeof *w);
    double *d = malloc(P * n * sizeof *d);
    uint64_t seed = P;
    for (size_t i = 0; i < P * n; i++) d[i] = w[i] = (float)ref_normal(&seed);
    double rows = fourier_ipr(&f, w, 1, n, n), columns = fourier_ipr(&f, w, P, 1, n);
    if (!ref_close(rows, ref_ipr(d, P, n, n, 1), 1e-5, 0) ||
        !ref_close(columns, ref_ipr(d, P, n, 1, P), 1e-5, 0))
        fail_msg("P %zu, %zu neurons: %.9g and %.9g, twin %.9g and %.9g", P, n, rows, columns,
                 ref_ipr(d, P, n, n, 1), ref_ipr(d, P, n, 1, P));
    free(w);
    free(d);
    fourier_close(&f);
}

void test_ipr_equals_its_twin_for_odd_and_even_moduli_and_any_count(void **state)
{
    (void)state;
    static const size_t P[] = {3, 4, 15, 16, 17, 43, 64}, n[] = {1, 63, 64, 130};
    for (size_t i = 0; i < sizeof P / sizeof *P; i++)
        for (size_t j = 0; j < sizeof n / sizeof *n; j++) check_random(P[i], n[j]);
}

/* Element i of a vector of frequency f: by the C library here, and two last places off. */
static void check_element(const struct fourier *f, size_t i, size_t vector, double exact)
{
    double low = exact, high = exact;
    for (int k = 0; k < 2; k++) low = nextafter(low, -1), high = nextafter(high, 1);
    float is = f->basis[i * f->ld + vector];
    if (is != (float)exact || is != (float)low || is != (float)high)
        fail_msg("P %zu, vector %zu, element %zu: %.17g, not %.17g", f->P, vector, i, (double)is,
                 exact);
}

void test_the_basis_does_not_hang_on_the_last_bits_of_a_library_cosine(void **state)
{
    (void)state;
    for (size_t P = 3; P < 130; P++) {
        struct fourier f = opened(P);
        for (size_t i = 0; i < P; i++)
            for (size_t k = 1; 2 * k < P; k++) {
                double turn = 2 * M_PI * (double)(k * i % P) / (double)P;
                check_element(&f, i, 2 * k - 1, sqrt(2.0 / (double)P) * cos(turn));
                check_element(&f, i, 2 * k, sqrt(2.0 / (double)P) * sin(turn));
            }
        fourier_close(&f);
    }
}

void test_a_pure_tone_has_one_minus_half_the_squared_sine_of_twice_its_phase(void **state)
{
    (void)state;
    enum { P = 113, STEPS = 96 };
    struct fourier f = opened(P);
    double mean = 0;
    for (int step = 0; step < STEPS; step++) {
        double phase = 2 * M_PI * step / STEPS;
        float w[P];
        for (int i = 0; i < P; i++) w[i] = (float)cos(2 * M_PI * 17 * i / P - phase);
        double ipr = fourier_ipr(&f, w, P, 1, 1);
        if (!ref_close(ipr, 1 - pow(sin(2 * phase), 2) / 2, 1e-5, 0))
            fail_msg("phase %g: %.9g", phase, ipr);
        mean += ipr / STEPS;
    }
    assert_true(ref_close(mean, 0.75, 1e-5, 0));
    fourier_close(&f);
}

void test_normal_weights_at_113_have_an_ipr_of_about_0_0265(void **state)
{
    (void)state;
    enum { P = 113, N = 4096 };
    struct fourier f = opened(P);
    float *w = malloc(sizeof *w * P * N);
    uint64_t seed = 7;
    for (size_t i = 0; i < (size_t)P * N; i++) w[i] = (float)ref_normal(&seed);
    double ipr = fourier_ipr(&f, w, 1, N, N);
    if (fabs(ipr - 3.0 / (P + 2)) > 2e-4) fail_msg("%.6f, theory %.6f", ipr, 3.0 / (P + 2));
    assert_true(fabs(ipr - 0.0265) < 6e-4);
    free(w);
    fourier_close(&f);
}

void test_a_constant_and_an_alternating_signal_have_one_coefficient(void **state)
{
    (void)state;
    struct fourier f = opened(10);
    float w[20];
    for (int i = 0; i < 10; i++) {
        w[i] = 3;
        w[10 + i] = i % 2 ? -2 : 2;
    }
    assert_true(ref_close(fourier_ipr(&f, w, 10, 1, 1), 1, 1e-6, 0));
    assert_true(ref_close(fourier_ipr(&f, w + 10, 10, 1, 1), 1, 1e-6, 0));
    fourier_close(&f);
}

void test_dead_neurons_are_left_out_and_only_dead_ones_give_null(void **state)
{
    (void)state;
    struct fourier f = opened(5);
    float w[10] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    assert_true(ref_close(fourier_ipr(&f, w, 5, 1, 2), 1, 1e-6, 0));
    assert_true(isnan(fourier_ipr(&f, w, 5, 1, 1)));
    fourier_close(&f);
}
