// SPDX-License-Identifier: MIT
/* train_out: where the rows of a run in the foreground go: standard output, a folder, the bar.
 *
 * The folder (--out) gets run.json, epochs.jsonl, data.safetensors, and weights-EPOCH.safetensors
 * (F32, state-dict names) for the epochs of grokd.save_model. Files of an earlier run are written
 * over.
 */
#ifndef GROKD_WORKER_TRAIN_OUT_H
#define GROKD_WORKER_TRAIN_OUT_H

#include "worker/num/blas.h"
#include "worker/train_bar.h"
#include "worker/train_options.h"
#include "worker/train_run.h"

#include <stdio.h>

struct train_out {
    const struct train_options *options;
    FILE *epochs; /* NULL: no folder */
    struct train_bar bar;
};

/* Makes the folder and run.json when there is to be one; options are lent. */
int train_out_open(struct train_out *o, const struct train_options *options, const struct blas *b,
                   struct err *e);

/* A train_listener's epoch. */
int train_out_epoch(void *ctx, const struct train_epoch *now, struct err *e);

/* Ends the bar and closes; E_IO when something could not be written. */
int train_out_close(struct train_out *o, struct err *e);

#endif
