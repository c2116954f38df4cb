// SPDX-License-Identifier: MIT
#include "tests/test.h"

#include "common/file.h"
#include "worker/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err e;

static wire_envelope ack(Grokd__Ack *a, int64_t run, int64_t attempt, int64_t epoch)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    grokd__ack__init(a);
    a->run = run;
    a->attempt = attempt;
    a->epoch = epoch;
    m.body_case = GROKD__ENVELOPE__BODY_ACK;
    m.ack = a;
    return m;
}

void test_acknowledgements_of_two_workers_stand_in_one_file(void **state)
{
    (void)state;
    char path[] = "/tmp/test_ledger_XXXXXX", *text;
    struct ledger *one, *two;
    Grokd__Ack a;
    size_t size;
    close(mkstemp(path));
    assert_int_equal(ledger_open(&one, path, &e), OK);
    assert_int_equal(ledger_open(&two, path, &e), OK);
    wire_envelope m = ack(&a, 7, 1, 25);
    assert_int_equal(ledger_note(one, &m, &e), OK);
    m = ack(&a, 8, 3, -1);
    assert_int_equal(ledger_note(two, &m, &e), OK);
    m = ack(&a, 7, 1, INT64_MAX);
    a.has_ended = a.ended = 1;
    assert_int_equal(ledger_note(one, &m, &e), OK);
    m.body_case = GROKD__ENVELOPE__BODY_GOODBYE; /* has no line */
    assert_int_equal(ledger_note(one, &m, &e), OK);
    ledger_close(&one);
    ledger_close(&two);
    assert_int_equal(file_read(path, 1000, &text, &size, &e), OK);
    assert_string_equal(text, "7 1 25 0\n8 3 -1 0\n7 1 9223372036854775807 1\n");
    free(text);
    unlink(path);
}

void test_without_a_path_there_is_no_ledger(void **state)
{
    (void)state;
    struct ledger *l;
    Grokd__Ack a;
    wire_envelope m = ack(&a, 7, 1, 25);
    assert_int_equal(ledger_open(&l, NULL, &e), OK);
    assert_null(l);
    assert_int_equal(ledger_open(&l, "", &e), OK);
    assert_null(l);
    assert_int_equal(ledger_note(l, &m, &e), OK);
    ledger_close(&l);
}

void test_a_ledger_that_cannot_be_kept_is_an_error(void **state)
{
    (void)state;
    struct ledger *l;
    Grokd__Ack a;
    wire_envelope m = ack(&a, 7, 1, 25);
    assert_int_equal(ledger_open(&l, "/nonexistent/ledger", &e), E_FILE);
    assert_non_null(strstr(e.text, "/nonexistent/ledger"));
    assert_int_equal(ledger_open(&l, "/dev/full", &e), OK);
    assert_int_equal(ledger_note(l, &m, &e), E_FULL);
    ledger_close(&l);
}
