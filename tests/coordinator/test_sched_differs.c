// SPDX-License-Identifier: MIT
/* The scheduler: what becomes of an attempt while the store has not answered for all its epochs. */
#include "tests/coordinator/sched_world.h"

#include <string.h>

static const struct event epochs = {
    .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .first = 0, .last = 9};
static const struct event bye = {.kind = EVENT_GOODBYE, .peer = 7};

/* A lease goes by; the store says nothing, and only worker 8 is heard. */
static void pass_a_lease(struct world *w)
{
    for (int i = 0; i < 7; i++) {
        world_on(w, &(struct event){.kind = EVENT_HEARTBEAT, .peer = 8});
        w->now += 10000;
        world_on(w, &(struct event){.kind = EVENT_TICK});
    }
}

void test_a_difference_found_behind_the_end_still_fails_the_run(void **state)
{
    (void)state;
    struct world w;
    struct event ended = {.kind = EVENT_ENDED,
                          .peer = 7,
                          .run = 1,
                          .attempt = 1,
                          .epoch = 9,
                          .outcome = OUTCOME_FINISHED};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    w.verdict = VERDICT_DIFFERS;
    world_on(&w, &epochs);
    world_on(&w, &ended);
    world_answers(&w);
    world_expect(&w, "save epochs 1/1\n-> 7 stop 1/1\nsave sweep 1 done\n");
    world_close(&w);
}

/* Its worker is lost, or leaves, before the store has found it. */
void test_a_difference_found_behind_the_loss_of_its_worker_still_fails_the_run(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        struct world w;
        world_open(&w, 1, 0);
        world_hello(&w, 7, 1);
        world_hello(&w, 8, 1);
        world_forget(&w);
        w.verdict = VERDICT_DIFFERS;
        world_on(&w, &epochs);
        if (leaves) world_on(&w, &bye);
        if (!leaves) pass_a_lease(&w);
        assert_non_null(strstr(w.text, leaves ? "save worker 1 left" : "save worker 1 lost"));
        assert_null(strstr(w.text, "save end"));
        assert_null(strstr(w.text, "assign"));
        world_forget(&w);
        world_answers(&w);
        world_expect(&w, "save sweep 1 done\n");
        world_close(&w);
    }
}

/* ... and if there is none, that is how the attempt ends. */
void test_a_loss_waits_for_the_answers_that_the_store_owes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_on(&w, &epochs);
    world_on(&w, &bye);
    world_expect(&w, "save epochs 1/1\nsave worker 1 left\n");
    world_answers(&w);
    world_expect(&w, "save end 1/1 returned waiting f0 l0\n");
    world_close(&w);
}

void test_a_worker_that_is_back_before_its_loss_is_decided_keeps_its_run(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_on(&w, &epochs);
    pass_a_lease(&w);
    assert_non_null(strstr(w.text, "save worker 1 lost"));
    world_hello_as(&w, 8, "u7", 1, holds, 1);
    world_ended(&w, 8, 1, 1, OUTCOME_FINISHED);
    assert_null(strstr(w.text, "lost waiting"));
    assert_int_equal(w.runs[1].state, RUN_FINISHED);
    world_close(&w);
}
