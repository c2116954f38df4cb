// SPDX-License-Identifier: MIT
/* Files too large for a message: on their way out before their epoch, on their way in before their
 * run gets a slot. */
#include "tests/test.h"

#include "tests/worker/session_script.h"

static void play(uint32_t slots, const struct script_line *lines, size_t count)
{
    struct session_settings set;
    script_settings(&set, slots);
    set.part_bytes = 4;
    script_run(&set, lines, count);
}
#define PLAY(slots, lines) play(slots, lines, sizeof(lines) / sizeof(lines)[0])

void test_a_run_gets_its_slot_when_its_checkpoint_has_come(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "large 7.2 Haswell 10", "fetch 7.2 0"},
        {11, "part 7.2 40 4/10 4", ""}, /* not the one that was asked for */
        {12, "part 7.1 40 0/10 4", ""}, /* of an attempt of before */
        {13, "part 7.2 40 0/10 4", "fetch 7.2 4"},
        {14, "part 7.2 40 0/10 4", ""}, /* once more */
        {15, "part 7.2 40 4/10 4", "fetch 7.2 8"},
        {16, "part 7.2 40 8/10 2",
         "work 0 7.2; part 0 7.2 40 0+4; part 0 7.2 40 4+4; part 0 7.2 40 8+2"},
        {17, "part 7.2 40 8/10 2", ""},
        {20, "epochs 0 7.2 41 41", "epochs 7.2 41-41"},
    };
    PLAY(1, talk);
}

void test_a_run_that_waits_for_its_checkpoint_keeps_no_other_from_the_slot(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "large 7.2 Haswell 8", "fetch 7.2 0"},
        {11, "work 8.1 Haswell", "work 0 8.1"},
        {12, "part 7.2 40 0/8 4", "fetch 7.2 4"},
        {13, "part 7.2 40 4/8 4", ""},
        {20, "ended 0 8.1 finished 3",
         "ended 8.1 finished 3; work 0 7.2; part 0 7.2 40 0+4; part 0 7.2 40 4+4"},
    };
    PLAY(1, talk);
}

/* A lost question is noticed as a lost report is: by the answer that does not come. */
void test_a_part_that_does_not_come_is_asked_for_again(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "large 7.2 Haswell 8", "fetch 7.2 0"},
        {20, "part 7.2 40 0/8 4", "fetch 7.2 4"},
        {10005, "tick", "heartbeat 7.2@-1"},
        {20005, "heartbeat", ""},
        {20006, "tick", "heartbeat 7.2@-1"},
        {30020, "tick", "hello 7.2@-1"},
        {30030, "welcome 3", "fetch 7.2 4"},
        {30040, "part 7.2 40 4/8 4", "work 0 7.2; part 0 7.2 40 0+4; part 0 7.2 40 4+4"},
    };
    PLAY(1, talk);
}

void test_a_checkpoint_that_is_gone_or_another_one_lets_the_run_begin_anew(void **state)
{
    (void)state;
    static const struct script_line gone[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "large 7.2 Haswell 8", "fetch 7.2 0"},
        {11, "part 7.2 40 0/8 4", "fetch 7.2 4"},
        {12, "part 7.2 0 0/0 0", "work 0 7.2"},
    };
    static const struct script_line other[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "large 7.2 Haswell 8", "fetch 7.2 0"},
        {11, "part 7.2 40 0/8 4", "fetch 7.2 4"},
        {12, "part 7.2 39 4/8 4", "work 0 7.2"},
    };
    PLAY(1, gone);
    PLAY(1, other);
}

