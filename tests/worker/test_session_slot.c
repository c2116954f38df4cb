// SPDX-License-Identifier: MIT
/* The slots of a session: who trains what, backpressure, crashes and replacements. */
#include "tests/test.h"

#include "tests/worker/session_script.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void play(uint32_t slots, const struct script_line *lines, size_t count)
{
    struct session_settings set;
    script_settings(&set, slots);
    script_run(&set, lines, count);
}
#define PLAY(slots, lines) play(slots, lines, sizeof(lines) / sizeof(lines)[0])

void test_work_waits_for_a_slot_and_runs_follow_one_another(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell; start 1 Haswell"},
        {0, "welcome 1", ""},
        {1, "work 7.1 Haswell", ""},
        {2, "ready 1 Haswell", "work 1 7.1"},
        {3, "work 8.1 Haswell", ""},
        {4, "work 9.1 Haswell", ""},
        {5, "ready 0 Haswell", "work 0 8.1"},
        {6, "ended 1 7.1 failed -1", "ended 7.1 failed -1; work 1 9.1"},
    };
    PLAY(2, talk);
}

void test_work_for_kernels_not_offered_is_lost_not_failed(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {1, "work 7.1 SkylakeX", "ended 7.1 lost -1"},
    };
    PLAY(1, talk);
}

void test_an_idle_slot_is_replaced_for_another_family(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell; start 1 Haswell"},
        {0, "welcome 1", ""},
        {1, "ready 0 Haswell", ""},
        {1, "ready 1 Haswell", ""},
        {2, "work 7.1 Zen", "kill 0"},
        {3, "work 8.1 Haswell", "work 1 8.1"}, /* the other slot is claimed */
        {4, "died 0 signal 9", "start 0 Zen"},
        {5, "ready 0 Zen", "work 0 7.1"},
        {6, "ended 0 7.1 finished -1", "ended 7.1 finished -1"},
        {7, "work 9.1 Zen", "work 0 9.1"}, /* it stays what it is */
        {8, "work 10.1 Zen", ""},
        {9, "ended 1 8.1 finished -1", "ended 8.1 finished -1; kill 1"},
        {10, "died 1 signal 9", "start 1 Zen"},
        {11, "ready 1 Zen", "work 1 10.1"},
    };
    PLAY(2, talk);
}

void test_a_slot_with_other_kernels_than_asked_for_serves_nobody(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {1, "ready 0 Haswell", ""},
        {2, "work 7.1 Zen", "kill 0"},
        {3, "died 0 signal 9", "start 0 Zen"},
        {4, "ready 0 Haswell", "ended 7.1 lost -1; kill 0"},
        {5, "died 0 signal 9", ""},
        {3000, "tick", "start 0 Haswell"},
    };
    PLAY(1, talk);
}

void test_a_crash_fails_the_run_a_kill_loses_it(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {1, "ready 0 Haswell", ""},
        {2, "work 7.1 Haswell", "work 0 7.1"},
        {20000, "epochs 0 7.1 0 2", "epochs 7.1 0-2"},
        {20001, "died 0 signal 11", "ended 7.1 failed 2; start 0 Haswell"},
        {20002, "ready 0 Haswell", ""},
        {20003, "work 8.1 Haswell", "work 0 8.1"},
        {40000, "died 0 signal 9", "ended 8.1 lost -1; start 0 Haswell"},
        {40001, "ready 0 Haswell", ""},
        {40002, "work 9.1 Haswell", "work 0 9.1"},
        {60000, "died 0 status 3", "ended 9.1 failed -1; start 0 Haswell"},
        {60001, "ready 0 Haswell", ""},
        {60002, "work 10.1 Haswell", "work 0 10.1"},
        {80000, "died 0 status 0", "ended 10.1 failed -1; start 0 Haswell"},
        {80001, "ready 0 Haswell", ""},
        {80002, "work 11.1 Haswell", "work 0 11.1"},
        {99000, "died 0 signal 15", "ended 11.1 lost -1; start 0 Haswell"},
    };
    PLAY(1, talk);
}

