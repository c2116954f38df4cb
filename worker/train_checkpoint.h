// SPDX-License-Identifier: MIT
/* train_checkpoint: a run between two epochs as bytes, and back.
 *
 * A checkpoint is a safetensors file: everything that train_save adds, `checkpoint.about` (lines
 * name=value: format, run, attempt, epoch, config_hash, settings_hash, blas, blas_fingerprint) and,
 * last, `checkpoint.sha256` over names, types, shapes and bytes of all others.
 * Promise: what was torn, changed, or made by another configuration, other measures or other
 * kernels is refused with the fact, so that a resumed run either gives the bits of one that was
 * never interrupted or does not start.
 */
#ifndef GROKD_WORKER_TRAIN_CHECKPOINT_H
#define GROKD_WORKER_TRAIN_CHECKPOINT_H

#include "common/err.h"
#include "common/safetensors.h"
#include "worker/num/blas.h"
#include "worker/train_run.h"

#include <stddef.h>
#include <stdint.h>

#define CHECKPOINT_FORMAT 1

/* Whose checkpoint it is; all lent. In the foreground run and attempt are 0. */
struct checkpoint_owner {
    int64_t run, attempt;
    const struct params *params; /* resolved */
    const struct settings *settings;
    const struct blas *blas;
};

/* The run after this epoch (gives, free() it). Only while the listener is told of the epoch. */
int train_checkpoint_make(const struct train_epoch *now, const struct checkpoint_owner *o,
                          unsigned char **bytes, size_t *size, struct err *e);

/* Checks bytes and gives the set that train_run resumes from (safetensors_close it) and the last
 * epoch in it. E_FILE for anything that does not belong to the owner's run; its attempt may be an
 * earlier one. `origin` names the bytes in errors. */
int train_checkpoint_take(struct safetensors *set, int64_t *epoch, const void *bytes, size_t size,
                          const char *origin, const struct checkpoint_owner *o, struct err *e);

/* The same from a file. */
int train_checkpoint_read(struct safetensors *set, int64_t *epoch, const char *path,
                          const struct checkpoint_owner *o, struct err *e);

#endif
