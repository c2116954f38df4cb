// SPDX-License-Identifier: MIT
/* train_end: loss and accuracy on the training set at the end of an epoch, all samples through the
 * same weights; train_loss, taken while training, lags behind it. arXiv 2502.01739 plots the
 * latter.
 *
 *   train_loss_end      (1/n) sum over x of -ln p(y|x)       nat
 *   train_accuracy_end  share of x whose first greatest logit is the label's
 *
 * Cost: one forward pass over the training set, n H P multiplications.
 */
#include "worker/measure/gauge.h"

#include <stdlib.h>

static int open_train_end(void **state, const struct view *v, struct err *e)
{
    *state = calloc(1, sizeof(struct workspace));
    if (!*state) return err_set(e, E_NOMEM, "evaluation of the training set: no memory");
    return workspace_open(*state, v->model, e);
}

static int read_train_end(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    struct score s = dataset_score(&v->task->train, v->model, state);
    row->value[METRIC_train_loss_end] = s.loss;
    row->value[METRIC_train_accuracy_end] = s.accuracy;
    return OK;
}

static void close_train_end(void *state)
{
    if (state) workspace_close(state);
    free(state);
}

const struct gauge gauge_train_end = {
    .name = "train_end", .open = open_train_end, .read = read_train_end, .close = close_train_end};
