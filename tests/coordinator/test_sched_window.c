// SPDX-License-Identifier: MIT
/* The scheduler: which of many waiting runs are held, when not every worker can take each. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

/* With a window of 4, ten times as many runs that need other kernels come before the one. */
void test_runs_that_nobody_can_take_do_not_hide_the_others(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 400, 4);
    world_family(&w, "Nehalem");
    world_submit(&w, "1");
    world_hello(&w, 7, 1);
    assert_int_equal(w.runs[401].state, RUN_RUNNING);
    assert_true(w.s.runs.waiting <= 32);
    world_close(&w);
}

/* Runs for which somebody works already, and slowly, are in nobody's way either. */
void test_runs_of_a_busy_worker_do_not_hide_those_of_an_idle_one(void **state)
{
    (void)state;
    struct world w;
    struct save_blas only = {"Nehalem", "cc"};
    struct event busy = {.kind = EVENT_HELLO,
                         .peer = 5,
                         .user = "key",
                         .uuid = "u5",
                         .slots = 1,
                         .offers = &only,
                         .offer_count = 1};
    world_open(&w, 400, 4);
    world_family(&w, "Nehalem");
    world_submit(&w, "9");
    world_on(&w, &busy);
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    world_hello(&w, 7, 1);
    for (int64_t run = 401; run <= 409; run++) {
        assert_int_equal(w.runs[run].state, RUN_RUNNING);
        world_ended(&w, 7, run, 1, OUTCOME_FINISHED);
    }
    for (int64_t run = 1; run <= 400; run++) {
        assert_int_equal(w.runs[run].state, RUN_RUNNING);
        world_ended(&w, 5, run, 1, OUTCOME_FINISHED);
    }
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_close(&w);
}

/* The world looks at what a fetch names. */
void test_a_sweep_that_is_done_is_not_named_when_runs_are_left_out(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 40, 4);
    world_family(&w, "Nehalem");
    world_submit(&w, "1");
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 41, 1, OUTCOME_FINISHED);
    assert_int_equal(w.sweeps[2].state, SWEEP_DONE);
    snprintf(w.s.sweeps[1].settings.blas, sizeof w.s.sweeps[1].settings.blas, "Nehalem");
    world_submit(&w, "1");
    assert_int_equal(w.runs[42].state, RUN_RUNNING);
    world_close(&w);
}

/* Runs with epochs are bound to the kernels that made these, whatever their sweep asks for. */
void test_bound_runs_that_nobody_can_take_do_not_hide_the_others(void **state)
{
    (void)state;
    struct world w;
    static const struct save_blas one = {"Zen", "cc"}, two = {"Zen", "dd"};
    world_open(&w, 200, 4);
    for (int64_t run = 1; run <= 199; run++) {
        w.runs[run].epochs_done = 2;
        w.runs[run].attempt = 1;
        w.runs[run].blas = run % 2 ? one : two;
    }
    world_restart(&w);
    world_hello(&w, 7, 1);
    assert_int_equal(w.runs[200].state, RUN_RUNNING);
    world_ended(&w, 7, 200, 1, OUTCOME_FINISHED);
    world_close(&w);
}

/* What was left out is fetched when its turn comes, in the order of the numbers. */
void test_what_was_left_out_is_fetched_for_a_worker_that_can_take_it(void **state)
{
    (void)state;
    struct world w;
    struct save_blas only = {"Nehalem", "cc"};
    struct event late = {.kind = EVENT_HELLO,
                         .peer = 5,
                         .user = "key",
                         .uuid = "u5",
                         .slots = 3,
                         .offers = &only,
                         .offer_count = 1};
    world_open(&w, 100, 4);
    world_family(&w, "Nehalem");
    world_submit(&w, "1");
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 101, 1, OUTCOME_FINISHED);
    world_on(&w, &late);
    world_answers(&w);
    for (int64_t run = 1; run <= 100; run++) {
        assert_int_equal(w.runs[run].state, RUN_RUNNING);
        world_ended(&w, 5, run, 1, OUTCOME_FINISHED);
    }
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_close(&w);
}
