// SPDX-License-Identifier: MIT
/* grid: order and values of points, against the nested loops they stand for. */
#include "proto/grid.h"

#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct spec *parse(const char *text)
{
    struct spec *s;
    struct err e;
    if (spec_parse(&s, text, strlen(text), "f.yaml", &e) < 0) fail_msg("%s", e.text);
    return s;
}

static struct params point(const struct spec *s, int64_t i)
{
    struct params p;
    struct err e;
    if (grid_point(s, i, &p, &e) < 0) fail_msg("%s", e.text);
    return p;
}

void test_the_task_may_be_an_axis_and_brings_its_own_defaults(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters:\n  lattice: {values: [8, 16]}\n"
                           "  modulus: {value: 97}\n"
                           "  task: {values: [modular_addition, ising]}\n");
    struct params p;
    struct err e;
    char hash[2][65];
    assert_int_equal(grid_count(s), 4);
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(grid_point(s, i, &p, &e), OK);
        assert_int_equal(p.task, i % 2 ? TASK_ISING : TASK_MODULAR_ADDITION);
        assert_int_equal(p.hidden, i % 2 ? 100 : 512);
        if (i % 2)
            assert_int_equal(p.lattice, i / 2 ? 16 : 8);
        else
            assert_int_equal(p.modulus, 97);
        if (i % 2 == 0) params_hash(&p, hash[i / 2]);
    }
    /* a lattice is nothing to modular addition: both points are the same run */
    assert_string_equal(hash[0], hash[1]);
    spec_free(&s);
}

void test_parameters_are_walked_alphabetically_the_last_fastest(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters:\n"
                           "  weight_multiplier: {values: [10, 0.1, 1]}\n"
                           "  seed: {min: 3, max: 4}\n"
                           "  hidden: {distribution: q_uniform, min: 16, max: 64, q: 16}\n"
                           "  shuffle: {values: [true, false]}\n");
    static const double w[] = {10, 0.1, 1};
    int64_t i = 0;
    assert_int_equal(grid_count(s), 3 * 2 * 3 * 2);
    for (int64_t hidden = 16; hidden < 64; hidden += 16)
        for (int64_t seed = 3; seed <= 4; seed++)
            for (int shuffle = 1; shuffle >= 0; shuffle--)
                for (int k = 0; k < 3; k++, i++) {
                    struct params p = point(s, i);
                    assert_int_equal(p.hidden, hidden);
                    assert_int_equal(p.seed, seed);
                    assert_int_equal(p.data_seed, seed);
                    assert_int_equal(p.shuffle, shuffle);
                    assert_true(p.weight_multiplier == w[k]);
                    assert_int_equal(p.epochs, 1000);
                }
    spec_free(&s);
}

void test_points_outside_are_refused(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters: {seed: {min: 0, max: 9}}\n");
    struct params p;
    struct err e;
    assert_int_equal(grid_point(s, 10, &p, &e), E_USAGE);
    assert_int_equal(grid_point(s, -1, &p, &e), E_USAGE);
    assert_string_equal(e.text, "f.yaml: no point -1; expected 0 to 9");
    spec_free(&s);
}

/* As numpy.arange(0, 1, 0.1).tolist() and numpy.arange(0.1, 0.75, 0.2).tolist() print them. */
void test_q_uniform_leaves_max_out_and_agrees_with_numpy(void **state)
{
    (void)state;
    static const double tenths[] = {
        0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6000000000000001, 0.7000000000000001,
        0.8, 0.9};
    struct spec *s = parse("method: grid\nparameters:\n"
                           "  learning_rate: {distribution: q_uniform, min: 0, max: 1, q: 0.1}\n");
    assert_int_equal(grid_count(s), 10);
    for (int i = 0; i < 10; i++) assert_true(point(s, i).learning_rate == tenths[i]);
    spec_free(&s);
    s = parse("method: grid\nparameters:\n"
              "  learning_rate: {distribution: q_uniform, min: 0.1, max: 0.75, q: 0.2}\n");
    assert_int_equal(grid_count(s), 4);
    assert_true(point(s, 1).learning_rate == 0.1 + 0.2);
    spec_free(&s);
}

