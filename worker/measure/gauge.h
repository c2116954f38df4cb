// SPDX-License-Identifier: MIT
/* gauge: one kind of measure, as the list in measure.c holds it.
 *
 * A gauge allocates its scratch in open, reads the model at a measured epoch into the row, and
 * frees. One that remembers earlier epochs also saves and loads. Undefined values are left NaN.
 */
#ifndef GROKD_MEASURE_GAUGE_H
#define GROKD_MEASURE_GAUGE_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/metric.h"
#include "proto/param.h"
#include "proto/settings.h"
#include "worker/measure/findings.h"
#include "worker/measure/logits.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

/* What a gauge looks at; all lent. In open and load the model gives shapes only, and there are no
 * logits and no findings. */
struct view {
    const struct params *params;
    const struct settings *settings;
    const struct task *task;
    const struct model *model;
    int64_t epoch;
    struct logits *logits;     /* of the model */
    struct findings *findings; /* where a gauge puts its features */
    /* What a gauge that takes seconds asks many times a second: OK: go on; else it gives up and
     * returns that. NULL: there is nobody to ask. */
    int (*enough)(void *ctx, struct err *e);
    void *enough_ctx;
};

/* What a formula may ask of a run, in its fits. */

/* Labels are a + b or a - b modulo P: characters of Z_P are the natural basis of the weights. */
static inline bool view_cyclic(const struct view *v)
{
    return v->task->modulus > 0 && (v->task->operation == OPERATION_ADDITION ||
                                    v->task->operation == OPERATION_SUBTRACTION);
}

/* Labels are a + b modulo P. */
static inline bool view_adds(const struct view *v)
{
    return v->task->modulus > 0 && v->task->operation == OPERATION_ADDITION;
}

/* Predictions are the softmax of the logits: neither mse nor StableMax. */
static inline bool view_softmax(const struct view *v)
{
    return v->model->loss == LOSS_CROSS_ENTROPY;
}

#define VIEW_LONGEST 1000 /* features of one kind in an epoch */

/* Whether the epoch is one whose long features are kept, as its pruning curve is. */
static inline bool view_keeps_curves(const struct view *v)
{
    return epoch_list_holds(&v->settings->curve_epochs, v->epoch, v->params->epochs);
}

struct gauge {
    const char *name;
    bool (*fits)(const struct view *v); /* whether a task has this measure; NULL: every one */
    /* Gives *state; what is half made when it fails is left to close. NULL: needs none. */
    int (*open)(void **state, const struct view *v, struct err *e);
    /* OK, an error, or what view.enough said. */
    int (*read)(void *state, const struct view *v, struct row *row, struct err *e);
    void (*close)(void *state); /* accepts NULL */
    /* NULL: remembers nothing. */
    int (*save)(const void *state, const struct view *v, struct safetensors *s, struct err *e);
    int (*load)(void *state, const struct view *v, const struct safetensors *s, struct err *e);
    /* What is split by the model at the end of the run, from the next epoch on; the model is lent
     * for this call. NULL: nothing is. */
    int (*split)(void *state, const struct view *v, const struct model *last, struct err *e);
};

extern const struct gauge gauge_train_end, gauge_norm, gauge_pruning, gauge_fourier, gauge_geometry,
    gauge_features, gauge_coords, gauge_waves, gauge_predictions, gauge_gini, gauge_llc;

#endif
