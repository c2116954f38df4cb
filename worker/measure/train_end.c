// SPDX-License-Identifier: MIT
/* train_end: loss and accuracy on the training set at the end of an epoch, all samples through the
 * same weights; train_loss, taken while training, lags behind it. arXiv 2502.01739 plots the
 * latter.
 *
 *   train_loss_end      (1/n) sum over x of its loss, -ln p(y|x) in nat, or the mse
 *   train_accuracy_end  share of x whose first greatest logit is the label's
 *
 * Cost: none beyond the logits that all measures share.
 */
#include "worker/measure/gauge.h"

static int read_train_end(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)state;
    (void)e;
    row->value[METRIC_train_loss_end] = v->logits->score[LOGITS_TRAIN].loss;
    row->value[METRIC_train_accuracy_end] = v->logits->score[LOGITS_TRAIN].accuracy;
    return OK;
}

const struct gauge gauge_train_end = {.name = "train_end", .read = read_train_end};
