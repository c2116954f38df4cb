// SPDX-License-Identifier: MIT
/* fuzz_spec: a sweep file from anybody. What is refused is refused in one line; what is taken has
 * points, and its first and last can be computed. */
#include "proto/grid.h"
#include "proto/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void one_line(const struct err *e)
{
    if (!e->text[0] || strchr(e->text, '\n')) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err e;
    struct spec *s;
    struct params p;
    if (spec_parse(&s, (const char *)bytes, size, "fuzz.yaml", &e) < 0) {
        one_line(&e);
        return 0;
    }
    int64_t count = grid_count(s);
    if (count < 1) abort();
    if (grid_point(s, 0, &p, &e) < 0) one_line(&e);
    if (grid_point(s, count - 1, &p, &e) < 0) one_line(&e);
    spec_free(&s);
    return 0;
}
