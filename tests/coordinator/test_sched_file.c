// SPDX-License-Identifier: MIT
/* Files in parts, as the scheduler sees them: pieces of the runs that a worker holds, answered when
 * the store has answered, and no more of them than a worker has a right to. */
#include "tests/coordinator/sched_world.h"

static void say(struct world *w, enum event_kind kind, uint64_t peer, int64_t run, int64_t attempt,
                int64_t offset)
{
    const struct event ev = {
        .kind = kind, .peer = peer, .run = run, .attempt = attempt, .offset = offset};
    world_on(w, &ev);
}

void test_parts_of_the_holder_are_stored_and_then_answered(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    say(&w, EVENT_PART, 7, 1, 1, 0);
    world_expect(&w, "save part 1/1\n");
    world_answers(&w);
    world_expect(&w, "-> 7 got 1/1\n");
    w.verdict = VERDICT_GAP;
    say(&w, EVENT_PART, 7, 1, 1, 0);
    world_answers(&w);
    world_expect(&w, "save part 1/1\n-> 7 got 1/1 gap\n");
    say(&w, EVENT_READ, 7, 1, 1, 4096);
    world_answers(&w);
    world_expect(&w, "save read 1/1 4096\n-> 7 part 1/1 4096\n");
    world_close(&w);
}

void test_nobody_else_sends_or_fetches_files_of_a_run(void **state)
{
    (void)state;
    static const enum event_kind kinds[] = {EVENT_PART, EVENT_READ};
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_hello(&w, 8, 1);
    world_forget(&w);
    for (int i = 0; i < 2; i++) {
        say(&w, kinds[i], 8, 1, 1, 0);
        world_expect(&w, "-> 8 stop 1/1\n");
        say(&w, kinds[i], 7, 1, 2, 0);
        world_expect(&w, "-> 7 stop 1/2\n");
        say(&w, kinds[i], 9, 1, 1, 0);
        world_expect(&w, "-> 9 refuse hello\n");
    }
    world_close(&w);
}

void test_who_sends_parts_without_waiting_for_answers_is_stopped(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    for (int i = 0; i < 64; i++) say(&w, EVENT_PART, 7, 1, 1, i);
    assert_int_equal(w.runs[1].losses, 0);
    say(&w, EVENT_READ, 7, 1, 1, 0);
    world_forget(&w);
    world_answers(&w);
    assert_int_equal(w.runs[1].losses, 1);
    world_close(&w);
}

/* The end of an attempt is judged when all before it is answered, files among it. */
void test_an_end_waits_for_the_parts_before_it(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    say(&w, EVENT_PART, 7, 1, 1, 0);
    const struct event end = {.kind = EVENT_ENDED,
                              .peer = 7,
                              .run = 1,
                              .attempt = 1,
                              .epoch = -1,
                              .outcome = OUTCOME_RETURNED};
    world_on(&w, &end);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_WAITING);
    assert_int_equal(w.runs[1].losses, 0);
    world_close(&w);
}

void test_parts_of_an_attempt_that_the_database_does_not_know_stop_it(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    world_hello(&w, 7, 1);
    world_forget(&w);
    say(&w, EVENT_PART, 7, 1, 1, 0);
    w.runs[1].attempt = 2; /* another hand in the database */
    w.answers[0].verdict = VERDICT_STALE;
    struct save_answer a = w.answers[0];
    const struct event ev = {.kind = EVENT_ANSWER, .answer = &a};
    w.answer_count = 0;
    w.runs[1].state = RUN_WAITING;
    world_on(&w, &ev);
    world_expect(&w, "save part 1/1\n-> 7 stop 1/1\nsave event stale\nsave fetch 2048\n");
    world_close(&w);
}
