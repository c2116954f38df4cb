// SPDX-License-Identifier: MIT
/* Areas and their doubts: known limits, curves whose area is known, and where points are added. */
#include "tests/test.h"

#include "tests/ref/ref_measure.h"
#include "worker/measure/area.h"

#include <math.h>

static struct area of_accuracies(const double *a, size_t n)
{
    struct area_point point[8];
    for (size_t i = 0; i < n; i++)
        point[i] = (struct area_point){(double)i / (double)(n - 1), a[i]};
    return area_of_points(point, n, 0);
}

void test_compressibility_has_its_known_limits(void **state)
{
    (void)state;
    const double chance = 1.0 / 113, guess[] = {chance, chance, chance}, all[] = {1, 1, 1, 1};
    const double fall[] = {1, 0.5, 0};
    struct area a = of_accuracies(guess, 3);
    assert_true(ref_close(area_compressibility(a), 1 / (1 - chance), 1e-12, 0)); /* the floor */
    assert_true(area_bound(a) == 0);
    a = of_accuracies(all, 4);
    assert_true(a.area == 1 && isnan(area_compressibility(a)) && isnan(area_bound(a)));
    a = of_accuracies(fall, 3);
    assert_true(ref_close(area_compressibility(a), 2, 1e-12, 0));
    /* c^2 = 4, half the sum of 1/2 * 1/2 twice = 1/4 */
    assert_true(ref_close(area_bound(a), 1, 1e-12, 0));
}

/* A curve that rises in an interval may rise as much unseen in it and in those beside it. */
void test_a_rise_between_points_is_expected_beside_it_too(void **state)
{
    (void)state;
    const double curve[] = {1, 0.5, 0.75, 0.25, 0};
    struct area a = of_accuracies(curve, 5);
    assert_true(ref_close(a.doubt, (0.5 + 0.25 + 0.5 + 0.25) / 4 / 2 + 3 * 0.25 / 4, 1e-12, 0));
}

/* The worst curve that the points allow: down at once, or not before the next point. */
void test_no_falling_curve_through_the_points_is_further_off_than_the_doubt(void **state)
{
    (void)state;
    const struct area_point point[] = {{0, 1}, {0.3, 0.9}, {0.5, 0.2}, {1, 0.1}};
    struct area a = area_of_points(point, 4, 0);
    double early = 0, late = 0;
    for (int i = 1; i < 4; i++) {
        double width = point[i].fraction - point[i - 1].fraction;
        early += width * point[i].accuracy, late += width * point[i - 1].accuracy;
    }
    assert_true(ref_close(late - a.area, a.doubt, 1e-12, 0));
    assert_true(ref_close(a.area - early, a.doubt, 1e-12, 0));
}

void test_steps_have_the_area_of_their_rectangles(void **state)
{
    (void)state;
    const double at[] = {0.25, 0.5, 0.75};
    const int64_t hits[] = {4, 2, 3, 0};
    struct area a = area_of_steps(at, hits, 3, 4);
    assert_true(ref_close(a.area, 0.25 * (4 + 2 + 3) / 4, 1e-15, 0) && a.doubt == 0);
}

static double curve_at(double p)
{
    return 1 / (1 + exp(40 * (p - 0.75)));
}

void test_points_are_added_where_the_curve_falls_until_the_doubt_is_small_enough(void **state)
{
    (void)state;
    struct area_point point[512] = {{0, curve_at(0)}, {0.5, curve_at(0.5)}, {1, curve_at(1)}};
    double fraction[512];
    size_t count = 3, inside = 0;
    const double goal = 0.002, area = (log1p(exp(30)) - log1p(exp(-10))) / 40;
    for (int round_ = 0; area_of_points(point, count, 0).doubt > goal; round_++) {
        struct area_point add[512];
        size_t n = area_refine(point, count, 0, 0.9 * goal, 1e-6, 400 - count, fraction);
        assert_true(n > 0 && round_ < 8);
        for (size_t i = 0; i < n; i++)
            add[i] = (struct area_point){fraction[i], curve_at(fraction[i])};
        area_merge(point, count, add, n);
        count += n;
        for (size_t i = 1; i < count; i++) assert_true(point[i].fraction > point[i - 1].fraction);
    }
    struct area a = area_of_points(point, count, 0);
    assert_true(fabs(a.area - area) <= a.doubt);
    for (size_t i = 0; i < count; i++) inside += fabs(point[i].fraction - 0.75) < 0.15;
    assert_true(inside > count / 2);
}

void test_no_interval_is_cut_below_the_least_width_nor_beyond_the_most_points(void **state)
{
    (void)state;
    const struct area_point point[] = {{0, 1}, {0.5, 0}, {1, 0}};
    double fraction[64];
    assert_int_equal(area_refine(point, 3, 0, 1e-9, 0.1, 64, fraction), 4);
    for (int i = 0; i < 4; i++) assert_true(ref_close(fraction[i], 0.1 * (i + 1), 1e-12, 0));
    assert_int_equal(area_refine(point, 3, 0, 1e-9, 1e-9, 7, fraction), 7);
}
