// SPDX-License-Identifier: MIT
/* Steps of the weights: the inner products against their twin, and the cases without a cosine. */
#include "tests/test.h"

#include "tests/ref/ref_measure.h"
#include "worker/measure/geometry.h"
#include "worker/num/vec.h"

#include <math.h>

enum { N = 1000 };

/* Steps from three points [3][N] on the road, and a metric with zeros in it. */
struct road {
    double theta[3][N], metric[N];
    float step[N], previous[N], origin[N], g[N];
};

static void make_road(struct road *r, uint64_t seed)
{
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    for (size_t i = 0; i < N; i++) {
        for (size_t t = 0; t < 3; t++)
            r->theta[t][i] =
                (float)(t ? r->theta[t - 1][i] + 0.01 * ref_normal(&seed) : ref_normal(&seed));
        r->g[i] = (float)(i % 3 ? ref_uniform(&seed) : 0);
        r->metric[i] = r->g[i];
        r->origin[i] = (float)r->theta[1][i];
        r->step[i] = (float)r->theta[2][i] - (float)r->theta[1][i];
        r->previous[i] = (float)r->theta[1][i] - (float)r->theta[0][i];
    }
}

void test_steps_equal_plain_arithmetic_in_both_metrics(void **state)
{
    (void)state;
    static struct road r;
    for (uint64_t seed = 1; seed < 6; seed++) {
        make_road(&r, seed);
        for (int metric = 0; metric < 2; metric++) {
            struct geometry_step ours =
                geometry_step(r.step, r.previous, r.origin, metric ? r.g : NULL, N);
            struct ref_step twin =
                ref_geometry(r.theta[0], r.theta[1], r.theta[2], metric ? r.metric : NULL, N);
            if (!ref_close(ours.length, twin.length, 1e-6, 0) ||
                !ref_close(ours.cos_previous, twin.cos_previous, 1e-6, 1) ||
                !ref_close(ours.cos_origin, twin.cos_origin, 1e-6, 1))
                fail_msg("metric %d: %.9g %.9g %.9g, twin %.9g %.9g %.9g", metric, ours.length,
                         ours.cos_previous, ours.cos_origin, twin.length, twin.cos_previous,
                         twin.cos_origin);
        }
    }
}

void test_a_step_that_shrinks_the_weights_heads_to_the_origin(void **state)
{
    (void)state;
    static struct road r;
    make_road(&r, 9);
    for (size_t i = 0; i < N; i++) r.step[i] = -0.25f * r.origin[i];
    struct geometry_step g = geometry_step(r.step, r.step, r.origin, r.g, N);
    assert_true(ref_close(g.cos_origin, 1, 1e-12, 0));
    assert_true(ref_close(g.cos_previous, 1, 1e-12, 0));
    for (size_t i = 0; i < N; i++) r.previous[i] = -r.step[i];
    g = geometry_step(r.previous, r.step, r.origin, NULL, N);
    assert_true(ref_close(g.cos_origin, -1, 1e-12, 0));
    assert_true(ref_close(g.cos_previous, -1, 1e-12, 0));
}

void test_what_has_no_length_has_no_cosine(void **state)
{
    (void)state;
    static struct road r;
    static const float zero[N];
    make_road(&r, 9);
    struct geometry_step g = geometry_step(zero, r.previous, r.origin, NULL, N);
    assert_true(g.length == 0 && isnan(g.cos_previous) && isnan(g.cos_origin));
    g = geometry_step(r.step, NULL, zero, NULL, N);
    assert_true(g.length > 0 && isnan(g.cos_previous) && isnan(g.cos_origin));
    g = geometry_step(r.step, zero, r.origin, NULL, N);
    assert_true(isnan(g.cos_previous) && !isnan(g.cos_origin));
    /* A metric that does not see the step. */
    g = geometry_step(r.step, r.previous, r.origin, zero, N);
    assert_true(g.length == 0 && isnan(g.cos_previous) && isnan(g.cos_origin));
}
