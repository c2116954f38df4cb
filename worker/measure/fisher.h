// SPDX-License-Identifier: MIT
/* fisher: the diagonal of the Fisher information, regression variant: how much each parameter moves
 * the logits. In closed form for one hidden ReLU layer behind a two-hot input.
 *
 *   g_j = E_x sum over c of (d f_c / d theta_j)^2
 *
 * With h = relu(z), m = 1[z > 0] and S_k = sum over c of W2[c,k]^2:
 *
 *   b2[c]: 1     W2[c,k]: E h_k^2 for every c     b1[k]: S_k E m_k     W1[k,j]: S_k E[m_k x_j]
 *
 * This is what the released code of arXiv 2502.01739 samples (its equation 14 writes the variant
 * with class probabilities). Expectations are over the first samples of the test set; with few of
 * them most inputs never occur, and their weights have an entry of exactly 0.
 *
 * Cost: n H, no logits. Sums over classes in double, over samples in float for 64 of them and in
 * double from there (counts are exact up to 2^24 samples), entries in float.
 */
#ifndef GROKD_MEASURE_FISHER_H
#define GROKD_MEASURE_FISHER_H

#include "common/err.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stddef.h>

struct fisher {
    size_t samples; /* 0: the whole set */
    double *square; /* [hidden, rounded up]: sum over samples of h_k^2 */
    double *slope;  /* the same: S_k */
};

/* E_STATE for a model that is not two-hot, ReLU, dense. */
int fisher_open(struct fisher *f, const struct model *m, size_t samples, struct err *e);
void fisher_close(struct fisher *f);

/* diagonal [m->size], laid out as theta, its padding 0; 64-byte aligned. */
void fisher_diagonal(struct fisher *f, const struct model *m, const struct dataset *set,
                     float *diagonal);

#endif
