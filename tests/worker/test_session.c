// SPDX-License-Identifier: MIT
/* The talk with the coordinator: Hello, heartbeats, runs, acknowledgements, leaving. */
#include "tests/test.h"

#include "tests/worker/session_script.h"

static void play(uint32_t slots, const struct script_line *lines, size_t count)
{
    struct session_settings set;
    script_settings(&set, slots);
    script_run(&set, lines, count);
}
#define PLAY(slots, lines) play(slots, lines, sizeof(lines) / sizeof(lines)[0])

void test_a_session_without_slots_or_kernels_is_refused(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 0);
    assert_int_equal(session_open(&s, &set, 0, &e), E_USAGE);
    script_settings(&set, 1);
    set.blas_count = 0;
    assert_int_equal(session_open(&s, &set, 0, &e), E_USAGE);
    assert_null(s);
}

void test_a_run_goes_from_work_to_the_ack_of_its_end(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "work 7.1 Haswell", "work 0 7.1"},
        {20, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {30, "ack 7.1 0", ""},
        {40, "epochs 0 7.1 1 3", "epochs 7.1 1-3"},
        {50, "ended 0 7.1 finished 3", "ended 7.1 finished 3"},
        {60, "ack 7.1 3", ""},
        {70, "ack 7.1 3 ended", ""},
        {10005, "tick", "heartbeat"},
    };
    PLAY(1, talk);
}

void test_hello_is_repeated_with_growing_pauses_until_welcome(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    set.lease_ms = 3 * set.hello_max_ms;
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
    int64_t now = 0, pause = 1000;
    for (int i = 0; i < 40; i++) {
        int64_t next = session_next_ms(s);
        assert_in_range(next - now, pause - pause / 2, pause);
        script_play(s, &(struct script_line){next - 1, "tick", ""});
        script_play(s, &(struct script_line){next, "tick", "hello"});
        now = next;
        pause = pause * 2 < 30000 ? pause * 2 : 30000;
    }
    script_play(s, &(struct script_line){now + 1, "welcome 3", ""});
    script_play(s, &(struct script_line){now + 9000, "tick", ""});
    session_close(&s);
}

/* Whoever is not heard for a lease loses its runs, though it may only be waiting for Welcome. */
void test_pauses_between_hellos_stay_well_within_a_short_lease(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    set.lease_ms = 6000;
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
    int64_t now = 0;
    for (int i = 0; i < 20; i++) {
        int64_t next = session_next_ms(s);
        assert_in_range(next - now, 500, 2000);
        script_play(s, &(struct script_line){now = next, "tick", "hello"});
    }
    session_close(&s);
}

void test_each_hello_has_the_next_number_so_that_a_late_one_is_known(void **state)
{
    (void)state;
    struct session_settings set;
    struct session_actions out = {0};
    struct session_event ev = {.kind = SESSION_EVENT_START};
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    uint64_t number = 0;
    for (int64_t now = 0; number < 5; now = session_next_ms(s)) {
        assert_int_equal(session_on(s, &ev, now, &out, &e), OK);
        for (size_t i = 0; i < out.count; i++) {
            wire_envelope *m;
            if (out.list[i].kind != SESSION_ACT_SEND) continue; /* or it starts its slot again */
            assert_int_equal(wire_unpack(&m, out.list[i].bytes, out.list[i].size, &e), OK);
            assert_int_equal(m->hello->number, ++number);
            wire_free(&m);
        }
        session_actions_clear(&out);
        ev.kind = SESSION_EVENT_TICK;
    }
    session_actions_free(&out);
    session_close(&s);
}

void test_pauses_differ_between_seeds(void **state)
{
    (void)state;
    struct session_settings set;
    int64_t next[2];
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct session *s;
        struct err e;
        script_settings(&set, 1);
        set.seed = seed;
        assert_int_equal(session_open(&s, &set, 0, &e), OK);
        script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
        next[seed] = session_next_ms(s);
        session_close(&s);
    }
    assert_int_not_equal(next[0], next[1]);
}

void test_heartbeats_name_what_is_held_and_any_message_counts_as_life(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 3", ""},
        {0, "ready 0 Haswell", ""},
        {0, "work 7.1 Haswell", "work 0 7.1"},
        {0, "work 8.2 Haswell", ""},
        {1000, "epochs 0 7.1 0 4", "epochs 7.1 0-4"},
        {2000, "ack 7.1 4", ""},
        {10000, "tick", "heartbeat 7.1@4 8.2@-1"},
        {10100, "heartbeat", ""},
        {20000, "tick", "heartbeat 7.1@4 8.2@-1"},
        {70099, "tick", "heartbeat 7.1@4 8.2@-1"}, /* 60 s since 10100 are not over */
        {70100, "tick", "hello 7.1@4 8.2@-1"},
        {70200, "welcome 4", ""},
    };
    PLAY(1, talk);
}

