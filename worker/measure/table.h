// SPDX-License-Identifier: MIT
/* table: the evaluation table: the inputs on which every model of a task, of any run and machine,
 * is looked at, so that all of them are points of one space (task_table), and the run's own sets.
 *
 * Inputs are walked set by set, the table first. Values of inputs are kept in lists in which those
 * of a part stand together: of modular addition the run's training and test pairs are parts of the
 * table itself, of ising they are sets of their own behind it. A pair that is in both sets counts
 * as a training one.
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

enum { TABLE_WHOLE, TABLE_TRAIN, TABLE_TEST, TABLE_PARTS };

struct table_part {
    size_t from, count;
};

struct table {
    size_t classes;
    size_t set_count;
    const struct dataset *set[TABLE_PARTS]; /* the table, then what is walked beside it */
    size_t samples;                         /* of all sets */
    uint32_t *place;                        /* [samples]: where an input of the walk is listed */
    struct table_part part[TABLE_PARTS];    /* of the lists */
    struct dataset own;                     /* set[0], if it is ours */
    int32_t *words;                         /* scratch of table_sketch */
    char hash[HASH_HEX];
    float ignorance[SKETCH_ROWS], truth[SKETCH_ROWS]; /* sketches of the landmarks */
};

/* The task's fixed table, which knows no seed: every pair, or so many snapshots; task is lent. */
int table_open(struct table *t, const struct params *p, size_t snapshots, const struct task *task,
               struct err *e);

/* The same on inputs `whole` of the task's kind instead, lent. */
int table_of(struct table *t, const struct dataset *whole, const struct task *task, struct err *e);
void table_close(struct table *t);

/* Adds inputs first..first+count-1 of the table, count <= VEC_LANES, to the sketch of a model: psi
 * [classes][VEC_LANES] holds the roots of its probabilities; table_sketch_read scales the sum. */
void table_sketch(const struct table *t, struct sketch *s, const float *psi, size_t first,
                  size_t count);
void table_sketch_read(const struct table *t, const struct sketch *s, float y[SKETCH_ROWS]);

#endif
