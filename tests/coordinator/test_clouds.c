// SPDX-License-Identifier: MIT
/* Tests of clouds: what is durable counts once, whether it arrives or is read. */
#include "coordinator/clouds.h"
#include "tests/test.h"

static void arrive(struct clouds *c, int64_t sweep, int64_t run, int64_t epoch, bool first)
{
    struct err e;
    struct clouds_staged x = {
        .sweep = sweep, .evaluation = 1, .run = run, .epoch = epoch, .first = first};
    assert_int_equal(clouds_stage(c, &x, &e), OK);
}

static int64_t points(struct clouds *c, int64_t sweep)
{
    struct cloud *x = clouds_find(c, sweep, 1);
    assert_non_null(x);
    moments_flush(&x->moments);
    return x->moments.count;
}

void test_a_cloud_begins_with_its_first_sketch_and_counts_what_is_durable(void **state)
{
    (void)state;
    struct clouds c = {0};
    arrive(&c, 1, 1, 0, true);
    clouds_undo(&c);
    clouds_commit(&c);
    assert_null(clouds_find(&c, 1, 1));
    arrive(&c, 1, 1, 0, true);
    arrive(&c, 1, 1, 1, false);
    clouds_commit(&c);
    clouds_commit(&c);
    arrive(&c, 1, 2, 0, false);
    clouds_commit(&c);
    assert_int_equal(points(&c, 1), 3);
    assert_true(clouds_find(&c, 1, 1)->whole);
    clouds_close(&c);
}

void test_a_sketch_of_a_cloud_that_is_not_kept_is_left_to_reading(void **state)
{
    (void)state;
    struct clouds c = {0};
    arrive(&c, 1, 5, 3, false);
    clouds_commit(&c);
    assert_null(clouds_find(&c, 1, 1));
    clouds_close(&c);
}

/* Reading stands behind (2, 7): what comes up to there will not be met again. */
void test_while_a_cloud_is_read_each_sketch_counts_once(void **state)
{
    (void)state;
    struct clouds c = {0};
    struct cloud *x;
    struct err e;
    assert_int_equal(clouds_make(&c, 1, 1, &x, &e), OK);
    arrive(&c, 1, 1, 0, false);
    clouds_commit(&c);
    assert_int_equal(points(&c, 1), 0);
    x->run = 2, x->epoch = 7;
    arrive(&c, 1, 1, 100, false);
    arrive(&c, 1, 2, 7, false);
    arrive(&c, 1, 2, 8, false);
    arrive(&c, 1, 3, 0, false);
    clouds_commit(&c);
    assert_int_equal(points(&c, 1), 2);
    x->whole = true;
    arrive(&c, 1, 9, 9, false);
    clouds_commit(&c);
    assert_int_equal(points(&c, 1), 3);
    clouds_close(&c);
}

void test_the_cloud_used_longest_ago_makes_room(void **state)
{
    (void)state;
    struct clouds c = {0};
    for (int64_t sweep = 1; sweep <= CLOUDS_MOST; sweep++) arrive(&c, sweep, sweep, 0, true);
    clouds_commit(&c);
    assert_non_null(clouds_find(&c, 1, 1));
    arrive(&c, 100, 100, 0, true);
    clouds_commit(&c);
    assert_non_null(clouds_find(&c, 1, 1));
    assert_null(clouds_find(&c, 2, 1));
    assert_int_equal(points(&c, 100), 1);
    clouds_close(&c);
}
