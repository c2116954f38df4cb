// SPDX-License-Identifier: MIT
/* The scheduler: what is a sign of life of a run, and what is not. */
#include "tests/coordinator/sched_world.h"

#include <string.h>

/* A worker that says one thing of its one run every ten seconds, for two hours or until it is
 * stopped; `step` is how much the offset in a file rises each time. The store answers, but only
 * after the clock has ticked. Gives whether the run was stopped. */
static bool is_hung(struct event say, int64_t step)
{
    struct world w;
    struct event_holding holds[] = {{1, 1}};
    bool stopped = false;
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "u7", 1, NULL, 0);
    say.peer = 7;
    say.run = say.attempt = 1;
    for (int i = 0; i < 720 && !stopped; i++) {
        world_forget(&w);
        world_beat(&w, 7, holds, 1);
        world_on(&w, &say);
        world_tick(&w, 10000);
        say.offset += step;
        stopped = strstr(w.text, "-> 7 stop 1/1\n") != NULL;
    }
    assert_int_equal(w.runs[1].failures, stopped);
    world_close(&w);
    return stopped;
}

void test_the_same_epoch_again_and_again_is_no_sign_of_life(void **state)
{
    (void)state;
    assert_true(is_hung((struct event){.kind = EVENT_EPOCHS, .first = 0, .last = 0}, 0));
}

void test_parts_of_files_are_signs_of_life_while_they_bring_something_new(void **state)
{
    (void)state;
    assert_true(is_hung((struct event){.kind = EVENT_PART}, 0));
    assert_false(is_hung((struct event){.kind = EVENT_PART}, 1000));
    assert_true(is_hung((struct event){.kind = EVENT_PART, .offset = 1000000}, -1000));
}

void test_to_read_the_checkpoint_is_a_sign_of_life_while_it_goes_on(void **state)
{
    (void)state;
    assert_true(is_hung((struct event){.kind = EVENT_READ}, 0));
    assert_false(is_hung((struct event){.kind = EVENT_READ}, 1000));
}
