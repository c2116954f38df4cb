// SPDX-License-Identifier: MIT
/* findings: an array that grows. */
#include "worker/measure/findings.h"

#include <stdlib.h>

int findings_add(struct findings *f, const char *layer, const char *name, double value,
                 struct err *e)
{
    if (f->count == f->room) {
        size_t room = f->room ? 2 * f->room : 64;
        struct feature *at = realloc(f->at, room * sizeof *at);
        if (!at) return err_set(e, E_NOMEM, "features: no memory for %zu", room);
        f->at = at, f->room = room;
    }
    f->at[f->count++] = (struct feature){layer, name, value};
    return OK;
}

void findings_close(struct findings *f)
{
    free(f->at);
    *f = (struct findings){.count = 0};
}
