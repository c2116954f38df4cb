// SPDX-License-Identifier: MIT
/* logits: the model's answers to all samples of a run, made once at a measured epoch and lent to
 * every measure that needs no more than them.
 *
 * Kept up to LOGITS_KEPT bytes; of larger sets they are made again, chunk by chunk, whenever they
 * are asked for: the same bits either way.
 *
 * Cost: one forward pass over both sets, n H P multiplications each, and a cross-entropy.
 */
#ifndef GROKD_MEASURE_LOGITS_H
#define GROKD_MEASURE_LOGITS_H

#include "common/err.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#define LOGITS_KEPT ((size_t)16 << 20)

enum logits_set { LOGITS_TRAIN, LOGITS_TEST, LOGITS_SETS };

struct logits {
    const struct dataset *set[LOGITS_SETS]; /* lent */
    struct score score[LOGITS_SETS];        /* of the last logits_take */
    const struct model *model;              /* of the last logits_take; lent */
    struct workspace workspace;
    size_t row;               /* floats of a chunk */
    float *kept[LOGITS_SETS]; /* [chunks][row]; NULL: not kept */
};

/* For models of m's shape on both sets of t, which is lent. logits_close frees what is half made.
 */
int logits_open(struct logits *l, const struct model *m, const struct task *t, struct err *e);
void logits_close(struct logits *l);

/* Walks both sets through m, which is lent until the next call. */
void logits_take(struct logits *l, const struct model *m);

/* Logits of the samples from..from+VEC_LANES-1 (fewer at the end) of a set, `from` a multiple of
 * VEC_LANES, in lanes: of sample from + s and class c at [c * VEC_LANES + s]. Lent until the next
 * call. */
const float *logits_chunk(struct logits *l, enum logits_set set, size_t from);

/* Sums of numbers in lanes by the label of their sample:
 *   sum[label[s] * classes + c] += x[c * VEC_LANES + s]   for s < count
 * sum [classes][classes]; rows [VEC_LANES][VEC_ROUND(classes)] is overwritten, 64-byte aligned. */
void logits_by_label(double *sum, const float *x, const int32_t *label, size_t classes,
                     size_t count, float *rows);

#endif
