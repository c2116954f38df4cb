// SPDX-License-Identifier: MIT
/* Tests of the line through points: by hand, by two passes, and Student's t by its tables. */
#include "coordinator/regression.h"
#include "tests/test.h"

#include <math.h>

static void near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.15g, not %.15g", is, right);
}

/* Student's t at 95 % and, with no formula in common, its exact values for 1 and 2 degrees. */
void test_quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        int64_t freedom;
        double t;
    } table[] = {{1, 12.7062047362}, {2, 4.3026527297},  {3, 3.1824463053},   {5, 2.5705818356},
                 {8, 2.3060041352},  {30, 2.0422724563}, {100, 1.9839715185}, {1000, 1.9623390808}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        near(regression_student(0.95, table[i].freedom), table[i].t, 1e-9 * table[i].t);
    near(regression_student(0.95, 1000000), 1.959966, 2e-6);
    near(regression_student(0.8, 1), tan(0.8 * M_PI_2), 1e-12);
    near(regression_student(0.8, 2), 0.8 * sqrt(2 / (1 - 0.8 * 0.8)), 1e-12);
}

/* x 1..5, y 2 4 5 4 5: slope .6, intercept 2.2, r2 .6, residual sum 2.4, error sqrt(.8/10). */
void test_a_line_by_hand(void **state)
{
    (void)state;
    static const double y[] = {2, 4, 5, 4, 5};
    struct regression r = {0};
    struct regression_line line;
    for (int i = 0; i < 5; i++) regression_add(&r, i + 1, y[i]);
    regression_line(&r, &line);
    near(line.slope, 0.6, 1e-14);
    near(line.intercept, 2.2, 1e-14);
    near(line.r2, 0.6, 1e-14);
    near(line.slope_to - line.slope, 3.1824463053 * sqrt(0.08), 1e-9);
    near(line.slope - line.slope_from, 3.1824463053 * sqrt(0.08), 1e-9);
}

void test_far_from_the_origin_it_is_as_two_passes_say(void **state)
{
    (void)state;
    enum { N = 50 };
    double x[N], y[N], mx = 0, my = 0, sxx = 0, sxy = 0;
    struct regression r = {0};
    struct regression_line line;
    for (int i = 0; i < N; i++) {
        x[i] = 1e6 + sin(i) * 1e-2;
        y[i] = -3e5 + 7 * (x[i] - 1e6) + cos(5.0 * i) * 1e-3;
        mx += x[i] / N, my += y[i] / N;
        regression_add(&r, x[i], y[i]);
    }
    for (int i = 0; i < N; i++) sxx += (x[i] - mx) * (x[i] - mx), sxy += (x[i] - mx) * (y[i] - my);
    regression_line(&r, &line);
    near(line.slope, sxy / sxx, 1e-6);
    assert_true(line.slope_from < 7 && 7 < line.slope_to);
}

void test_points_that_say_nothing_give_nothing(void **state)
{
    (void)state;
    struct regression r = {0};
    struct regression_line line;
    regression_line(&r, &line);
    assert_true(isnan(line.slope) && isnan(line.slope_from) && isnan(line.r2));
    regression_add(&r, 1, 2);
    regression_add(&r, 1, 3);
    regression_line(&r, &line);
    assert_true(isnan(line.slope));
    regression_add(&r, 2, 2.5);
    regression_line(&r, &line);
    near(line.slope, 0, 1e-15);
    assert_true(line.r2 == 0 && isfinite(line.slope_to));
    r = (struct regression){0};
    regression_add(&r, 0, 1);
    regression_add(&r, 1, 1);
    regression_line(&r, &line);
    assert_true(line.slope == 0 && isnan(line.r2) && isnan(line.slope_to));
}
