// SPDX-License-Identifier: MIT
#include "tests/test.h"

#include "common/blocks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Three blocks ("", "hello", 1000 times x) as they lie in a stream; returns the size. */
static size_t example(uint8_t out[2000])
{
    size_t n = 0;
    blocks_header(out, 0);
    n += 4;
    blocks_header(out + n, 5);
    memcpy(out + n + 4, "hello", 5);
    n += 9;
    blocks_header(out + n, 1000);
    memset(out + n + 4, 'x', 1000);
    return n + 1004;
}

void test_the_length_is_little_endian(void **state)
{
    uint8_t h[4];
    (void)state;
    blocks_header(h, 0x01020304);
    assert_memory_equal(h, "\x04\x03\x02\x01", 4);
}

void test_blocks_come_out_whole_whatever_pieces_arrive(void **state)
{
    uint8_t stream[2000];
    size_t total = example(stream);
    (void)state;
    for (size_t piece = 1; piece <= total; piece += piece < 20 ? 1 : 97) {
        struct blocks b = {.limit = 1000};
        const uint8_t *payload;
        size_t sizes[3] = {9, 9, 9}, size, count = 0;
        for (size_t at = 0; at < total; at += piece) {
            size_t n = total - at < piece ? total - at : piece;
            assert_int_equal(blocks_feed(&b, stream + at, n, NULL), OK);
            while (blocks_next(&b, &payload, &size, NULL) == 1) {
                assert_true(count < 3);
                sizes[count++] = size;
                if (size == 5) assert_memory_equal(payload, "hello", 5);
                if (size == 1000) assert_int_equal(payload[999], 'x');
            }
        }
        assert_int_equal(count, 3);
        assert_int_equal(sizes[0], 0);
        assert_int_equal(sizes[1], 5);
        assert_int_equal(sizes[2], 1000);
        blocks_free(&b);
    }
}

void test_a_length_above_the_limit_is_refused_without_memory_for_it(void **state)
{
    struct blocks b = {.limit = 1000};
    struct err e;
    const uint8_t *payload;
    size_t size;
    (void)state;
    assert_int_equal(blocks_feed(&b, "\xff\xff\xff\xff", 4, &e), OK);
    assert_int_equal(blocks_next(&b, &payload, &size, &e), E_PROTO);
    assert_non_null(strstr(e.text, "4294967295"));
    assert_true(b.room < 10000);
    blocks_free(&b);
}

void test_many_blocks_do_not_make_the_buffer_grow(void **state)
{
    struct blocks b = {.limit = 1000};
    uint8_t stream[2000];
    size_t total = example(stream), size;
    const uint8_t *payload;
    int count = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(blocks_feed(&b, stream, total, NULL), OK);
        while (blocks_next(&b, &payload, &size, NULL) == 1) count++;
    }
    assert_int_equal(count, 3000);
    assert_true(b.room <= 4096);
    blocks_free(&b);
}

void test_a_blocking_stream_gives_back_what_was_written(void **state)
{
    int ends[2], pipes[2];
    uint8_t *payload;
    size_t size;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < 2; i++) {
        int writer = i ? pipes[1] : ends[0], reader = i ? pipes[0] : ends[1];
        assert_int_equal(blocks_write(writer, "hello", 5, NULL), OK);
        assert_int_equal(blocks_write(writer, "", 0, NULL), OK);
        close(writer);
        assert_int_equal(blocks_read(reader, 100, &payload, &size, NULL), 1);
        assert_int_equal(size, 5);
        assert_memory_equal(payload, "hello", 5);
        free(payload);
        assert_int_equal(blocks_read(reader, 100, &payload, &size, NULL), 1);
        assert_int_equal(size, 0);
        free(payload);
        assert_int_equal(blocks_read(reader, 100, &payload, &size, NULL), 0);
        assert_null(payload);
        close(reader);
    }
}

/* Writes raw bytes, ends the stream, reads a block. */
static int read_raw(const char *bytes, size_t n, size_t limit, struct err *e)
{
    int ends[2];
    uint8_t *payload;
    size_t size;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, n), n);
    close(ends[1]);
    int rc = blocks_read(ends[0], limit, &payload, &size, e);
    assert_true(rc == 1 || !payload);
    free(payload);
    close(ends[0]);
    return rc;
}

void test_a_blocking_stream_that_breaks_off_is_an_error(void **state)
{
    struct err e;
    (void)state;
    assert_int_equal(read_raw("\1\0", 2, 100, &e), E_PROTO);
    assert_int_equal(read_raw("\5\0\0\0abc", 7, 100, &e), E_PROTO);
    assert_non_null(strstr(e.text, "3 bytes into a block of 5"));
    assert_int_equal(read_raw("\145\0\0\0", 4, 100, &e), E_PROTO);
    assert_int_equal(blocks_read(-1, 100, &(uint8_t *){NULL}, &(size_t){0}, &e), E_IO);
}

void test_writing_to_a_closed_socket_is_an_error_and_no_signal(void **state)
{
    int ends[2];
    struct err e;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    assert_int_equal(blocks_write(ends[0], "hello", 5, &e), E_IO);
    close(ends[0]);
}
