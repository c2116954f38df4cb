// SPDX-License-Identifier: MIT
/* blocks: messages in a byte stream, each a 32-bit little-endian length and as many bytes. */
#include "common/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static uint32_t length_of(const uint8_t *h)
{
    return h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16 | (uint32_t)h[3] << 24;
}

static int check_length(uint32_t size, size_t limit, struct err *e)
{
    if (size <= limit) return OK;
    return err_set(e, E_PROTO, "block of %lu bytes: at most %zu are taken", (unsigned long)size,
                   limit);
}

void blocks_header(uint8_t header[BLOCKS_HEADER], uint32_t size)
{
    for (int i = 0; i < BLOCKS_HEADER; i++) header[i] = (uint8_t)(size >> 8 * i);
}

/* Room for `size` more bytes, moving what waits to the front. */
static int make_room(struct blocks *b, size_t size)
{
    size_t waiting = b->end - b->start, room = b->room ? b->room : 4096;
    if (b->start) memmove(b->data, b->data + b->start, waiting);
    b->start = 0;
    b->end = waiting;
    if (waiting + size <= b->room) return OK;
    while (room < waiting + size) room *= 2;
    uint8_t *data = realloc(b->data, room);
    if (!data) return E_NOMEM;
    b->data = data;
    b->room = room;
    return OK;
}

int blocks_feed(struct blocks *b, const void *bytes, size_t size, struct err *e)
{
    if (!size) return OK;
    if (b->room - b->end < size && make_room(b, size) < 0)
        return err_set(e, E_NOMEM, "no memory for %zu bytes of a stream", size);
    memcpy(b->data + b->end, bytes, size);
    b->end += size;
    return OK;
}

int blocks_next(struct blocks *b, const uint8_t **payload, size_t *size, struct err *e)
{
    size_t waiting = b->end - b->start;
    if (waiting < BLOCKS_HEADER) return 0;
    uint32_t length = length_of(b->data + b->start);
    int rc = check_length(length, b->limit, e);
    if (rc < 0) return rc;
    if (waiting - BLOCKS_HEADER < length) return 0;
    *payload = b->data + b->start + BLOCKS_HEADER;
    *size = length;
    b->start += BLOCKS_HEADER + (size_t)length;
    return 1;
}

void blocks_free(struct blocks *b)
{
    free(b->data);
    b->data = NULL;
    b->start = b->end = b->room = 0;
}

/* sendmsg spares a socket's writer the SIGPIPE; a pipe knows only writev. */
static ssize_t write_some(int fd, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    return n < 0 && errno == ENOTSOCK ? writev(fd, parts, count) : n;
}

static void skip(struct iovec *parts, int count, size_t n)
{
    for (int i = 0; i < count; i++) {
        size_t part = n < parts[i].iov_len ? n : parts[i].iov_len;
        parts[i].iov_base = (uint8_t *)parts[i].iov_base + part;
        parts[i].iov_len -= part;
        n -= part;
    }
}

int blocks_write(int fd, const void *payload, size_t size, struct err *e)
{
    uint8_t header[BLOCKS_HEADER];
    if (size > UINT32_MAX) return err_set(e, E_PROTO, "block of %zu bytes: too long", size);
    blocks_header(header, (uint32_t)size);
    /* iov_base is not const; nothing writes through it. */
    struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)payload, size}};
    size_t left = sizeof header + size;
    while (left) {
        ssize_t n = write_some(fd, parts, 2);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(e, E_IO, "write a block to descriptor %d", fd);
        skip(parts, 2, (size_t)n);
        left -= (size_t)n;
    }
    return OK;
}

/* Reads until size bytes or the end; the count, or E_IO. */
static ssize_t read_fully(int fd, uint8_t *out, size_t size, struct err *e)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, out + got, size - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(e, E_IO, "read a block from descriptor %d", fd);
        if (!n) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

int blocks_read(int fd, size_t limit, uint8_t **payload, size_t *size, struct err *e)
{
    uint8_t header[BLOCKS_HEADER];
    *payload = NULL;
    ssize_t n = read_fully(fd, header, sizeof header, e);
    if (n <= 0) return (int)n;
    if (n < BLOCKS_HEADER) return err_set(e, E_PROTO, "stream ends within the length of a block");
    uint32_t length = length_of(header);
    int rc = check_length(length, limit, e);
    if (rc < 0) return rc;
    uint8_t *data = malloc((size_t)length + 1);
    if (!data)
        return err_set(e, E_NOMEM, "no memory for a block of %lu bytes", (unsigned long)length);
    n = read_fully(fd, data, length, e);
    if (n < (ssize_t)length) {
        free(data);
        return n < 0 ? (int)n
                     : err_set(e, E_PROTO, "stream ends %lu bytes into a block of %lu",
                               (unsigned long)n, (unsigned long)length);
    }
    *payload = data;
    *size = length;
    return 1;
}
