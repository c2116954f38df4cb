// SPDX-License-Identifier: MIT
/* The scheduler: sweeps, and what people ask of them. */
#include "tests/coordinator/sched_world.h"

#include <string.h>

void test_a_sweep_that_is_sent_is_answered_with_what_it_added(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 3, 0);
    world_submit(&w, "6");
    world_expect(&w, "save sweep 2\n-> 99 answer 0 sweep 2: 6 runs added (6 in the file)\n"
                     "save fetch 2051\n");
    world_submit(&w, "same"); /* sweep 1, as it stands: nothing twice, and no number is lost */
    world_expect(&w, "save sweep 3\n-> 99 answer 0 sweep 1: 0 runs added (3 in the file)\n"
                     "save fetch 2057\n");
    world_submit(&w, "bad");
    world_expect(&w, "save sweep 3\n-> 99 answer 2 point 3 cannot be\n");
    world_submit(&w, "1");
    world_forget(&w);
    assert_int_equal(w.sweep_count, 3);
    world_close(&w);
}

void test_a_paused_sweep_lets_its_runs_end_and_hands_out_no_more(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 5, 0);
    world_hello(&w, 7, 2);
    world_forget(&w);
    world_command(&w, EVENT_PAUSE, 1, 1);
    world_expect(&w, "save sweep 1 paused\n-> 99 answer 0 1 sweep paused\n");
    world_epochs(&w, 7, 1, 1, 0, 0);
    world_ended(&w, 7, 1, 1, OUTCOME_FINISHED);
    w.now += 100000;
    world_ended(&w, 7, 2, 1, OUTCOME_LOST); /* waits, in the database */
    assert_null(world_find(&w, 2));
    assert_null(strstr(w.text, "work 2/2"));
    assert_int_equal(w.runs[1].state, RUN_FINISHED);
    world_command(&w, EVENT_PAUSE, 1, 1);
    assert_non_null(strstr(w.text, "answer 1 no sweep of this selection is active"));
    world_forget(&w);
    world_command(&w, EVENT_RESUME, RANGE_LAST, 0);
    assert_non_null(strstr(w.text, "-> 99 answer 0 1 sweep resumed\n"));
    assert_non_null(strstr(w.text, "-> 7 work 2/2"));
    world_close(&w);
}

void test_a_paused_sweep_stays_paused_over_a_restart(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_command(&w, EVENT_PAUSE, RANGE_ALL, 0);
    world_restart(&w);
    world_hello(&w, 7, 2);
    assert_int_equal(w.runs[1].attempt, 0);
    world_command(&w, EVENT_RESUME, RANGE_ALL, 0);
    assert_int_equal(w.runs[1].attempt, 1);
    world_close(&w);
}

void test_cancelling_a_sweep_stops_its_runs_and_leaves_others_alone(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 3, 0);
    world_submit(&w, "2");
    world_hello(&w, 7, 4);
    world_forget(&w);
    world_command(&w, EVENT_CANCEL, 1, 1);
    assert_non_null(strstr(w.text, "save sweep 1 cancelled\n"));
    assert_non_null(strstr(w.text, "save cancel 1\n-> 7 stop 1/1\n"));
    assert_non_null(strstr(w.text, "-> 99 answer 0 1 sweep cancelled\n"));
    for (int64_t i = 1; i <= 3; i++) assert_int_equal(w.runs[i].state, RUN_CANCELLED);
    assert_int_equal(w.runs[4].state, RUN_RUNNING);
    assert_int_equal(w.runs[5].state, RUN_RUNNING);
    world_forget(&w);
    world_epochs(&w, 7, 1, 1, 0, 5); /* sent before it heard the Stop */
    world_expect(&w, "-> 7 stop 1/1\n");
    assert_int_equal(w.s.sweeps[0].cancelled, 3);
    world_close(&w);
}

void test_runs_are_cancelled_by_their_numbers_wherever_they_are(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 60, 16);
    world_hello(&w, 7, 2);
    world_forget(&w);
    world_command(&w, EVENT_CANCEL_RUNS, 2, 60); /* running, in the window, in the database only */
    assert_non_null(strstr(w.text, "-> 99 answer 0 59 runs cancelled\n"));
    assert_non_null(strstr(w.text, "-> 7 stop 2/1\n"));
    assert_int_equal(w.s.sweeps[0].cancelled, 59);
    assert_int_equal(w.s.sweeps[0].running, 1);
    assert_int_equal(w.s.sweeps[0].waiting, 0);
    world_forget(&w);
    world_command(&w, EVENT_CANCEL_RUNS, 2, 2);
    world_expect(&w, "save cancel 2\n-> 99 answer 1 0 runs cancelled; 1 not: over or unknown\n");
    world_command(&w, EVENT_CANCEL_RUNS, RANGE_ALL, 0);
    world_expect(&w, "-> 99 answer 2 name at most 10000 runs by their numbers: 7 or 1-9\n");
    world_command(&w, EVENT_CANCEL_RUNS, 1, INT64_MAX);
    assert_non_null(strstr(w.text, "answer 2"));
    world_epochs(&w, 7, 1, 1, 0, 0);
    world_ended(&w, 7, 1, 1, OUTCOME_FINISHED);
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_close(&w);
}

