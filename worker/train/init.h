// SPDX-License-Identifier: MIT
/* init: the weights that a run starts from, and weights in files. */
#ifndef GROKD_TRAIN_INIT_H
#define GROKD_TRAIN_INIT_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/param.h"
#include "worker/train/model.h"

/* INIT_XAVIER_NORMAL: normal weights (Glorot and Bengio, AISTATS 2010) of standard deviation
 * sqrt(2 / (rows + cols)), biases 0. INIT_UNIFORM: weights and biases within 1/sqrt(fan_in) of 0,
 * as PyTorch draws them when nothing is said. Everything times the weight multiplier. Element k of
 * tensor n, in state-dict order, is number k of the stream (init_seed, epoch n, PHILOX_INIT). */
void init_draw(struct model *m, const struct params *p);

/* A block laid out as theta, from and to tensors prefix + name: F32 or F64 in, F32 out. E_FILE
 * names a tensor that is missing or of another shape. */
int init_load(const struct model *m, float *block, const struct safetensors *s, const char *prefix,
              struct err *e);
int init_save(const struct model *m, const float *block, const char *prefix, struct safetensors *s,
              struct err *e);

#endif
