// SPDX-License-Identifier: MIT
/* log: lines are caught in a file and read back. */
#include "tests/test.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char caught[LOG_LINE * 64];

static void start_catching(FILE **file)
{
    *file = tmpfile();
    assert_non_null(*file);
    log_set_fd(fileno(*file));
    log_set_level(LOG_INFO);
}

/* Everything logged since, and stderr again. */
static const char *stop_catching(FILE *file)
{
    log_set_fd(2);
    log_set_before(NULL);
    rewind(file);
    size_t n = fread(caught, 1, sizeof caught - 1, file);
    caught[n] = 0;
    fclose(file);
    return caught;
}

void test_a_line_has_time_level_event_and_values(void **state)
{
    FILE *file;
    (void)state;
    start_catching(&file);
    log_info("shape", "worker=%lld host=%s share=%.3f n=%d k=%zu hex=%x pid=%u", 7LL, "node7", 0.5,
             -3, (size_t)9, 255, 12u);
    const char *text = stop_catching(file);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[23], 'Z');
    assert_string_equal(text + 24,
                        " info shape worker=7 host=node7 share=0.500 n=-3 k=9 hex=ff pid=12\n");
}

void test_odd_strings_are_quoted_so_that_a_line_stays_a_line(void **state)
{
    FILE *file;
    (void)state;
    const char *volatile nothing = NULL;
    start_catching(&file);
    log_warn("quoting", "a=%s b=%s c=%s d=%.*s e=%s", "two words", "", "x\"y\nz\x01", 3, "abcdef",
             nothing);
    assert_string_equal(
        stop_catching(file) + 24,
        " warn quoting a=\"two words\" b=\"\" c=\"x\\\"y\\nz\\x01\" d=abc e=(null)\n");
}

void test_an_overlong_line_is_cut_and_still_ends(void **state)
{
    FILE *file;
    char *text = malloc(100000);
    (void)state;
    memset(text, 'x', 99999);
    text[99999] = 0;
    start_catching(&file);
    log_error("long", "text=%s", text);
    log_error("short", "x=%d", 1);
    free(text);
    const char *got = stop_catching(file), *end = strchr(got, '\n');
    assert_int_equal(end - got, LOG_LINE - 1);
    assert_string_equal(end + 1 + 24, " error short x=1\n");
}

void test_repeats_are_counted_instead_of_written(void **state)
{
    FILE *file;
    int lines = 0;
    (void)state;
    start_catching(&file);
    for (int i = 0; i < 500; i++) log_info("flood", "i=%d", i);
    log_info("other", "x=%d", 1);
    for (const char *at = stop_catching(file); *at; at++) lines += *at == '\n';
    assert_int_equal(lines, LOG_BURST + 1);
    assert_non_null(strstr(caught, "other x=1"));
}

void test_levels_below_the_threshold_are_silent(void **state)
{
    FILE *file;
    (void)state;
    start_catching(&file);
    log_debug("silent", "x=%d", 1);
    log_set_level(LOG_QUIET);
    log_error("silent", "x=%d", 2);
    log_set_level(LOG_DEBUG);
    log_debug("heard", "x=%d", 3);
    assert_string_equal(stop_catching(file) + 24, " debug heard x=3\n");
    log_set_level(LOG_INFO);
}

void test_a_progress_bar_is_cleared_before_a_line(void **state)
{
    FILE *file;
    (void)state;
    start_catching(&file);
    log_set_before("\r\033[K");
    log_info("bar", "x=%d", 1);
    assert_memory_equal(stop_catching(file), "\r\033[K2", 5);
}

void test_a_log_that_cannot_be_written_changes_nothing(void **state)
{
    (void)state;
    log_set_fd(-1);
    errno = EPERM;
    log_error("lost", "x=%d", 1);
    assert_int_equal(errno, EPERM);
    log_set_fd(2);
}
