// SPDX-License-Identifier: MIT
/* The scheduler: workers that come, come back, fall silent, hang or fail everything they get. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

/* ---- who comes ---------------------------------------------------------------------------------
 */

static void expect_refusal(struct world *w, struct event ev, const char *why)
{
    world_forget(w);
    world_on(w, &ev);
    assert_non_null(strstr(w->text, "refuse"));
    assert_non_null(strstr(w->text, why));
}

void test_a_hello_that_cannot_be_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct world w;
    struct save_blas offer = {"Haswell", "aa"};
    struct event good = {.kind = EVENT_HELLO,
                         .peer = 5,
                         .user = "key",
                         .uuid = "u",
                         .slots = 2,
                         .offers = &offer,
                         .offer_count = 1};
    struct event ev = good;
    char longest[80];
    memset(longest, 'x', sizeof longest);
    longest[64] = '\0';
    world_open(&w, 1, 0);
    ev.slots = 0;
    expect_refusal(&w, ev, "1 to 4096 slots");
    ev.slots = 5000;
    expect_refusal(&w, ev, "1 to 4096 slots");
    ev = good;
    ev.uuid = "";
    expect_refusal(&w, ev, "uuid");
    ev.uuid = longest;
    expect_refusal(&w, ev, "uuid");
    ev = good;
    ev.offer_count = 0;
    expect_refusal(&w, ev, "kernels");
    assert_int_equal(w.s.worker_count, 0);
    world_close(&w);
}

void test_a_uuid_belongs_to_the_key_that_brought_it(void **state)
{
    (void)state;
    struct world w;
    struct save_blas offer = {"Haswell", "aa"};
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "u", 1, NULL, 0);
    struct event thief = {.kind = EVENT_HELLO,
                          .peer = 8,
                          .user = "other",
                          .uuid = "u",
                          .slots = 1,
                          .offers = &offer,
                          .offer_count = 1};
    expect_refusal(&w, thief, "another key");
    assert_int_equal(w.s.workers[0].peer, 7);
    assert_int_equal(w.runs[1].attempt, 1);
    world_close(&w);
}

void test_a_reconnected_worker_goes_on_with_what_it_holds(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}, {9, 4}};
    world_open(&w, 2, 0);
    world_hello_as(&w, 7, "u", 2, NULL, 0);
    world_forget(&w);
    world_hello_as(&w, 8, "u", 2, holds, 2);
    /* Run 2 never reached it: back without blame, and handed out anew. Run 9 is nothing of ours. */
    world_expect(&w, "-> 7 refuse another connection speaks for this worker's uuid\n"
                     "save worker 1\n-> 8 welcome 1\n-> 8 stop 9/4\n"
                     "save end 2/1 returned waiting f0 l0\n"
                     "save assign 2/2 worker 1 Haswell\n-> 8 work 2/2 Haswell\n");
    world_epochs(&w, 8, 1, 1, 0, 3);
    world_expect(&w, "save epochs 1/1\n-> 8 ack 1/1 3\n");
    world_epochs(&w, 7, 1, 1, 4, 5); /* its old connection, or a copy of it */
    world_expect(&w, "-> 7 refuse hello\n");
    world_close(&w);
}

void test_a_worker_that_lists_an_old_attempt_or_that_of_another_is_stopped(void **state)
{
    (void)state;
    struct world w;
    struct event_holding old[] = {{1, 1}}, foreign[] = {{1, 2}};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    w.now += 100000;
    world_ended(&w, 7, 1, 1, OUTCOME_LOST); /* attempt 2 follows, on 7 */
    world_beat(&w, 7, foreign, 1);
    world_forget(&w);
    world_beat(&w, 7, old, 1);
    world_expect(&w, "-> 7 heartbeat\n-> 7 stop 1/1\n");
    world_hello_as(&w, 8, "u8", 1, foreign, 1);
    world_expect(&w, "save worker 2\n-> 8 welcome 2\n-> 8 stop 1/2\n");
    world_close(&w);
}

void test_one_connection_speaks_for_one_worker(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "a", 1, NULL, 0);
    world_forget(&w);
    world_hello_as(&w, 7, "b", 1, NULL, 0); /* the process behind it was replaced */
    world_expect(&w, "save worker 1 left\nsave end 1/1 returned waiting f0 l0\n"
                     "save worker 2\n-> 7 welcome 2\n"
                     "save assign 1/2 worker 2 Haswell\n-> 7 work 1/2 Haswell\n");
    world_close(&w);
}

