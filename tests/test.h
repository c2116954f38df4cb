// SPDX-License-Identifier: MIT
/* What every test file needs before anything else: cmocka and the headers it wants first. */
#ifndef GROKD_TESTS_TEST_H
#define GROKD_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Whether all takes a hundred times as long, as under valgrind: then a test spares what only
 * repeats the same code, and judges no speed. */
static inline bool test_short(void)
{
    return getenv("TEST_SHORT") != NULL;
}

#endif
