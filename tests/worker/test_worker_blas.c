// SPDX-License-Identifier: MIT
/* Which kernels a worker offers, asked of programs that stand in every Debian. */
#include "tests/test.h"

#include "worker/worker_blas.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct session_blas offers[SESSION_BLAS];
static size_t count;
static struct err e;

/* Asks a script in the place of grokd-train; it finds the family asked for in $family. */
static int ask(const char *script)
{
    char dir[] = "/tmp/grokd-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/train", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n[ $1 = --blas ] || exit 2\nfamily=${2#grokd.blas=}\n%s\n", script);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
    int rc = worker_blas_offers(path, offers, SESSION_BLAS, &count, &e);
    unlink(path);
    rmdir(dir);
    return rc;
}

void test_the_programs_own_choice_comes_first_and_what_falls_back_is_left_out(void **state)
{
    (void)state;
    /* As on a machine with AVX2 only: OpenBLAS takes Haswell for a family that cannot run. */
    assert_int_equal(ask("case $family in auto) echo grokd cc;; Zen) echo Zen bb;; "
                         "*) echo Haswell aa;; esac"),
                     OK);
    assert_int_equal(count, 3);
    assert_string_equal(offers[0].family, "grokd");
    assert_string_equal(offers[0].fingerprint, "cc");
    assert_string_equal(offers[1].family, "Haswell");
    assert_string_equal(offers[1].fingerprint, "aa");
    assert_string_equal(offers[2].family, "Zen");
    assert_string_equal(offers[2].fingerprint, "bb");
}

void test_nothing_is_offered_twice(void **state)
{
    (void)state;
    assert_int_equal(ask("case $family in auto|Haswell) echo Haswell aa;; *) exit 1;; esac"), OK);
    assert_int_equal(count, 1);
    assert_string_equal(offers[0].family, "Haswell");
}

void test_a_family_whose_trial_crashes_is_not_offered(void **state)
{
    (void)state;
    assert_int_equal(
        ask("case $family in auto|Zen) echo Zen bb;; Haswell) echo Haswell aa; exit 1;; "
            "*) kill -ILL $$;; esac"),
        OK);
    assert_int_equal(count, 1);
    assert_string_equal(offers[0].family, "Zen");
}

void test_a_program_without_kernels_is_a_bad_file(void **state)
{
    (void)state;
    assert_int_equal(ask("exit 2"), E_FILE);
    assert_int_equal(ask("echo Haswell"), E_FILE);
    assert_int_equal(ask("yes Haswell | head -c 100000"), E_FILE);
    assert_int_equal(worker_blas_offers("/nonexistent/train", offers, SESSION_BLAS, &count, &e),
                     E_FILE);
    assert_non_null(strstr(e.text, "/nonexistent/train"));
    assert_int_equal(count, 0);
}
