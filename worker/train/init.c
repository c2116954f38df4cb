// SPDX-License-Identifier: MIT
/* init: draws weights, and moves blocks of them from and to sets of named arrays. */
#include "worker/train/init.h"

#include "common/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double normal(const struct tensor *t, const struct philox *stream, size_t k, double w0)
{
    double deviation = w0 * sqrt(2.0 / (double)(t->rows + t->cols));
    return t->bias ? 0 : deviation * philox_normal(stream, k);
}

static double uniform(const struct tensor *t, const struct philox *stream, size_t k, double w0)
{
    return w0 / sqrt((double)t->fan_in) * (2.0 * philox_uniform(stream, k) - 1);
}

void init_draw(struct model *m, const struct params *p)
{
    double (*draw)(const struct tensor *, const struct philox *, size_t, double) =
        m->init == INIT_UNIFORM ? uniform : normal;
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *t = &m->tensor[n];
        const struct philox stream = {(uint64_t)p->init_seed, (uint32_t)n, PHILOX_INIT};
        for (size_t k = 0; k < t->rows * t->cols; k++) {
            double x = draw(t, &stream, k, p->weight_multiplier);
            m->theta[tensor_index(t, k / t->cols, k % t->cols)] = (float)x;
        }
    }
}

static int name_join(char out[SAFETENSORS_NAME], const char *prefix, const struct tensor *t,
                     struct err *e)
{
    int n = snprintf(out, SAFETENSORS_NAME, "%s%s", prefix ? prefix : "", t->name);
    if (n < SAFETENSORS_NAME) return OK;
    return err_set(e, E_USAGE, "prefix '%.20s...' is too long: at most %d bytes with a name",
                   prefix, SAFETENSORS_NAME - 1);
}

int init_load(const struct model *m, float *block, const struct safetensors *s, const char *prefix,
              struct err *e)
{
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *t = &m->tensor[n];
        const struct safetensors_entry *entry;
        char name[SAFETENSORS_NAME];
        int rc = name_join(name, prefix, t, e);
        if (rc < 0) return rc;
        if ((rc = safetensors_expect(s, name, ST_F32, t->rank, t->shape, &entry, e)) < 0) return rc;
        for (size_t k = 0; k < entry->count; k++)
            block[tensor_index(t, k / t->cols, k % t->cols)] = (float)safetensors_real(s, entry, k);
    }
    return OK;
}

int init_save(const struct model *m, const float *block, const char *prefix, struct safetensors *s,
              struct err *e)
{
    int rc = OK;
    float *flat = malloc((m->parameters + 1) * sizeof *flat);
    if (!flat) return err_set(e, E_NOMEM, "weights: no memory for %zu floats", m->parameters);
    model_flatten(m, block, flat);
    for (size_t n = 0; n < m->tensor_count && rc == OK; n++) {
        const struct tensor *t = &m->tensor[n];
        char name[SAFETENSORS_NAME];
        if ((rc = name_join(name, prefix, t, e)) == OK)
            rc = safetensors_add(s, name, ST_F32, t->rank, t->shape, flat + t->first, e);
    }
    free(flat);
    return rc;
}
