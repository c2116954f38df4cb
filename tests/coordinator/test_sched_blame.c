// SPDX-License-Identifier: MIT
/* The scheduler: whose fault it was, the run's or the worker's. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

static void ended_for_good(struct world *w, uint64_t peer, int64_t run, int64_t attempt,
                           const char *reason)
{
    struct event ev = {.kind = EVENT_ENDED,
                       .peer = peer,
                       .run = run,
                       .attempt = attempt,
                       .epoch = -1,
                       .outcome = OUTCOME_FAILED,
                       .final = true,
                       .reason = reason};
    world_on(w, &ev);
    world_answers(w);
}

static int count_runs(const struct world *w, enum run_state state)
{
    int n = 0;
    for (int64_t run = 1; run <= w->run_count; run++) n += w->runs[run].state == state;
    return n;
}

/* A worker that does not know a parameter, as one of an older version: each run that it gets fails
 * at once, for good as it says. */
void test_a_worker_that_fails_all_it_gets_for_good_burns_no_run(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 100, 0);
    world_hello(&w, 7, 1);
    for (int64_t run = 1; run <= 100; run++)
        if (w.runs[run].state == RUN_RUNNING)
            ended_for_good(&w, 7, run, 1, "unknown parameter \"gradient_filter\"");
    assert_int_equal(count_runs(&w, RUN_FAILED), 0);
    assert_int_equal(w.s.workers[0].state, WORKER_QUARANTINED);
    for (int64_t run = 1; run <= 4; run++) assert_int_equal(world_find(&w, run)->is.failures, 0);
    world_close(&w);
}

void test_a_worker_that_loses_all_it_gets_at_once_burns_no_run(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 100, 0);
    world_hello(&w, 7, 1);
    for (int64_t run = 1; run <= 100; run++)
        if (w.runs[run].state == RUN_RUNNING) world_ended(&w, 7, run, 1, OUTCOME_LOST);
    assert_int_equal(w.s.workers[0].state, WORKER_QUARANTINED);
    assert_int_equal(count_runs(&w, RUN_WAITING), 100);
    for (int64_t run = 1; run <= 4; run++) assert_int_equal(world_find(&w, run)->is.losses, 0);
    assert_int_equal(w.runs[3].losses, 0); /* the third is not counted at all */
    world_close(&w);
}

void test_runs_that_diverge_at_once_say_nothing_of_their_worker(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 9, 0);
    world_hello(&w, 7, 1);
    for (int64_t run = 1; run <= 9; run++) ended_for_good(&w, 7, run, 1, "diverged at epoch 1");
    assert_int_equal(count_runs(&w, RUN_FAILED), 9);
    assert_int_equal(w.s.workers[0].state, WORKER_CONNECTED);
    world_close(&w);
}

/* It trained for longer than a worker that fails everything: the failure is the run's own. */
void test_a_failure_for_good_after_a_while_is_believed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    w.now += 100000;
    ended_for_good(&w, 7, 1, 1, "weights of 2147483648 bytes");
    assert_int_equal(w.runs[1].state, RUN_FAILED);
    world_close(&w);
}

void test_everything_that_a_quarantined_worker_did_to_a_run_is_forgiven(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 3, 0);
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 1, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 2, 1, OUTCOME_LOST);
    world_command(&w, EVENT_CANCEL_RUNS, 3, 3);
    world_tick(&w, 10000);
    world_ended(&w, 7, 1, 2, OUTCOME_LOST);
    assert_int_equal(w.runs[1].failures + w.runs[1].losses + w.runs[2].losses, 3);
    world_submit(&w, "2");
    world_ended(&w, 7, 2, 2, OUTCOME_LOST);
    world_ended(&w, 7, 4, 1, OUTCOME_FAILED);
    assert_int_equal(w.s.workers[0].state, WORKER_QUARANTINED);
    assert_int_equal(world_find(&w, 1)->is.failures + world_find(&w, 1)->is.losses, 0);
    assert_int_equal(world_find(&w, 2)->is.losses, 0);
    assert_int_equal(world_find(&w, 4)->is.failures, 0);
    world_close(&w);
}

void test_a_run_that_failed_at_once_rests_before_the_same_worker_gets_it_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 1, 1, OUTCOME_LOST);
    world_tick(&w, 9000);
    assert_int_equal(w.runs[1].state, RUN_WAITING);
    world_tick(&w, 1000); /* a heartbeat */
    assert_int_equal(w.runs[1].attempt, 2);
    world_ended(&w, 7, 1, 2, OUTCOME_LOST);
    world_tick(&w, 10000);
    assert_int_equal(w.runs[1].attempt, 2);
    world_tick(&w, 10000); /* two of them */
    assert_int_equal(w.runs[1].attempt, 3);
    world_ended(&w, 7, 1, 3, OUTCOME_LOST);
    world_hello(&w, 8, 1); /* another one need not wait */
    assert_int_equal(w.runs[1].attempt, 4);
    assert_int_equal(w.runs[1].worker, 2);
    world_close(&w);
}

void test_the_last_attempt_is_kept_for_another_worker_while_there_is_one(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 8, 1);
    world_hello(&w, 7, 1);
    for (int64_t attempt = 1; attempt <= 2; attempt++) {
        world_ended(&w, 7, 2, attempt, OUTCOME_FAILED);
        world_beat(&w, 8, &(struct event_holding){1, 1}, 1);
        world_beat(&w, 7, NULL, 0);
        world_tick(&w, 20000);
    }
    assert_int_equal(w.runs[2].failures, 2);
    world_beat(&w, 8, &(struct event_holding){1, 1}, 1);
    world_beat(&w, 7, NULL, 0);
    world_tick(&w, 50000);
    assert_int_equal(w.runs[2].attempt, 2); /* 7 is idle, but 8 has not tried */
    world_ended(&w, 8, 1, 1, OUTCOME_FINISHED);
    assert_int_equal(w.runs[2].worker, 1);
    world_ended(&w, 8, 2, 3, OUTCOME_FINISHED);
    assert_int_equal(w.runs[2].state, RUN_FINISHED);
    world_close(&w);
}
