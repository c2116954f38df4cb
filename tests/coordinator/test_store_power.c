// SPDX-License-Identifier: MIT
/* The power fails, at every sync of the store and between them: what was answered is there. */
#include "tests/coordinator/crash_vfs.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EPOCHS   8  /* of a message */
#define MESSAGES 90 /* enough that the log is moved into the file on the way, and begun anew */

static struct save_answer say(struct help *h, int64_t from)
{
    return help_rows(h, 1, 1, from, from + EPOCHS - 1);
}

/* Stores epochs of a run on the disk that forgets. */
static void store_some(struct help *h)
{
    crash_install();
    help_open_run(h, 2);
    say(h, 0);
    crash_record(h->path);
    crash_mark(EPOCHS - 1);
    for (int64_t i = 1; i < MESSAGES; i++) {
        assert_int_equal(say(h, i * EPOCHS).verdict, VERDICT_STORED);
        crash_mark((i + 1) * EPOCHS - 1);
        if (i % 30 != 0) continue;
        for (size_t before = crash_syncs();
             crash_syncs() < before + 2;) /* the idle store tidies up */
            usleep(1000);
    }
}

/* What is found after a failure: nothing, or the last epoch. */
static int64_t epochs_left(const struct help *h)
{
    return help_int(h, "SELECT coalesce(max(epoch), -1) FROM epochs");
}

static void reopen_at(struct help *h)
{
    struct err e;
    if (store_open(&h->store, h->path, &h->state, &e) < 0) fail_msg("%s", e.text);
}

static struct help another_place(void)
{
    struct help h = {0};
    snprintf(h.dir, sizeof h.dir, "/tmp/grokd-store-XXXXXX");
    assert_non_null(mkdtemp(h.dir));
    snprintf(h.path, sizeof h.path, "%s/results.db", h.dir);
    return h;
}

void test_what_was_answered_survives_a_power_failure_at_any_moment(void **state)
{
    (void)state;
    struct help h;
    store_some(&h);
    size_t syncs = crash_syncs(), step = test_short() ? 29 : 1, cuts = 0;
    assert_true(syncs > MESSAGES);
    store_close(&h.store);
    for (size_t i = 0; i < syncs; i += step, cuts++) {
        struct help left = another_place();
        int64_t answered = crash_cut(i, 1000 + i, false, left.path);
        reopen_at(&left);
        int64_t last = epochs_left(&left);
        if (last < answered)
            fail_msg("cut %zu: epoch %d was answered, %d is the last that is there", i,
                     (int)answered, (int)last);
        assert_int_equal(help_int(&left, "SELECT count(*) FROM epochs"), last + 1);
        assert_int_equal((last + 1) % EPOCHS, 0);
        assert_int_equal(left.state.running[0].epochs_done, last);
        assert_string_equal(help_text(&left, "PRAGMA integrity_check"), "ok");
        /* The same again is equal, and what comes next is taken. */
        assert_int_equal(say(&left, last + 1 - EPOCHS).verdict, VERDICT_STORED);
        assert_int_equal(say(&left, last + 1).verdict, VERDICT_STORED);
        help_close(&left);
    }
    print_message("%zu of %zu syncs cut\n", cuts, syncs);
    help_close(&h);
    crash_remove();
}

/* So that the test above can fail: where syncs do nothing, something answered is missing. */
void test_a_disk_that_lies_about_syncs_is_found_out(void **state)
{
    (void)state;
    struct help h;
    int lost = 0;
    store_some(&h);
    size_t syncs = crash_syncs();
    store_close(&h.store);
    for (size_t i = syncs / 2; i < syncs && !lost; i++) {
        struct help left = another_place();
        struct err e;
        int64_t answered = crash_cut(i, 1000 + i, true, left.path);
        lost = store_open(&left.store, left.path, &left.state, &e) < 0 ||
               epochs_left(&left) < answered;
        help_close(&left);
    }
    assert_true(lost);
    help_close(&h);
    crash_remove();
}
