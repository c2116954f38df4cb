// SPDX-License-Identifier: MIT
/* Tests of moments: against two passes over all points, however they are cut into parts. */
#include "coordinator/moments.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE = 7, POINTS = 301 };

/* Points far from the origin next to their spread. */
static void point(float x[SIZE], int which)
{
    for (int i = 0; i < SIZE; i++)
        x[i] = 100 + (float)sin(which * (i + 1) + i * i) / (float)(i + 1);
}

static void fill(struct moments *m, int from, int to)
{
    struct err e;
    float x[SIZE];
    assert_int_equal(moments_open(m, SIZE, &e), OK);
    for (int i = from; i < to; i++) point(x, i), moments_add(m, x);
    moments_flush(m);
}

/* Mean and scatter of points 0..POINTS, in two passes. */
static void twin(double mean[SIZE], double scatter[SIZE][SIZE])
{
    float x[SIZE];
    for (int i = 0; i < SIZE; i++) mean[i] = 0;
    for (int p = 0; p < POINTS; p++) {
        point(x, p);
        for (int i = 0; i < SIZE; i++) mean[i] += (double)x[i] / POINTS;
    }
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++) scatter[i][k] = 0;
    for (int p = 0; p < POINTS; p++) {
        point(x, p);
        for (int i = 0; i < SIZE; i++)
            for (int k = 0; k < SIZE; k++)
                scatter[i][k] += ((double)x[i] - mean[i]) * ((double)x[k] - mean[k]);
    }
}

static void is_right(const struct moments *m)
{
    double mean[SIZE], scatter[SIZE][SIZE];
    twin(mean, scatter);
    assert_int_equal(m->count, POINTS);
    for (int i = 0; i < SIZE; i++) {
        if (fabs(m->mean[i] - mean[i]) > 1e-11)
            fail_msg("mean %.15g, not %.15g", m->mean[i], mean[i]);
        for (int k = i; k < SIZE; k++)
            if (fabs(m->scatter[i * SIZE + k] - scatter[i][k]) > 1e-9)
                fail_msg("scatter %d %d: %.15g, not %.15g", i, k, m->scatter[i * SIZE + k],
                         scatter[i][k]);
    }
}

void test_a_stream_gives_what_two_passes_give(void **state)
{
    (void)state;
    struct moments m;
    fill(&m, 0, POINTS);
    is_right(&m);
    moments_close(&m);
}

void test_parts_merge_in_any_order(void **state)
{
    (void)state;
    static const int cuts[] = {0, 1, 65, 64 * 3, POINTS};
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3, 1, 0}};
    struct err e;
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        struct moments all, part;
        assert_int_equal(moments_open(&all, SIZE, &e), OK);
        for (int i = 0; i < 4; i++) {
            fill(&part, cuts[orders[o][i]], cuts[orders[o][i] + 1]);
            moments_merge(&all, &part);
            moments_close(&part);
        }
        is_right(&all);
        moments_close(&all);
    }
}

void test_an_empty_part_changes_nothing_and_waiting_points_are_taken_along(void **state)
{
    (void)state;
    struct moments m, nothing;
    struct err e;
    float x[SIZE];
    fill(&m, 0, POINTS - 3);
    for (int i = POINTS - 3; i < POINTS; i++) point(x, i), moments_add(&m, x);
    assert_int_equal(m.held, 3);
    assert_int_equal(moments_open(&nothing, SIZE, &e), OK);
    moments_flush(&nothing);
    moments_merge(&m, &nothing);
    is_right(&m);
    moments_close(&nothing);
    moments_close(&nothing);
    moments_close(&m);
}