void test_a_coordinator_that_asks_for_hello_gets_one_and_then_everything_again(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 3", ""},
        {0, "ready 0 Haswell", ""},
        {0, "work 7.1 Haswell", "work 0 7.1"},
        {10, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {11, "epochs 0 7.1 1 1", "epochs 7.1 1-1"},
        {12, "epochs 0 7.1 2 2", "epochs 7.1 2-2"},
        {15, "ack 7.1 0", ""},
        {20, "refuse hello", "hello 7.1@2"},
        {21, "refuse hello", ""}, /* one is on its way */
        {22, "epochs 0 7.1 3 3", ""},
        {23, "ended 0 7.1 finished 3", ""},
        {30, "welcome 3", "epochs 7.1 1-1; epochs 7.1 2-2; epochs 7.1 3-3; ended 7.1 finished 3"},
        {31, "welcome 3", ""},
        {40, "ack 7.1 1", ""},
        {50, "refuse hello", "hello 7.1@3"},
        {60, "welcome 3", "epochs 7.1 2-2; epochs 7.1 3-3; ended 7.1 finished 3"},
        {70, "ack 7.1 3 ended", ""},
        {80, "refuse hello", "hello"},
        {90, "welcome 3", ""},
    };
    PLAY(1, talk);
}

void test_any_other_refusal_ends_the_worker_with_1(void **state)
{
    (void)state;
    static const struct script_line early[] = {
        {0, "start", "hello; start 0 Haswell"}, {5, "refuse version", "exit 1"}, {6, "tick", ""}};
    static const struct script_line late[] = {{0, "start", "hello; start 0 Haswell"},
                                              {5, "welcome 1", ""},
                                              {6, "refuse quarantined", "exit 1"}};
    PLAY(1, early);
    PLAY(1, late);
}

void test_what_a_coordinator_never_says_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "work 7.1 Haswell", "refused"},
        {0, "start", "hello; start 0 Haswell"},
        {0, "start", "refused"},
        {1, "hello", "refused"},
        {2, "welcome 1", ""},
        {3, "hello", "refused"},
        {4, "ready 0 Haswell", ""},
        {5, "work 7.1 Haswell", "work 0 7.1"},
    };
    PLAY(1, talk);
}

void test_duplicate_and_older_work_is_ignored_newer_work_takes_its_place(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell; start 1 Haswell"},
        {0, "welcome 1", ""},
        {1, "ready 0 Haswell", ""},
        {1, "ready 1 Haswell", ""},
        {2, "work 7.2 Haswell", "work 0 7.2"},
        {3, "work 7.2 Haswell", ""},
        {4, "work 7.1 Haswell", ""},
        {5, "epochs 0 7.2 0 0", "epochs 7.2 0-0"},
        {6, "work 7.3 Haswell", "stop 0 7.2; work 1 7.3"},
        {7, "epochs 0 7.2 1 1", ""}, /* counts no more */
        {8, "ended 0 7.2 returned 1", ""},
        {9, "epochs 1 7.3 0 0", "epochs 7.3 0-0"},
        {10, "ack 7.2 0", ""}, /* of the forgotten attempt */
        {11, "refuse hello", "hello 7.3@0"},
        {12, "welcome 1", "epochs 7.3 0-0"},
    };
    PLAY(2, talk);
}

void test_stop_forgets_a_run_and_frees_its_slot(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.2 Haswell", "work 0 7.2"},
        {1, "work 8.1 Haswell", ""},
        {1, "work 9.1 Haswell", ""},
        {2, "epochs 0 7.2 0 0", "epochs 7.2 0-0"},
        {3, "stop 7.1", ""}, /* an older attempt is none of ours */
        {3, "stop 8.1", ""},
        {4, "stop 7.2", "stop 0 7.2"},
        {5, "stop 7.2", ""},
        {6, "ended 0 7.2 returned 0", "work 0 9.1"},
        {7, "refuse hello", "hello 9.1@-1"},
        {8, "welcome 1", ""},
    };
    PLAY(1, talk);
}

void test_a_slot_that_does_not_stop_is_killed_and_replaced(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "stop 7.1", "stop 0 7.1"},
        {3, "work 8.1 Haswell", ""},
        {5001, "tick", ""},
        {5002, "tick", "kill 0"},
        {5003, "died 0 signal 9", "start 0 Haswell"},
        {5010, "ready 0 Haswell", "work 0 8.1"},
    };
    PLAY(1, talk);
}

void test_an_overdue_ack_brings_a_hello_and_everything_again(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {5, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {9000, "heartbeat", ""},
        {10000, "tick", "heartbeat 7.1@0"},
        {29000, "heartbeat", ""},
        {30004, "tick", "heartbeat 7.1@0"},
        {30005, "tick", "hello 7.1@0"},
        {30006, "welcome 1", "epochs 7.1 0-0"},
        {30007, "ack 7.1 0", ""},
    };
    PLAY(1, talk);
}

