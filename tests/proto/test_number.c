// SPDX-License-Identifier: MIT
/* number: what is a number, what is a duration, and that canonical text reads back to the bit. */
#include "proto/number.h"

#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void test_numbers_as_people_write_them_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double real;
        bool integral;
    } cases[] = {{"0", 0, true},
                 {"3", 3, true},
                 {"+3", 3, true},
                 {"-7", -7, true},
                 {"3e6", 3e6, true},
                 {"3.0", 3, true},
                 {"1e-4", 1e-4, false},
                 {".5", .5, false},
                 {"5.", 5, true},
                 {"1E+2", 100, true},
                 {"0.1", 0.1, false},
                 {"-0", 0, true},
                 {"9007199254740993", 9007199254740993., true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct number n;
        assert_true(number_read(cases[i].text, &n));
        assert_true(n.real == cases[i].real);
        assert_int_equal(n.integral, cases[i].integral);
        if (n.integral) assert_true((double)n.integer == n.real);
    }
}

void test_integers_beyond_two_to_the_53_are_exact(void **state)
{
    (void)state;
    struct number n;
    assert_true(number_read("9007199254740993", &n));
    assert_int_equal(n.integer, INT64_C(9007199254740993));
    assert_true(number_read("9223372036854775807", &n) && n.integral);
    assert_int_equal(n.integer, INT64_MAX);
    assert_true(number_read("9223372036854775808", &n) && !n.integral);
}

void test_what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "-",   ".",     "e5",    "1e", "1e+",
                                      "0x10", "nan", "inf",   "1 ",    " 1", "1_000",
                                      "1,5",  "--1", "1.2.3", "1e400", "1f", "1e5x"};
    struct number n;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(number_read(bad[i], &n));
}

void test_text_of_a_number_is_canonical(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "0"},
                 {1, "1"},
                 {0.1, "0.1"},
                 {0.005, "0.005"},
                 {1e-8, "1e-8"},
                 {3e-5, "3e-5"},
                 {1e-4, "0.0001"},
                 {1e300, "1e300"},
                 {3e6, "3000000"},
                 {1e15, "1e15"},
                 {1e14, "100000000000000"},
                 {-2.5, "-2.5"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1. / 3, "0.3333333333333333"},
                 {5e-324, "4.94065645841247e-324"},
                 {NAN, "nan"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"}};
    char text[NUMBER_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(number_text(cases[i].x, text), cases[i].text);
}

void test_every_double_reads_back_to_the_same_bits(void **state)
{
    (void)state;
    uint64_t bits = 1;
    for (int i = 0; i < (test_short() ? 10000 : 200000); i++) {
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double x;
        char text[NUMBER_TEXT];
        struct number n;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        assert_true(number_read(number_text(x, text), &n));
        assert_true(n.real == x);
        assert_null(strstr(text, "e+"));
        assert_null(strstr(text, "e-0"));
    }
}

void test_durations_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"60s", 60000},           {"5m", 300000},    {"1h 30m", 5400000},
                 {"1h30m", 5400000},       {"250ms", 250},    {"1.5h", 5400000},
                 {"2d", 172800000},        {"0", 0},          {"01:30:00", 5400000},
                 {"100:00:01", 360001000}, {" 3h ", 10800000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -1;
        assert_true(duration_read(cases[i].text, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

void test_durations_without_unit_or_sense_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "60",       "s",      "-5s",   "5 s",
                                      "1h30",     "3w",       "5sm",    "1:5",   "1:60:00",
                                      "00:00:60", "-1:00:00", "20000d", "1:2:3x"};
    int64_t ms;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(duration_read(bad[i], &ms));
}
