// SPDX-License-Identifier: MIT
/* The stiff and the sloppy part of a step: they add up, and split by the end of a run they are what
 * plain arithmetic makes of them. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/measure.h"

#include <math.h>
#include <string.h>

enum { MOST = 2000, EPOCHS = 3 };

/* A road of EPOCHS + 1 models, measured at each. */
struct walk {
    struct specimen s;
    struct measure *m;
    double theta[EPOCHS + 1][MOST];
};

static void open_walk(struct walk *w, int64_t task, const char *threshold)
{
    struct err e;
    if (task == TASK_ISING)
        specimen_open_ising(&w->s, 20, 1);
    else
        specimen_open(&w->s, 11, 30, 0.5);
    w->s.params.epochs = EPOCHS;
    w->s.settings.measure_every = 1;
    w->s.settings.pruning_points = 3;
    assert_int_equal(settings_assign(&w->s.settings, "measure.stiff_threshold", threshold, &e), OK);
    assert_int_equal(measure_open(&w->m, &w->s.params, &w->s.settings, &w->s.model, &w->s.task, &e),
                     OK);
}

static void close_walk(struct walk *w)
{
    measure_close(&w->m);
    specimen_close(&w->s);
}

/* Weights of an epoch; the same ones whenever it is asked for. */
static void go_to(struct walk *w, int64_t epoch)
{
    specimen_shake(&w->s, 70 + (uint64_t)epoch, 0.5);
    if (w->s.theta && w->s.model.parameters <= MOST)
        memcpy(w->theta[epoch], w->s.theta, w->s.model.parameters * sizeof **w->theta);
}

static struct row look(struct walk *w, int64_t epoch)
{
    struct row row;
    struct err e;
    go_to(w, epoch);
    row_clear(&row, epoch);
    assert_int_equal(measure_epoch(w->m, &w->s.model, epoch, &row, &e), OK);
    return row;
}

static void split_by_the_end(struct walk *w)
{
    struct err e = {.code = OK};
    go_to(w, EPOCHS);
    if (measure_split(w->m, &w->s.model, &e) < 0) fail_msg("%s", e.text);
}

/* A feature of the row; NaN: it has none. */
static double feature(const struct row *r, const char *layer, const char *name)
{
    for (size_t i = 0; i < r->feature_count; i++)
        if (!strcmp(r->features[i].layer, layer) && !strcmp(r->features[i].name, name))
            return r->features[i].value;
    return NAN;
}

static void check_sum(double step, double stiff, double sloppy)
{
    if (!ref_close(stiff * stiff + sloppy * sloppy, step * step, 1e-12, 0))
        fail_msg("%.17g^2 + %.17g^2 is not %.17g^2", stiff, sloppy, step);
    assert_true(stiff > 0 && sloppy > 0);
}

void test_squares_of_the_parts_of_a_step_add_up_to_its_square(void **state)
{
    (void)state;
    for (int64_t task = 0; task < PARAM_TASKS; task++) {
        struct walk w;
        open_walk(&w, task, "0.1");
        look(&w, 0);
        for (int64_t epoch = 1; epoch <= EPOCHS; epoch++) {
            const struct row row = look(&w, epoch);
            check_sum(row.value[METRIC_step_fisher], row.value[METRIC_step_fisher_stiff],
                      row.value[METRIC_step_fisher_sloppy]);
        }
        close_walk(&w);
        open_walk(&w, task, "0.1");
        split_by_the_end(&w);
        look(&w, 0);
        for (int64_t epoch = 1; epoch <= EPOCHS; epoch++) {
            const struct row row = look(&w, epoch);
            check_sum(row.value[METRIC_step_fisher], feature(&row, "stiff", "step_fisher"),
                      feature(&row, "sloppy", "step_fisher"));
        }
        close_walk(&w);
    }
}

static void check_part(const struct row *row, const char *layer, const struct ref_step *g,
                       bool compared)
{
    assert_true(ref_close(feature(row, layer, "step_fisher"), g->length, 1e-5, 0));
    assert_true(ref_close(feature(row, layer, "cos_origin_fisher"), g->cos_origin, 1e-5, 1));
    double cosine = feature(row, layer, "cos_previous_fisher");
    assert_int_equal(isnan(cosine), !compared);
    if (compared) assert_true(ref_close(cosine, g->cos_previous, 1e-5, 1));
}

