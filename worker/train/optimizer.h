// SPDX-License-Identifier: MIT
/* optimizer: Adam, AdamW or gradient descent with momentum, exact and lazy.
 *
 * Rows of a by_rows tensor that a batch does not touch have no gradient but the weight decay's, yet
 * moments and decay move them every step. Nobody reads such a row until a batch needs it, so its
 * steps are caught up then, all in registers: the same operations in the same order, to the bit,
 * with less than half of the memory traffic. Between optimizer_fetch and the next fetch or settle,
 * rows outside the batch are behind.
 */
#ifndef GROKD_TRAIN_OPTIMIZER_H
#define GROKD_TRAIN_OPTIMIZER_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/param.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

struct optimizer {
    int64_t kind; /* choice of `optimizer` */
    struct adam_rule rule;
    struct sgd_rule descent;
    double learning_rate, beta1, beta2;
    float *m, *v;            /* moments, laid out as theta; v NULL for sgd */
    int64_t steps;           /* done */
    int64_t base;            /* steps done at the last settle: no row is further behind */
    struct adam_step *table; /* constants of steps base + 1, ... */
    size_t table_size;
    int64_t *row_steps; /* steps done by each row of the by_rows tensor */
};

/* most: steps between two settles. Gives. */
int optimizer_open(struct optimizer *a, const struct model *m, const struct params *p, size_t most,
                   struct err *e);
void optimizer_close(struct optimizer *a);

/* Brings the rows that samples from..from+count-1 of d read up to date and clears their marks in
 * g. Before the forward pass of a batch. */
void optimizer_fetch(struct optimizer *a, struct model *m, struct gradient *g,
                     const struct dataset *d, size_t from, size_t count);

/* One step of the optimizer with gradient g: dense tensors now, touched rows when fetched. */
void optimizer_step(struct optimizer *a, struct model *m, const struct gradient *g);

/* Brings every row up to date. Before theta, m or v are read by anybody else. */
void optimizer_settle(struct optimizer *a, struct model *m, struct gradient *g);

/* Adds the moments of a settled optimizer: adam.m/..., adam.v/... (adam and adamw), or sgd.m/... */
int optimizer_save(const struct optimizer *a, const struct model *m, struct safetensors *s,
                   struct err *e);

/* Takes them up again after `steps` steps; nothing is pending. E_FILE as init_load. */
int optimizer_load(struct optimizer *a, const struct model *m, const struct safetensors *s,
                   int64_t steps, struct err *e);

#endif
