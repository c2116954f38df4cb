// SPDX-License-Identifier: MIT
#include "tests/test.h"

#include "common/clock.h"
#include "common/text.h"

void test_times_read_as_people_say_them(void **state)
{
    char t[TEXT_SHORT];
    (void)state;
    assert_string_equal(text_from_ms(0, t), "0 ms");
    assert_string_equal(text_from_ms(999, t), "999 ms");
    assert_string_equal(text_from_ms(12999, t), "12 s");
    assert_string_equal(text_from_ms(200000, t), "3 min 20 s");
    assert_string_equal(text_from_ms(7500000, t), "2 h 5 min");
    assert_string_equal(text_from_ms(INT64_C(273600000), t), "3 d 4 h");
    assert_string_equal(text_from_ms(-1, t), "-");
    assert_string_equal(text_from_ms(INT64_MAX, t), "106751991167 d 7 h");
}

void test_counts_have_commas_between_thousands(void **state)
{
    char t[TEXT_SHORT];
    (void)state;
    assert_string_equal(text_from_count(0, t), "0");
    assert_string_equal(text_from_count(999, t), "999");
    assert_string_equal(text_from_count(1000, t), "1,000");
    assert_string_equal(text_from_count(-123456, t), "-123,456");
    assert_string_equal(text_from_count(INT64_MIN, t), "-9,223,372,036,854,775,808");
}

void test_bytes_have_binary_units(void **state)
{
    char t[TEXT_SHORT];
    (void)state;
    assert_string_equal(text_from_bytes(1023, t), "1023 B");
    assert_string_equal(text_from_bytes(12897485, t), "12.3 MiB");
    assert_string_equal(text_from_bytes(UINT64_MAX, t), "16.0 EiB");
}

void test_utc_is_written_with_milliseconds(void **state)
{
    char t[CLOCK_UTC];
    (void)state;
    clock_utc(INT64_C(1769851800125), t);
    assert_string_equal(t, "2026-01-31T09:30:00.125Z");
    clock_utc(-1, t);
    assert_string_equal(t, "1969-12-31T23:59:59.999Z");
}

void test_the_monotonic_clock_never_goes_back(void **state)
{
    int64_t before = clock_now_ms();
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_now_ms();
        assert_true(now >= before);
        before = now;
    }
}
