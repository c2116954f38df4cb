// SPDX-License-Identifier: MIT
/* train_pipe: serves a worker over a connected stream socket: says Ready, then trains each Work it
 * is given and answers with Epochs and Ended, one run after another.
 *
 * Epochs travel in groups: what there is goes out when PIPE_FLUSH_MS have passed since the last
 * time or PIPE_EPOCHS wait, and before Ended. A worker that stops reading stops the training.
 * Between epochs it looks for Stop, which ends the run as RETURNED. With the epoch after which that
 * is noticed goes a checkpoint, as with one every grokd.checkpoint_every; with the epochs of
 * grokd.save_model go the weights. A Work with a checkpoint goes on after its epoch. When the
 * worker closes its end or dies, this ends at once. Signals that stop a whole group or service are
 * left to the worker, who says Stop.
 */
#ifndef GROKD_WORKER_TRAIN_PIPE_H
#define GROKD_WORKER_TRAIN_PIPE_H

#include "common/err.h"
#include "worker/num/blas.h"

#define PIPE_FLUSH_MS 50
#define PIPE_EPOCHS   64

/* Returns OK when the worker closed its end; E_IO, E_PROTO when the talk broke. b: this process's
 * kernels; a Work for others is answered with LOST. */
int train_pipe_serve(int fd, const struct blas *b, struct err *e);

/* Lets the kernel end this process when its parent dies; E_IO when that has happened already. */
int train_pipe_bind_to_parent(struct err *e);

#endif
