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
