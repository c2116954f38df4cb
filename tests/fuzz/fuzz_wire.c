// SPDX-License-Identifier: MIT
/* fuzz_wire: a message from anybody. Whatever is taken says the same after it is packed and read
 * again, and fits the row of an epoch. */
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_epochs(const Grokd__Epochs *epochs)
{
    for (size_t i = 0; i < epochs->n_epochs; i++) {
        const Grokd__Epoch *m = epochs->epochs[i];
        struct row row;
        struct pruning_point *points = calloc(m->n_pruning + 1, sizeof *points);
        struct feature *features = calloc(m->n_features + 1, sizeof *features);
        if (points && features) wire_row(m, &row, points, features);
        free(points);
        free(features);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err e;
    wire_envelope *m = NULL, *again = NULL;
    uint8_t *once = NULL, *twice = NULL;
    size_t n, k;
    if (wire_unpack(&m, bytes, size, &e) < 0) return 0;
    if (m->body_case == GROKD__ENVELOPE__BODY_EPOCHS) read_epochs(m->epochs);
    if (wire_pack(m, &once, &n, &e) < 0 || wire_unpack(&again, once, n, &e) < 0 ||
        wire_pack(again, &twice, &k, &e) < 0 || n != k || memcmp(once, twice, n) != 0)
        abort();
    free(once);
    free(twice);
    wire_free(&m);
    wire_free(&again);
    return 0;
}
