// SPDX-License-Identifier: MIT
/* fuzz_safetensors: weights or data from anybody. What is taken lies within its bytes, and is the
 * same after it is written and read again. */
#include "common/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static size_t bytes_of(const struct safetensors_entry *entry)
{
    static const size_t width[] = {
#define X(id, name, bytes) [id] = bytes,
        SAFETENSORS_TYPES(X)
#undef X
    };
    return entry->count * width[entry->type];
}

static void same(const struct safetensors *a, const struct safetensors *b)
{
    if (a->count != b->count) abort();
    for (size_t i = 0; i < a->count; i++) {
        const struct safetensors_entry *x = &a->entry[i], *y = safetensors_find(b, x->name);
        if (!y || x->type != y->type || x->rank != y->rank || x->count != y->count ||
            memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) != 0 ||
            memcmp(safetensors_data(a, x), safetensors_data(b, y), bytes_of(x)) != 0)
            abort();
        for (size_t k = 0; k < x->count && (x->type == ST_F32 || x->type == ST_F64); k++)
            (void)safetensors_real(a, x, k);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err e;
    struct safetensors s = {0}, again = {0};
    unsigned char *written = NULL;
    size_t n;
    if (safetensors_parse(&s, bytes, size, "fuzz", &e) < 0) {
        safetensors_close(&s);
        return 0;
    }
    if (safetensors_bytes(&s, &written, &n, &e) < 0 ||
        safetensors_parse(&again, written, n, "again", &e) < 0)
        abort();
    same(&s, &again);
    free(written);
    safetensors_close(&s);
    safetensors_close(&again);
    return 0;
}
