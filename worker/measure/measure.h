// SPDX-License-Identifier: MIT
/* measure: every measure of a trained model beyond its losses, taken at the measured epochs.
 *
 * Promise: looks, never touches: no call changes the model or the task, so a run gives the same
 * losses whatever is measured. The same model and history give the same bits.
 * Order of use: measure_open, perhaps measure_load, then measure_epoch for every epoch in rising
 * order (epoch 0 too), whether it is measured or not.
 * Memory: about ten copies of the parameters and at most LOGITS_KEPT bytes of logits, allocated
 * once.
 * Which measures there are: the list in measure.c; each has a file of its own that says its
 * formula.
 */
#ifndef GROKD_MEASURE_MEASURE_H
#define GROKD_MEASURE_MEASURE_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/metric.h"
#include "proto/param.h"
#include "proto/settings.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

struct measure;

/* Everything is lent: p (resolved), s and t must outlive the measure, m only gives the shape.
 * Gives. E_STATE for a model that a measure has no formula for. */
int measure_open(struct measure **out, const struct params *p, const struct settings *s,
                 const struct model *m, const struct task *t, struct err *e);
void measure_close(struct measure **m); /* accepts NULL, leaves NULL */

/* Whom to ask in the middle of a measure that takes long: anything but OK ends measure_epoch, which
 * returns it; the row is then good for nothing, and neither is the measure. */
void measure_ask(struct measure *m, int (*enough)(void *ctx, struct err *e), void *ctx);

/* Fills the row's values of a measured epoch, its pruning curve at the epochs that keep one, and
 * measure_seconds; leaves the rest of the row, and an epoch that is not measured, alone. Curve and
 * features are lent until the next call. Values that the task does not have stay NaN. */
int measure_epoch(struct measure *m, const struct model *model, int64_t epoch, struct row *row,
                  struct err *e);

/* From the next epoch on measures only what the model at the end of the run (lent for this call)
 * says about the road to it: the stiff and the sloppy part of each step by the diagonal at that
 * end, as features (geometry.h). E_USAGE if that diagonal is not asked for or has no formula. */
int measure_split(struct measure *m, const struct model *last, struct err *e);

/* What a resumed run needs: adds tensors "measure.*", and takes them up again in a measure opened
 * with the same parameters and settings. E_FILE if one is missing or of another shape. */
int measure_save(const struct measure *m, struct safetensors *s, struct err *e);
int measure_load(struct measure *m, const struct safetensors *s, struct err *e);

#endif
