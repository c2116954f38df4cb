// SPDX-License-Identifier: MIT
/* train_run: one run from its first epoch to its last: trainer, measures, stop rule.
 *
 * Whoever wants the rows is told of each epoch, in order, epoch 0 first, and may save the run
 * there: resumed from that, the rows that follow are the same to the bit. The stop rule
 * (grokd.stop) ends the run a number of epochs after its accuracy first holds; that epoch is then
 * the final one.
 */
#ifndef GROKD_WORKER_TRAIN_RUN_H
#define GROKD_WORKER_TRAIN_RUN_H

#include "common/err.h"
#include "proto/metric.h"
#include "proto/param.h"
#include "proto/settings.h"
#include "worker/train/trainer.h"

#include <stdbool.h>

struct measure;

/* What there is to say of an epoch; all of it lent. */
struct train_epoch {
    const struct row *row;
    const struct trainer *trainer;
    const struct measure *measure;
    int64_t epochs; /* of the whole run, as far as is known now */
    bool final;
};

/* What to do next, as the listener says; or a negative code. */
enum { TRAIN_ON = 0, TRAIN_STOP = 1 };

struct train_listener {
    int (*epoch)(void *ctx, const struct train_epoch *now, struct err *e);
    void *ctx;
    /* Asked in the middle of an epoch whose measures take long; the answer is of the same kind, and
     * one that ends the run leaves that epoch untold. NULL: it is not to be ended there. */
    int (*enough)(void *ctx, struct err *e);
};

/* Whether the run should be saved here: the next epoch is the final one, and its measures take so
 * long that an end in the middle of them would cost much (measure.llc). */
bool train_save_before_the_end(const struct train_epoch *now, const struct settings *s);

/* Adds all that a run resumed after this epoch needs: trainer, measures, and run.epochs I64 {last
 * epoch of the run as far as is known}. */
int train_save(const struct train_epoch *now, struct safetensors *s, struct err *e);

/* Trains; p is resolved, from may be NULL. stiff: the weights at the end of the same run, a
 * safetensors file: then only what they split is measured (measure_split); or NULL. resume: what
 * train_save added, of a run with the same parameters, settings and files, or NULL; the first row
 * is then that of the epoch after it. E_FILE if it does not fit, before any row. OK at the end,
 * TRAIN_STOP when the listener stopped it, E_RUN when it diverged; other codes as they come. */
int train_run(const struct params *p, const struct settings *s, const struct trainer_source *from,
              const char *stiff, const struct safetensors *resume,
              const struct train_listener *listener, struct err *e);

#endif
