// SPDX-License-Identifier: MIT
/* safetensors: what is written comes back, and files that lie are refused with the fact. */
#include "tests/test.h"

#include "common/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void make_set(struct safetensors *s)
{
    struct err e;
    const float f[] = {1, -2.5f, 3, 4, 5, 6};
    const double d[] = {0.1, 1e300};
    const int8_t i8[] = {-1, 1, -1};
    const int64_t i64[] = {INT64_MIN, 7};
    *s = (struct safetensors){0};
    assert_int_equal(safetensors_add(s, "w", ST_F32, 2, (size_t[]){2, 3}, f, &e), OK);
    assert_int_equal(safetensors_add(s, "spins", ST_I8, 1, (size_t[]){3}, i8, &e), OK);
    assert_int_equal(safetensors_add(s, "d", ST_F64, 1, (size_t[]){2}, d, &e), OK);
    assert_int_equal(safetensors_add(s, "none", ST_I32, 2, (size_t[]){0, 2}, NULL, &e), OK);
    assert_int_equal(safetensors_add(s, "n", ST_I64, 1, (size_t[]){2}, i64, &e), OK);
}

static void check_set(const struct safetensors *s)
{
    struct err e;
    const struct safetensors_entry *t;
    int64_t i64[2];
    assert_int_equal(s->count, 5);
    assert_int_equal(safetensors_expect(s, "w", ST_F64, 2, (size_t[]){2, 3}, &t, &e), OK);
    assert_true(safetensors_real(s, t, 1) == -2.5 && safetensors_real(s, t, 5) == 6);
    assert_int_equal(safetensors_expect(s, "d", ST_F32, 1, (size_t[]){2}, &t, &e), OK);
    assert_true(safetensors_real(s, t, 0) == 0.1 && safetensors_real(s, t, 1) == 1e300);
    assert_int_equal(safetensors_expect(s, "n", ST_I64, 1, (size_t[]){2}, &t, &e), OK);
    memcpy(i64, safetensors_data(s, t), sizeof i64);
    assert_true(i64[0] == INT64_MIN && i64[1] == 7);
    assert_int_equal(safetensors_find(s, "none")->count, 0);
    assert_memory_equal(safetensors_data(s, safetensors_find(s, "spins")), "\xff\x01\xff", 3);
}

void test_a_set_comes_back_from_its_file(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s, back;
    char dir[] = "/tmp/grokd-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    make_set(&s);
    check_set(&s);
    assert_int_equal(safetensors_write(&s, path, &e), OK);
    assert_int_equal(safetensors_read(&back, path, &e), OK);
    check_set(&back);
    safetensors_close(&s);
    safetensors_close(&back);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

void test_a_set_that_was_read_takes_more(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s, back;
    unsigned char *bytes;
    size_t size;
    make_set(&s);
    assert_int_equal(safetensors_bytes(&s, &bytes, &size, &e), OK);
    assert_int_equal(safetensors_parse(&back, bytes, size, "here", &e), OK);
    free(bytes);
    assert_int_equal(safetensors_add(&back, "x", ST_U8, 1, (size_t[]){1}, "!", &e), OK);
    assert_int_equal(safetensors_bytes(&back, &bytes, &size, &e), OK);
    safetensors_close(&back);
    assert_int_equal(safetensors_parse(&back, bytes, size, "here", &e), OK);
    assert_int_equal(back.count, 6);
    assert_int_equal(*(const char *)safetensors_data(&back, safetensors_find(&back, "x")), '!');
    free(bytes);
    safetensors_close(&s);
    safetensors_close(&back);
}

void test_names_that_are_taken_or_not_allowed_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s;
    char longest[SAFETENSORS_NAME + 1];
    memset(longest, 'x', sizeof longest);
    longest[SAFETENSORS_NAME] = 0;
    const char *const names[] = {"w", "", "a\"b", "a\\b", "tab\t", "__metadata__", longest};
    make_set(&s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(safetensors_add(&s, names[i], ST_U8, 1, (size_t[]){1}, "", &e), E_USAGE);
    assert_int_equal(s.count, 5);
    safetensors_close(&s);
}

void test_another_shape_type_or_name_is_told_with_both_shapes(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s;
    const struct safetensors_entry *t;
    make_set(&s);
    assert_int_equal(safetensors_expect(&s, "w", ST_F32, 2, (size_t[]){3, 2}, &t, &e), E_FILE);
    assert_string_equal(e.text, "w is F32 [2,3]: expected F32 [3,2]");
    assert_int_equal(safetensors_expect(&s, "spins", ST_F32, 1, (size_t[]){3}, &t, &e), E_FILE);
    assert_int_equal(safetensors_expect(&s, "gone", ST_F32, 1, (size_t[]){3}, &t, &e), E_FILE);
    assert_string_equal(e.text, "no array gone: expected F32 [3]");
    safetensors_close(&s);
}

/* A file of this header and `data` zero bytes. */
static int parse(const char *header, size_t data, struct err *e)
{
    struct safetensors s;
    size_t n = strlen(header);
    unsigned char *bytes = calloc(1, 8 + n + data);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> (8 * i));
    memcpy(bytes + 8, header, n);
    int rc = safetensors_parse(&s, bytes, 8 + n + data, "t", e);
    free(bytes);
    safetensors_close(&s);
    return rc;
}