void test_signals_of_a_crash_blame_the_run_and_those_from_outside_the_worker(void **state)
{
    (void)state;
    static const struct {
        int signal;
        const char *outcome;
    } ends[] = {{SIGSEGV, "failed"}, {SIGABRT, "failed"}, {SIGFPE, "failed"},  {SIGILL, "failed"},
                {SIGBUS, "failed"},  {SIGSYS, "failed"},  {SIGTRAP, "failed"}, {SIGKILL, "lost"},
                {SIGTERM, "lost"},   {SIGINT, "lost"},    {SIGHUP, "lost"},    {SIGXCPU, "lost"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char died[64], told[64];
        snprintf(died, sizeof died, "died 0 signal %d", ends[i].signal);
        snprintf(told, sizeof told, "ended 7.1 %s -1", ends[i].outcome);
        const struct script_line talk[] = {
            {0, "start", "hello; start 0 Haswell"},
            {0, "welcome 1", ""},
            {1, "ready 0 Haswell", ""},
            {2, "work 7.1 Haswell", "work 0 7.1"},
            {3, died, told},
        };
        PLAY(1, talk);
    }
}

void test_the_reason_and_the_log_of_a_crash_are_told(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
    script_play(s, &(struct script_line){0, "welcome 1", ""});
    script_play(s, &(struct script_line){0, "ready 0 Haswell", ""});
    script_play(s, &(struct script_line){0, "work 7.1 Haswell", "work 0 7.1"});
    struct session_event ev = {.kind = SESSION_EVENT_DIED, .signal = 11, .log = "line\nend\n"};
    struct session_actions out = {0};
    assert_int_equal(session_on(s, &ev, 5, &out, &e), OK);
    wire_envelope *m = NULL;
    for (size_t i = 0; i < out.count; i++)
        if (out.list[i].kind == SESSION_ACT_SEND)
            assert_int_equal(wire_unpack(&m, out.list[i].bytes, out.list[i].size, &e), OK);
    assert_non_null(m);
    assert_string_equal(m->ended->reason, "slot ended by signal 11");
    assert_string_equal(m->ended->log, "line\nend\n");
    wire_free(&m);
    session_actions_free(&out);
    session_close(&s);
}

void test_a_slot_that_dies_at_once_is_started_again_with_growing_pauses(void **state)
{
    (void)state;
    struct session_settings set;
    struct session *s;
    struct err e;
    script_settings(&set, 1);
    set.heartbeat_ms = set.lease_ms = 1000000000;
    set.hello_ms = set.hello_max_ms = 1000000000;
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    script_play(s, &(struct script_line){0, "start", "hello; start 0 Haswell"});
    int64_t now = 1, pause = 1000;
    for (int i = 0; i < 10; i++) {
        script_play(s, &(struct script_line){now, "died 0 status 2", ""});
        assert_int_equal(session_next_ms(s), now + pause);
        script_play(s, &(struct script_line){now + pause - 1, "tick", ""});
        script_play(s, &(struct script_line){now + pause, "tick", "start 0 Haswell"});
        now += pause;
        if (pause < 64000) pause *= 2;
    }
    /* It came up and served a run: forgiven. */
    script_play(s, &(struct script_line){now, "ready 0 Haswell", ""});
    script_play(s, &(struct script_line){now, "work 7.1 Haswell", "work 0 7.1"});
    script_play(s, &(struct script_line){now, "ended 0 7.1 finished -1", ""});
    script_play(s, &(struct script_line){now, "died 0 signal 9", ""});
    assert_int_equal(session_next_ms(s), now + 1000);
    session_close(&s);
}

void test_runs_do_not_wait_for_slots_that_cannot_be_started(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell; start 1 Haswell"},
        {0, "welcome 1", ""},
        {1, "work 7.1 Haswell", ""},
        {2, "died 0 status -1", ""},
        {3, "died 1 status -1", "ended 7.1 lost -1"},
        {1002, "tick", "start 0 Haswell"},
        {1003, "tick", "start 1 Haswell"},
    };
    PLAY(2, talk);
}

