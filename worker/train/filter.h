// SPDX-License-Identifier: MIT
/* filter: what becomes of a batch's gradient g before the optimizer has it: first Grokfast, then
 * the orthogonal gradient, each only if the run asks for it.
 *
 *   grokfast_ema         mean = alpha mean + (1 - alpha) g, at first g;  g += lambda mean
 *   grokfast_ma          g += lambda (mean of the last `window` gradients, this one included), once
 *                        there are as many
 *   orthogonal_gradient  of each tensor w: h = g - (g.w / w.w) w;  g = h |g| / |h|
 *
 * Sources: arXiv 2405.20233 and its authors' code; arXiv 2501.04697 and its authors' code. The
 * optimizer's own weight decay comes after, and is not filtered.
 *
 * Either needs all of the gradient and all of the weights at every step: rows that a batch does not
 * touch become zeros, and the optimizer must be settled after each step.
 * Cost: about 3 (ema) and 8 (ma) operations a parameter and step, 3 more and 3 sums in double for
 * the orthogonal gradient. Memory of grokfast_ma: window gradients, and a checkpoint holds them.
 */
#ifndef GROKD_TRAIN_FILTER_H
#define GROKD_TRAIN_FILTER_H

#include "common/err.h"
#include "common/safetensors.h"
#include "proto/param.h"
#include "worker/train/model.h"

struct filter {
    int64_t kind; /* choice of `gradient_filter` */
    bool orthogonal;
    double alpha, lambda;
    size_t window, size; /* gradients kept, floats of each */
    float *mean;         /* grokfast_ema: laid out as theta */
    float *past;         /* grokfast_ma: [window][size]; gradient of step s in row s mod window */
    double *sum;         /* grokfast_ma: [size], of all rows of past */
};

/* p must be resolved. Gives. */
int filter_open(struct filter *f, const struct model *m, const struct params *p, struct err *e);
void filter_close(struct filter *f);

/* Whether it does anything. */
bool filter_works(const struct filter *f);

/* Filters the gradient of a step, `steps` before it; all rows of m must be up to date. */
void filter_apply(struct filter *f, const struct model *m, struct gradient *g, int64_t steps);

/* At the end of an epoch: sums anew, as a resumed run does, so that both have the same bits. */
void filter_settle(struct filter *f);

/* Adds grokfast.mean/... or grokfast.past F32 [gradients][parameters], and takes them up again
 * after `steps` steps. E_FILE if they are missing or of another shape. */
int filter_save(const struct filter *f, const struct model *m, int64_t steps, struct safetensors *s,
                struct err *e);
int filter_load(struct filter *f, const struct model *m, int64_t steps, const struct safetensors *s,
                struct err *e);

#endif
