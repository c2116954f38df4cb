// SPDX-License-Identifier: MIT
/* The measures together: which epochs, which values, what is remembered from one to the next. */
#include "proto/sketch.h"
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/measure.h"

#include <math.h>
#include <string.h>

static struct measure *opened_of(struct specimen *s, int64_t task, int64_t every, int64_t epochs)
{
    struct measure *m;
    struct err e;
    if (task == TASK_ISING)
        specimen_open_ising(s, 20, 1);
    else
        specimen_open(s, 11, 30, 0.5);
    s->params.epochs = epochs;
    s->settings.measure_every = every;
    /* Bisection takes a hundred passes over snapshots, and shows its rule with pairs. */
    if (task == TASK_ISING) s->settings.pruning_points = 5;
    assert_int_equal(measure_open(&m, &s->params, &s->settings, &s->model, &s->task, &e), OK);
    return m;
}

static struct measure *opened(struct specimen *s, int64_t every, int64_t epochs)
{
    return opened_of(s, TASK_MODULAR_ADDITION, every, epochs);
}

/* The row of an epoch with weights of a seed. */
static struct row taken(struct measure *m, struct specimen *s, int64_t epoch, uint64_t seed)
{
    struct row row;
    struct err e;
    specimen_shake(s, seed, 0.5);
    row_clear(&row, epoch);
    assert_int_equal(measure_epoch(m, &s->model, epoch, &row, &e), OK);
    return row;
}

static int same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void assert_rows_equal(const struct row *a, const struct row *b)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (metric_list[i].kind != METRIC_TIMING && !same(a->value[i], b->value[i]))
            fail_msg("%s: %.17g and %.17g", metric_list[i].name, a->value[i], b->value[i]);
    assert_non_null(a->sketch);
    assert_memory_equal(a->sketch, b->sketch, SKETCH_ROWS * sizeof *a->sketch);
}

static bool of_trainer(int metric)
{
    return metric == METRIC_train_loss || metric == METRIC_train_accuracy ||
           metric == METRIC_test_loss || metric == METRIC_test_accuracy || metric == METRIC_seconds;
}

/* Metrics that only modular addition has. */
static bool of_modular(int metric)
{
    static const int list[] = {
        METRIC_ipr_input,         METRIC_ipr_input_complex,   METRIC_ipr_input_rfft,
        METRIC_ipr_output,        METRIC_ipr_output_complex,  METRIC_ipr_output_rfft,
        METRIC_key_frequencies,   METRIC_restricted_loss,     METRIC_excluded_loss,
        METRIC_translation_right, METRIC_translation_entropy,
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i] == metric) return true;
    return false;
}

static bool of_task(int metric, int64_t task)
{
    if (metric == METRIC_llc) return false; /* only when asked for */
    if (of_modular(metric)) return task == TASK_MODULAR_ADDITION;
    if (metric == METRIC_corr_energy || metric == METRIC_corr_abs_magnetization)
        return task == TASK_ISING;
    return metric != METRIC_compressibility_global && metric != METRIC_compressibility_rescaled &&
           metric != METRIC_compressibility_fisher; /* not asked for */
}

void test_a_measured_row_has_every_value_of_its_task_but_those_of_the_trainer(void **state)
{
    (void)state;
    for (int64_t task = 0; task < PARAM_TASKS; task++) {
        struct specimen s;
        struct measure *m = opened_of(&s, task, 1, 5);
        taken(m, &s, 0, 1);
        taken(m, &s, 1, 2);
        struct row row = taken(m, &s, 2, 3);
        for (int i = 0; i < METRIC_COUNT; i++)
            if (isnan(row.value[i]) == (of_task(i, task) && !of_trainer(i)))
                fail_msg("task %d: %s is %g", (int)task, metric_list[i].name, row.value[i]);
        assert_true(row.value[METRIC_compressibility_rule] ==
                    (task == TASK_ISING ? 5 : METRIC_BISECT));
        assert_true(row.value[METRIC_measure_seconds] > 0);
        assert_int_equal(row.feature_count, task == TASK_ISING ? 36 + 12 : 6);
        measure_close(&m);
        specimen_close(&s);
    }
}

void test_losses_without_softmax_have_no_coordinates(void **state)
{
    (void)state;
    for (int64_t loss = LOSS_MSE; loss <= LOSS_STABLEMAX; loss++) {
        struct specimen s;
        struct measure *m = opened(&s, 1, 5);
        struct err e;
        measure_close(&m);
        s.params.loss = s.model.loss = loss;
        assert_int_equal(measure_open(&m, &s.params, &s.settings, &s.model, &s.task, &e), OK);
        taken(m, &s, 0, 1);
        struct row row = taken(m, &s, 1, 2);
        assert_null(row.sketch);
        assert_true(isnan(row.value[METRIC_progress]) && isnan(row.value[METRIC_fr_step]));
        measure_close(&m);
        specimen_close(&s);
    }
}

