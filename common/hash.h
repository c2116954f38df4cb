// SPDX-License-Identifier: MIT
/* hash: SHA-256, random bytes from the system, and a UUID. The door of libsodium, with keys. */
#ifndef GROKD_COMMON_HASH_H
#define GROKD_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_HEX  65 /* 64 hexadecimal digits and the end */
#define HASH_UUID 37

/* A hash in progress; plain memory, nothing to free. */
struct hash {
    uint64_t room[16];
};

void hash_start(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t n);
void hash_end(struct hash *h, char hex[HASH_HEX]);

/* The three in one. */
void hash_sha256_hex(const void *data, size_t n, char hex[HASH_HEX]);

/* n random bytes of the system's generator; any thread. */
void hash_random(void *out, size_t n);

/* A random UUID, version 4 (RFC 9562): "f81d4fae-7dec-41d0-a765-00a0c91e6bf6". */
void hash_uuid(char text[HASH_UUID]);

#endif