/* Both are asked for before the database answers to the first. */
void test_a_run_cancelled_with_its_sweep_is_counted_once(void **state)
{
    (void)state;
    struct world w;
    struct event_range range = {40, 40}, sweep = {1, 1};
    struct event run = {.kind = EVENT_CANCEL_RUNS, .peer = 99, .ranges = &range, .range_count = 1};
    struct event all = {.kind = EVENT_CANCEL, .peer = 99, .ranges = &sweep, .range_count = 1};
    world_open(&w, 60, 16);
    world_on(&w, &run);
    world_on(&w, &all);
    world_answers(&w);
    assert_int_equal(w.s.sweeps[0].cancelled, 60);
    assert_int_equal(w.s.sweeps[0].waiting, 0);
    world_close(&w);
}

static void fail_for_good(struct world *w, int64_t run)
{
    struct event ev = {.kind = EVENT_ENDED,
                       .peer = 7,
                       .run = run,
                       .attempt = w->runs[run].attempt,
                       .epoch = -1,
                       .outcome = OUTCOME_FAILED,
                       .final = true,
                       .reason = "diverged at epoch 1"};
    world_on(w, &ev);
    world_answers(w);
}

void test_retry_lets_failed_runs_wait_again_even_of_a_sweep_that_was_done(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_hello(&w, 7, 2);
    fail_for_good(&w, 1);
    fail_for_good(&w, 2);
    assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
    world_restart(&w); /* the scheduler does not know the sweep any more */
    assert_int_equal(w.s.sweep_count, 0);
    world_hello(&w, 7, 2);
    world_forget(&w);
    world_command(&w, EVENT_RETRY, RANGE_ALL, 0);
    assert_non_null(strstr(w.text, "-> 99 answer 0 2 runs wait again\n"));
    assert_non_null(strstr(w.text, "-> 7 work 1/2"));
    assert_non_null(strstr(w.text, "-> 7 work 2/2"));
    assert_int_equal(w.s.sweeps[0].failed, 0);
    world_command(&w, EVENT_RETRY, 7, 9);
    assert_non_null(strstr(w.text, "-> 99 answer 1 no such sweep: there are 1\n"));
    world_close(&w);
}

void test_retry_of_all_leaves_cancelled_sweeps_alone_unless_they_are_named(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 3, 0);
    world_hello(&w, 7, 1);
    fail_for_good(&w, 1);
    world_command(&w, EVENT_CANCEL, 1, 1);
    world_forget(&w);
    world_command(&w, EVENT_RETRY, RANGE_ALL, 0);
    assert_non_null(strstr(w.text, "-> 99 answer 0 0 runs wait again\n"));
    assert_int_equal(w.sweeps[1].state, SWEEP_CANCELLED);
    world_command(&w, EVENT_RETRY, 1, 1);
    assert_non_null(strstr(w.text, "-> 99 answer 0 1 run waits again\n"));
    assert_int_equal(w.sweeps[1].state, SWEEP_ACTIVE);
    world_close(&w);
}

void test_a_sweep_is_not_closed_while_a_retry_may_still_bring_runs_back(void **state)
{
    (void)state;
    struct world w;
    struct event_range all = {RANGE_ALL, 0};
    struct event retry = {.kind = EVENT_RETRY, .peer = 99, .ranges = &all, .range_count = 1};
    struct event last = {.kind = EVENT_ENDED,
                         .peer = 7,
                         .run = 2,
                         .attempt = 1,
                         .epoch = WORLD_EPOCHS,
                         .outcome = OUTCOME_FINISHED};
    world_open(&w, 2, 0);
    world_hello(&w, 7, 2);
    world_epochs(&w, 7, 2, 1, 0, WORLD_EPOCHS);
    fail_for_good(&w, 1);
    world_forget(&w);
    world_on(&w, &retry);
    world_on(&w, &last); /* before the retry is answered */
    assert_null(strstr(w.text, "done"));
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    assert_int_equal(w.sweeps[1].state, SWEEP_ACTIVE);
    world_close(&w);
}

/* The last run of a paused sweep that waits is cancelled: the database calls the sweep done, and
 * active once a failed run waits again. Both commands are given before it answers to the first. */
