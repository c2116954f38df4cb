// SPDX-License-Identifier: MIT
/* weights: the weights of an earlier epoch in a checkpoint, as a tensor F32 [parameters] in
 * state-dict order, so that they fit whatever layout the layers choose. */
#ifndef GROKD_MEASURE_WEIGHTS_H
#define GROKD_MEASURE_WEIGHTS_H

#include "common/err.h"
#include "common/safetensors.h"
#include "worker/train/model.h"

/* block is laid out as m->theta; of m only shapes are read. E_FILE for one that is missing or of
 * another shape. */
int weights_save(const struct model *m, const float *block, const char *name, struct safetensors *s,
                 struct err *e);
int weights_load(const struct model *m, float *block, const char *name, const struct safetensors *s,
                 struct err *e);

#endif
