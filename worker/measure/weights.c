// SPDX-License-Identifier: MIT
/* weights: flattened on their way out, spread on their way in. */
#include "worker/measure/weights.h"

#include <stdlib.h>
#include <string.h>

int weights_save(const struct model *m, const float *block, const char *name, struct safetensors *s,
                 struct err *e)
{
    float *flat = malloc(m->parameters * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "%s: no memory", name);
    model_flatten(m, block, flat);
    int rc = safetensors_add(s, name, ST_F32, 1, &m->parameters, flat, e);
    free(flat);
    return rc;
}

int weights_load(const struct model *m, float *block, const char *name, const struct safetensors *s,
                 struct err *e)
{
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, name, ST_F32, 1, &m->parameters, &entry, e);
    if (rc < 0) return rc;
    float *flat = malloc(m->parameters * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "%s: no memory", name);
    for (size_t i = 0; i < m->parameters; i++) flat[i] = (float)safetensors_real(s, entry, i);
    model_unflatten(m, flat, block);
    free(flat);
    return OK;
}
