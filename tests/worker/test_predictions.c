// SPDX-License-Identifier: MIT
/* Averages of the predictions against plain loops in double, and collapse where it is known. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/gauge.h"
#include "worker/measure/predictions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    struct specimen s;
    struct logits logits;
    struct predictions p;
};

static void rig_open(struct rig *r, bool ising, double deviation)
{
    struct err e;
    if (ising)
        specimen_open_ising(&r->s, 130, deviation);
    else
        specimen_open(&r->s, 13, 20, deviation);
    assert_int_equal(logits_open(&r->logits, &r->s.model, &r->s.task, &e), OK);
    assert_int_equal(predictions_open(&r->p, r->s.model.classes, !ising, &r->s.task.test, &e), OK);
    logits_take(&r->logits, &r->s.model);
    predictions_measure(&r->p, &r->logits);
}

static void rig_close(struct rig *r)
{
    predictions_close(&r->p);
    logits_close(&r->logits);
    specimen_close(&r->s);
}

static double probability(const double *f, size_t n, size_t c)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp(f[i] - f[c]);
    return 1 / sum;
}

void test_translation_averages_equal_a_loop_over_all_pairs(void **state)
{
    (void)state;
    struct rig r;
    for (int loud = 0; loud < 2; loud++) {
        double q[13] = {0}, all = 0;
        rig_open(&r, false, loud ? 1.5 : 0.3);
        for (int x = 0; x < 169; x++) {
            double f[13];
            ref_logits(&r.s.net, x / 13, x % 13, f);
            for (size_t d = 0; d < 13; d++)
                q[d] += probability(f, 13, ((size_t)(x / 13 + x % 13) + d) % 13) / 169;
        }
        for (size_t d = 0; d < 13; d++) {
            all += r.p.q[d];
            if (!ref_close(r.p.q[d], q[d], 1e-5, 1e-3))
                fail_msg("shift %zu: %.9g, twin %.9g", d, r.p.q[d], q[d]);
        }
        assert_true(ref_close(all, 1, 1e-6, 0));
        rig_close(&r);
    }
}

void test_a_model_that_guesses_predicts_every_shift_alike(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, false, 0);
    for (size_t d = 0; d < 13; d++) assert_true(ref_close(r.p.q[d], 1.0 / 13, 1e-6, 0));
    assert_true(r.p.collapse == 0 && r.p.zeros == 0);
    rig_close(&r);
}

void test_probabilities_of_order_are_averaged_by_temperature(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, true, 3);
    const struct dataset *d = &r.s.task.test;
    size_t distinct = 0;
    double last = -1;
    for (;;) { /* temperatures, rising */
        double next = INFINITY, sum = 0;
        size_t n = 0;
        for (size_t s = 0; s < d->count; s++)
            if (d->temperature[s] > last) next = fmin(next, d->temperature[s]);
        if (isinf(next)) break;
        for (size_t s = 0; s < d->count; s++) {
            const float *z = logits_chunk(&r.logits, LOGITS_TEST, s / VEC_LANES * VEC_LANES);
            double f[2] = {z[s % VEC_LANES], z[VEC_LANES + s % VEC_LANES]};
            if (d->temperature[s] == next) sum += probability(f, 2, 0), n++;
        }
        if (!ref_close(r.p.ordered[distinct], sum / (double)n, 1e-5, 0))
            fail_msg("temperature %g: %.9g, twin %.9g", next, r.p.ordered[distinct], sum / n);
        distinct++;
        last = next;
    }
    assert_int_equal(distinct, 50);
    assert_int_equal(r.p.temperatures, distinct);
    rig_close(&r);
}

/* Sample 0 of the training set gets logits 0 but for one class; the others have all 0. */
static void set_logit(struct rig *r, size_t sample, size_t class, float value)
{
    r->logits.kept[LOGITS_TRAIN][class * VEC_LANES + sample] = value;
}

void test_collapse_begins_where_one_and_the_rest_round_to_one(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, false, 0);
    double n = (double)r.s.n_train;
    size_t own = (size_t)r.s.task.train.label[0], other = (own + 1) % 13;
    float below = (float)log(12 / ldexp(1, -23)), above = (float)log(12 / ldexp(1, -25));
    set_logit(&r, 0, own, below); /* others add up to 2^-23: still seen */
    predictions_measure(&r.p, &r.logits);
    assert_true(r.p.collapse == 0 && r.p.zeros == 0);
    set_logit(&r, 0, own, above);
    predictions_measure(&r.p, &r.logits);
    assert_true(ref_close(r.p.collapse, 1 / n, 1e-12, 0));
    assert_true(ref_close(r.p.zeros, 1 / (13 * n), 1e-12, 0)); /* the label's own */
    set_logit(&r, 0, own, 0);
    set_logit(&r, 0, other, above); /* sure and wrong: nothing vanishes */
    predictions_measure(&r.p, &r.logits);
    assert_true(ref_close(r.p.collapse, 1 / n, 1e-12, 0) && r.p.zeros == 0);
    set_logit(&r, 0, other, 200); /* eleven probabilities underflow */
    predictions_measure(&r.p, &r.logits);
    assert_true(ref_close(r.p.zeros, 11 / (13 * n), 1e-12, 0));
    rig_close(&r);
}

static struct row read_gauge(struct rig *r, struct findings *found, int64_t epoch)
{
    struct row row;
    struct err e;
    void *gauge;
    struct view v = {.params = &r->s.params,
                     .settings = &r->s.settings,
                     .task = &r->s.task,
                     .model = &r->s.model,
                     .epoch = epoch,
                     .logits = &r->logits,
                     .findings = found};
    row_clear(&row, epoch);
    assert_int_equal(gauge_predictions.open(&gauge, &v, &e), OK);
    assert_int_equal(gauge_predictions.read(gauge, &v, &row, &e), OK);
    if (found->count)
        assert_string_equal(found->at[3].layer,
                            row.value[METRIC_translation_right] >= 0 ? "all" : "test");
    if (found->count) assert_non_null(strstr(found->at[3].name, "_3"));
    gauge_predictions.close(gauge);
    return row;
}

void test_the_long_features_are_kept_at_curve_epochs_and_the_entropy_at_all(void **state)
{
    (void)state;
    for (int ising = 0; ising < 2; ising++) {
        struct rig r;
        struct findings found = {.count = 0};
        rig_open(&r, ising, 1);
        r.s.params.epochs = 9;
        struct row row = read_gauge(&r, &found, 3);
        assert_int_equal(found.count, 0);
        if (!ising) {
            double entropy = 0;
            for (size_t d = 0; d < 13; d++) entropy -= r.p.q[d] * log(r.p.q[d]);
            assert_true(ref_close(row.value[METRIC_translation_entropy], entropy, 1e-6, 0));
            assert_true(row.value[METRIC_translation_right] == r.p.q[0]);
        }
        row = read_gauge(&r, &found, 9);
        assert_int_equal(isnan(row.value[METRIC_translation_entropy]), ising);
        assert_int_equal(found.count, ising ? 50 : 13);
        findings_close(&found);
        rig_close(&r);
    }
}
