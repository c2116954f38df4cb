// SPDX-License-Identifier: MIT
/* trainer: trains one run, epoch by epoch. It knows no network, no file but those it is given and
 * no measure beyond losses and accuracies.
 *
 * Promise: the same parameters (and files) give the same bits, whether the run is trained in one go
 * or saved and resumed at any epoch, and whatever is measured in between.
 * Order of use: trainer_open, then trainer_start (epoch 0) or trainer_load, then trainer_epoch.
 */
#ifndef GROKD_TRAIN_TRAINER_H
#define GROKD_TRAIN_TRAINER_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/metric.h"
#include "proto/param.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

/* Where the start comes from if not from the seeds. Any member may be NULL. */
struct trainer_source {
    const char *init_path;    /* safetensors file with the weights, taken as they are */
    const char *init_prefix;  /* put before each tensor's name, "init/" */
    const char *data_path;    /* safetensors file with the training and the test set, see task.h */
    struct task_shelf *shelf; /* without data_path: where the sets may lie from a run before */
};

struct trainer;

/* p must be resolved. Sets the float mode of the thread. Gives; from may be NULL. */
int trainer_open(struct trainer **out, const struct params *p, const struct trainer_source *from,
                 struct err *e);
void trainer_close(struct trainer **t); /* accepts NULL, leaves NULL */

/* Epoch 0: clears the row and fills train_loss, train_accuracy (evaluated), test_loss,
 * test_accuracy and seconds. Changes nothing. */
int trainer_start(struct trainer *t, struct row *r, struct err *e);

/* Trains one epoch; clears the row and fills train_loss, train_accuracy (means over samples while
 * training), test_loss, test_accuracy (at the end) and seconds. E_RUN "diverged at epoch e" if the
 * training loss is not finite; the trainer is of no use after that. */
int trainer_epoch(struct trainer *t, struct row *r, struct err *e);

/* Epochs trained so far. */
int64_t trainer_done(const struct trainer *t);

/* Views, lent until the next call of trainer_epoch or trainer_close. */
const struct model *trainer_model(const struct trainer *t);
const struct task *trainer_task(const struct trainer *t);

/* Adds weights under prefix + state-dict names, F32. */
int trainer_save_weights(const struct trainer *t, const char *prefix, struct safetensors *s,
                         struct err *e);

/* Adds everything a resumed run needs: weights (theta/...), the optimizer's moments, what a filter
 * remembers, and train.progress I64 {epochs done, steps done}. Only between epochs. */
int trainer_save(const struct trainer *t, struct safetensors *s, struct err *e);

/* Takes that up again, in a trainer opened with the same parameters; E_FILE if a tensor is missing
 * or of another shape. */
int trainer_load(struct trainer *t, const struct safetensors *s, struct err *e);

#endif
