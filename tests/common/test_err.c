// SPDX-License-Identifier: MIT
#include "common/err.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

void test_err_set_returns_the_code_and_keeps_the_sentence(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, E_FILE, "line %d: no colon", 7), E_FILE);
    assert_int_equal(e.code, E_FILE);
    assert_string_equal(e.text, "line 7: no colon");
    assert_int_equal(err_set(NULL, E_NOMEM, "nobody listens"), E_NOMEM);
}

void test_err_errno_adds_the_systems_sentence(void **state)
{
    (void)state;
    struct err e = {0};
    errno = ENOENT;
    assert_int_equal(err_errno(&e, E_IO, "open %s", "x"), E_IO);
    assert_string_equal(e.text, "open x: No such file or directory");
}

void test_a_long_sentence_is_cut_not_overrun(void **state)
{
    (void)state;
    struct err e = {0};
    char many[2000];
    memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    errno = ENOENT;
    err_errno(&e, E_IO, "%s", many);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

/* What a file or a peer says is repeated in sentences, and may hold anything. */
void test_a_sentence_is_one_line_whatever_it_repeats(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, E_FILE, "no number: \"%s\"",
            "1\n\r\t\x1b[2J\x7f"
            "2");
    assert_string_equal(e.text, "no number: \"1    [2J 2\"");
    err_set(&e, E_FILE, "%s", "caf\xc3\xa9");
    assert_string_equal(e.text, "caf\xc3\xa9");
}

void test_codes_map_to_exit_codes_of_the_programs(void **state)
{
    (void)state;
    assert_int_equal(err_exit_code(OK), 0);
    assert_int_equal(err_exit_code(E_FILE), 2);
    assert_int_equal(err_exit_code(E_NET), 3);
    assert_int_equal(err_exit_code(E_STORE), 4);
    assert_string_equal(err_name(E_FULL), "no room on the disk");
}
