// SPDX-License-Identifier: MIT
/* train_run: one run from its first epoch to its last: trainer, measures, stop rule.
 *
 * Whoever wants the rows is told of each epoch, in order, epoch 0 first. The stop rule
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

/* What there is to say of an epoch; all of it lent. */
struct train_epoch {
    const struct row *row;
    const struct trainer *trainer;
    int64_t epochs; /* of the whole run, as far as is known now */
    bool final;
};

/* What to do next, as the listener says; or a negative code. */
enum { TRAIN_ON = 0, TRAIN_STOP = 1 };

struct train_listener {
    int (*epoch)(void *ctx, const struct train_epoch *now, struct err *e);
    void *ctx;
};

/* Trains; p is resolved, from may be NULL. OK at the end, TRAIN_STOP when the listener stopped it,
 * E_RUN when it diverged; other codes as they come. */
int train_run(const struct params *p, const struct settings *s, const struct trainer_source *from,
              const struct train_listener *listener, struct err *e);

#endif