void test_an_unsound_point_is_named_with_its_values(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters:\n"
                           "  seed: {values: [5, 6]}\n  train_fraction: {values: [0.5, 1]}\n");
    struct err e;
    assert_int_equal(grid_check(s, &e), E_FILE);
    if (!strstr(e.text, "f.yaml:3:3: point 1 (seed=5 train_fraction=1): train_fraction: "))
        fail_msg("%s", e.text);
    spec_free(&s);
}

void test_a_million_points_are_walked_in_well_under_a_second(void **state)
{
    (void)state;
    struct spec *s =
        parse("method: grid\nparameters:\n  seed: {min: 0, max: 999}\n"
              "  epochs: {min: 1, max: 100}\n  weight_multiplier: {values: [0.1, 1, 2, 4,"
              " 5, 6, 7, 8, 9, 10]}\n");
    struct err e;
    clock_t from = clock();
    assert_int_equal(grid_count(s), 1000000);
    assert_int_equal(grid_check(s, &e), OK);
    double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
    print_message("10^6 points in %.3f s\n", seconds);
    assert_true(seconds < 5); /* of processor time: ten times slower under valgrind still passes */
    spec_free(&s);
}

/* ---- random -------------------------------------------------------------------------------- */

static struct spec *parse_random(const char *axis, int seed, int points)
{
    char text[512];
    snprintf(text, sizeof text,
             "method: random\nrun_cap: %d\ngrokd: {sample_seed: %d}\nparameters:\n  %s\n", points,
             seed, axis);
    return parse(text);
}

void test_random_points_depend_on_seed_point_and_axis_alone(void **state)
{
    (void)state;
    static const char axes[] =
        "learning_rate: {min: 0.0, max: 1.0}\n  weight_decay: {min: 0.0, max: 1.0}";
    struct spec *few = parse_random(axes, 3, 10), *many = parse_random(axes, 3, 1000);
    struct spec *other = parse_random(axes, 4, 10);
    struct params last = point(many, 9), first = point(few, 9);
    assert_memory_equal(&last, &first, sizeof last);
    assert_true(point(other, 9).learning_rate != first.learning_rate);
    assert_true(first.learning_rate != first.weight_decay);
    spec_free(&few);
    spec_free(&many);
    spec_free(&other);
}

struct moments {
    double mean, deviation, least, greatest;
};

/* Of f(learning_rate) over 20,000 points. */
static struct moments moments(const char *distribution, double (*f)(double))
{
    char axis[256];
    const int n = 20000;
    struct moments m = {0, 0, INFINITY, -INFINITY};
    snprintf(axis, sizeof axis, "learning_rate: {distribution: %s}", distribution);
    struct spec *s = parse_random(axis, 11, n);
    for (int i = 0; i < n; i++) {
        double x = f(point(s, i).learning_rate), before = m.mean;
        m.mean += (x - m.mean) / (i + 1);
        m.deviation += (x - before) * (x - m.mean);
        m.least = fmin(m.least, x);
        m.greatest = fmax(m.greatest, x);
    }
    m.deviation = sqrt(m.deviation / n);
    spec_free(&s);
    return m;
}

static double same(double x)
{
    return x;
}

static double inverse_log(double x)
{
    return log(1 / x);
}

/* Mean within 5 standard errors, deviation within 5 percent, ends within theirs. */
static void expect(const char *distribution, double (*f)(double), double mean, double deviation,
                   double least, double greatest)
{
    struct moments m = moments(distribution, f);
    if (!(fabs(m.mean - mean) < 5 * deviation / sqrt(20000)))
        fail_msg("%s: mean %g, expected %g", distribution, m.mean, mean);
    if (!(fabs(m.deviation - deviation) < 0.05 * deviation))
        fail_msg("%s: deviation %g, expected %g", distribution, m.deviation, deviation);
    if (!(m.least >= least - 1e-12 && m.greatest <= greatest + 1e-12))
        fail_msg("%s: %g to %g, expected %g to %g", distribution, m.least, m.greatest, least,
                 greatest);
}

