// SPDX-License-Identifier: MIT
/* Tests of the summary: its times by hand, at the edges of strictness and of the curve. */
#include "coordinator/summary.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define CHANCE   (1.0 / 113)

static struct summary of(const double *train, const double *test, const double *c, size_t count,
                         double chance)
{
    struct summary s;
    struct summary_curve curve = {.count = count,
                                  .train_loss = train,
                                  .train_accuracy = train,
                                  .test_loss = test,
                                  .test_accuracy = test,
                                  .compressibility = c};
    summary_compute(&s, &curve, chance);
    return s;
}

void test_a_run_that_groks_by_hand(void **state)
{
    (void)state;
    /*                      0     1    2     3     4    5    6     7     8    9 */
    const double train[] = {0.01, 0.3, 0.85, 0.96, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
    const double test[] = {0.01, 0.01, 0.01, 0.01, 0.017, 0.02, 0.5, 0.85, 0.93, 0.95};
    const double c[] = {1, 2, 3, NAN, 5, 9, 8, 9, 4, 4.5};
    struct summary s = of(train, test, c, COUNT(train), CHANCE);
    assert_int_equal(s.at_90.t_train, 3);
    assert_int_equal(s.at_90.t_test, 8); /* 0.85 is below 0.9 of 0.95 = 0.855 */
    assert_int_equal(s.at_90.t_grok, 5);
    assert_int_equal(s.at_90.grokked, 1);
    assert_int_equal(s.at_95.t_train, 3);
    assert_int_equal(s.at_95.t_test, 8);
    assert_int_equal(s.t_plateau_end, 5); /* 0.017 is below 2/113 = 0.0177 */
    assert_int_equal(s.last_epoch, 9);
    assert_true(s.compressibility_peak == 9 && s.epoch_peak == 5);
    assert_true(s.compressibility_final == 4.5);
    assert_true(s.final_test_accuracy == 0.95 && s.final_train_accuracy == 1);
}

void test_the_threshold_itself_is_not_above_it(void **state)
{
    (void)state;
    const double train[] = {0, 0.5, 0.75, 1.0};
    double exact[] = {0, 0.9, 0.95, 1.0};
    struct summary s = of(train, exact, train, 4, CHANCE);
    assert_int_equal(s.at_90.t_test, 2);
    assert_int_equal(s.at_95.t_test, 3);
    exact[1] = nextafter(0.9, 1);
    s = of(train, exact, train, 4, CHANCE);
    assert_int_equal(s.at_90.t_test, 1);
}

void test_the_model_as_initialised_takes_no_part(void **state)
{
    (void)state;
    const double train[] = {5, 0.5, 1}, test[] = {5, 0.1, 0.2}, c[] = {50, 2, 3};
    struct summary s = of(train, test, c, 3, CHANCE);
    assert_int_equal(s.at_90.t_train, 2);
    assert_int_equal(s.at_90.t_test, 2);
    assert_true(s.compressibility_peak == 3);
    assert_int_equal(s.epoch_peak, 2);
}

/* In the paper's numbers t' = t - 1: t_grok > t'_train is t_grok > t_train - 1. */
void test_grokking_is_the_papers_rule_in_our_numbers(void **state)
{
    (void)state;
    const double train[] = {0, 0, 0, 1, 1, 1, 1}; /* t_train 3, the paper's 2 */
    double test[] = {0, 0, 0, 0, 0, 1, 1};        /* t_grok 2: not above 2 */
    assert_int_equal(of(train, test, train, 7, CHANCE).at_90.grokked, 0);
    test[5] = 0; /* t_grok 3 */
    assert_int_equal(of(train, test, train, 7, CHANCE).at_90.grokked, 1);
    const double early[] = {0, 1, 1, 1, 1, 1, 1};
    struct summary s = of(train, early, train, 7, CHANCE);
    assert_int_equal(s.at_90.t_grok, -2);
    assert_int_equal(s.at_90.grokked, 0);
}

void test_a_run_of_no_epochs_says_what_it_can(void **state)
{
    (void)state;
    const double one[] = {0.25};
    struct summary s = of(one, one, one, 1, CHANCE);
    assert_true(s.at_90.t_train == SUMMARY_NONE && s.at_90.grokked == SUMMARY_NONE);
    assert_true(s.epoch_peak == SUMMARY_NONE && isnan(s.compressibility_peak));
    assert_true(s.final_test_loss == 0.25 && s.last_epoch == 0);
    s = of(one, one, one, 0, CHANCE);
    assert_true(s.last_epoch == -1 && isnan(s.final_test_loss));
}

void test_what_was_not_measured_is_passed_over(void **state)
{
    (void)state;
    const double nothing[] = {NAN, NAN, NAN}, train[] = {0, NAN, 1};
    struct summary s = of(train, nothing, nothing, 3, NAN);
    assert_int_equal(s.at_90.t_train, 2);
    assert_true(s.at_90.t_test == SUMMARY_NONE && s.at_90.t_grok == SUMMARY_NONE);
    assert_true(s.t_plateau_end == SUMMARY_NONE);
    assert_true(isnan(s.compressibility_final));
}

void test_straightness_counts_from_where_training_is_learned(void **state)
{
    (void)state;
    /*                      0  1    2    3    4    5    6    7 */
    const double train[] = {0, 0.1, 1, 1, 1, 1, 1, 1};
    const double test[] = {0, 0, 0, 0, 0.1, 0.5, 1, 1};
    const double c[] = {1, 2, 3, 4, 5, 6, 9, 7};
    const double straight[] = {NAN, 1, 0.5, NAN, 0.25, 0.6, 0.6, 0.3};
    struct summary s;
    struct summary_curve curve = {8, train, train, train, test, c, straight, NULL};
    summary_compute(&s, &curve, CHANCE); /* plateau: 2, 3 */
    assert_int_equal(s.t_plateau_end, 4);
    assert_int_equal(s.peak_lag, 2);
    assert_true(s.straightness_max == 0.6 && s.epoch_straightness_max == 5);
    assert_true(s.straightness_plateau == 0.5);
    summary_compute(&s, &curve, 0.5); /* its end is t_test: 2 to 5 */
    assert_true(s.t_plateau_end == SUMMARY_NONE && s.at_90.t_test == 6);
    assert_int_equal(s.peak_lag, 0);
    assert_true(fabs(s.straightness_plateau - (0.5 + 0.25 + 0.6) / 3) < 1e-15);
    curve.straightness = NULL;
    summary_compute(&s, &curve, CHANCE);
    assert_true(isnan(s.straightness_max) && isnan(s.straightness_plateau));
    assert_int_equal(s.epoch_straightness_max, SUMMARY_NONE);
}

/* The turns of a curve of step lengths, epoch 0 first. */
static struct summary turned(const double *step, size_t count)
{
    struct summary s;
    double none[64];
    for (size_t i = 0; i < 64; i++) none[i] = NAN;
    struct summary_curve curve = {count, none, none, none, none, none, none, step};
    summary_compute(&s, &curve, CHANCE);
    return s;
}

void test_the_step_turns_at_the_plateau_and_after_it(void **state)
{
    (void)state;
    double step[40] = {NAN};
    /* Down to epoch 10, up to 20, down again; the least of a V stays least under a median. */
    for (int e = 1; e < 40; e++) step[e] = 1 + (e < 20 ? abs(e - 10) : 10 - 0.5 * (e - 20));
    struct summary s = turned(step, 40);
    assert_int_equal(s.t_step_min, 10);
    assert_int_equal(s.t_step_max, 20);
    step[5] = 0, step[15] = 50; /* single outliers do not turn it */
    s = turned(step, 40);
    assert_true(s.t_step_min >= 9 && s.t_step_min <= 11);
    assert_true(s.t_step_max >= 19 && s.t_step_max <= 21);
}

void test_small_ripples_and_other_roads_have_no_turn(void **state)
{
    (void)state;
    double step[40] = {NAN};
    for (int e = 1; e < 40; e++) step[e] = 100 - 2 * e + (e / 4 % 2 ? 1 : -1);
    assert_int_equal(turned(step, 40).t_step_min, SUMMARY_NONE);
    for (int e = 1; e < 40; e++) step[e] = e < 20 ? e : 40 - e; /* up, then down */
    assert_int_equal(turned(step, 40).t_step_min, SUMMARY_NONE);
    assert_int_equal(turned(step, 40).t_step_max, SUMMARY_NONE);
    for (int e = 1; e < 40; e++) step[e] = 3;
    assert_int_equal(turned(step, 40).t_step_min, SUMMARY_NONE);
    assert_int_equal(turned(step, 1).t_step_min, SUMMARY_NONE);
    assert_int_equal(turned(step, 0).t_step_max, SUMMARY_NONE);
}

void test_turns_are_of_steps_of_one_span(void **state)
{
    (void)state;
    double step[40];
    for (int e = 0; e < 40; e++) step[e] = e % 3 || e == 0 ? NAN : abs(e - 18);
    assert_int_equal(turned(step, 40).t_step_min, 18);
    assert_int_equal(turned(step, 40).t_step_max, SUMMARY_NONE);
    /* Every epoch falls; farther apart they rise, which is no matter. */
    for (int e = 0; e < 40; e++) step[e] = e < 1 ? NAN : e <= 12 ? 20 - e : e % 5 ? NAN : e;
    assert_int_equal(turned(step, 40).t_step_min, SUMMARY_NONE);
}