void test_runs_retried_in_a_paused_sweep_that_was_done_by_then_are_dealt_out(void **state)
{
    (void)state;
    struct world w;
    struct event_range all = {RANGE_ALL, 0}, second = {2, 2};
    struct event cancel = {
        .kind = EVENT_CANCEL_RUNS, .peer = 99, .ranges = &second, .range_count = 1};
    struct event retry = {.kind = EVENT_RETRY, .peer = 99, .ranges = &all, .range_count = 1};
    world_open(&w, 2, 1);
    world_hello(&w, 7, 1);
    fail_for_good(&w, 1);
    world_command(&w, EVENT_PAUSE, 1, 1);
    world_ended(&w, 7, 2, 1, OUTCOME_RETURNED);
    world_on(&w, &cancel);
    world_on(&w, &retry);
    world_answers(&w);
    assert_int_equal(w.sweeps[1].state, SWEEP_ACTIVE);
    assert_int_equal(w.s.sweeps[0].state, SWEEP_ACTIVE);
    world_hello(&w, 8, 1); /* the first leaves, having returned a run */
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    world_close(&w);
}

void test_totals_say_how_far_the_sweeps_are(void **state)
{
    (void)state;
    struct world w;
    struct sched_totals t;
    world_open(&w, 4, 0);
    sched_totals(&w.s, &t);
    assert_int_equal(t.waiting, 4);
    assert_int_equal(t.sweeps_open, 1);
    world_hello(&w, 7, 2);
    fail_for_good(&w, 1);
    sched_totals(&w.s, &t);
    assert_int_equal(t.failed, 1);
    assert_int_equal(t.running, 2);
    assert_int_equal(t.waiting, 1);
    assert_int_equal(t.slots, 2);
    assert_int_equal(t.workers, 1);
    assert_int_equal(t.questions, 0);
    world_close(&w);
}

/* A hundred thousand turns of a small world in which everything may happen; the world and the
 * scheduler's own rules are checked after each. */
void test_any_history_keeps_the_rules_and_ends_when_the_faults_stop(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (test_short() ? 5 : 20); seed++) {
        struct world w;
        uint64_t x = seed * 0x9e3779b97f4a7c15u;
        world_open(&w, 40, 8);
        for (int step = 0; step < 5000; step++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            uint64_t peer = 1 + (x >> 33) % 4;
            int64_t run = 1 + (int64_t)((x >> 40) % 40);
            int64_t attempt = w.runs[run].attempt - ((x >> 60) == 0);
            struct event_holding h = {run, attempt};
            switch ((x >> 52) % 16) {
            case 0: world_hello(&w, peer, 1 + (uint32_t)(x >> 62)); break;
            case 1: world_hello_as(&w, peer, (x >> 61) % 2 ? "u1" : "u2", 2, &h, 1); break;
            case 2: world_beat(&w, peer, &h, 1); break;
            case 3:
            case 4: world_tick(&w, 1000); break;
            case 5: world_tick(&w, (int64_t)(x >> 47) % 20000); break;
            case 6:
                if ((x >> 57) % 8 == 0) world_restart(&w);
                break;
            case 7: world_command(&w, (x >> 50) % 2 ? EVENT_PAUSE : EVENT_RESUME, 1, 1); break;
            case 8: world_command(&w, EVENT_RETRY, RANGE_ALL, 0); break;
            case 9:
                if ((x >> 56) % 16 == 0) world_command(&w, EVENT_CANCEL_RUNS, run, run);
                break;
            case 10:
            case 11:
            case 12:
                if (attempt > 0) world_ended(&w, peer, run, attempt, (x >> 48) % 4);
                break;
            default:
                if (attempt > 0)
                    world_epochs(&w, peer, run, attempt, w.runs[run].epochs_done + 1,
                                 w.runs[run].epochs_done + 1 + (int64_t)((x >> 44) % 3));
            }
            world_forget(&w);
        }
        /* The faults stop: one good worker, and everything is over in bounded time. */
        world_command(&w, EVENT_RESUME, RANGE_ALL, 0);
        for (int round = 0; round < 200; round++) {
            world_hello(&w, 50, 8);
            world_tick(&w, 10000);
            for (int64_t run = 1; run <= w.run_count; run++) {
                const struct run *r = world_find(&w, run);
                if (!r || r->state != RUN_RUNNING || r->lease.worker == 0) continue;
                world_ended(&w, 50, run, r->is.attempt, OUTCOME_FINISHED);
            }
            world_forget(&w);
        }
        for (int64_t run = 1; run <= w.run_count; run++)
            assert_true(w.runs[run].state > RUN_RUNNING);
        assert_int_equal(w.sweeps[1].state, SWEEP_DONE);
        world_close(&w);
    }
}
