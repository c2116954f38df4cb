// SPDX-License-Identifier: MIT
/* The Fisher diagonal: closed forms against finite differences of the logits, backward passes
 * against gradients of single samples. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/fisher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The diagonal in state-dict order. */
static float *diagonal_of(const struct specimen *s, size_t samples, enum fisher_variant variant)
{
    struct fisher f;
    struct err e;
    float *block = vec_alloc(s->model.size), *flat = calloc(s->model.parameters, sizeof *flat);
    assert_int_equal(fisher_open(&f, &s->model, samples, &e), OK);
    fisher_diagonal(&f, &s->model, &s->task.test, variant, NULL, block);
    model_flatten(&s->model, block, flat);
    /* A second call gives the same bits; padding is zero. */
    float *again = vec_alloc(s->model.size), *copy = vec_alloc(s->model.size);
    fisher_diagonal(&f, &s->model, &s->task.test, variant, NULL, again);
    model_unflatten(&s->model, flat, copy);
    assert_memory_equal(again, block, s->model.size * sizeof *block);
    assert_memory_equal(copy, block, s->model.size * sizeof *block);
    fisher_close(&f);
    free(block);
    free(again);
    free(copy);
    return flat;
}

static void check_specimen(int64_t P, int64_t hidden, size_t samples, double deviation,
                           enum fisher_variant variant, int64_t activation)
{
    struct specimen s;
    specimen_open_with(&s, P, hidden, deviation, activation);
    float *ours = diagonal_of(&s, samples, variant);
    size_t count = samples && samples < s.n_test ? samples : s.n_test;
    double *twin = malloc(s.model.parameters * sizeof *twin);
    if (variant == FISHER_REGRESSION)
        ref_fisher(&s.net, s.test, count, twin);
    else
        ref_fisher_class(&s.net, s.test, count, twin);
    for (size_t i = 0; i < s.model.parameters; i++)
        if (!ref_close(ours[i], twin[i], variant == FISHER_REGRESSION ? 1e-5 : 1e-4, 1e-3))
            fail_msg("P %d, H %d, %zu samples, parameter %zu: %.9g, by differences %.9g", (int)P,
                     (int)hidden, samples, i, (double)ours[i], twin[i]);
    free(ours);
    free(twin);
    specimen_close(&s);
}

void test_closed_form_equals_finite_differences(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * FISHER_VARIANTS; i++) {
        enum fisher_variant v = (enum fisher_variant)(i / 2);
        int64_t activation = i % 2 ? ACTIVATION_SQUARE : ACTIVATION_RELU;
        check_specimen(7, 10, 0, 0.7, v, activation);
        check_specimen(5, 16, 3, 0.7, v, activation);
        check_specimen(6, 17, 1, 0.7, v, activation);
        check_specimen(7, 33, 1000000, 0.7, v, activation);
        check_specimen(23, 9, 70, 0.3, v, activation);
    }
    /* Probabilities near 0 and 1. */
    check_specimen(7, 12, 0, 2, FISHER_CLASSIFICATION, ACTIVATION_RELU);
}

void test_inputs_that_no_sample_shows_have_no_metric(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 11, 20, 1);
    float *g = diagonal_of(&s, 2, FISHER_REGRESSION);
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
    float *g = diagonal_of(&s, 0, FISHER_REGRESSION);
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
    for (int v = 0; v < FISHER_VARIANTS; v++) {
        float *best = diagonal_of(&s, 0, (enum fisher_variant)v);
        const struct vec *chosen = vec;
        assert_int_equal(vec_open(&e), OK);
        vec = vec_level(3);
        float *plain = diagonal_of(&s, 0, (enum fisher_variant)v);
        vec = chosen;
        assert_memory_equal(best, plain, s.model.parameters * sizeof *best);
        free(best);
        free(plain);
    }
    specimen_close(&s);
}

/* ---- a convolutional network ---- */

