// SPDX-License-Identifier: MIT
/* The run table: its two orders, its state machine, its patience. */
#include "tests/test.h"

#include "coordinator/run.h"

#include <string.h>

static void sound(const struct run_table *t)
{
    char text[256];
    if (!run_table_sound(t, text)) fail_msg("%s", text);
}

static struct run *add(struct run_table *t, int64_t number, int64_t priority, enum run_state state)
{
    struct save_run is = {.run = number, .sweep = 1, .priority = priority, .epochs_done = -1};
    struct run *r;
    struct err e = {0};
    if (run_add(t, &is, "auto", state, 0, &r, &e) < 0) fail_msg("%s", e.text);
    sound(t);
    return r;
}

void test_the_queue_goes_by_priority_then_by_number(void **state)
{
    (void)state;
    struct run_table t = {0};
    add(&t, 5, 0, RUN_WAITING);
    add(&t, 3, 0, RUN_WAITING);
    add(&t, 9, 2, RUN_WAITING);
    add(&t, 1, -1, RUN_WAITING);
    add(&t, 2, 5, RUN_RUNNING);
    const int64_t want[] = {9, 3, 5, 1};
    assert_int_equal(t.waiting, 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(t.queues[0].runs[i]->is.run, want[i]);
    assert_int_equal(run_find(&t, 2)->state, RUN_RUNNING);
    assert_null(run_find(&t, 4));
    assert_null(run_find(&t, 10));
    run_table_free(&t);
}

void test_a_run_is_not_added_twice_nor_when_it_is_over(void **state)
{
    (void)state;
    struct run_table t = {0};
    struct save_run is = {.run = 7};
    struct run *r;
    struct err e;
    add(&t, 7, 0, RUN_WAITING);
    assert_int_equal(run_add(&t, &is, "auto", RUN_RUNNING, 0, &r, &e), E_STATE);
    is.run = 8;
    assert_int_equal(run_add(&t, &is, "auto", RUN_FINISHED, 0, &r, &e), E_STATE);
    assert_non_null(strstr(e.text, "run 8 is finished"));
    sound(&t);
    run_table_free(&t);
}

/* What run.def should say, written a second time: rows states, columns events; -1: refused. */
void test_every_pair_of_state_and_event_is_as_written_here_or_refused(void **state)
{
    (void)state;
    enum { W = RUN_WAITING, R = RUN_RUNNING, F = RUN_FINISHED, X = RUN_FAILED, C = RUN_CANCELLED };
    static const int twin[2][14] = {
        /*  assign epochs part read stored filed differs finish fail fail_last lose lose_last
         * give_back cancel
         */
        {R, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, C},
        {-1, R, R, R, R, R, X, F, W, X, W, X, W, C},
    };
    for (int from = 0; from < 2; from++)
        for (int ev = 0; ev < 14; ev++) {
            struct run_table t = {0};
            struct run *r = add(&t, 1, 0, from ? RUN_RUNNING : RUN_WAITING);
            unsigned fx = 0;
            struct err e = {0};
            int rc = run_step(&t, r, (enum run_event)ev, 40, &fx, &e);
            if (twin[from][ev] < 0) {
                assert_int_equal(rc, E_STATE);
                assert_non_null(strstr(e.text, "is not possible"));
                assert_int_equal(r->state, from ? RUN_RUNNING : RUN_WAITING);
                assert_int_equal(r->since_ms, 0);
            } else {
                assert_int_equal(rc, OK);
                assert_int_equal(r->state, twin[from][ev]);
                assert_true(fx != 0);
                assert_int_equal((fx & FX_FORGET) != 0, r->state > RUN_RUNNING);
                assert_int_equal(r->since_ms, (int)r->state == from ? 0 : 40);
            }
            run_table_free(&t);
        }
}

void test_orders_stay_right_through_many_changes(void **state)
{
    (void)state;
    struct run_table t = {0};
    struct err e = {0};
    uint64_t x = 12345;
    unsigned fx;
    for (int i = 0; i < 4000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        int64_t number = (int64_t)(x >> 33) % 300;
        struct run *r = run_find(&t, number);
        if (!r)
            add(&t, number, (int64_t)(x >> 60) % 3, RUN_WAITING);
        else if (r->state == RUN_WAITING)
            assert_int_equal(run_step(&t, r, RUN_ON_ASSIGN, i, &fx, &e), OK);
        else if ((x >> 50) % 2)
            assert_int_equal(run_step(&t, r, RUN_ON_GIVE_BACK, i, &fx, &e), OK);
        else
            run_remove(&t, r);
        sound(&t);
    }
    assert_true(t.count > 50);
    run_table_free(&t);
}

void test_patience_is_twenty_median_epochs_but_never_less_than_asked(void **state)
{
    (void)state;
    struct run_table t = {0};
    struct run *r = add(&t, 1, 0, RUN_RUNNING);
    r->lease.epoch = -1;
    assert_int_equal(run_patience_ms(r, 600000), 600000);
    int64_t now = 0;
    for (int64_t epoch = 0; epoch < 9; epoch++) run_heard(r, epoch, now += 60000);
    run_heard(r, 9, now += 3600000); /* one long epoch does not move the median */
    assert_int_equal(run_patience_ms(r, 600000), 1200000);
    assert_int_equal(run_patience_ms(r, 5000000), 5000000);
    run_heard(r, 9, now + 5); /* the same again is no epoch */
    assert_int_equal(r->lease.gap_count, 10);
    run_table_free(&t);
}

void test_epochs_that_come_together_share_their_time(void **state)
{
    (void)state;
    struct run_table t = {0};
    struct run *r = add(&t, 1, 0, RUN_RUNNING);
    r->lease.epoch = -1;
    run_heard(r, 99, 1000000);
    assert_int_equal(run_patience_ms(r, 1), 200000);
    run_table_free(&t);
}
