// SPDX-License-Identifier: MIT
/* The scheduler: what the disk answers late: ends that wait for it while their worker goes, fetches
 * that it answered before what was decided since. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

/* ---- ends --------------------------------------------------------------------------------------
 */

/* Worker 7 reports all of run 1 and its end, and the disk has answered nothing of it. */
static void open_with_an_end_that_waits(struct world *w)
{
    world_open(w, 1, 0);
    world_hello(w, 7, 1);
    world_on(w, &(struct event){
                    .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .last = WORLD_EPOCHS});
    world_on(w, &(struct event){.kind = EVENT_ENDED,
                                .peer = 7,
                                .run = 1,
                                .attempt = 1,
                                .epoch = WORLD_EPOCHS,
                                .outcome = OUTCOME_FINISHED});
    world_forget(w);
}

static void close_with_that_end(struct world *w)
{
    world_answers(w);
    assert_int_equal(w->runs[1].state, RUN_FINISHED);
    assert_int_equal(w->runs[1].attempt, 1);
    assert_int_equal(w->runs[1].losses, 0);
    world_close(w);
}

void test_an_end_that_waits_for_the_disk_outlives_its_worker(void **state)
{
    (void)state;
    struct world w;
    open_with_an_end_that_waits(&w);
    for (int i = 0; i < 20; i++) {
        w.now += 10000;
        world_on(&w, &(struct event){.kind = EVENT_TICK});
    }
    world_expect(&w, "save worker 1 lost\n");
    close_with_that_end(&w);
}

void test_a_run_whose_end_waits_for_the_disk_need_not_be_listed(void **state)
{
    (void)state;
    struct world w;
    struct event hello = {.kind = EVENT_HELLO,
                          .peer = 8,
                          .user = "key",
                          .uuid = "u7",
                          .slots = 1,
                          .offers = (struct save_blas[]){{"Haswell", "aa"}},
                          .offer_count = 1};
    open_with_an_end_that_waits(&w);
    world_on(&w, &hello); /* on a new connection, with empty hands */
    assert_null(strstr(w.text, "save end"));
    close_with_that_end(&w);
}

void test_epochs_sent_again_behind_an_end_that_waits_are_not_stored_again(void **state)
{
    (void)state;
    struct world w;
    open_with_an_end_that_waits(&w);
    world_on(&w,
             &(struct event){
                 .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .last = WORLD_EPOCHS});
    world_expect(&w, "");
    close_with_that_end(&w);
}

/* Five epochs of attempt 1 are stored when attempt 2 goes on with the sixth, 100 s after it began:
 * that is the time of one epoch, not of six. */
void test_a_resumed_attempt_is_measured_by_the_epochs_it_trained(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_epochs(&w, 7, 1, 1, 0, 4);
    world_ended(&w, 7, 1, 1, OUTCOME_RETURNED);
    world_hello(&w, 8, 1);
    assert_int_equal(w.runs[1].attempt, 2);
    w.now += 100000;
    world_epochs(&w, 8, 1, 2, 5, 5);
    assert_int_equal(run_patience_ms(world_find(&w, 1), 600000), 20 * 100000);
    world_close(&w);
}

/* ---- fetches -----------------------------------------------------------------------------------
 */

/* Of 40 runs 1 to 15 are handed out, 16 waits in the table, and a fetch that names 16 to 32 as
 * waiting is under way. */
static void open_with_a_fetch(struct world *w)
{
    struct event hello = {.kind = EVENT_HELLO,
                          .peer = 7,
                          .user = "key",
                          .uuid = "u7",
                          .slots = 14,
                          .offers = (struct save_blas[]){{"Haswell", "aa"}},
                          .offer_count = 1};
    world_open(w, 40, 16);
    world_on(w, &hello);
    assert_true(w->s.fetching);
    assert_int_equal(world_find(w, 16)->state, RUN_WAITING);
    assert_null(world_find(w, 17));
}

static void cancel_under_it(int64_t run)
{
    struct world w;
    struct event_range range = {run, run};
    open_with_a_fetch(&w);
    world_on(&w, &(struct event){
                     .kind = EVENT_CANCEL_RUNS, .peer = 99, .ranges = &range, .range_count = 1});
    world_answers(&w);
    assert_null(world_find(&w, run));
    assert_int_equal(w.runs[run].state, RUN_CANCELLED);
    assert_int_equal(w.s.sweeps[0].cancelled, 1);
    world_close(&w);
}

void test_a_run_of_the_table_cancelled_under_a_fetch_does_not_come_back(void **state)
{
    (void)state;
    cancel_under_it(16);
}

void test_a_run_of_the_database_cancelled_under_a_fetch_does_not_come_back(void **state)
{
    (void)state;
    cancel_under_it(30);
}

/* ---- places ------------------------------------------------------------------------------------
 */

void test_the_place_of_a_quarantined_worker_is_given_to_nobody(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 30, 0);
    w.s.config.keep = 4;
    world_hello(&w, 7, 1);
    for (int64_t run = 1; run <= 3; run++) world_ended(&w, 7, run, 1, OUTCOME_FAILED);
    assert_int_equal(w.s.workers[0].state, WORKER_QUARANTINED);
    world_on(&w, &(struct event){.kind = EVENT_GOODBYE, .peer = 7});
    for (uint64_t peer = 100; peer < 120; peer++) {
        w.now++;
        world_hello(&w, peer, 1);
        world_on(&w, &(struct event){.kind = EVENT_GOODBYE, .peer = peer});
        world_answers(&w);
    }
    assert_int_equal(w.s.worker_count, 4);
    world_forget(&w);
    world_hello_as(&w, 8, "u7", 1, NULL, 0);
    assert_non_null(strstr(w.text, "-> 8 welcome 1\n"));
    assert_null(strstr(w.text, "-> 8 work"));
    world_close(&w);
}
