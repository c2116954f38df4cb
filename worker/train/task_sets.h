// SPDX-License-Identifier: MIT
/* task_sets: what the tasks share: sets of samples, made, freed and filled. */
#ifndef GROKD_TRAIN_TASK_SETS_H
#define GROKD_TRAIN_TASK_SETS_H

#include "worker/train/task.h"

/* How a task makes its two sets, reads them from a file and adds them to one. */
struct task_kind {
    int (*draw)(struct task *t, const struct params *p, struct err *e);
    int (*load)(struct task *t, const struct safetensors *s, struct err *e);
    int (*save)(const struct task *t, struct safetensors *s, struct err *e);
    int (*table)(struct dataset *d, const struct params *p, size_t snapshots, struct err *e);
    bool (*same)(const struct params *p,
                 const struct params *q); /* data; NULL: not worth keeping */
};

extern const struct task_kind task_modular, task_ising;

/* Room for `count` samples: pairs if sites is 0, else spins. Gives; dataset_close frees. */
int dataset_open(struct dataset *d, size_t count, size_t sites, struct err *e);

#endif
