// SPDX-License-Identifier: MIT
/* blocks: messages in a byte stream, each a 32-bit little-endian length and as many bytes.
 * A length above the limit is refused before a byte is reserved for it.
 */
#ifndef GROKD_COMMON_BLOCKS_H
#define GROKD_COMMON_BLOCKS_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define BLOCKS_HEADER 4

/* What has arrived of a stream. Set limit, zero the rest; blocks_free frees. */
struct blocks {
    size_t limit; /* bytes of the largest payload */
    uint8_t *data;
    size_t start, end, room; /* data[start, end) waits; room bytes are reserved */
};

/* Adds bytes that arrived, in pieces of any size. */
int blocks_feed(struct blocks *b, const void *bytes, size_t size, struct err *e);

/* 1: the next payload (lends until blocks_feed); 0: none is complete; E_PROTO: too long, the
 * stream is lost. */
int blocks_next(struct blocks *b, const uint8_t **payload, size_t *size, struct err *e);

void blocks_free(struct blocks *b);

/* The header of a payload of `size` bytes. */
void blocks_header(uint8_t header[BLOCKS_HEADER], uint32_t size);

/* On a blocking descriptor: writes one block; E_IO. SIGPIPE is not raised on sockets. */
int blocks_write(int fd, const void *payload, size_t size, struct err *e);

/* On a blocking descriptor: 1 and the next payload (gives, free), 0 at the end of the stream
 * between two blocks, E_PROTO (too long, or the end within a block), E_IO, E_NOMEM. */
int blocks_read(int fd, size_t limit, uint8_t **payload, size_t *size, struct err *e);

#endif