void test_the_split_is_by_the_diagonal_at_the_end_and_the_metric_that_of_the_start(void **state)
{
    (void)state;
    static struct walk w;
    static double end[MOST], metric[MOST], part[MOST];
    open_walk(&w, TASK_MODULAR_ADDITION, "0.7");
    split_by_the_end(&w);
    size_t n = w.s.model.parameters, above = 0;
    ref_fisher(&w.s.net, w.s.test, w.s.n_test, end);
    for (size_t i = 0; i < n; i++) above += end[i] >= 0.7;
    assert_true(above > 0 && above < n);
    for (int64_t epoch = 0; epoch <= EPOCHS; epoch++) {
        const struct row row = look(&w, epoch);
        double share = feature(&row, "stiff", "parameters");
        assert_int_equal(isnan(share), epoch < EPOCHS);
        if (epoch == EPOCHS) {
            assert_true(ref_close(share, (double)above / (double)n, 1e-12, 0));
            assert_true(ref_close(feature(&row, "sloppy", "parameters"), 1 - share, 1e-12, 0));
        }
        if (epoch == 0) continue;
        double *here = w.theta[epoch - 1], *before = epoch > 1 ? w.theta[epoch - 2] : here;
        specimen_set(&w.s, here);
        ref_fisher(&w.s.net, w.s.test, w.s.n_test, metric);
        for (int stiff = 0; stiff < 2; stiff++) {
            for (size_t i = 0; i < n; i++) part[i] = (end[i] >= 0.7) == stiff ? metric[i] : 0;
            const struct ref_step g = ref_geometry(before, here, w.theta[epoch], part, n);
            check_part(&row, stiff ? "stiff" : "sloppy", &g, epoch > 1);
        }
    }
    close_walk(&w);
}

void test_a_split_pass_measures_nothing_but_the_road(void **state)
{
    (void)state;
    struct walk w, plain;
    open_walk(&w, TASK_MODULAR_ADDITION, "0");
    open_walk(&plain, TASK_MODULAR_ADDITION, "0");
    split_by_the_end(&w);
    for (int64_t epoch = 0; epoch <= EPOCHS; epoch++) {
        const struct row row = look(&w, epoch), all = look(&plain, epoch);
        for (int i = 0; i < METRIC_COUNT; i++) {
            bool road = metric_list[i].table == METRIC_TABLE_geometry && i < METRIC_fr_step;
            if (i == METRIC_measure_seconds) continue;
            double expected = road || i == METRIC_gini_fisher ? all.value[i] : NAN;
            if (memcmp(&row.value[i], &expected, sizeof expected) != 0 &&
                !(isnan(row.value[i]) && isnan(expected)))
                fail_msg("epoch %d: %s is %.17g, not %.17g", (int)epoch, metric_list[i].name,
                         row.value[i], expected);
        }
        assert_null(row.sketch);
        assert_int_equal(row.pruning_count, 0);
        if (epoch == 0) continue;
        /* With a threshold of 0 all are stiff. */
        assert_true(feature(&row, "stiff", "step_fisher") == row.value[METRIC_step_fisher]);
        assert_true(feature(&row, "sloppy", "step_fisher") == 0);
        assert_true(isnan(feature(&row, "sloppy", "cos_origin_fisher")));
        if (epoch == EPOCHS) assert_true(feature(&row, "stiff", "parameters") == 1);
    }
    close_walk(&w);
    close_walk(&plain);
}

void test_without_the_diagonal_nothing_can_be_split(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {.code = OK};
    open_walk(&w, TASK_MODULAR_ADDITION, "0.1");
    measure_close(&w.m);
    w.s.settings.fisher_variants = SETTINGS_FULL;
    assert_int_equal(measure_open(&w.m, &w.s.params, &w.s.settings, &w.s.model, &w.s.task, &e), OK);
    assert_int_equal(measure_split(w.m, &w.s.model, &e), E_USAGE);
    assert_non_null(strstr(e.text, "variants=regression"));
    close_walk(&w);
}
