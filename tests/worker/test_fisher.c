// SPDX-License-Identifier: MIT
/* The closed form of the Fisher diagonal against finite differences of the logits. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/fisher.h"

#include <stdlib.h>
#include <string.h>

/* The diagonal in state-dict order. */
static float *diagonal_of(const struct specimen *s, size_t samples)
{
    struct fisher f;
    struct err e;
    float *block = vec_alloc(s->model.size), *flat = calloc(s->model.parameters, sizeof *flat);
    assert_int_equal(fisher_open(&f, &s->model, samples, &e), OK);
    fisher_diagonal(&f, &s->model, &s->task.test, block);
    model_flatten(&s->model, block, flat);
    /* A second call gives the same bits; padding is zero. */
    float *again = vec_alloc(s->model.size), *copy = vec_alloc(s->model.size);
    fisher_diagonal(&f, &s->model, &s->task.test, again);
    model_unflatten(&s->model, flat, copy);
    assert_memory_equal(again, block, s->model.size * sizeof *block);
    assert_memory_equal(copy, block, s->model.size * sizeof *block);
    fisher_close(&f);
    free(block);
    free(again);
    free(copy);
    return flat;
}

static void check_specimen(int64_t P, int64_t hidden, size_t samples)
{
    struct specimen s;
    specimen_open(&s, P, hidden, 0.7);
    float *ours = diagonal_of(&s, samples);
    double *twin = malloc(s.model.parameters * sizeof *twin);
    ref_fisher(&s.net, s.test, samples && samples < s.n_test ? samples : s.n_test, twin);
    for (size_t i = 0; i < s.model.parameters; i++)
        if (!ref_close(ours[i], twin[i], 1e-5, 1e-3))
            fail_msg("P %d, H %d, %zu samples, parameter %zu: %.9g, by differences %.9g", (int)P,
                     (int)hidden, samples, i, (double)ours[i], twin[i]);
    free(ours);
    free(twin);
    specimen_close(&s);
}

void test_closed_form_equals_finite_differences(void **state)
{
    (void)state;
    check_specimen(7, 10, 0);
    check_specimen(5, 16, 3);
    check_specimen(6, 17, 1);
    check_specimen(7, 33, 1000000);
}

void test_inputs_that_no_sample_shows_have_no_metric(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 11, 20, 1);
    float *g = diagonal_of(&s, 2);
    size_t zeros = 0;
    for (size_t k = 0; k < 20; k++)
        for (size_t j = 0; j < 22; j++) {
            int shown = 0;
            for (size_t i = 0; i < 2; i++)
                shown |= (size_t)s.test[2 * i] == j || (size_t)s.test[2 * i + 1] + 11 == j;
            if (!shown) assert_true(g[k * 22 + j] == 0);
            zeros += !shown;
        }
    assert_true(zeros >= 20 * 18);
    free(g);
    specimen_close(&s);
}

void test_output_biases_have_metric_one_and_classes_share_output_weights(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 9, 21, 0.3);
    float *g = diagonal_of(&s, 0);
    struct ref_layout l = ref_net_layout(9, 21);
    for (size_t c = 0; c < 9; c++) assert_true(g[l.b2 + c] == 1);
    for (size_t c = 1; c < 9; c++) assert_memory_equal(g + l.w2, g + l.w2 + c * 21, 21 * sizeof *g);
    free(g);
    specimen_close(&s);
}

void test_both_levels_of_the_kernel_give_the_same_bits(void **state)
{
    (void)state;
    struct specimen s;
    struct err e;
    specimen_open(&s, 31, 100, 0.5);
    float *best = diagonal_of(&s, 0);
    const struct vec *chosen = vec;
    assert_int_equal(vec_open(&e), OK);
    vec = vec_level(3);
    float *plain = diagonal_of(&s, 0);
    vec = chosen;
    assert_memory_equal(best, plain, s.model.parameters * sizeof *best);
    free(best);
    free(plain);
    specimen_close(&s);
}

void test_a_model_without_a_closed_form_is_refused(void **state)
{
    (void)state;
    struct specimen s;
    struct fisher f;
    struct err e;
    specimen_open(&s, 5, 8, 1);
    strcpy(s.model.tensor[0].name, "model.9.weight");
    assert_int_equal(fisher_open(&f, &s.model, 0, &e), E_STATE);
    fisher_close(&f);
    specimen_close(&s);
}
