// SPDX-License-Identifier: MIT
/* What every test file needs before anything else: cmocka and the headers it wants first. */
#ifndef GROKD_TESTS_TEST_H
#define GROKD_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
