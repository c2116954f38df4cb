// SPDX-License-Identifier: MIT
/* safetensors: the set of arrays, and the set as bytes. Reading a header is safetensors_header.c.
 */
#include "common/safetensors.h"

#include "common/file.h"
#include "common/safetensors_header.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 36) /* no file that a run reads comes near 64 GiB */

const struct safetensors_type_info safetensors_types[ST_TYPES] = {
#define X(id, name, bytes) [id] = {name, bytes},
    SAFETENSORS_TYPES(X)
#undef X
};

/* ---- reading -----------------------------------------------------------------------------------
 */

static uint64_t read_u64(const unsigned char *p)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static int by_offset(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

/* The arrays must cover the data without a gap or an overlap. */
static int check_cover(struct safetensors *s, const char *origin, struct err *e)
{
    size_t at = 0;
    if (s->count > 0) qsort(s->entry, s->count, sizeof *s->entry, by_offset);
    for (size_t i = 0; i < s->count; i++) {
        if (s->entry[i].offset != at)
            return err_set(e, E_FILE, "%s: %s begins at byte %zu of the data: expected %zu", origin,
                           s->entry[i].name, s->entry[i].offset, at);
        at += s->entry[i].count * safetensors_types[s->entry[i].type].bytes;
    }
    if (at == s->size) return OK;
    return err_set(e, E_FILE, "%s: %zu bytes of data after the header: its arrays need %zu", origin,
                   s->size, at);
}

int safetensors_parse(struct safetensors *s, const void *bytes, size_t size, const char *origin,
                      struct err *e)
{
    *s = (struct safetensors){0};
    if (size < 8) return err_set(e, E_FILE, "%s: %zu bytes: expected 8 at least", origin, size);
    uint64_t header = read_u64(bytes);
    if (header > SAFETENSORS_HEADER || header > size - 8)
        return err_set(e, E_FILE,
                       "%s: header of %llu bytes in a file of %zu: at most %d and within", origin,
                       (unsigned long long)header, size, SAFETENSORS_HEADER);
    const char *text = (const char *)bytes + 8;
    s->size = size - 8 - (size_t)header;
    int rc = safetensors_header(s, text, (size_t)header, origin, e);
    if (rc == OK) rc = check_cover(s, origin, e);
    if (rc == OK && !(s->data = malloc(s->size + 1)))
        rc = err_set(e, E_NOMEM, "%s: no memory for %zu bytes", origin, s->size);
    if (rc < 0) {
        safetensors_close(s);
        return rc;
    }
    memcpy(s->data, text + header, s->size);
    return OK;
}

int safetensors_read(struct safetensors *s, const char *path, struct err *e)
{
    char *bytes;
    size_t size;
    *s = (struct safetensors){0};
    int rc = file_read(path, FILE_LIMIT, &bytes, &size, e);
    if (rc < 0) return rc;
    rc = safetensors_parse(s, bytes, size, path, e);
    free(bytes);
    return rc;
}

void safetensors_close(struct safetensors *s)
{
    free(s->entry);
    free(s->data);
    *s = (struct safetensors){0};
}

/* ---- looking up --------------------------------------------------------------------------------
 */

const struct safetensors_entry *safetensors_find(const struct safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entry[i].name, name) == 0) return &s->entry[i];
    return NULL;
}

const void *safetensors_data(const struct safetensors *s, const struct safetensors_entry *entry)
{
    return s->data + entry->offset;
}

/* "F32 [512,226]" */
static const char *describe(char out[128], enum safetensors_type type, size_t rank,
                            const size_t *shape)
{
    int n = snprintf(out, 128, "%s [", safetensors_types[type].name);
    for (size_t i = 0; i < rank; i++)
        n += snprintf(out + n, 128 - (size_t)n, "%s%zu", i ? "," : "", shape[i]);
    snprintf(out + n, 128 - (size_t)n, "]");
    return out;
}

static int is_real(enum safetensors_type type)
{
    return type == ST_F32 || type == ST_F64;
}

int safetensors_expect(const struct safetensors *s, const char *name, enum safetensors_type type,
                       size_t rank, const size_t *shape, const struct safetensors_entry **out,
                       struct err *e)
{
    char right[128], is[128];
    describe(right, type, rank, shape);
    const struct safetensors_entry *entry = safetensors_find(s, name);
    if (!entry) return err_set(e, E_FILE, "no array %s: expected %s", name, right);
    int fits =
        entry->rank == rank && (entry->type == type || (is_real(entry->type) && is_real(type)));
    for (size_t i = 0; fits && i < rank; i++) fits = entry->shape[i] == shape[i];
    if (!fits)
        return err_set(e, E_FILE, "%s is %s: expected %s", name,
                       describe(is, entry->type, entry->rank, entry->shape), right);
    *out = entry;
    return OK;
}

