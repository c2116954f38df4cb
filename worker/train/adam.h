// SPDX-License-Identifier: MIT
/* adam: the optimizer, exact and lazy.
 *
 * Rows of a by_rows tensor that a batch does not touch have no gradient but the weight decay's, yet
 * Adam moves them every step. Nobody reads such a row until a batch needs it, so its steps are
 * caught up then, all in registers: the same operations in the same order, to the bit, with less
 * than half of the memory traffic. Between adam_fetch and the next fetch or settle, rows outside
 * the batch are behind.
 */
#ifndef GROKD_TRAIN_ADAM_H
#define GROKD_TRAIN_ADAM_H

#include "common/err.h"
#include "proto/param.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

struct adam {
    struct adam_rule rule;
    double learning_rate, beta1, beta2;
    float *m, *v;            /* moments, laid out as theta */
    int64_t steps;           /* done */
    int64_t base;            /* steps done at the last settle: no row is further behind */
    struct adam_step *table; /* constants of steps base + 1, ... */
    size_t table_size;
    int64_t *row_steps; /* steps done by each row of the by_rows tensor */
};

/* most: steps between two settles. Gives. */
int adam_open(struct adam *a, const struct model *m, const struct params *p, size_t most,
              struct err *e);
void adam_close(struct adam *a);

/* Brings the rows that samples from..from+count-1 of d read up to date and clears their marks in
 * g. Before the forward pass of a batch. */
void adam_fetch(struct adam *a, struct model *m, struct gradient *g, const struct dataset *d,
                size_t from, size_t count);

/* One step of the optimizer with gradient g: dense tensors now, touched rows when fetched. */
void adam_step(struct adam *a, struct model *m, const struct gradient *g);

/* Brings every row up to date. Before theta, m or v are read by anybody else. */
void adam_settle(struct adam *a, struct model *m, struct gradient *g);

/* Takes up after `steps` steps; m and v are filled by the caller, nothing is pending. */
void adam_resume(struct adam *a, const struct gradient *g, int64_t steps);

#endif
