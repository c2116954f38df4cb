// SPDX-License-Identifier: MIT
/* hash: SHA-256, random bytes from the system, and a UUID. */
#include "common/hash.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(struct hash) >= sizeof(crypto_hash_sha256_state), "room for the state");
_Static_assert(_Alignof(struct hash) >= _Alignof(crypto_hash_sha256_state), "and its alignment");

static crypto_hash_sha256_state *state(struct hash *h)
{
    return (crypto_hash_sha256_state *)(void *)h->room;
}

void hash_start(struct hash *h)
{
    crypto_hash_sha256_init(state(h));
}

void hash_add(struct hash *h, const void *data, size_t n)
{
    crypto_hash_sha256_update(state(h), data, n);
}

void hash_end(struct hash *h, char hex[HASH_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state(h), digest);
    sodium_bin2hex(hex, HASH_HEX, digest, sizeof digest);
}

void hash_sha256_hex(const void *data, size_t n, char hex[HASH_HEX])
{
    struct hash h;
    hash_start(&h);
    hash_add(&h, data, n);
    hash_end(&h, hex);
}

void hash_random(void *out, size_t n)
{
    /* Any thread may be the first. Without a source of randomness there is nothing to go on with.
     */
    if (sodium_init() < 0) abort();
    randombytes_buf(out, n);
}

void hash_uuid(char text[HASH_UUID])
{
    unsigned char b[16];
    hash_random(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(text, HASH_UUID,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
