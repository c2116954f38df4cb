// SPDX-License-Identifier: MIT
/* safetensors: named arrays in a file, in the format of the same name (an 8-byte length, a JSON
 * header, then the bytes): https://huggingface.co/docs/safetensors
 *
 * Promise: every length, offset, shape and name of a file is checked before use; a file that breaks
 * the format is E_FILE with the fact. Files are written whole or not at all.
 * Refusal: types other than those below, headers over 16 MiB, more than 4096 arrays, names over
 * 127 bytes or with anything but printable ASCII, rank over 4. Metadata is skipped.
 */
#ifndef GROKD_COMMON_SAFETENSORS_H
#define GROKD_COMMON_SAFETENSORS_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_NAME 128
#define SAFETENSORS_RANK 4

/* Types: enum, name in the file, bytes of an element. */
#define SAFETENSORS_TYPES(X)                                                                       \
    X(ST_F32, "F32", 4)                                                                            \
    X(ST_F64, "F64", 8)                                                                            \
    X(ST_I64, "I64", 8)                                                                            \
    X(ST_I32, "I32", 4)                                                                            \
    X(ST_I8, "I8", 1)                                                                              \
    X(ST_U8, "U8", 1)

enum safetensors_type {
#define X(id, name, bytes) id,
    SAFETENSORS_TYPES(X)
#undef X
        ST_TYPES
};

struct safetensors_entry {
    char name[SAFETENSORS_NAME];
    enum safetensors_type type;
    size_t rank;
    size_t shape[SAFETENSORS_RANK];
    size_t count;  /* elements */
    size_t offset; /* of its bytes in safetensors.data */
};

/* A set of arrays, read or being made. All zero is an empty set. */
struct safetensors {
    size_t count;
    struct safetensors_entry *entry;
    unsigned char *data; /* 8-byte aligned per entry when made here; use safetensors_data */
    size_t size;         /* bytes of data */
};

/* Reads a file, or bytes that are one (origin names them in errors). Gives. */
int safetensors_read(struct safetensors *s, const char *path, struct err *e);
int safetensors_parse(struct safetensors *s, const void *bytes, size_t size, const char *origin,
                      struct err *e);
void safetensors_close(struct safetensors *s);

/* The entry of a name, or NULL; and its bytes, little-endian, maybe unaligned: memcpy from them. */
const struct safetensors_entry *safetensors_find(const struct safetensors *s, const char *name);
const void *safetensors_data(const struct safetensors *s, const struct safetensors_entry *entry);

/* The entry of a name with exactly this type (floats: F32 or F64) and shape, or E_FILE. */
int safetensors_expect(const struct safetensors *s, const char *name, enum safetensors_type type,
                       size_t rank, const size_t *shape, const struct safetensors_entry **out,
                       struct err *e);

/* Element i of an F32 or F64 entry. */
double safetensors_real(const struct safetensors *s, const struct safetensors_entry *entry,
                        size_t i);

/* Adds an array and copies its bytes. E_USAGE for a name taken or not allowed. */
int safetensors_add(struct safetensors *s, const char *name, enum safetensors_type type,
                    size_t rank, const size_t *shape, const void *bytes, struct err *e);

/* The set as a file: in memory (gives, free() it), or at path, through a temporary file beside it,
 * synchronised and renamed. */
int safetensors_bytes(const struct safetensors *s, unsigned char **bytes, size_t *size,
                      struct err *e);
int safetensors_write(const struct safetensors *s, const char *path, struct err *e);

#endif
