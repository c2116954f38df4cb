// SPDX-License-Identifier: MIT
/* file: files that grow piece by piece, get their name when they are whole, and are read in pieces.
 */
#include "common/file.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char dir[64], part[96], whole[96];
static struct err e;

static void make_temp(void)
{
    strcpy(dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(part, sizeof part, "%s/part", dir);
    snprintf(whole, sizeof whole, "%s/whole", dir);
}

static void remove_temp(void)
{
    unlink(part);
    unlink(whole);
    assert_int_equal(rmdir(dir), 0);
}

static off_t length(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? -1 : st.st_size;
}

void test_pieces_become_a_file_with_a_name(void **state)
{
    (void)state;
    char text[8] = "";
    make_temp();
    assert_int_equal(file_add(part, 0, "one", 3, 0640, &e), OK);
    assert_int_equal(file_add(part, 3, " two", 4, 0640, &e), OK);
    assert_int_equal(file_place(part, whole, &e), OK);
    assert_int_equal(length(part), -1);
    assert_int_equal(file_read_at(whole, 2, text, 5, &e), OK);
    assert_string_equal(text, "e two");
    assert_int_equal(file_read_at(whole, 3, text, 5, &e), E_FILE);
    assert_non_null(strstr(e.text, "ends at byte 7"));
    remove_temp();
}

void test_a_piece_that_does_not_follow_changes_nothing(void **state)
{
    (void)state;
    make_temp();
    assert_int_equal(file_add(part, 3, " two", 4, 0640, &e), E_FILE); /* there is no file */
    assert_int_equal(file_add(part, 0, "one", 3, 0640, &e), OK);
    assert_int_equal(file_add(part, 4, "two", 3, 0640, &e), E_FILE);
    assert_non_null(strstr(e.text, "has 3 bytes, expected 4"));
    assert_int_equal(file_add(part, 2, "two", 3, 0640, &e), E_FILE);
    assert_int_equal(length(part), 3);
    assert_int_equal(file_add(part, 0, "", 0, 0640, &e), OK); /* from the beginning once more */
    assert_int_equal(length(part), 0);
    assert_int_equal(unlink(part), 0);
    assert_int_equal(file_place(part, whole, &e), E_FILE); /* nor is there now */
    remove_temp();
}

/* The limit cuts the second piece in its middle. */
void test_after_a_piece_that_could_not_be_written_the_file_is_as_before(void **state)
{
    (void)state;
    struct rlimit before, small = {.rlim_cur = 6};
    make_temp();
    assert_int_equal(file_add(part, 0, "four", 4, 0640, &e), OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = file_add(part, 4, "four", 4, 0640, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, E_IO);
    assert_int_equal(length(part), 4);
    assert_int_equal(file_add(part, 4, "four", 4, 0640, &e), OK);
    assert_int_equal(length(part), 8);
    remove_temp();
}

/* ---- a disk that says at the end that it has no room, as NFS does ---- */

static int close_fails; /* with this errno; 0: it does not */

/* In the place of the library's. */
int close(int fd)
{
    int rc = (int)syscall(SYS_close, fd);
    if (!close_fails) return rc;
    errno = close_fails;
    return -1;
}

static int add_and_fail(size_t offset, int number)
{
    close_fails = number;
    int rc = file_add(part, offset, "one", 3, 0640, &e);
    close_fails = 0;
    return rc;
}

void test_a_piece_that_is_refused_at_the_end_leaves_no_file(void **state)
{
    (void)state;
    make_temp();
    assert_int_equal(add_and_fail(0, ENOSPC), E_FULL);
    assert_non_null(strstr(e.text, "No space left on device"));
    assert_int_equal(length(part), -1);
    assert_int_equal(file_add(part, 0, "one", 3, 0640, &e), OK);
    assert_int_equal(add_and_fail(3, EDQUOT), E_FULL);
    assert_int_equal(length(part), -1);
    assert_int_equal(file_add(part, 0, "one", 3, 0640, &e), OK);
    assert_int_equal(add_and_fail(3, EIO), E_IO);
    assert_int_equal(length(part), -1);
    remove_temp();
}

/* What is told is what was wrong first. */
void test_a_piece_that_does_not_follow_is_that_whatever_the_end_says(void **state)
{
    (void)state;
    make_temp();
    assert_int_equal(file_add(part, 0, "one", 3, 0640, &e), OK);
    assert_int_equal(add_and_fail(2, ENOSPC), E_FILE);
    assert_int_equal(length(part), 3);
    remove_temp();
}
