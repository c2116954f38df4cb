// SPDX-License-Identifier: MIT
/* The scheduler: who gets what, and how attempts end. Events go in, lines come out. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

/* ---- handing out -------------------------------------------------------------------------------
 */

void test_a_worker_gets_as_many_runs_as_it_has_slots_saved_before_they_are_sent(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 2);
    world_expect(&w, "save worker 1\n-> 7 welcome 1\n"
                     "save assign 1/1 worker 1 Haswell\n-> 7 work 1/1 Haswell\n"
                     "save assign 2/1 worker 1 Haswell\n-> 7 work 2/1 Haswell\n");
    world_close(&w);
}

void test_one_run_is_prefetched_while_more_wait_than_there_are_slots(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 5, 0);
    world_hello(&w, 7, 2);
    assert_int_equal(w.s.workers[0].held, 3); /* 3 waited beside 2 slots */
    assert_int_equal(world_find(&w, 1)->lease.begun_ms, w.now);
    assert_int_equal(world_find(&w, 3)->lease.begun_ms, -1);
    world_forget(&w);
    w.now += 500;
    world_ended(&w, 7, 1, 1, OUTCOME_LOST);
    world_expect(&w, "save end 1/1 lost waiting f0 l1\n-> 7 ack 1/1 -1 ended\n"
                     "save assign 4/1 worker 1 Haswell\n-> 7 work 4/1 Haswell\n");
    assert_int_equal(world_find(&w, 3)->lease.begun_ms, w.now); /* a slot is free for it */
    world_close(&w);
}

void test_at_the_end_of_a_sweep_nothing_is_prefetched_beside_a_free_slot(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 4, 0);
    world_hello(&w, 7, 2);
    assert_int_equal(w.s.workers[0].held, 2);
    world_hello(&w, 8, 2);
    assert_int_equal(w.s.workers[1].held, 2);
    world_close(&w);
}

void test_a_hundred_workers_at_once_each_get_runs_of_their_own(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1000, 0);
    for (uint64_t peer = 1; peer <= 100; peer++) world_hello(&w, peer, 4);
    int64_t given = 0;
    for (int64_t i = 1; i <= 1000; i++) { /* the world insists on one holder for each attempt */
        assert_true(w.runs[i].attempt <= 1);
        given += w.runs[i].state == RUN_RUNNING;
    }
    assert_int_equal(given, 500); /* 4 slots and one prefetched each */
    for (size_t i = 0; i < 100; i++) assert_int_equal(w.s.workers[i].held, 5);
    world_close(&w);
}

void test_a_sweep_of_higher_priority_goes_first_even_when_the_window_is_full(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 100, 16);
    assert_int_equal(w.s.runs.waiting, 16);
    world_submit(&w, "2 5");
    world_forget(&w);
    world_hello(&w, 7, 1);
    assert_non_null(strstr(w.text, "-> 7 work 101/1"));
    assert_null(strstr(w.text, "-> 7 work 1/1"));
    world_close(&w);
}

void test_a_look_for_higher_priority_is_repeated_when_its_answer_came_too_late(void **state)
{
    (void)state;
    struct world w;
    struct event submit = {.kind = EVENT_SUBMIT, .peer = 99, .text = "2 5"};
    struct event_range range = {40, 40};
    struct event cancel = {
        .kind = EVENT_CANCEL_RUNS, .peer = 99, .ranges = &range, .range_count = 1};
    world_open(&w, 100, 16);
    world_on(&w, &submit);
    struct save_answer added = w.answers[--w.answer_count];
    struct event answer = {.kind = EVENT_ANSWER, .answer = &added};
    world_on(&w, &answer);
    assert_true(w.s.fetching);
    world_on(&w, &cancel); /* of a run that the answer may still call waiting */
    world_answers(&w);
    world_hello(&w, 7, 1);
    assert_non_null(strstr(w.text, "-> 7 work 101/1"));
    world_close(&w);
}

void test_the_window_is_refilled_until_every_run_has_been_handed_out_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 300, 16);
    world_hello(&w, 7, 3);
    for (int64_t i = 1; i <= 300; i++) {
        assert_int_equal(w.runs[i].state, RUN_RUNNING);
        world_epochs(&w, 7, i, 1, 0, 2);
        world_ended(&w, 7, i, 1, OUTCOME_FINISHED);
        assert_int_equal(w.runs[i].state, RUN_FINISHED);
        assert_true(w.s.runs.count <= 8 * 16 + 4);
    }
    assert_int_equal(w.s.runs.count, 0);
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_close(&w);
}