void test_distributions_have_the_moments_of_their_formulas(void **state)
{
    (void)state;
    const double r12 = sqrt(12);
    expect("uniform, min: 2, max: 6", same, 4, 4 / r12, 2, 6);
    expect("int_uniform, min: 1, max: 6", same, 3.5, sqrt(35. / 12), 1, 6);
    expect("log_uniform, min: -3, max: 1", log, -1, 4 / r12, -3, 1);
    expect("log_uniform_values, min: 0.001, max: 10", log, log(0.1), log(1e4) / r12, log(0.001),
           log(10));
    expect("inv_log_uniform, min: -1, max: 3", inverse_log, 1, 4 / r12, -1, 3);
    expect("inv_log_uniform_values, min: 0.001, max: 10", inverse_log, -log(0.1), log(1e4) / r12,
           -log(10), -log(0.001));
    expect("normal, mu: 50, sigma: 2", same, 50, 2, 0, 1000);
    expect("log_normal, mu: 1, sigma: 0.5", log, 1, 0.5, -INFINITY, log(1000));
    expect("q_uniform, min: 0, max: 10, q: 0.5", same, 5, 10 / r12, 0, 10);
    expect("q_normal, mu: 50, sigma: 5, q: 0.25", same, 50, 5, 0, 1000);
}

void test_quantised_draws_are_round_of_x_by_q_times_q(void **state)
{
    (void)state;
    static const char *const axes[] = {
        "learning_rate: {distribution: q_uniform, min: 0, max: 10, q: 0.3}",
        "learning_rate: {distribution: q_normal, mu: 100, sigma: 9, q: 0.3}",
        "learning_rate: {distribution: q_log_uniform, min: 0, max: 3, q: 0.3}",
        "learning_rate: {distribution: q_log_uniform_values, min: 1, max: 20, q: 0.3}",
        "learning_rate: {distribution: q_log_normal, sigma: 0.3, q: 0.3}"};
    for (size_t k = 0; k < sizeof axes / sizeof axes[0]; k++) {
        struct spec *s = parse_random(axes[k], 5, 500);
        for (int i = 0; i < 500; i++) {
            double x = point(s, i).learning_rate;
            assert_true(x == rint(x / 0.3) * 0.3);
        }
        spec_free(&s);
    }
}

void test_whole_parameters_take_whole_quantised_draws(void **state)
{
    (void)state;
    struct spec *s = parse_random(
        "hidden: {distribution: q_log_uniform_values, min: 16, max: 512, q: 16}", 5, 2000);
    for (int i = 0; i < 2000; i++) {
        int64_t hidden = point(s, i).hidden;
        assert_true(hidden >= 16 && hidden <= 512 && hidden % 16 == 0);
    }
    spec_free(&s);
}

void test_values_are_drawn_by_their_probabilities(void **state)
{
    (void)state;
    struct spec *s =
        parse_random("batch_size: {values: [1, 2, 3], probabilities: [0.7, 0, 0.3]}", 1, 20000);
    int count[4] = {0};
    for (int i = 0; i < 20000; i++) count[point(s, i).batch_size]++;
    assert_int_equal(count[2], 0);
    assert_true(abs(count[1] - 14000) < 5 * 65); /* five deviations of the binomial */
    spec_free(&s);
    s = parse_random("batch_size: {values: [1, 2, 3]}", 1, 30000);
    int even[4] = {0};
    for (int i = 0; i < 30000; i++) even[point(s, i).batch_size]++;
    for (int k = 1; k <= 3; k++) assert_true(abs(even[k] - 10000) < 5 * 82);
    spec_free(&s);
}

void test_a_draw_out_of_bounds_is_refused_with_its_point(void **state)
{
    (void)state;
    struct spec *s = parse_random("weight_decay: {distribution: normal}", 1, 100);
    struct err e;
    assert_int_equal(grid_check(s, &e), E_FILE);
    assert_non_null(strstr(e.text, "weight_decay: \"-"));
    assert_non_null(strstr(e.text, "f.yaml:5:3: point "));
    spec_free(&s);
}