#define ENTRY(name, type, shape, from, to)                                                         \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to  \
    "]}"

void test_headers_within_the_format_are_read(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(parse("{}", 0, &e), OK);
    assert_int_equal(parse("{ }   ", 0, &e), OK);
    assert_int_equal(parse("{" ENTRY("a", "F32", "2", 0, 8) "}", 8, &e), OK);
    assert_int_equal(parse("{" ENTRY("a", "F32", "", 0, 4) "}", 4, &e), OK);
    assert_int_equal(
        parse("{" ENTRY("b", "I8", "1", 4, 5) "," ENTRY("a", "F32", "1", 0, 4) "}", 5, &e), OK);
    assert_int_equal(parse("{\"__metadata__\":{\"k\":\"v \\\" \\u0041\",\"l\":\"\"}," ENTRY(
                               "a", "F32", "1", 0, 4) "}",
                           4, &e),
                     OK);
    assert_int_equal(parse("{\"__metadata__\":{}}", 0, &e), OK);
    assert_int_equal(parse(" {\n\"a\" : { \"shape\" : [ 1 ] ,\"data_offsets\":[0,4], "
                           "\"dtype\": \"F32\" } }",
                           4, &e),
                     OK);
}

void test_headers_that_break_the_format_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
    } bad[] = {
        {"", 0},
        {"[]", 0},
        {"{", 0},
        {"{}x", 0},
        {"{" ENTRY("a", "F32", "1", 0, 4), 4},
        {"{" ENTRY("a", "F32", "1", 0, 4) ",}", 4},
        {"{" ENTRY("a", "F32", "1", 0, 4) "}", 5},
        {"{" ENTRY("a", "F32", "1", 0, 4) "}", 3},
        {"{" ENTRY("a", "F32", "2", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "1", 4, 8) "}", 8},
        {"{" ENTRY("a", "F32", "1", 4, 0) "}", 4},
        {"{" ENTRY("a", "F32", "-1", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "1.0", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "01", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "1,1,1,1,1", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "4611686018427387904,4", 0, 0) "}", 0},
        {"{" ENTRY("a", "F32", "99999999999999999999", 0, 4) "}", 4},
        {"{" ENTRY("a", "F16", "2", 0, 4) "}", 4},
        {"{" ENTRY("a", "F32", "1", 0, 4) "," ENTRY("a", "F32", "1", 4, 8) "}", 8},
        {"{" ENTRY("a", "F32", "2", 0, 8) "," ENTRY("b", "F32", "2", 4, 12) "}", 12},
        {"{" ENTRY("a\x01", "F32", "1", 0, 4) "}", 4},
        {"{" ENTRY("\\u0041", "F32", "1", 0, 4) "}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4},
        {"{\"__metadata__\":{\"k\":1}}", 0},
        {"{\"__metadata__\":{\"k\":\"\\", 0},
        {"{\"a\":null}", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        if (parse(bad[i].header, bad[i].data, &e) != E_FILE) fail_msg("taken: %s", bad[i].header);
        assert_int_equal(strncmp(e.text, "t: ", 3), 0);
    }
}

void test_every_cut_and_every_changed_byte_is_survived(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s, back;
    unsigned char *bytes;
    size_t size;
    make_set(&s);
    assert_int_equal(safetensors_bytes(&s, &bytes, &size, &e), OK);
    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n + 1);
        memcpy(cut, bytes, n);
        assert_int_equal(safetensors_parse(&back, cut, n, "cut", &e), E_FILE);
        free(cut);
    }
    for (size_t n = 0; n < size; n++)
        for (int flip = 1; flip < 256; flip *= 2) {
            bytes[n] ^= (unsigned char)flip;
            if (safetensors_parse(&back, bytes, size, "flip", &e) == OK) safetensors_close(&back);
            bytes[n] ^= (unsigned char)flip;
        }
    free(bytes);
    safetensors_close(&s);
}

void test_a_missing_file_is_told_by_its_path(void **state)
{
    (void)state;
    struct err e;
    struct safetensors s;
    assert_true(safetensors_read(&s, "/tmp/no-such-grokd-file", &e) < 0);
    assert_non_null(strstr(e.text, "/tmp/no-such-grokd-file"));
}
