// SPDX-License-Identifier: MIT
/* train_out: where the rows of a run in the foreground go: standard output, a folder, the bar.
 *
 * The folder (--out) gets run.json, epochs.jsonl, data.safetensors, and weights-EPOCH.safetensors
 * (F32, state-dict names) for the epochs of grokd.save_model. Files of an earlier run are written
 * over. While the run is under way, checkpoint.safetensors is written every grokd.checkpoint_every,
 * and when SIGTERM or SIGINT stops it (a second signal ends the process at once). A run resumed
 * from it (--resume) leaves in the folder what one that was never stopped would leave.
 */
#ifndef GROKD_WORKER_TRAIN_OUT_H
#define GROKD_WORKER_TRAIN_OUT_H

#include "worker/num/blas.h"
#include "worker/train_options.h"

/* Trains what the command line says. OK; TRAIN_STOP when a signal stopped it; else as train_run. */
int train_out_run(const struct train_options *o, const struct blas *b, struct err *e);

/* The signal that stopped the run, or 0. */
int train_out_signal(void);

#endif
