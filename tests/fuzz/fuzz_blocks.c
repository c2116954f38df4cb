// SPDX-License-Identifier: MIT
/* fuzz_blocks: a byte stream in pieces of any size. The first byte says the size of the pieces;
 * the payloads are those of the whole stream read at once. */
#include "common/blocks.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 300

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The payloads one behind the other (gives), and how the stream ended. */
static int read_all(const uint8_t *bytes, size_t size, size_t piece, uint8_t *out, size_t *length)
{
    struct blocks b = {.limit = LIMIT};
    struct err e;
    const uint8_t *payload;
    size_t n;
    int rc = OK;
    *length = 0;
    for (size_t at = 0; at < size && rc >= 0; at += piece) {
        size_t take = size - at < piece ? size - at : piece;
        rc = blocks_feed(&b, bytes + at, take, &e);
        while (rc >= 0 && (rc = blocks_next(&b, &payload, &n, &e)) == 1) {
            if (n > LIMIT) abort();
            memcpy(out + *length, payload, n);
            *length += n;
        }
    }
    blocks_free(&b);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    uint8_t *whole = malloc(size), *pieces = malloc(size);
    size_t n, k;
    int a = read_all(bytes + 1, size - 1, size, whole, &n);
    int b = read_all(bytes + 1, size - 1, 1 + (size_t)bytes[0], pieces, &k);
    if (a != b || n != k || memcmp(whole, pieces, n) != 0) abort();
    free(whole);
    free(pieces);
    return 0;
}
