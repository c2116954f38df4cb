// SPDX-License-Identifier: MIT
/* waves: how much of the loss rests on the key frequencies: restricted and excluded loss of arXiv
 * 2301.05217 (section 5.1; its code, TransformerLensOrg's progress-measures-paper, helpers.py), for
 * labels s = a + b or a - b modulo P.
 *
 * f_c(a, b) are the logits of all P^2 pairs, g_c(s) their means over the pairs of label s, and
 * m_c the mean of g_c over s. The key frequencies k are those few that hold KEY_SHARE of the energy
 * of the output weights (see fourier.h). What f has along cos and sin of 2 pi k s / P, in the
 * space of functions of the pair, depends on s alone:
 *
 *   w_c(s)           = sum over keys k of (2/P) sum over t of g_c(t) cos(2 pi k (s - t) / P)
 *                      (half of it for k = P/2)
 *   restricted_loss  = mean over all pairs of the cross-entropy of logits m_c + w_c(s)
 *   excluded_loss    = mean over the training set of that of logits f_c(a, b) - w_c(s)
 *
 * A model that has learned the waves has a low restricted loss, and one that has nothing else a
 * high excluded loss. With every frequency key the restricted logits are g. NaN where training and
 * test set leave a label without pairs.
 *
 * Cost: one pass over all logits and a cross-entropy over the training set; products of H P^2 and
 * at most 2 P^3 multiplications.   Twin: sums over all pairs in tests/worker/test_waves.
 */
#ifndef GROKD_MEASURE_WAVES_H
#define GROKD_MEASURE_WAVES_H

#include "common/err.h"
#include "worker/measure/fourier.h"
#include "worker/measure/logits.h"

struct waves {
    struct fourier fourier;
    uint32_t *key;    /* [frequencies] */
    size_t keys;      /* of the last call */
    double *sum;      /* [P][P]: of logits c over the pairs of label s, at s * P + c */
    size_t *pairs;    /* [P] of each label */
    float *mean;      /* [P][ld]: g_c(s) at c * ld + s */
    float *wave;      /* [P][ld]: w_c(s) at c * ld + s */
    float *amplitude; /* [P][ld]: what g_c has along each vector of the basis of keys */
    float *basis;     /* [P][ld]: element s of every vector of that basis */
    float *turned;    /* [P][ld]: its transpose */
    float *lanes;     /* [P][VEC_LANES] of samples under way */
    float *rows;      /* [VEC_LANES][ld] */
};

struct wave_losses {
    double restricted, excluded;
};

/* For models with P classes. waves_close frees what is half made. */
int waves_open(struct waves *w, size_t P, struct err *e);
void waves_close(struct waves *w);

/* Fills w->key from output weights [H] x [P] as fourier_ipr takes them. */
void waves_choose(struct waves *w, const float *weights, size_t neuron_stride, size_t axis_stride,
                  size_t neurons);

/* With the keys in w->key. */
struct wave_losses waves_losses(struct waves *w, struct logits *l);

#endif