double safetensors_real(const struct safetensors *s, const struct safetensors_entry *entry,
                        size_t i)
{
    const unsigned char *p = s->data + entry->offset;
    float f;
    double d;
    if (entry->type == ST_F32) {
        memcpy(&f, p + i * sizeof f, sizeof f);
        return f;
    }
    memcpy(&d, p + i * sizeof d, sizeof d);
    return d;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static int check_name(const struct safetensors *s, const char *name, struct err *e)
{
    size_t n = strlen(name);
    if (n == 0 || n >= SAFETENSORS_NAME)
        return err_set(e, E_USAGE, "array name of %zu bytes: expected 1 to %d", n,
                       SAFETENSORS_NAME - 1);
    for (const char *c = name; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            return err_set(e, E_USAGE,
                           "array name with byte 0x%02x: expected printable ASCII "
                           "without quote and backslash",
                           (unsigned char)*c);
    if (strcmp(name, "__metadata__") == 0 || safetensors_find(s, name))
        return err_set(e, E_USAGE, "array name %s is taken", name);
    return OK;
}

int safetensors_add(struct safetensors *s, const char *name, enum safetensors_type type,
                    size_t rank, const size_t *shape, const void *bytes, struct err *e)
{
    int rc = check_name(s, name, e);
    if (rc < 0) return rc;
    if (rank > SAFETENSORS_RANK || s->count == SAFETENSORS_ARRAYS)
        return err_set(e, E_USAGE, "array %s of rank %zu is number %zu: at most %d and %d", name,
                       rank, s->count + 1, SAFETENSORS_RANK, SAFETENSORS_ARRAYS);
    struct safetensors_entry new = {.type = type, .rank = rank, .count = 1, .offset = s->size};
    snprintf(new.name, sizeof new.name, "%s", name);
    for (size_t i = 0; i < rank; i++) new.count *= new.shape[i] = shape[i];
    size_t n = new.count *safetensors_types[type].bytes;
    void *entry = realloc(s->entry, (s->count + 1) * sizeof *s->entry);
    if (entry) s->entry = entry;
    void *data = realloc(s->data, s->size + n + 1);
    if (data) s->data = data;
    if (!entry || !data) return err_set(e, E_NOMEM, "array %s: no memory for %zu bytes", name, n);
    if (n > 0) memcpy(s->data + s->size, bytes, n);
    s->size += n;
    s->entry[s->count++] = new;
    return OK;
}

#define ENTRY_TEXT 384 /* longest text of an entry: its name, four sizes, two offsets */

static size_t entry_text(const struct safetensors_entry *t, bool first, char out[ENTRY_TEXT])
{
    const struct safetensors_type_info *type = &safetensors_types[t->type];
    int n = snprintf(out, ENTRY_TEXT, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", first ? "" : ",",
                     t->name, type->name);
    for (size_t i = 0; i < t->rank; i++)
        n += snprintf(out + n, ENTRY_TEXT - (size_t)n, "%s%zu", i ? "," : "", t->shape[i]);
    n += snprintf(out + n, ENTRY_TEXT - (size_t)n, "],\"data_offsets\":[%zu,%zu]}", t->offset,
                  t->offset + t->count * type->bytes);
    return (size_t)n;
}

int safetensors_bytes(const struct safetensors *s, unsigned char **bytes, size_t *size,
                      struct err *e)
{
    unsigned char *out = malloc(8 + (s->count + 1) * ENTRY_TEXT + s->size);
    if (!out) return err_set(e, E_NOMEM, "safetensors: no memory for %zu bytes", s->size);
    size_t n = 8;
    out[n++] = '{';
    for (size_t i = 0; i < s->count; i++) n += entry_text(&s->entry[i], i == 0, (char *)out + n);
    out[n++] = '}';
    while (n % 8 != 0) out[n++] = ' '; /* data begins at a multiple of 8, as readers map it */
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)(n - 8) >> (8 * i));
    if (s->size > 0) memcpy(out + n, s->data, s->size);
    *bytes = out;
    *size = n + s->size;
    return OK;
}

int safetensors_write(const struct safetensors *s, const char *path, struct err *e)
{
    unsigned char *bytes;
    size_t size;
    int rc = safetensors_bytes(s, &bytes, &size, e);
    if (rc < 0) return rc;
    rc = file_write(path, bytes, size, 0644, e);
    free(bytes);
    return rc;
}