void test_a_worker_that_leaves_hands_its_runs_back(void **state)
{
    (void)state;
    struct world w;
    struct event bye = {.kind = EVENT_GOODBYE, .peer = 7};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_on(&w, &bye);
    world_answers(&w);
    world_expect(&w, "save worker 1 left\nsave end 1/1 returned waiting f0 l0\n");
    world_hello(&w, 9, 1);
    assert_int_equal(w.runs[1].attempt, 2);
    world_close(&w);
}

void test_a_worker_whose_key_is_revoked_is_told_and_its_run_waits_for_another(void **state)
{
    (void)state;
    struct world w;
    const char *const all[] = {"someone", "key"}, *const rest[] = {"someone"};
    struct event keys = {.kind = EVENT_KEYS, .users = all, .user_count = 2};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_on(&w, &keys);
    world_expect(&w, "");
    keys.users = rest;
    keys.user_count = 1;
    world_on(&w, &keys);
    world_answers(&w);
    world_expect(&w, "-> 7 refuse the key of this worker was revoked\n"
                     "save event revoked\n"
                     "save worker 1 left\n"
                     "save end 1/1 returned waiting f0 l0\n");
    world_epochs(&w, 7, 1, 1, 0, 0);
    world_expect(&w, "-> 7 refuse hello\n");
    world_close(&w);
}

void test_an_end_that_came_before_the_goodbye_still_counts(void **state)
{
    (void)state;
    struct world w;
    struct event epochs = {
        .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .last = WORLD_EPOCHS};
    struct event ended = {.kind = EVENT_ENDED,
                          .peer = 7,
                          .run = 1,
                          .attempt = 1,
                          .epoch = WORLD_EPOCHS,
                          .outcome = OUTCOME_FINISHED};
    struct event bye = {.kind = EVENT_GOODBYE, .peer = 7};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_on(&w, &epochs);
    world_on(&w, &ended);
    world_on(&w, &bye); /* all three before the disk answers */
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_FINISHED);
    world_close(&w);
}

/* ---- leases ------------------------------------------------------------------------------------
 */

void test_a_silent_worker_loses_its_runs_after_a_lease(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    world_forget(&w);
    for (int i = 0; i < 5; i++) world_tick(&w, 10000);
    world_tick(&w, 9999);
    world_expect(&w, "");
    world_tick(&w, 1); /* 60 s to the millisecond */
    world_expect(&w, "save worker 1 lost\nsave end 1/1 lost waiting f0 l1\n");
    world_epochs(&w, 7, 1, 1, 0, 3); /* it was only asleep */
    world_expect(&w, "-> 7 refuse hello\n");
    world_hello_as(&w, 7, "u7", 1, (struct event_holding[]){{1, 1}}, 1);
    world_expect(&w, "save worker 1\n-> 7 welcome 1\n-> 7 stop 1/1\n"
                     "save assign 1/2 worker 1 Haswell\n-> 7 work 1/2 Haswell\n");
    world_close(&w);
}

void test_every_message_renews_the_lease(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}};
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    for (int i = 0; i < 60; i++) {
        world_tick(&w, 10000);
        if (i % 5) continue;
        if (i % 2)
            world_beat(&w, 7, holds, 1);
        else
            world_epochs(&w, 7, 1, 1, 0, i / 10);
    }
    assert_int_equal(w.runs[1].losses, 0);
    assert_int_equal(w.runs[1].attempt, 1);
    world_close(&w);
}

void test_after_a_pause_of_the_coordinator_all_leases_begin_anew(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_tick(&w, 600000); /* stopped for ten minutes */
    world_expect(&w, "");
    for (int i = 0; i < 5; i++) world_tick(&w, 10000);
    world_tick(&w, 9999);
    world_expect(&w, "");
    world_tick(&w, 1);
    world_expect(&w, "save worker 1 lost\nsave end 1/1 lost waiting f0 l1\n");
    world_close(&w);
}

void test_after_a_pause_before_the_first_tick_all_leases_begin_anew_too(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    world_tick(&w, 600000);
    world_expect(&w, "");
    world_close(&w);
}