void test_only_the_variants_asked_for_are_measured(void **state)
{
    (void)state;
    static const char *const words[] = {"regression", "classification"};
    for (int v = 0; v < 2; v++) {
        struct specimen s;
        struct measure *m = opened_of(&s, TASK_ISING, 1, 5);
        struct err e;
        measure_close(&m);
        assert_int_equal(settings_assign(&s.settings, "measure.fisher.variants", words[v], &e), OK);
        assert_int_equal(measure_open(&m, &s.params, &s.settings, &s.model, &s.task, &e), OK);
        taken(m, &s, 0, 1);
        taken(m, &s, 1, 2);
        struct row row = taken(m, &s, 2, 3);
        assert_int_equal(isnan(row.value[METRIC_step_fisher]), v == 1);
        assert_int_equal(isnan(row.value[METRIC_cos_previous_fisher]), v == 1);
        assert_int_equal(isnan(row.value[METRIC_step_fisher_class]), v == 0);
        assert_int_equal(isnan(row.value[METRIC_cos_origin_fisher_class]), v == 0);
        assert_false(isnan(row.value[METRIC_step_euclid]));
        measure_close(&m);
        specimen_close(&s);
    }
}

void test_values_equal_their_twins(void **state)
{
    (void)state;
    struct specimen s;
    struct measure *m = opened(&s, 1, 5);
    struct err e;
    measure_close(&m);
    assert_int_equal(settings_assign(&s.settings, "measure.pruning.points", "21", &e), OK);
    assert_int_equal(measure_open(&m, &s.params, &s.settings, &s.model, &s.task, &e), OK);
    struct row row = taken(m, &s, 0, 12);
    size_t P = 11, H = 30;
    double loss, accuracy, a[21], l[21], area = ref_pruning(&s.net, s.test, s.n_test, 21, a, l);
    ref_evaluate(&s.net, s.train, s.n_train, &loss, &accuracy);
    assert_true(ref_close(row.value[METRIC_train_loss_end], loss, 1e-5, 0));
    assert_true(ref_close(row.value[METRIC_train_accuracy_end], accuracy, 1e-12, 0));
    assert_true(ref_close(row.value[METRIC_compressibility], 1 / (1 - area), 1e-9, 0));
    double u = ref_ipr(s.theta, P, H, 1, 2 * P), v = ref_ipr(s.theta + P, P, H, 1, 2 * P);
    double w = ref_ipr(s.theta + ref_net_layout(P, H).w2, P, H, H, 1);
    assert_true(ref_close(row.value[METRIC_ipr_input], (u + v) / 2, 1e-5, 0));
    assert_true(ref_close(row.value[METRIC_ipr_output], w, 1e-5, 0));
    measure_close(&m);
    specimen_close(&s);
}

void test_only_measured_epochs_are_measured_and_the_rest_of_the_row_is_left_alone(void **state)
{
    (void)state;
    struct specimen s;
    struct measure *m = opened(&s, 3, 8);
    for (int64_t epoch = 0; epoch <= 8; epoch++) {
        struct row row;
        struct err e;
        row_clear(&row, epoch);
        row.value[METRIC_test_loss] = 1.5;
        assert_int_equal(measure_epoch(m, &s.model, epoch, &row, &e), OK);
        assert_int_equal(!isnan(row.value[METRIC_weight_norm]), epoch % 3 == 0 || epoch == 8);
        assert_int_equal(!isnan(row.value[METRIC_measure_seconds]), epoch % 3 == 0 || epoch == 8);
        assert_true(row.value[METRIC_test_loss] == 1.5);
    }
    measure_close(&m);
    specimen_close(&s);
}

void test_pruning_curves_are_kept_only_where_asked(void **state)
{
    (void)state;
    struct specimen s;
    struct measure *m = opened(&s, 1, 3);
    struct err e;
    assert_int_equal(settings_assign(&s.settings, "measure.curve_epochs", "1,final", &e), OK);
    for (int64_t epoch = 0; epoch <= 3; epoch++) {
        struct row row = taken(m, &s, epoch, 5);
        assert_int_equal(row.pruning_count, epoch == 1 || epoch == 3 ? 21 : 0);
        if (row.pruning_count) assert_true(row.pruning[20].fraction == 1);
    }
    measure_close(&m);
    specimen_close(&s);
}