/* Sanitizers, too, have to say no as the system does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return __asan_default_options();
}

static void hear(struct session *s, int body, void *part, struct session_actions *out)
{
    struct err e;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.body_case = (Grokd__Envelope__BodyCase)body;
    m.welcome = part;
    session_actions_clear(out);
    assert_int_equal(
        session_on(s, &(struct session_event){SESSION_EVENT_LINK, .message = &m}, 10, out, &e), OK);
}

/* More than any machine has; a message that comes through the wire may not say so much. */
void test_a_run_whose_checkpoint_finds_no_memory_is_lost_alone(void **state)
{
    (void)state;
    struct err e;
    struct session *s;
    struct session_settings set;
    struct session_actions out = {0};
    Grokd__Welcome welcome = GROKD__WELCOME__INIT;
    Grokd__Work work = GROKD__WORK__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    wire_envelope *m;
    script_settings(&set, 1);
    assert_int_equal(session_open(&s, &set, 0, &e), OK);
    assert_int_equal(
        session_on(s, &(struct session_event){.kind = SESSION_EVENT_START}, 0, &out, &e), OK);
    hear(s, GROKD__ENVELOPE__BODY_WELCOME, &welcome, &out);
    blas.family = set.blas[0].family;
    blas.fingerprint = set.blas[0].fingerprint;
    work.blas = &blas;
    work.run = 7;
    work.attempt = 2;
    work.has_checkpoint_size = 1;
    work.checkpoint_size = 1ull << 62;
    hear(s, GROKD__ENVELOPE__BODY_WORK, &work, &out);
    size_t i = 0;
    while (i < out.count && out.list[i].kind != SESSION_ACT_SEND) i++;
    assert_true(i < out.count);
    assert_int_equal(wire_unpack(&m, out.list[i].bytes, out.list[i].size, &e), OK);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_ENDED);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__LOST);
    assert_string_equal(m->ended->reason,
                        "no memory for its checkpoint of 4611686018427387904 bytes");
    wire_free(&m);
    session_actions_free(&out);
    session_close(&s);
}

void test_a_file_leaves_before_its_epoch_and_the_end_behind_both(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "work 7.1 Haswell", "work 0 7.1"},
        {20, "epochs 0 7.1 0 0", "epochs 7.1 0-0"},
        {30, "file 0 7.1 1 0/20 20", ""},
        {31, "named 0 7.1 1 20", "part 7.1 1 0+4; part 7.1 1 4+4; part 7.1 1 8+4"},
        {32, "ended 0 7.1 returned 1", ""},
        {40, "ack 7.1 0", "part 7.1 1 12+4"},
        {41, "got 7.1 1 4", "part 7.1 1 16+4"},
        {42, "got 7.1 1 16", ""},
        {43, "got 7.1 1 20", "epochs 7.1 1-1; ended 7.1 returned 1"},
        {50, "ack 7.1 1", ""},
        {51, "ack 7.1 1 ended", ""},
    };
    PLAY(1, talk);
}

void test_after_a_reconnection_a_file_goes_on_where_it_is_held(void **state)
{
    (void)state;
    static const struct script_line talk[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "work 7.1 Haswell", "work 0 7.1"},
        {30, "file 0 7.1 0 0/12 12", ""},
        {31, "named 0 7.1 0 12", "part 7.1 0 0+4; part 7.1 0 4+4; part 7.1 0 8+4"},
        {32, "got 7.1 0 4", ""},
        {40, "refuse hello", "hello 7.1@0"},
        {50, "welcome 3", "part 7.1 0 4+4"},
        {51, "got 7.1 0 0 gap", "part 7.1 0 0+4; part 7.1 0 4+4; part 7.1 0 8+4"},
        {52, "got 7.1 0 12", "epochs 7.1 0-0"},
    };
    PLAY(1, talk);
}

/* It would never be stored whole: the slot is not to be believed. */
void test_a_slot_that_names_a_file_that_did_not_come_is_replaced(void **state)
{
    (void)state;
    static const struct script_line never[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "work 7.1 Haswell", "work 0 7.1"},
        {31, "named 0 7.1 0 12", "ended 7.1 failed -1; kill 0"},
    };
    static const struct script_line odd[] = {
        {0, "start", "hello; start 0 Haswell"},
        {5, "welcome 3", ""},
        {6, "ready 0 Haswell", ""},
        {10, "work 7.1 Haswell", "work 0 7.1"},
        {31, "file 0 7.1 0 4/12 4", "ended 7.1 failed -1; kill 0"},
    };
    PLAY(1, never);
    PLAY(1, odd);
}
