// SPDX-License-Identifier: MIT
/* task: the samples of modular addition, split into training and test set, in batch order.
 *
 * All P*P pairs are numbered a*P + b and permuted with the data seed; the first N - floor(N (1 -
 * train_fraction)) train, the rest test. Or the two sets come from a safetensors file with
 * train_pairs and test_pairs, I32 [N,2].
 */
#ifndef GROKD_TRAIN_TASK_H
#define GROKD_TRAIN_TASK_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/param.h"
#include "worker/train/model.h"

/* Samples in a fixed order. pair[s] = {a, P + b}: the two inputs that are one. */
struct dataset {
    size_t count;
    int32_t (*pair)[2];
    int32_t *label; /* (a + b) mod P */
};

struct task {
    size_t modulus, classes;
    struct dataset train, test;
};

/* data_path NULL: the split of p. Gives; task_close frees. E_FILE names the file and the fact. */
int task_open(struct task *t, const struct params *p, const char *data_path, struct err *e);
void task_close(struct task *t);

/* Size of the training set of n samples for a share. */
size_t task_train_count(size_t n, double train_fraction);

/* Adds train_pairs and test_pairs (a and b, both below P) to a file to be written. */
int task_save(const struct task *t, struct safetensors *s, struct err *e);

/* Samples from..from+VEC_LANES (fewer at the end) of a set as a batch. Lent. */
struct batch dataset_chunk(const struct dataset *d, size_t from);

/* Mean loss and accuracy of a model over a set, in chunks of VEC_LANES. */
struct score {
    double loss, accuracy;
};
struct score dataset_score(const struct dataset *d, const struct model *m, struct workspace *w);

#endif
