// SPDX-License-Identifier: MIT
/* predictions: what the probabilities p(c|x) = softmax f(x) say on average, and whether float can
 * still hold them. For models whose loss is the cross-entropy of a softmax.
 *
 * Labels a + b or a - b modulo P: the translation-averaged prediction
 *
 *   q(d)                 = mean over all pairs of p(label + d | a, b), indices modulo P
 *   translation_right    = q(0)
 *   translation_entropy  = - sum over d of q ln q      nat; ln P for a model that guesses, 0 for a
 *                          model that is sure of one and the same difference
 *   features at curve_epochs: layer "all", shift_D = q(D)   (none for P above VIEW_LONGEST)
 *
 * The pairs are those of training and test set together.
 *
 * Ising, features at curve_epochs: layer "test", ordered_I = mean of p(below Tc) over the snapshots
 * of the test set that have its I-th temperature, rising from 0; none where there are not two
 * snapshots to a temperature in the mean.
 *
 * Softmax collapse (arXiv 2501.04697) over the training set, of float32 values as training has
 * them:
 *
 *   collapse_share       share of samples whose 1 + (sum over other classes of exp(f - max f)) is 1
 *                        exactly: the least probable classes no longer count
 *   zero_gradient_share  share of samples and classes whose p(c|x) - [c = label] is 0 exactly
 *
 * Cost: a softmax of all logits and one addition for each.   Twin: in
 * tests/worker/test_predictions.
 */
#ifndef GROKD_MEASURE_PREDICTIONS_H
#define GROKD_MEASURE_PREDICTIONS_H

#include "common/err.h"
#include "worker/measure/logits.h"

struct predictions {
    size_t classes;
    bool shifts;            /* whether q is asked for */
    double *sum;            /* [classes][classes]: of p(c) - [c = label] by label */
    double *q;              /* [classes], of the last call */
    float *slope, *rows;    /* [classes][VEC_LANES]; [VEC_LANES][VEC_ROUND(classes)] */
    size_t temperatures;    /* of the test set, different ones */
    size_t *warmth;         /* [samples of the test set]: which of them */
    double *ordered;        /* [temperatures], of the last call */
    size_t *share;          /* [temperatures]: samples */
    double collapse, zeros; /* of the last call */
};

/* For models with so many classes on sets whose logits will be lent; shifts: labels are cyclic. */
int predictions_open(struct predictions *p, size_t classes, bool shifts, const struct dataset *test,
                     struct err *e);
void predictions_close(struct predictions *p);

/* Fills q, ordered, collapse and zeros from logits of the same sets. */
void predictions_measure(struct predictions *p, struct logits *l);

#endif
