// SPDX-License-Identifier: MIT
/* fisher: the diagonal of the Fisher information: how much each parameter moves the logits f, or
 * the predictions p = softmax f.
 *
 *   regression      g_j = E_x sum over c of (d f_c / d theta_j)^2
 *   classification  g_j = E_x sum over c of p_c (d ln p_c / d theta_j)^2
 *
 * The first is what the released code of arXiv 2502.01739 samples, the second is its equation 14.
 * Expectations are over the first samples of the test set; with few of them most inputs of a
 * two-hot network never occur, and their weights have an entry of exactly 0.
 *
 * How it is computed depends on the network, and is chosen once when opened: in closed form for one
 * hidden layer behind a two-hot input (fisher_two_hot.c), else by backward passes
 * (fisher_backward.c). Each file says its formula and cost.
 */
#ifndef GROKD_MEASURE_FISHER_H
#define GROKD_MEASURE_FISHER_H

#include "common/err.h"
#include "worker/measure/logits.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stdbool.h>
#include <stddef.h>

enum fisher_variant { FISHER_REGRESSION, FISHER_CLASSIFICATION, FISHER_VARIANTS };

struct fisher {
    const struct fisher_form *form;
    void *state;    /* of the form */
    size_t samples; /* 0: the whole set */
};

/* Whether there is a formula for a model of m's shape, activation and loss: classification needs
 * the softmax, so none for mse and StableMax. */
bool fisher_fits(const struct model *m, enum fisher_variant variant);

/* m only gives the shape. E_STATE for a model that no form is for. */
int fisher_open(struct fisher *f, const struct model *m, size_t samples, struct err *e);
void fisher_close(struct fisher *f);

/* diagonal [m->size], laid out as theta, its padding 0; 64-byte aligned. All 0 for an empty set.
 * known: the logits of m, if set is its test set and they have been taken; or NULL. */
void fisher_diagonal(struct fisher *f, const struct model *m, const struct dataset *set,
                     enum fisher_variant variant, struct logits *known, float *diagonal);

#endif
