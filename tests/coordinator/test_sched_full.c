// SPDX-License-Identifier: MIT
/* The scheduler while the store waits for room, or for another writer: nothing that it decides
 * becomes durable, so nothing that it says leaves. */
#include "tests/coordinator/sched_world.h"

static const struct save_blas offer = {"Haswell", "aa"};

static void full(struct world *w, bool begins)
{
    struct event ev = {.kind = EVENT_FULL, .full = begins};
    world_on(w, &ev);
}

/* Without the answers, which the store owes. */
static void hello(struct world *w, uint64_t peer, bool welcoming)
{
    struct event ev = {.kind = EVENT_HELLO,
                       .peer = peer,
                       .user = "key",
                       .uuid = "u",
                       .slots = 1,
                       .offers = &offer,
                       .offer_count = 1,
                       .welcoming = welcoming};
    world_on(w, &ev);
}

static void tick(struct world *w, int64_t ms)
{
    struct event ev = {.kind = EVENT_TICK};
    w->now += ms;
    world_on(w, &ev);
}

static void beat(struct world *w, uint64_t peer, const struct event_holding *holds, size_t count)
{
    struct event ev = {
        .kind = EVENT_HEARTBEAT, .peer = peer, .holdings = holds, .holding_count = count};
    world_on(w, &ev);
}

/* Heartbeats and ticks of so many times ten seconds. */
static void pass(struct world *w, int times, const struct event_holding *holds, size_t count)
{
    for (int i = 0; i < times; i++) {
        tick(w, 10000);
        beat(w, 7, holds, count);
    }
}

void test_while_the_store_waits_nothing_is_handed_out(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    full(&w, true);
    hello(&w, 7, false);
    world_expect(&w, "save worker 1\n-> 7 welcome 1\n");
    tick(&w, 1000);
    world_expect(&w, "");
    full(&w, false);
    world_expect(&w, "save assign 1/1 worker 1 Haswell\n-> 7 work 1/1 Haswell\n");
    world_close(&w);
}

void test_a_run_that_ends_while_the_store_waits_is_followed_by_the_next_one_afterwards(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 1);
    full(&w, true);
    world_forget(&w);
    world_ended(&w, 7, 1, 1, OUTCOME_LOST);
    world_expect(&w, "save end 1/1 lost waiting f0 l1\n-> 7 ack 1/1 -1 ended\n");
    full(&w, false);
    world_expect(&w, "save assign 2/1 worker 1 Haswell\n-> 7 work 2/1 Haswell\n");
    world_close(&w);
}

void test_a_hello_said_again_while_its_welcome_waits_decides_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    hello(&w, 7, false);
    world_forget(&w);
    for (int i = 0; i < 2000; i++) hello(&w, 7, true);
    world_expect(&w, "");
    assert_int_equal(w.runs[1].attempt, 1);
    world_close(&w);
}

void test_a_hello_said_again_while_its_welcome_waits_keeps_the_worker(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    hello(&w, 7, false);
    world_forget(&w);
    for (int i = 0; i < 20; i++) {
        tick(&w, 10000);
        hello(&w, 7, true);
    }
    world_expect(&w, "");
    world_close(&w);
}

void test_a_new_connection_is_welcomed_though_the_welcome_of_the_old_one_waits(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    hello(&w, 7, false);
    world_forget(&w);
    hello(&w, 8, false);
    world_expect(&w, "-> 7 refuse another connection speaks for this worker's uuid\n"
                     "save worker 1\n-> 8 welcome 1\n"
                     "save end 1/1 returned waiting f0 l0\n"
                     "save assign 1/2 worker 1 Haswell\n-> 8 work 1/2 Haswell\n");
    world_close(&w);
}

void test_work_that_waits_for_the_store_is_not_missed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    hello(&w, 7, false);
    full(&w, true);
    world_forget(&w);
    hello(&w, 7, false); /* it had its Welcome, and waits for an answer in vain */
    world_expect(&w, "save worker 1\n-> 7 welcome 1\n");
    pass(&w, 30, NULL, 0);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    full(&w, false);
    pass(&w, 5, NULL, 0); /* on its way */
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    assert_int_equal(w.runs[1].attempt, 1);
    world_forget(&w);
    pass(&w, 1, NULL, 0); /* a lease after it left it has not arrived */
    assert_int_equal(w.runs[1].attempt, 2);
    world_close(&w);
}

/* ---- hung runs ---------------------------------------------------------------------------------
 */

static const struct event_holding two[] = {{1, 1}, {2, 1}};

/* A worker of two slots whose runs both said an epoch; then run 1 says one that is not answered. */
static void open_two(struct world *w)
{
    struct event ev = {
        .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .first = 2, .last = 2};
    world_open(w, 2, 0);
    world_tick(w, 1);
    world_hello(w, 7, 2);
    world_epochs(w, 7, 1, 1, 0, 1);
    world_epochs(w, 7, 2, 1, 0, 1);
    world_on(w, &ev);
}

void test_a_run_is_not_hung_while_its_worker_waits_for_an_answer_about_another(void **state)
{
    (void)state;
    struct world w;
    open_two(&w);
    pass(&w, 100, two, 2); /* nothing about run 2 can leave either */
    assert_int_equal(w.runs[2].failures, 0);
    world_answers(&w);
    pass(&w, 10, two, 2); /* in which it can be welcomed again */
    assert_int_equal(w.runs[1].failures, 0);
    assert_int_equal(w.runs[2].failures, 0);
    pass(&w, 62, two, 2);
    assert_int_equal(w.runs[2].failures, 1);
    world_close(&w);
}

/* Something is under way at any time where many runs report. */
void test_a_run_is_hung_though_another_one_of_its_worker_reports(void **state)
{
    (void)state;
    struct world w;
    open_two(&w);
    for (int i = 0; i < 62; i++) {
        struct event ev = {.kind = EVENT_EPOCHS,
                           .peer = 7,
                           .run = 1,
                           .attempt = 1,
                           .first = 3,
                           .last = 3 + i / 10};
        world_answers(&w);
        world_on(&w, &ev);
        pass(&w, 1, two, 2);
    }
    assert_int_equal(w.runs[1].failures, 0);
    assert_int_equal(w.runs[2].failures, 1);
    world_close(&w);
}

void test_a_run_is_not_hung_while_the_store_waits_nor_for_its_time_afterwards(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_tick(&w, 1);
    world_hello(&w, 7, 1);
    world_epochs(&w, 7, 1, 1, 0, 1);
    full(&w, true);
    pass(&w, 100, two, 1);
    assert_int_equal(w.runs[1].failures, 0);
    full(&w, false);
    pass(&w, 60, two, 1);
    assert_int_equal(w.runs[1].failures, 0);
    tick(&w, 10000);
    assert_int_equal(w.runs[1].failures, 1);
    world_close(&w);
}