static void check_step(const struct row *row, const double *before, const double *here,
                       const double *next, size_t n)
{
    struct ref_step g = ref_geometry(before ? before : here, here, next, NULL, n);
    assert_true(ref_close(row->value[METRIC_step_euclid], g.length, 1e-6, 0));
    assert_true(ref_close(row->value[METRIC_cos_origin_euclid], g.cos_origin, 1e-6, 1));
    assert_int_equal(isnan(row->value[METRIC_cos_previous_euclid]), !before);
    assert_int_equal(isnan(row->value[METRIC_cos_previous_fisher]), !before);
    if (before)
        assert_true(ref_close(row->value[METRIC_cos_previous_euclid], g.cos_previous, 1e-6, 1));
}

void test_steps_run_between_measured_epochs_in_the_metric_where_they_begin(void **state)
{
    (void)state;
    struct specimen s;
    struct measure *m = opened(&s, 2, 7); /* measured: 0 2 4 6 7 */
    static double theta[5][2000], metric[2000];
    struct row row[5];
    const int64_t epoch[5] = {0, 2, 4, 6, 7};
    size_t n = s.model.parameters;
    for (size_t i = 0; i < 5; i++) {
        row[i] = taken(m, &s, epoch[i], 20 + i);
        memcpy(theta[i], s.theta, n * sizeof **theta);
    }
    assert_true(isnan(row[0].value[METRIC_step_euclid]) && isnan(row[0].value[METRIC_step_fisher]));
    assert_true(isnan(row[0].value[METRIC_cos_origin_euclid]));
    check_step(&row[1], NULL, theta[0], theta[1], n);
    check_step(&row[2], theta[0], theta[1], theta[2], n);
    check_step(&row[3], theta[1], theta[2], theta[3], n);
    check_step(&row[4], NULL, theta[3], theta[4], n); /* one epoch after two: not compared */
    specimen_set(&s, theta[2]);
    ref_fisher(&s.net, s.test, s.n_test, metric);
    struct ref_step g = ref_geometry(theta[1], theta[2], theta[3], metric, n);
    assert_true(ref_close(row[3].value[METRIC_step_fisher], g.length, 1e-5, 0));
    assert_true(ref_close(row[3].value[METRIC_cos_previous_fisher], g.cos_previous, 1e-5, 1));
    assert_true(ref_close(row[3].value[METRIC_cos_origin_fisher], g.cos_origin, 1e-5, 1));
    ref_fisher_class(&s.net, s.test, s.n_test, metric);
    g = ref_geometry(theta[1], theta[2], theta[3], metric, n);
    assert_true(ref_close(row[3].value[METRIC_step_fisher_class], g.length, 1e-5, 0));
    assert_true(ref_close(row[3].value[METRIC_cos_previous_fisher_class], g.cos_previous, 1e-5, 1));
    assert_true(ref_close(row[3].value[METRIC_cos_origin_fisher_class], g.cos_origin, 1e-5, 1));
    measure_close(&m);
    specimen_close(&s);
}

void test_a_resumed_measure_gives_the_bits_of_an_uninterrupted_one(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 3 * PARAM_TASKS; i += test_short() ? 2 : 1) {
        int64_t stop = i % 3, task = i / 3;
        struct specimen s, t;
        struct measure *whole = opened_of(&s, task, 1, 9), *resumed = opened_of(&t, task, 1, 9);
        struct safetensors file = {.count = 0};
        struct err e;
        for (int64_t epoch = 0; epoch < stop; epoch++)
            taken(whole, &s, epoch, 40 + (uint64_t)epoch);
        assert_int_equal(measure_save(whole, &file, &e), OK);
        assert_int_equal(measure_load(resumed, &file, &e), OK);
        for (int64_t epoch = stop; epoch < 5; epoch++) {
            struct row a = taken(whole, &s, epoch, 40 + (uint64_t)epoch);
            struct row b = taken(resumed, &t, epoch, 40 + (uint64_t)epoch);
            assert_rows_equal(&a, &b);
        }
        safetensors_close(&file);
        measure_close(&whole);
        measure_close(&resumed);
        specimen_close(&s);
        specimen_close(&t);
    }
}

void test_a_checkpoint_without_measures_is_refused(void **state)
{
    (void)state;
    struct specimen s;
    struct measure *m = opened(&s, 1, 9);
    struct safetensors empty = {.count = 0};
    struct err e = {.code = OK};
    assert_int_equal(measure_load(m, &empty, &e), E_FILE);
    assert_non_null(strstr(e.text, "measure.epochs"));
    measure_close(&m);
    assert_null(m);
    measure_close(&m);
    specimen_close(&s);
}
