// SPDX-License-Identifier: MIT
/* The norm of all parameters, biases included, whatever lies between them in memory. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/gauge.h"

#include <math.h>
#include <string.h>

/* Reads the gauge at an epoch; found: NULL, or given. */
static struct row read_norm(const struct specimen *s, int64_t epoch, struct findings *given)
{
    struct row row;
    struct err e;
    void *gauge;
    struct findings own = {.count = 0}, *found = given ? given : &own;
    struct view view = {.params = &s->params,
                        .settings = &s->settings,
                        .task = &s->task,
                        .model = &s->model,
                        .epoch = epoch,
                        .findings = found};
    row_clear(&row, epoch);
    assert_int_equal(gauge_norm.open(&gauge, &view, &e), OK);
    assert_int_equal(gauge_norm.read(gauge, &view, &row, &e), OK);
    gauge_norm.close(gauge);
    findings_close(&own);
    return row;
}

static double norm_of(const struct specimen *s)
{
    return read_norm(s, 0, NULL).value[METRIC_weight_norm];
}

static double feature(const struct findings *f, const char *layer, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->at[i].layer, layer) && !strcmp(f->at[i].name, name)) return f->at[i].value;
    return NAN;
}

void test_norm_equals_the_root_of_the_sum_of_squares(void **state)
{
    (void)state;
    static const int64_t hidden[] = {1, 16, 37, 100};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        struct specimen s;
        double sum = 0;
        specimen_open(&s, 13, hidden[i], 0.6);
        for (size_t j = 0; j < s.model.parameters; j++) sum += s.theta[j] * s.theta[j];
        if (!ref_close(norm_of(&s), sqrt(sum), 1e-12, 0))
            fail_msg("hidden %d: %.17g, twin %.17g", (int)hidden[i], norm_of(&s), sqrt(sum));
        specimen_close(&s);
    }
}

void test_norm_is_summed_in_double(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 101, 500, 1);
    for (size_t j = 0; j < s.model.parameters; j++) s.theta[j] = j ? 1e-4 : 1;
    specimen_set(&s, s.theta);
    double small = (double)(float)1e-4, rest = (double)(s.model.parameters - 1) * small * small;
    assert_true(ref_close(norm_of(&s), sqrt(1 + rest), 1e-12, 0));
    specimen_close(&s);
}

void test_norms_of_tensors_make_up_that_of_all(void **state)
{
    (void)state;
    struct specimen s;
    struct findings f = {.count = 0};
    double sum = 0;
    specimen_open(&s, 13, 20, 0.6);
    s.params.epochs = 5;
    struct row row = read_norm(&s, 3, &f);
    assert_int_equal(f.count, 6); /* four norms, two stable ranks */
    for (size_t i = 0; i < 4; i++) sum += pow(feature(&f, s.model.tensor[i].name, "norm"), 2);
    assert_true(ref_close(sqrt(sum), row.value[METRIC_weight_norm], 1e-12, 0));
    findings_close(&f);
    specimen_close(&s);
}

/* By differences of the slow twin's loss along the weights: d L(theta (1 + h)) / dh = g.theta. */
static double radial_slope(struct specimen *s, double *theta)
{
    double loss[2], accuracy, h = 1e-5;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < s->model.parameters; i++)
            s->theta[i] = theta[i] * (1 + (side ? h : -h));
        ref_evaluate(&s->net, s->train, s->n_train, &loss[side], &accuracy);
    }
    return (loss[1] - loss[0]) / (2 * h);
}

void test_the_cosine_of_descent_and_weights_is_that_of_differences(void **state)
{
    (void)state;
    struct specimen s;
    struct findings f = {.count = 0};
    static double theta[1000];
    specimen_open(&s, 11, 16, 0.6);
    s.params.epochs = 5;
    size_t n = s.model.parameters;
    assert_true(n <= 1000);
    for (size_t i = 0; i < n; i++) theta[i] = s.theta[i];
    struct row row = read_norm(&s, 5, &f);
    double cosine = feature(&f, "model", "cos_descent_weights");
    double length = feature(&f, "model", "gradient_norm"), squares = 0;
    double slope = radial_slope(&s, theta);
    if (!ref_close(-cosine * length * row.value[METRIC_weight_norm], slope, 1e-4, 0))
        fail_msg("%.9g, by differences %.9g", -cosine * length * row.value[METRIC_weight_norm],
                 slope);
    for (size_t j = 0; j < n; j++) {
        double loss[2], accuracy;
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++) s.theta[i] = theta[i];
            s.theta[j] += side ? 1e-5 : -1e-5;
            ref_evaluate(&s.net, s.train, s.n_train, &loss[side], &accuracy);
        }
        squares += pow((loss[1] - loss[0]) / 2e-5, 2);
    }
    assert_true(ref_close(length, sqrt(squares), 1e-3, 0));
    assert_true(feature(&f, "model.2.weight", "effective_rank") > 1);
    findings_close(&f);
    specimen_close(&s);
}