void test_work_that_never_arrived_is_noticed_by_the_heartbeat_after_a_lease(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    world_forget(&w);
    for (int i = 0; i < 5; i++) {
        world_tick(&w, 10000);
        world_beat(&w, 7, NULL, 0);
    }
    assert_int_equal(w.runs[1].attempt, 1);
    world_tick(&w, 10000);
    world_forget(&w);
    world_beat(&w, 7, NULL, 0);
    world_expect(&w, "-> 7 heartbeat\nsave worker 1 seen\nsave end 1/1 returned waiting f0 l0\n"
                     "save assign 1/2 worker 1 Haswell\n-> 7 work 1/2 Haswell\n");
    world_close(&w);
}

void test_after_a_restart_a_worker_goes_on_and_who_does_not_come_back_is_lost(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 1);
    world_hello(&w, 8, 1);
    world_epochs(&w, 7, 1, 1, 0, 5);
    world_restart(&w);
    assert_int_equal(w.s.runs.count, 2);
    world_tick(&w, 1);
    world_epochs(&w, 7, 1, 1, 6, 7);
    world_expect(&w, "-> 7 refuse hello\n");
    world_hello_as(&w, 7, "u7", 1, (struct event_holding[]){{1, 1}}, 1);
    world_forget(&w);
    world_epochs(&w, 7, 1, 1, 6, 7);
    world_expect(&w, "save epochs 1/1\n-> 7 ack 1/1 7\n");
    for (int i = 0; i < 6; i++) {
        world_tick(&w, 10000);
        world_beat(&w, 7, (struct event_holding[]){{1, 1}}, 1);
    }
    assert_int_equal(w.runs[1].attempt, 1);
    assert_int_equal(w.runs[2].state, RUN_WAITING);
    assert_int_equal(w.runs[2].losses, 1);
    world_close(&w);
}

void test_after_a_restart_a_run_waits_for_its_holder_and_goes_to_nobody_else(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_restart(&w);
    world_hello_as(&w, 9, "u9", 1, holds, 1); /* somebody else is quicker, and lies */
    assert_non_null(strstr(w.text, "-> 9 stop 1/1\n"));
    assert_int_equal(w.runs[1].attempt, 1);
    world_forget(&w);
    world_hello_as(&w, 5, "u7", 1, holds, 1);
    world_expect(&w, "save worker 1\n-> 5 welcome 1\n"); /* it has its number back */
    assert_int_equal(world_find(&w, 1)->lease.worker, 1);
    assert_int_equal(w.s.workers[0].held, 1);
    world_close(&w);
}

void test_work_that_was_stored_and_not_sent_before_a_crash_costs_no_run_a_loss(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_restart(&w);
    world_hello(&w, 7, 1); /* and holds nothing */
    assert_non_null(strstr(w.text, "save end 1/1 returned waiting f0 l0\n"));
    assert_non_null(strstr(w.text, "-> 7 work 1/2 Haswell\n"));
    world_close(&w);
}

void test_when_a_worker_was_last_heard_is_stored_once_a_lease(void **state)
{
    (void)state;
    struct world w;
    int seen = 0;
    world_open(&w, 0, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    for (int i = 1; i <= 12; i++) {
        world_tick(&w, 10000);
        world_beat(&w, 7, NULL, 0);
        seen += strstr(w.text, "save worker 1 seen\n") != NULL;
        world_forget(&w);
        assert_int_equal(seen, i / 6); /* six heartbeats of 10 s */
    }
    world_close(&w);
}

/* ---- hung runs and bad workers -----------------------------------------------------------------
 */

void test_a_run_without_an_epoch_for_ten_minutes_is_hung_though_its_worker_lives(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}};
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    world_epochs(&w, 7, 1, 1, 0, 3);
    for (int i = 0; i < 60; i++) {
        world_tick(&w, 10000);
        world_beat(&w, 7, holds, 1);
    }
    assert_int_equal(w.runs[1].failures, 0);
    world_forget(&w);
    world_tick(&w, 10000);
    assert_non_null(strstr(w.text, "save end 1/1 failed waiting f1 l0\n-> 7 stop 1/1\n"));
    world_close(&w);
}

