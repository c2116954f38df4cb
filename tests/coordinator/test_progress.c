// SPDX-License-Identifier: MIT
/* The progress line: what it says, and that it never is wider than the terminal. */
#include "tests/test.h"

#include "coordinator/progress.h"

#include <string.h>

void test_the_line_says_what_is_done_what_fails_how_fast_and_how_long(void **state)
{
    (void)state;
    char out[PROGRESS_TEXT];
    struct progress p = {.runs = 60,
                         .over = 12,
                         .running = 2,
                         .failed = 1,
                         .epochs_left = 82400,
                         .epochs_per_s = 412,
                         .workers = 1};
    assert_string_equal(progress_text(&p, 100, out),
                        "[======>                           ]  12/60 runs  2 running  1 failed  "
                        "412 epochs/s  3 min 20 s left");
    assert_int_equal(strlen(out), 100);
    p.failed = 0;
    p.epochs_per_s = 0;
    p.workers = 0;
    assert_string_equal(progress_text(&p, 30, out), "12/60 runs  2 running  no work");
    p = (struct progress){.runs = 3, .over = 3, .workers = 1, .epochs_per_s = 4.25};
    assert_string_equal(progress_text(&p, 60, out),
                        "[=======================]  3/3 runs  0 running  4.2 epochs/s");
}

void test_no_width_overflows(void **state)
{
    (void)state;
    struct progress p = {.runs = INT64_MAX,
                         .over = INT64_MAX / 3,
                         .running = INT64_MAX / 7,
                         .failed = INT64_MAX,
                         .epochs_left = INT64_MAX,
                         .epochs_per_s = 1e300};
    for (int width = -5; width < 600; width++) {
        char out[PROGRESS_TEXT];
        progress_text(&p, width, out);
        assert_true((int)strlen(out) <= (width > 0 ? width : 0));
    }
}

void test_speed_is_a_mean_that_follows(void **state)
{
    (void)state;
    struct progress_speed s = {0};
    assert_true(progress_speed(&s, 0, 5000) == 0);
    assert_true(progress_speed(&s, 50, 5500) == 0); /* too short to tell */
    double first = progress_speed(&s, 100, 6000);
    assert_true(first > 99.9 && first < 100.1);
    double now = first;
    for (int i = 1; i <= 60; i++) now = progress_speed(&s, 100 + 200 * i, 6000 + 1000 * i);
    assert_true(now > 199 && now < 200);
    for (int i = 1; i <= 60; i++) now = progress_speed(&s, 12100, 66000 + 1000 * i);
    assert_true(now < 1); /* nobody works any more */
}

void test_what_is_left_is_unknown_without_a_speed(void **state)
{
    (void)state;
    struct progress p = {.runs = 2, .epochs_left = 1000};
    assert_int_equal(progress_left_ms(&p), -1);
    p.epochs_per_s = 100;
    assert_int_equal(progress_left_ms(&p), 10000);
    p.over = 2;
    assert_int_equal(progress_left_ms(&p), -1);
}

void test_a_log_hears_of_every_tenth_once(void **state)
{
    (void)state;
    struct progress before = {.runs = 1000}, now = before;
    int told = 0;
    for (now.over = 0; now.over <= 1000; now.over++) {
        if (!progress_milestone(&before, &now)) continue;
        told++;
        before = now;
    }
    assert_int_equal(told, 10);
}
