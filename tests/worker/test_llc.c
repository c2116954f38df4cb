// SPDX-License-Identifier: MIT
/* The Langevin chain on a bowl, whose mean loss is known, and on a network that it must not touch.
 */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/gauge.h"
#include "worker/measure/llc.h"

#include <math.h>
#include <string.h>

enum { SIZE = 200 };

/* L = 1/2 sum of a_i w_i^2: a regular model. */
struct bowl {
    float w[SIZE], gradient[SIZE];
    double a[SIZE];
};

static double bowl_loss(void *ctx, int64_t step)
{
    struct bowl *b = ctx;
    double loss = 0;
    (void)step;
    for (int i = 0; i < SIZE; i++) {
        b->gradient[i] = (float)(b->a[i] * b->w[i]);
        loss += b->a[i] * b->w[i] * b->w[i] / 2;
    }
    return loss;
}

void test_a_regular_model_has_half_its_parameters(void **state)
{
    (void)state;
    static struct bowl b;
    static const float centre[SIZE];
    const struct llc_rule rule = {1500, 1e-3, 1, 500, 3};
    double trace[LLC_TRACE], expected = 0;
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    for (int i = 0; i < SIZE; i++) {
        b.a[i] = 0.3 + 0.5 * i / SIZE;
        double k = rule.nbeta * b.a[i] + rule.gamma;
        expected +=
            rule.nbeta * b.a[i] / (2 * k * (1 - rule.epsilon * k / 4)); /* steps are finite */
    }
    struct llc_walk walk = {SIZE, b.w, centre, b.gradient, NULL, bowl_loss, &b, NULL};
    double llc = rule.nbeta * llc_chain(&rule, &walk, trace);
    if (!ref_close(llc, expected, 0.04, 0)) fail_msg("%.4f, not %.4f", llc, expected);
    assert_true(ref_close(expected, SIZE / 2.0, 0.1, 0));
    assert_true(trace[0] < trace[99]); /* it starts at the bottom */
    double mean = 0;
    for (int i = 25; i < 100; i++) mean += trace[i] / 75;
    assert_true(ref_close(rule.nbeta * mean, llc, 1e-9, 0));
}

static double no_slope(void *ctx, int64_t step)
{
    (void)ctx;
    (void)step;
    return 0;
}

void test_noise_has_mean_zero_and_variance_one_and_no_order(void **state)
{
    (void)state;
    static float w[4096], before[4096], zero[4096];
    const struct llc_rule rule = {1, 1, 0, 1, 9};
    double one = 0, two = 0, beside = 0, trace[LLC_TRACE];
    struct llc_walk walk = {4096, w, zero, zero, NULL, no_slope, NULL, NULL};
    llc_chain(&rule, &walk, trace);
    for (int i = 0; i < 4096; i++) {
        one += w[i] / 4096;
        two += (double)w[i] * w[i] / 4096;
        if (i) beside += (double)w[i] * w[i - 1] / 4096;
    }
    if (fabs(one) > 0.05 || fabs(two - 1) > 0.08 || fabs(beside) > 0.05)
        fail_msg("mean %g, variance %g, with the next %g", one, two, beside);
    memcpy(before, w, sizeof w);
    memset(w, 0, sizeof w);
    llc_chain(&rule, &walk, trace);
    assert_memory_equal(before, w, sizeof w);
}

static bool third_time(void *ctx)
{
    return ++*(int *)ctx == 3;
}

void test_a_chain_is_broken_off_where_it_is_told_and_gives_no_number(void **state)
{
    (void)state;
    static float w[4096], zero[4096];
    const struct llc_rule rule = {1000000000, 1, 0, 1, 9};
    int asked = 0;
    double trace[LLC_TRACE];
    struct llc_walk walk = {4096, w, zero, zero, NULL, no_slope, &asked, third_time};
    assert_true(isnan(llc_chain(&rule, &walk, trace)));
    assert_int_equal(asked, 3);
}

static double read_llc(struct specimen *s, int64_t epoch, size_t *features)
{
    struct row row;
    struct err e;
    void *gauge;
    struct logits logits;
    struct findings found = {.count = 0};
    assert_int_equal(logits_open(&logits, &s->model, &s->task, &e), OK);
    logits_take(&logits, &s->model);
    struct view v = {.params = &s->params,
                     .settings = &s->settings,
                     .task = &s->task,
                     .model = &s->model,
                     .epoch = epoch,
                     .logits = &logits,
                     .findings = &found};
    row_clear(&row, epoch);
    assert_int_equal(gauge_llc.fits(&v), s->settings.llc_steps > 0);
    assert_int_equal(gauge_llc.open(&gauge, &v, &e), OK);
    assert_int_equal(gauge_llc.read(gauge, &v, &row, &e), OK);
    gauge_llc.close(gauge);
    *features = found.count;
    findings_close(&found);
    logits_close(&logits);
    return row.value[METRIC_llc];
}

void test_only_the_last_epoch_has_one_and_the_model_stays_as_it_is(void **state)
{
    (void)state;
    for (int ising = 0; ising < 2; ising++) {
        struct specimen s;
        size_t features;
        if (ising)
            specimen_open_ising(&s, 20, 1);
        else
            specimen_open(&s, 11, 16, 0.5);
        s.params.epochs = 4;
        s.settings.llc_steps = 200;
        s.settings.llc_batch = 8;
        uint32_t sum = 0, after = 0, word;
        for (size_t i = 0; i < s.model.size; i++)
            memcpy(&word, &s.model.theta[i], 4), sum = sum * 31 + word;
        assert_true(isnan(read_llc(&s, 3, &features)) && features == 0);
        double first = read_llc(&s, 4, &features);
        assert_int_equal(features, LLC_TRACE);
        assert_true(isfinite(first) && first == read_llc(&s, 4, &features));
        for (size_t i = 0; i < s.model.size; i++)
            memcpy(&word, &s.model.theta[i], 4), after = after * 31 + word;
        assert_int_equal(sum, after);
        s.settings.llc_steps = 0;
        specimen_close(&s);
    }
}
