// SPDX-License-Identifier: MIT
/* table: the evaluation table: the inputs on which every model of a task, of any run and machine,
 * is looked at, so that all of them are points of one space (task_table), and the run's own sets.
 *
 * Inputs are walked set by set, the table's first. Values of inputs are kept in lists in which
 * those of a part stand together: of modular addition the run's training and test pairs are parts
 * of the table itself, of ising they are sets of their own behind it. A pair that is in both sets
 * counts as a training one. Where each pair is in one of the two, these are walked instead of the
 * table, as logits.h has them: then the columns of the sketch are kept in that order.
 *
 * hash: SHA-256 of the table's inputs and labels with all that the sketch of a model on it depends
 * on. Sketches under one hash are points of one map, and only those.
 */
#ifndef GROKD_MEASURE_TABLE_H
#define GROKD_MEASURE_TABLE_H

#include "common/err.h"
#include "common/hash.h"
#include "proto/sketch.h"
#include "worker/train/task.h"

#define TABLE_KEPT ((size_t)16 << 20) /* bytes of columns that are kept at most */

enum { TABLE_WHOLE, TABLE_TRAIN, TABLE_TEST, TABLE_PARTS };

struct table_part {
    size_t from, count;
};

struct table {
    size_t classes;
    const struct dataset *whole;            /* the table */
    const struct dataset *set[TABLE_PARTS]; /* that are walked */
    size_t set_count, own_sets;             /* of them the first ones are the table */
    size_t samples;                         /* of all sets */
    uint32_t *slot;  /* of an input of the table: VEC_LANES chunk + lane; NULL: its own number */
    uint32_t *place; /* [samples]: where an input of the walk is listed */
    struct table_part part[TABLE_PARTS]; /* of the lists */
    struct dataset own;                  /* the table, if it is ours */
    int32_t *words;                      /* scratch of table_sketch */
    int32_t *kept;                       /* with slots: words of every chunk [classes][VEC_LANES] */
    char hash[HASH_HEX];
    float ignorance[SKETCH_ROWS], truth[SKETCH_ROWS]; /* sketches of the landmarks */
};

/* The task's fixed table, which knows no seed: every pair, or so many snapshots; task is lent. */
int table_open(struct table *t, const struct params *p, size_t snapshots, const struct task *task,
               struct err *e);

/* The same on inputs `whole` of the task's kind instead, lent. */
int table_of(struct table *t, const struct dataset *whole, const struct task *task, struct err *e);
void table_close(struct table *t);

/* Adds the `count` inputs of a chunk of the table's sets, numbered over them, to the sketch of a
 * model: psi [classes][VEC_LANES] holds the roots of its probabilities, 0 after them;
 * table_sketch_read scales the sum. */
void table_sketch(const struct table *t, struct sketch *s, const float *psi, size_t chunk,
                  size_t count);
void table_sketch_read(const struct table *t, const struct sketch *s, float y[SKETCH_ROWS]);

#endif