void test_after_a_message_that_did_not_leave_nothing_follows_until_welcome(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {2, "unsent", ""},
        {3, "epochs 0 7.1 1 1", ""},
        {4, "unsent", ""},
        {1002, "tick", "hello 7.1@1"},
        {1003, "welcome 1", "epochs 7.1 0-0; epochs 7.1 1-1"},
        {1004, "terminate", "stop 0 7.1"},
        {1005, "ended 0 7.1 returned 1", "ended 7.1 returned 1"},
        {1005, "unsent", ""},
        {2005, "tick", "hello 7.1@1"},
        {2006, "refuse hello", ""},
        {2007, "welcome 1", "epochs 7.1 0-0; epochs 7.1 1-1; ended 7.1 returned 1"},
        {2008, "refuse hello", "hello 7.1@1"},
        {2009, "refuse hello", ""},
    };
    PLAY(1, talk);
}

void test_sigterm_hands_every_run_back_and_says_goodbye_after_the_acks(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {1, "work 8.1 Haswell", ""},
        {2, "terminate", "ended 8.1 returned -1; stop 0 7.1"},
        {3, "work 9.1 Haswell", "ended 9.1 returned -1"},
        {4, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {5, "ended 0 7.1 returned 0", "ended 7.1 returned 0"},
        {6, "ack 8.1 -1 ended", ""},
        {7, "ack 7.1 0 ended", ""},
        {8, "ack 9.1 -1 ended", "goodbye; exit 0"},
        {9, "terminate", ""},
    };
    PLAY(1, talk);
}

void test_a_second_sigterm_leaves_at_once(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "terminate", "stop 0 7.1"},
        {3, "terminate", "goodbye; exit 0"},
    };
    PLAY(1, talk);
}

void test_sigterm_waits_for_slow_epochs_half_the_time_and_for_acks_the_rest(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "epochs 0 7.1 0 3", "epochs 7.1 0-3"},
        {100, "terminate", "stop 0 7.1"},
        {5099, "tick", ""},
        {5100, "tick", "kill 0; ended 7.1 returned 3"},
        {5101, "died 0 signal 9", ""},
        {10000, "tick", "heartbeat 7.1@3"},
        {10099, "tick", ""},
        {10100, "tick", "goodbye; exit 0"},
    };
    PLAY(1, talk);
}

void test_draining_survives_a_coordinator_that_restarts(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "terminate", "stop 0 7.1"},
        {3, "ended 0 7.1 returned -1", "ended 7.1 returned -1"},
        {4, "refuse hello", "hello 7.1@-1"},
        {5, "welcome 2", "ended 7.1 returned -1"},
        {6, "ack 7.1 -1 ended", "goodbye; exit 0"},
    };
    PLAY(1, talk);
}

void test_a_slot_killed_while_draining_returns_its_run(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {2, "terminate", "stop 0 7.1"},
        {3, "died 0 signal 15", "ended 7.1 returned -1"},
    };
    PLAY(1, talk);
}

void test_sigterm_before_any_coordinator_was_found_leaves_at_once(void **state)
{
    (void)state;
    static const struct script_line talk[] = {{0, "start", "hello; start 0 Haswell"},
                                              {5, "terminate", "exit 0"}};
    PLAY(1, talk);
}

void test_an_idle_worker_leaves_after_its_idle_time(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {4000, "work 7.1 Haswell", "work 0 7.1"},
        {6000, "tick", ""},
        {7000, "ended 0 7.1 finished -1", "ended 7.1 finished -1"},
        {8000, "ack 7.1 -1 ended", ""},
        {12999, "tick", "heartbeat"},
        {13000, "tick", "goodbye; exit 0"},
    };
    struct session_settings set;
    script_settings(&set, 1);
    set.idle_ms = 5000;
    SCRIPT_RUN(&set, talk);
}

void test_a_time_limit_drains_before_the_limit(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {1, "work 7.1 Haswell", "work 0 7.1"},
        {9999, "tick", ""},
        {10000, "tick", "stop 0 7.1"},
        {10500, "ended 0 7.1 returned -1", "ended 7.1 returned -1"},
        {10600, "ack 7.1 -1 ended", "goodbye; exit 0"},
    };
    struct session_settings set;
    script_settings(&set, 1);
    set.limit_ms = 20000;
    SCRIPT_RUN(&set, talk);
}

void test_next_tick_is_never_later_than_what_is_due(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    set.idle_ms = 300000;
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    assert_true(session_next_ms(s) == INT64_MAX);
    script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
    script_play(s, &(struct script_line){1, "welcome 1", ""});
    assert_int_equal(session_next_ms(s), 10001);
    script_play(s, &(struct script_line){2, "ready 0 Haswell", ""});
    script_play(s, &(struct script_line){3, "work 7.1 Haswell", "work 0 7.1"});
    script_play(s, &(struct script_line){4, "stop 7.1", "stop 0 7.1"});
    assert_int_equal(session_next_ms(s), 5004);
    script_play(s, &(struct script_line){5, "terminate", "goodbye; exit 0"});
    assert_true(session_next_ms(s) == INT64_MAX);
    session_close(&s);
}
