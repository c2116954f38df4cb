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
    double rows = fourier_ipr(&f, w, 1, n, n).real, columns = fourier_ipr(&f, w, P, 1, n).real;
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

void test_a_pure_tone_has_the_three_known_ratios(void **state)
{
    (void)state;
    enum { P = 113, STEPS = 96 };
    struct fourier f = opened(P);
    double mean = 0;
    for (int step = 0; step < STEPS; step++) {
        double phase = 2 * M_PI * step / STEPS;
        float w[P];
        for (int i = 0; i < P; i++) w[i] = (float)cos(2 * M_PI * 17 * i / P - phase);
        double ipr = fourier_ipr(&f, w, P, 1, 1).real;
        struct fourier_ipr r = fourier_ipr(&f, w, P, 1, 1);
        if (!ref_close(ipr, 1 - pow(sin(2 * phase), 2) / 2, 1e-5, 0))
            fail_msg("phase %g: %.9g", phase, ipr);
        if (!ref_close(r.complex, 0.5, 1e-5, 0) || !ref_close(r.rfft, 1, 1e-5, 0))
            fail_msg("phase %g: complex %.9g, rfft %.9g", phase, r.complex, r.rfft);
        mean += ipr / STEPS;
    }
    assert_true(ref_close(mean, 0.75, 1e-5, 0));
    fourier_close(&f);
}

void test_normal_weights_at_113_have_the_known_ratios(void **state)
{
    (void)state;
    enum { P = 113, N = 4096 };
    struct fourier f = opened(P);
    float *w = malloc(sizeof *w * P * N);
    uint64_t seed = 7;
    for (size_t i = 0; i < (size_t)P * N; i++) w[i] = (float)ref_normal(&seed);
    struct fourier_ipr ipr = fourier_ipr(&f, w, 1, N, N);
    if (fabs(ipr.real - 3.0 / (P + 2)) > 2e-4)
        fail_msg("%.6f, theory %.6f", ipr.real, 3.0 / (P + 2));
    assert_true(fabs(ipr.real - 0.0265) < 6e-4);
    double twice = (2.0 * P + 1) / (P * (P + 2.0)); /* expectations of fourth and second powers */
    if (fabs(ipr.complex - twice) > 2e-4 || fabs(ipr.rfft - 0.0347) > 4e-4)
        fail_msg("%.6f and %.6f, theory %.6f", ipr.complex, ipr.rfft, twice);
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
    assert_true(ref_close(fourier_ipr(&f, w, 10, 1, 1).real, 1, 1e-6, 0));
    assert_true(ref_close(fourier_ipr(&f, w + 10, 10, 1, 1).real, 1, 1e-6, 0));
    fourier_close(&f);
}

void test_dead_neurons_are_left_out_and_only_dead_ones_give_null(void **state)
{
    (void)state;
    struct fourier f = opened(5);
    float w[10] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    assert_true(ref_close(fourier_ipr(&f, w, 5, 1, 2).real, 1, 1e-6, 0));
    assert_true(isnan(fourier_ipr(&f, w, 5, 1, 1).real));
    fourier_close(&f);
}

/* The complex transform, term by term: all P frequencies, and those of rfft. */
static void twin_complex(const double *w, size_t P, double *all, double *half)
{
    double two = 0, four = 0, half_two = 0, half_four = 0;
    for (size_t k = 0; k < P; k++) {
        double re = 0, im = 0;
        for (size_t i = 0; i < P; i++) {
            re += w[i] * cos(2 * M_PI * (double)(k * i % P) / (double)P);
            im += w[i] * sin(2 * M_PI * (double)(k * i % P) / (double)P);
        }
        double power = re * re + im * im;
        two += power, four += power * power;
        if (2 * k <= P) half_two += power, half_four += power * power;
    }
    *all = four / (two * two);
    *half = half_four / (half_two * half_two);
}

void test_the_complex_bases_equal_a_transform_term_by_term(void **state)
{
    (void)state;
    static const size_t P[] = {3, 4, 16, 17, 43};
    for (size_t i = 0; i < sizeof P / sizeof *P; i++) {
        struct fourier f = opened(P[i]);
        float w[64];
        double d[64], all, half;
        uint64_t seed = P[i];
        for (size_t j = 0; j < P[i]; j++) d[j] = w[j] = (float)ref_normal(&seed);
        struct fourier_ipr r = fourier_ipr(&f, w, P[i], 1, 1);
        twin_complex(d, P[i], &all, &half);
        if (!ref_close(r.complex, all, 1e-5, 0) || !ref_close(r.rfft, half, 1e-5, 0))
            fail_msg("P %zu: %.9g %.9g, twin %.9g %.9g", P[i], r.complex, r.rfft, all, half);
        fourier_close(&f);
    }
}

void test_energies_add_up_to_the_squares_and_key_frequencies_are_the_greatest(void **state)
{
    (void)state;
    enum { P = 31, N = 40 };
    struct fourier f = opened(P);
    float w[P * N];
    double squares = 0, energy = 0;
    uint32_t key[P];
    for (int i = 0; i < P * N; i++) {
        int at = i % P, neuron = i / P;
        double tone = neuron % 2 ? cos(2 * M_PI * 5 * at / P + neuron) : 0;
        tone += 2 * sin(2 * M_PI * 11 * at / P + neuron) + 0.1 * cos(2 * M_PI * at / P);
        w[i] = (float)(7 + tone);
        squares += (double)w[i] * w[i];
    }
    fourier_ipr(&f, w, P, 1, N);
    for (size_t k = 0; k < f.frequencies; k++) energy += f.energy[k];
    assert_int_equal(f.frequencies, 16);
    assert_true(ref_close(energy, squares, 1e-5, 0));
    assert_true(ref_close(f.energy[0], 49.0 * P * N, 1e-4, 0)); /* the constant is no key */
    assert_int_equal(fourier_keys(&f, key), 2);
    assert_int_equal(key[0], 11);
    assert_int_equal(key[1], 5);
    fourier_close(&f);
}

void test_weights_of_zero_have_no_key_frequency(void **state)
{
    (void)state;
    struct fourier f = opened(5);
    float w[10] = {0};
    uint32_t key[3];
    fourier_ipr(&f, w, 5, 1, 2);
    assert_int_equal(fourier_keys(&f, key), 0);
    fourier_close(&f);
}