void test_a_prefetched_run_is_not_hung(void **state)
{
    (void)state;
    struct world w;
    struct event_holding holds[] = {{1, 1}, {2, 1}};
    world_open(&w, 9, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    for (int i = 0; i < 100; i++) {
        world_tick(&w, 10000);
        world_epochs(&w, 7, 1, 1, 0, i / 20);
        world_beat(&w, 7, holds, 2);
    }
    assert_int_equal(w.runs[2].attempt, 1);
    assert_int_equal(w.runs[2].state, RUN_RUNNING);
    world_close(&w);
}

void test_a_run_that_waits_for_our_acknowledgement_is_not_hung(void **state)
{
    (void)state;
    struct world w;
    struct event epochs = {.kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .last = 3};
    struct event beat = {.kind = EVENT_HEARTBEAT,
                         .peer = 7,
                         .holdings = (struct event_holding[]){{1, 1}},
                         .holding_count = 1};
    struct event tick = {.kind = EVENT_TICK};
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_on(&w, &epochs); /* the disk is full: no answer */
    for (int i = 0; i < 200; i++) {
        w.now += 10000;
        world_on(&w, &tick);
        world_on(&w, &beat);
    }
    world_answers(&w);
    assert_int_equal(w.runs[1].failures, 0);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    world_close(&w);
}

void test_three_different_runs_that_fail_at_once_quarantine_the_worker_not_the_runs(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 6, 0);
    world_hello(&w, 7, 1); /* holds 1, and 2 prefetched */
    world_ended(&w, 7, 1, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 2, 1, OUTCOME_FAILED);
    assert_int_equal(w.runs[1].failures + w.runs[2].failures, 2);
    assert_int_equal(w.runs[3].state, RUN_RUNNING); /* not 1 again: it has just failed here */
    world_forget(&w);
    world_ended(&w, 7, 3, 1, OUTCOME_FAILED);
    assert_non_null(strstr(w.text, "save worker 1 quarantined\nsave event quarantine\n"
                                   "save end 3/1 failed waiting f0 l0\n-> 7 ack 3/1 -1 ended\n"));
    assert_null(strstr(w.text, "-> 7 work"));
    assert_int_equal(world_find(&w, 1)->is.failures + world_find(&w, 2)->is.failures, 0);
    world_ended(&w, 7, 4, 1, OUTCOME_FAILED); /* what it still held is not punished either */
    assert_int_equal(w.runs[4].failures, 0);
    world_forget(&w);
    world_hello_as(&w, 8, "u7", 1, NULL, 0); /* coming back does not help */
    assert_null(strstr(w.text, "-> 8 work"));
    world_hello(&w, 9, 1);
    assert_non_null(strstr(w.text, "-> 9 work 1/2"));
    world_close(&w);
}

void test_one_bad_run_does_not_quarantine_a_worker(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    for (int64_t attempt = 1; attempt <= 3; attempt++) {
        world_ended(&w, 7, 1, attempt, OUTCOME_FAILED);
        world_tick(&w, 20000); /* as long as it rests */
    }
    assert_int_equal(w.runs[1].state, RUN_FAILED);
    assert_int_equal(w.s.workers[0].state, WORKER_CONNECTED);
    world_close(&w);
}

void test_a_success_between_failures_clears_the_suspicion(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 20, 0);
    world_hello(&w, 7, 4);
    world_ended(&w, 7, 1, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 2, 1, OUTCOME_FAILED);
    world_ended(&w, 7, 3, 1, OUTCOME_FINISHED);
    world_ended(&w, 7, 4, 1, OUTCOME_FAILED);
    assert_int_equal(w.s.workers[0].state, WORKER_CONNECTED);
    assert_int_equal(w.s.workers[0].quick_count, 1);
    world_close(&w);
}

void test_workers_that_are_gone_are_forgotten_when_many_have_come(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 0, 0);
    w.s.config.keep = 8;
    for (uint64_t peer = 1; peer <= 100; peer++) {
        struct event bye = {.kind = EVENT_GOODBYE, .peer = peer};
        world_hello(&w, peer, 1);
        w.now++;
        world_on(&w, &bye);
    }
    assert_int_equal(w.s.worker_count, 8);
    assert_int_equal(w.s.next_worker, 101);
    world_close(&w);
}