/* Gradients of single samples, squared in double, by the trainer's own backward pass. */
static void twin_of(struct specimen *s, size_t samples, double *sum)
{
    const struct model *m = &s->model;
    struct workspace w;
    struct gradient g;
    struct vec_score score = {0, 0};
    struct err e;
    float *flat = calloc(m->parameters, sizeof *flat);
    assert_int_equal(workspace_open(&w, m, &e), OK);
    assert_int_equal(gradient_open(&g, m, &e), OK);
    memset(sum, 0, m->parameters * sizeof *sum);
    for (size_t i = 0; i < samples; i++) {
        struct batch b = dataset_chunk(&s->task.test, i);
        const int32_t label[] = {1};
        b.count = 1;
        b.label = label;
        model_forward(m, &b, &w);
        const struct signal *f = &w.value[m->layer_count];
        double z = (double)f->x[f->feature_stride] - f->x[0], p = 1 / (1 + exp(-z));
        /* The loss of label 1 has slopes p_0 and -p_0 at the logits: (f_1 - f_0) times -p_0. */
        model_backward(m, &b, &w, 1, true, &g, &score);
        model_flatten(m, g.g, flat);
        for (size_t j = 0; j < m->parameters; j++)
            sum[j] += p * (1 - p) * pow(flat[j] / (1 - p), 2) / (double)samples;
    }
    free(flat);
    gradient_close(&g);
    workspace_close(&w);
}

static void check_snapshots(size_t samples, size_t count)
{
    struct specimen s;
    specimen_open_ising(&s, 20 + (int64_t)count, 1);
    s.task.test.count = count;
    float *ours = diagonal_of(&s, samples, FISHER_CLASSIFICATION);
    double *twin = malloc(s.model.parameters * sizeof *twin), most = 0;
    twin_of(&s, samples && samples < count ? samples : count, twin);
    for (size_t i = 0; i < s.model.parameters; i++) most = fmax(most, twin[i]);
    for (size_t i = 0; i < s.model.parameters; i++)
        if (!ref_close(ours[i], twin[i], 1e-4, 1e-5 * most))
            fail_msg("%zu of %zu, parameter %zu: %.9g, one by one %.9g", samples, count, i,
                     (double)ours[i], twin[i]);
    free(ours);
    free(twin);
    specimen_close(&s);
}

void test_backward_passes_equal_gradients_sample_by_sample(void **state)
{
    (void)state;
    check_snapshots(0, 64);
    check_snapshots(0, 150);
    check_snapshots(17, 40);
    check_snapshots(1, 3);
}

/* With f_0 = -f_1 and one sample, regression gives 2 (d f_1)^2 and classification p_0 p_1 (2 d
 * f_1)^2, for every parameter before the last layer. */
void test_variants_agree_where_the_two_logits_mirror_each_other(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open_ising(&s, 1, 1);
    struct model *m = &s.model;
    const struct tensor *w = &m->tensor[m->tensor_count - 2];
    for (size_t i = 0; i < w->cols; i++)
        m->theta[tensor_index(w, 0, i)] = -m->theta[tensor_index(w, 1, i)];
    m->theta[tensor_index(w + 1, 0, 0)] = -m->theta[tensor_index(w + 1, 1, 0)];
    float *regression = diagonal_of(&s, 1, FISHER_REGRESSION);
    float *class = diagonal_of(&s, 1, FISHER_CLASSIFICATION);
    double ratio = (double)class[0] / regression[0];
    assert_true(ratio > 0 && ratio <= 0.5 + 1e-6); /* 2 p_0 p_1 */
    for (size_t i = 0; i < w->first; i++)
        if (!ref_close(class[i], ratio * regression[i], 1e-4, 1e-6))
            fail_msg("parameter %zu: %.9g, %.9g", i, (double)class[i], ratio * regression[i]);
    free(regression);
    free(class);
    specimen_close(&s);
}

void test_an_empty_set_has_no_metric(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open_ising(&s, 8, 1);
    s.task.test.count = 0;
    float *g = diagonal_of(&s, 0, FISHER_REGRESSION);
    for (size_t i = 0; i < s.model.parameters; i++) assert_true(g[i] == 0);
    free(g);
    specimen_close(&s);
}

void test_both_levels_give_the_same_bits_of_a_convolution(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open_ising(&s, 100, 1);
    const struct vec *chosen = vec;
    for (int v = 0; v < FISHER_VARIANTS; v++) {
        vec = chosen;
        float *best = diagonal_of(&s, 0, (enum fisher_variant)v);
        vec = vec_level(3);
        float *plain = diagonal_of(&s, 0, (enum fisher_variant)v);
        assert_memory_equal(best, plain, s.model.parameters * sizeof *best);
        free(best);
        free(plain);
    }
    vec = chosen;
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