void test_a_fetch_asked_before_a_cancel_brings_nothing_back(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 40, 16);
    struct event_range range = {1, 30};
    struct event hello = {.kind = EVENT_HELLO,
                          .peer = 7,
                          .user = "key",
                          .uuid = "u7",
                          .slots = 14,
                          .offers = (struct save_blas[]){{"Haswell", "aa"}},
                          .offer_count = 1};
    struct event cancel = {
        .kind = EVENT_CANCEL_RUNS, .peer = 99, .ranges = &range, .range_count = 1};
    world_on(&w, &hello); /* takes 15 of 16 and asks for more */
    assert_true(w.s.fetching);
    world_on(&w, &cancel); /* while the answer is on its way */
    world_answers(&w);
    for (int64_t i = 1; i <= 30; i++) assert_null(world_find(&w, i));
    assert_int_equal(w.s.sweeps[0].cancelled, 30);
    assert_int_equal(w.s.sweeps[0].waiting + w.s.sweeps[0].running, 10);
    world_close(&w);
}

void test_a_run_that_nobody_can_take_is_explained_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_family(&w, "Zen");
    world_hello(&w, 7, 1);
    world_forget(&w);
    int said = 0;
    for (int i = 0; i < 20; i++) {
        world_tick(&w, 10000);
        world_beat(&w, 7, NULL, 0);
        said += strstr(w.text, "save event no_worker") != NULL;
        world_forget(&w);
    }
    assert_int_equal(said, 1);
    world_close(&w);
}

/* ---- epochs and ends ---------------------------------------------------------------------------
 */

void test_epochs_are_acknowledged_only_when_the_store_has_answered(void **state)
{
    (void)state;
    struct world w;
    struct event ev = {
        .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .first = 0, .last = 9};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_on(&w, &ev);
    world_expect(&w, "save epochs 1/1\n");
    world_answers(&w);
    world_expect(&w, "-> 7 ack 1/1 9\n");
    world_on(&w, &ev); /* sent twice: stored once, acknowledged again */
    world_answers(&w);
    world_expect(&w, "save epochs 1/1\n-> 7 ack 1/1 9\n");
    world_close(&w);
}

void test_an_end_is_judged_only_after_the_epochs_before_it(void **state)
{
    (void)state;
    struct world w;
    struct event epochs = {
        .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .first = 0, .last = 9};
    struct event ended = {.kind = EVENT_ENDED,
                          .peer = 7,
                          .run = 1,
                          .attempt = 1,
                          .epoch = 9,
                          .outcome = OUTCOME_FINISHED};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_on(&w, &epochs);
    world_on(&w, &ended);
    world_on(&w, &ended); /* sent again by an impatient worker */
    world_expect(&w, "save epochs 1/1\n");
    world_answers(&w);
    world_expect(&w, "-> 7 ack 1/1 9\nsave end 1/1 finished finished f0 l0\n"
                     "-> 7 ack 1/1 9 ended\nsave sweep 1 done\n");
    world_on(&w, &ended); /* its acknowledgement was lost: the worker forgets the run */
    world_expect(&w, "-> 7 stop 1/1\n");
    world_close(&w);
}

void test_a_run_whose_end_came_but_not_its_epochs_is_not_finished(void **state)
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
    world_epochs(&w, 7, 1, 1, 0, 8);
    world_forget(&w);
    world_on(&w, &ended);
    assert_non_null(strstr(w.text, "save end 1/1 lost waiting f0 l1\n-> 7 stop 1/1\n"));
    world_close(&w);
}

/* Nine of ten epochs are stored when it says that it has finished. */
void test_a_run_that_ends_before_its_last_epoch_is_finished_only_by_its_stop_rule(void **state)
{
    (void)state;
    struct event ended = {.kind = EVENT_ENDED,
                          .peer = 7,
                          .run = 1,
                          .attempt = 1,
                          .epoch = 8,
                          .outcome = OUTCOME_FINISHED};
    for (int stop = 0; stop < 2; stop++) {
        struct world w;
        world_open(&w, 1, 0);
        if (stop) w.s.sweeps[0].settings.stop_test_accuracy = 0.99;
        world_hello(&w, 7, 1);
        world_epochs(&w, 7, 1, 1, 0, 8);
        world_forget(&w);
        world_on(&w, &ended);
        assert_non_null(strstr(w.text, stop ? "save end 1/1 finished finished f0 l0\n-> 7 ack 1/1 8"
                                            : "save end 1/1 lost waiting f0 l1\n-> 7 stop 1/1\n"));
        world_close(&w);
    }
}

void test_an_epoch_beyond_the_last_one_is_not_stored(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_epochs(&w, 7, 1, 1, 0, WORLD_EPOCHS + 1);
    assert_memory_equal(w.text, "save end 1/1 lost waiting f0 l1\n-> 7 stop 1/1\n", 46);
    assert_int_equal(w.runs[1].epochs_done, -1);
    world_close(&w);
}