void test_a_slot_that_speaks_out_of_turn_is_replaced(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {1, "epochs 0 7.1 0 0", "kill 0"}, /* before Ready */
        {2, "died 0 signal 9", "start 0 Haswell"},
        {3, "ready 0 Haswell", ""},
        {4, "work 7.1 Haswell", "work 0 7.1"},
        {5, "epochs 0 8.1 0 0", "ended 7.1 failed -1; kill 0"}, /* another run */
        {6, "epochs 0 7.1 0 0", ""},
        {7, "died 0 signal 9", "start 0 Haswell"},
        {8, "ready 0 Haswell", ""},
        {9, "work 9.1 Haswell", "work 0 9.1"},
        {10, "epochs 0 9.1 0 4", "epochs 9.1 0-4"},
        {11, "epochs 0 9.1 4 5", "ended 9.1 failed 4; kill 0"}, /* an epoch twice */
        {12, "died 0 signal 9", "start 0 Haswell"},
        {13, "ready 0 Haswell", ""},
        {14, "work 10.1 Haswell", "work 0 10.1"},
        {15, "epochs 0 10.1 0 4", "epochs 10.1 0-4"},
        {16, "epochs 0 10.1 6 7", "ended 10.1 failed 4; kill 0"}, /* a gap */
        {17, "died 0 signal 9", "start 0 Haswell"},
        {18, "died 0 signal 9", ""},
        {19, "died 0 signal 9", "refused"}, /* there was nobody */
        {20, "ready 5 Haswell", "refused"},
    };
    PLAY(1, talk);
}

void test_epochs_gather_while_four_messages_wait_for_their_ack(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {0, "work 7.1 Haswell", "work 0 7.1"},
        {1, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {2, "epochs 0 7.1 1 1", "epochs 7.1 1-1"},
        {3, "epochs 0 7.1 2 2", "epochs 7.1 2-2"},
        {4, "epochs 0 7.1 3 3", "epochs 7.1 3-3"},
        {5, "epochs 0 7.1 4 4", ""},
        {6, "epochs 0 7.1 5 8", ""},
        {7, "epochs 0 7.1 9 9", ""},
        {8, "ack 7.1 0", "epochs 7.1 4-9"},
        {9, "epochs 0 7.1 10 10", ""},
        {10, "ended 0 7.1 finished 10", ""},
        {11, "ack 7.1 3", "epochs 7.1 10-10; ended 7.1 finished 10"},
        {12, "ack 7.1 10", ""},
        {13, "ack 7.1 10 ended", ""},
    };
    PLAY(1, talk);
}

void test_a_full_outbox_pauses_its_slot_until_half_is_acknowledged(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell; start 1 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {0, "ready 1 Haswell", ""},
        {0, "work 7.1 Haswell", "work 0 7.1"},
        {0, "work 8.1 Haswell", "work 1 8.1"},
        {1, "epochs 0 7.1 0 19", "epochs 7.1 0-19"},
        {2, "epochs 0 7.1 20 29", "epochs 7.1 20-29; pause 0"}, /* 30 * 4 + 2 * 4 > 100 */
        {3, "epochs 1 8.1 0 0", "epochs 8.1 0-0"},              /* the other is not held up */
        {4, "epochs 0 7.1 30 30", "epochs 7.1 30-30"},          /* was on its way already */
        {5, "ack 7.1 19", ""},
        {5, "ack 7.1 29", "resume 0"},
        {6, "ack 7.1 30", ""},
        {7, "epochs 0 7.1 31 60", "epochs 7.1 31-60; pause 0"},
        {8, "stop 7.1", "stop 0 7.1; resume 0"}, /* its end must get through */
        {9, "epochs 0 7.1 61 61", ""},
        {10, "ended 0 7.1 returned 61", ""},
    };
    struct session_settings set;
    script_settings(&set, 2);
    set.outbox_bytes = 400;
    SCRIPT_RUN(&set, talk);
}

void test_a_paused_slot_is_read_again_when_the_worker_leaves(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {0, "welcome 1", ""},
        {0, "ready 0 Haswell", ""},
        {0, "work 7.1 Haswell", "work 0 7.1"},
        {1, "epochs 0 7.1 0 99", "epochs 7.1 0-99; pause 0"},
        {2, "terminate", "stop 0 7.1; resume 0"},
        {3, "epochs 0 7.1 100 199", "epochs 7.1 100-199"},
        {4, "ended 0 7.1 returned 199", "ended 7.1 returned 199"},
    };
    struct session_settings set;
    script_settings(&set, 1);
    set.outbox_bytes = 400;
    SCRIPT_RUN(&set, talk);
}
