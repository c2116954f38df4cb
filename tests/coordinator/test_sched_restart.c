// SPDX-License-Identifier: MIT
/* The scheduler: what it knows of runs and workers after it began anew from the database. */
#include "tests/coordinator/sched_world.h"

#include <string.h>

/* The attempt before had come farther: what this one has not said is not acknowledged. */
void test_an_adopted_attempt_is_acknowledged_as_far_as_it_has_reported(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 2}};
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "u", 1, NULL, 0);
    world_epochs(&w, 7, 1, 1, 0, 6);
    w.now += 100000;
    world_ended(&w, 7, 1, 1, OUTCOME_LOST);
    world_epochs(&w, 7, 1, 2, 0, 1); /* attempt 2 begins anew */
    world_restart(&w);
    world_hello_as(&w, 8, "u", 1, holds, 1);
    world_forget(&w);
    world_epochs(&w, 8, 1, 2, 2, 2);
    world_expect(&w, "save epochs 1/2\n-> 8 ack 1/2 2\n");
    assert_int_equal(sched_epochs_left(&w.s), 7);
    world_epochs(&w, 8, 1, 2, 3, 9);
    world_forget(&w);
    world_ended(&w, 8, 1, 2, OUTCOME_FINISHED);
    assert_non_null(strstr(w.text, "-> 8 ack 1/2 9 ended\n"));
    world_close(&w);
}

void test_an_adopted_run_counts_what_is_stored_until_it_says_more(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "u", 1, NULL, 0);
    world_epochs(&w, 7, 1, 1, 0, 6);
    world_restart(&w);
    assert_int_equal(sched_epochs_left(&w.s), 3);
    world_close(&w);
}

static int64_t counted(const struct world *w, int64_t run)
{
    const struct run *r = world_find(w, run);
    assert_int_equal(r->is.failures, w->runs[run].failures);
    assert_int_equal(r->is.losses, w->runs[run].losses);
    return r->is.failures + r->is.losses;
}

void test_what_a_quarantine_forgives_stays_forgiven(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 6, 0);
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 1, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 2, 1, OUTCOME_LOST);
    world_ended(&w, 7, 3, 1, OUTCOME_FAILED);
    for (int64_t run = 1; run <= 3; run++) assert_int_equal(counted(&w, run), 0);
    world_restart(&w);
    for (int64_t run = 1; run <= 3; run++) assert_int_equal(counted(&w, run), 0);
    world_close(&w);
}

/* Those of a paused sweep wait in the database alone. */
void test_a_run_that_only_the_database_holds_is_forgiven_too(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_submit(&w, "3");
    world_hello(&w, 7, 1);
    world_ended(&w, 7, 1, 1, OUTCOME_FAILED);
    world_command(&w, EVENT_PAUSE, 1, 1);
    world_ended(&w, 7, 2, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 3, 1, OUTCOME_FAILED);
    assert_int_equal(w.s.workers[0].state, WORKER_QUARANTINED);
    assert_null(world_find(&w, 1));
    assert_int_equal(w.runs[1].failures + w.runs[2].failures + w.runs[3].failures, 0);
    world_command(&w, EVENT_RESUME, 1, 1);
    assert_int_equal(counted(&w, 1) + counted(&w, 2), 0);
    world_close(&w);
}
