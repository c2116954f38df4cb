// SPDX-License-Identifier: MIT
/* task: the samples of a run, split into training and test set, in batch order.
 *
 * Modular addition: all pairs that the operation is defined for, in the order of a*P + b, are
 * permuted with the data seed; the first N - floor(N (1 - train_fraction)) train, the rest test. Or
 * the two sets come from a safetensors file with train_pairs and test_pairs, I32 [N,2]. Labels come
 * from a table, see task_labels.
 * Ising: snapshots as ising.h makes them, test_size to test, train_size to train. Or from a file
 * with train_spins and test_spins, I8 [N,L*L] of +1 and -1, train_labels and test_labels (any whole
 * type) [N], 1 above the critical temperature, and perhaps train_temperatures and
 * test_temperatures [N]; without those the temperatures are NaN.
 */
#ifndef GROKD_TRAIN_TASK_H
#define GROKD_TRAIN_TASK_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/param.h"
#include "worker/train/model.h"

/* Samples in a fixed order, as pairs or as spins; the other members are NULL. */
struct dataset {
    size_t count;
    int32_t (*pair)[2]; /* {a, P + b}: the two inputs that are one */
    int32_t *label;     /* of the operation; 1 above the critical temperature, else 0 */
    size_t sites;       /* spins of a snapshot; 0 for pairs */
    int8_t *spin;       /* [count][sites], +1 or -1, row by row of the lattice */
    double *temperature;
};

struct task {
    int64_t kind;      /* choice of `task` */
    int64_t operation; /* choice of `operation` */
    size_t modulus;    /* P; the order of the group that is no group of numbers; 0 without pairs */
    size_t lattice;    /* side of a snapshot; 0 without spins */
    size_t classes;
    struct dataset train, test;
};

/* data_path NULL: the split of p. Gives; task_close frees. E_FILE names the file and the fact. */
int task_open(struct task *t, const struct params *p, const char *data_path, struct err *e);
void task_close(struct task *t);

/* The inputs on which all models of a task are compared, whoever trained them: no seed of p moves
 * them. Every pair that has a label, a*P + b rising; or as many snapshots of p's lattice as the
 * test set of the task's defaults would have them, from a seed of their own. Gives; dataset_close
 * frees.
 */
int task_table(struct dataset *d, const struct params *p, size_t snapshots, struct err *e);

/* The sets of the last run, kept for a next one with the same data; all zero is an empty shelf. */
struct task_shelf {
    bool full;
    struct params of;
    struct task task;
};

/* As task_open without a file, but takes a copy from the shelf if that holds the same data, else
 * leaves one there. Only what is costly to make is kept: snapshots. */
int task_open_shelved(struct task *t, const struct params *p, struct task_shelf *shelf,
                      struct err *e);
void task_shelf_close(struct task_shelf *shelf);

/* The table of an operation: label [P*P] of pair (a, b) at a*P + b, -1 where it has none.
 *
 *   addition, subtraction, multiplication   a + b, a - b, a b
 *   division      the c with c b = a; P prime, none for b = 0
 *   x2_plus_y2    a^2 + b^2                               all modulo P
 *   s5            P = 120: permutations of 0..4, numbered from 0 in alphabetical order of their
 *                 images; the label's takes i to a(b(i)) */
void task_labels(int64_t operation, size_t P, int32_t *label);

/* Size of the training set of n samples for a share. */
size_t task_train_count(size_t n, double train_fraction);

/* Adds the sets to a file to be written, as task_open reads them: train_pairs and test_pairs (a and
 * b, both below P), or spins I8, labels I32 and temperatures F64. */
int task_save(const struct task *t, struct safetensors *s, struct err *e);

/* A set of its own with the same samples (gives; dataset_close frees), and sample t of a set put in
 * the place of sample s of another of the same kind. */
int dataset_copy(struct dataset *d, const struct dataset *from, struct err *e);
void dataset_put(struct dataset *d, size_t s, const struct dataset *from, size_t t);
void dataset_close(struct dataset *d);

/* Samples from..from+VEC_LANES (fewer at the end) of a set as a batch. Lent. */
struct batch dataset_chunk(const struct dataset *d, size_t from);

/* Mean loss and accuracy of a model over a set, in chunks of VEC_LANES. */
struct score {
    double loss, accuracy;
};
struct score dataset_score(const struct dataset *d, const struct model *m, struct workspace *w);

#endif
