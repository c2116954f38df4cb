// SPDX-License-Identifier: MIT
/* chances: classes outside, lanes inside, so that every walk runs along memory. */
#include "worker/measure/chances.h"

#include "worker/num/vec.h"

#include <stdlib.h>

int chances_open(struct chances *c, size_t classes, struct err *e)
{
    *c = (struct chances){.classes = classes, .p = vec_alloc(classes * VEC_LANES)};
    return c->p ? OK : err_set(e, E_NOMEM, "probabilities: no memory");
}

void chances_close(struct chances *c)
{
    free(c->p);
    *c = (struct chances){0};
}

static void find_top(struct chances *c, const float *logits, float most[VEC_LANES])
{
    for (size_t s = 0; s < VEC_LANES; s++) most[s] = logits[s], c->top[s] = 0;
    for (size_t i = 1; i < c->classes; i++)
        for (size_t s = 0; s < VEC_LANES; s++) {
            float z = logits[i * VEC_LANES + s];
            c->top[s] = z > most[s] ? (int32_t)i : c->top[s];
            most[s] = z > most[s] ? z : most[s];
        }
}

void chances_find(struct chances *c, const float *logits)
{
    float most[VEC_LANES], scale[VEC_LANES];
    double others[VEC_LANES] = {0};
    find_top(c, logits, most);
    for (size_t i = 0; i < c->classes; i++)
        for (size_t s = 0; s < VEC_LANES; s++)
            c->p[i * VEC_LANES + s] = logits[i * VEC_LANES + s] - most[s];
    vec->exp(c->p, c->p, c->classes * VEC_LANES);
    for (size_t s = 0; s < VEC_LANES; s++) c->p[(size_t)c->top[s] * VEC_LANES + s] = 0;
    for (size_t i = 0; i < c->classes; i++)
        for (size_t s = 0; s < VEC_LANES; s++) others[s] += c->p[i * VEC_LANES + s];
    for (size_t s = 0; s < VEC_LANES; s++) {
        scale[s] = (float)(1 / (1 + others[s]));
        c->rest[s] = (float)(others[s] / (1 + others[s]));
    }
    for (size_t i = 0; i < c->classes; i++)
        for (size_t s = 0; s < VEC_LANES; s++) c->p[i * VEC_LANES + s] *= scale[s];
}