void test_who_reports_without_waiting_for_answers_is_stopped(void **state)
{
    (void)state;
    struct world w;
    struct event ev = {.kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    for (int i = 0; i < 1000; i++) world_on(&w, &ev);
    assert_true(w.answer_count < 100);
    world_answers(&w);
    assert_non_null(strstr(w.text, "save end 1/1 lost waiting f0 l1\n-> 7 stop 1/1\n"));
    world_close(&w);
}

void test_a_gap_stops_the_attempt_and_counts_as_a_loss(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_epochs(&w, 7, 1, 1, 5, 9);
    world_expect(&w, "save epochs 1/1\nsave end 1/1 lost waiting f0 l1\n-> 7 stop 1/1\n"
                     "save assign 1/2 worker 1 Haswell\n-> 7 work 1/2 Haswell\n");
    world_close(&w);
}

void test_an_attempt_the_database_does_not_know_is_dropped_and_fetched_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    w.runs[1].attempt = 5; /* somebody else wrote */
    w.runs[1].state = RUN_WAITING;
    world_epochs(&w, 7, 1, 1, 0, 0);
    assert_non_null(strstr(w.text, "-> 7 stop 1/1\n"));
    assert_int_equal(w.runs[1].attempt, 6); /* handed out from what the database says */
    world_close(&w);
}

void test_failures_and_losses_are_counted_apart_and_each_has_its_last(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 2);
    for (int64_t attempt = 1; attempt <= 3; attempt++) {
        w.now += 100000; /* not so quick that the worker is suspected */
        world_ended(&w, 7, 1, attempt, OUTCOME_FAILED);
        assert_int_equal(w.runs[1].failures, attempt);
    }
    assert_int_equal(w.runs[1].state, RUN_FAILED);
    assert_int_equal(w.runs[1].losses, 0);
    for (int64_t attempt = 1; attempt <= 10; attempt++) {
        w.now += 100000;
        world_ended(&w, 7, 2, attempt, OUTCOME_LOST);
    }
    assert_int_equal(w.runs[2].state, RUN_FAILED);
    assert_int_equal(w.runs[2].losses, 10);
    assert_int_equal(w.runs[2].failures, 0);
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_close(&w);
}

void test_a_final_failure_is_not_tried_again_and_a_returned_run_is_not_counted(void **state)
{
    (void)state;
    struct world w;
    struct event diverged = {.kind = EVENT_ENDED,
                             .peer = 7,
                             .run = 1,
                             .attempt = 1,
                             .epoch = -1,
                             .outcome = OUTCOME_FAILED,
                             .final = true,
                             .reason = "diverged at epoch 3"};
    world_open(&w, 2, 0);
    world_hello(&w, 7, 2);
    world_on(&w, &diverged);
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_FAILED);
    assert_int_equal(w.s.workers[0].quick_count, 0); /* the run is to blame, not the worker */
    world_forget(&w);
    world_ended(&w, 7, 2, 1, OUTCOME_RETURNED);
    /* and not handed out again to a worker that is leaving */
    world_expect(&w, "save end 2/1 returned waiting f0 l0\n-> 7 ack 2/1 -1 ended\n");
    world_hello(&w, 8, 1);
    assert_int_equal(w.runs[2].attempt, 2);
    world_close(&w);
}

/* ---- who is believed ---------------------------------------------------------------------------
 */

void test_only_the_holder_of_the_current_attempt_is_believed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 1);
    world_hello(&w, 8, 1);
    w.now += 100000;
    world_ended(&w, 7, 1, 1, OUTCOME_LOST); /* its second attempt goes to 7 again */
    world_forget(&w);
    world_epochs(&w, 7, 1, 1, 0, 3); /* the first one, late */
    world_expect(&w, "-> 7 stop 1/1\n");
    world_epochs(&w, 8, 1, 2, 0, 3); /* somebody else's */
    world_expect(&w, "-> 8 stop 1/2\n");
    world_ended(&w, 8, 1, 2, OUTCOME_FINISHED);
    world_expect(&w, "-> 8 stop 1/2\n");
    world_epochs(&w, 7, 1, 7, 0, 3); /* an attempt that never was */
    world_expect(&w, "-> 7 stop 1/7\n");
    world_epochs(&w, 7, 4711, 1, 0, 3);
    world_expect(&w, "-> 7 stop 4711/1\n");
    assert_int_equal(w.runs[1].epochs_done, -1);
    world_close(&w);
}

void test_a_stranger_is_asked_for_its_hello_whatever_it_says(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_epochs(&w, 5, 1, 1, 0, 3);
    world_ended(&w, 5, 1, 1, OUTCOME_FINISHED);
    world_beat(&w, 5, NULL, 0);
    struct event bye = {.kind = EVENT_GOODBYE, .peer = 5};
    world_on(&w, &bye);
    world_expect(&w,
                 "-> 5 refuse hello\n-> 5 refuse hello\n-> 5 refuse hello\n-> 5 refuse hello\n");
    world_close(&w);
}

void test_nothing_is_handed_out_after_the_stop_but_ends_are_taken(void **state)
{
    (void)state;
    struct world w;
    struct event stop = {.kind = EVENT_STOP};
    world_open(&w, 3, 0);
    world_hello(&w, 7, 1);
    world_on(&w, &stop);
    world_forget(&w);
    world_ended(&w, 7, 1, 1, OUTCOME_RETURNED);
    world_expect(&w, "save end 1/1 returned waiting f0 l0\n-> 7 ack 1/1 -1 ended\n");
    world_close(&w);
}
