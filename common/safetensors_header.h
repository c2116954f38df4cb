// SPDX-License-Identifier: MIT
/* safetensors_header: reads the JSON header of a file. Private to safetensors. */
#ifndef GROKD_COMMON_SAFETENSORS_HEADER_H
#define GROKD_COMMON_SAFETENSORS_HEADER_H

#include "common/safetensors.h"

#define SAFETENSORS_HEADER (1 << 24) /* bytes of the longest header */
#define SAFETENSORS_ARRAYS 4096

struct safetensors_type_info {
    const char *name;
    size_t bytes;
};

extern const struct safetensors_type_info safetensors_types[ST_TYPES];

/* Fills s->entry from text; every array ends within s->size. E_FILE. */
int safetensors_header(struct safetensors *s, const char *text, size_t size, const char *origin,
                       struct err *e);

#endif
