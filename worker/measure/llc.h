// SPDX-License-Identifier: MIT
/* llc: the local learning coefficient at the end of a run (arXiv 2308.12108), by stochastic
 * gradient Langevin dynamics around the weights w* with the settings of arXiv 2502.01739.
 *
 *   w <- w - epsilon/2 (n beta grad L_B(w) + gamma (w - w*)) + sqrt(epsilon) eta,  n beta = n/ln n
 *   llc = n beta (mean over the last 3/4 of the steps of L_B(w) - L(w*))
 *
 * n samples of the training set, L the mean loss over them and L_B that over the batch of a step,
 * before the step: `batch` samples drawn with replacement, sample floor(n u / 2^32) for the first
 * word u of index i of the stream (seed, step, PHILOX_LANGEVIN_BATCH); all of them if n is not
 * more. eta: independent, mean 0, variance 1, from the stream PHILOX_LANGEVIN: the sum of eight
 * random bytes, less 1020, over sqrt(43690). A chain of many small steps has the law of one with
 * normal noise, at a twentieth of the cost. Nothing is remembered: the weights alone give the
 * number.
 *
 * Column llc, negative values too; features at the last epoch, layer "llc", loss_I: mean of L_B
 * over the I-th of LLC_TRACE equal parts of the chain. NaN when the chain diverges. For a regular
 * model it is half the number of parameters.
 *
 * Cost: steps * batch * 3 n H P multiplications; 10,000 steps of 512 about 600 training epochs. It
 * takes place inside the measures of the last epoch, in the slot's own process: the worker's
 * heartbeats go on, and what the coordinator waits for an epoch before it calls a run hung (ten
 * minutes at least) is many times as long. Whether the run shall end is asked at each step.
 */
#ifndef GROKD_MEASURE_LLC_H
#define GROKD_MEASURE_LLC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLC_TRACE 100

struct llc_rule {
    int64_t steps; /* at least 1 */
    double epsilon, gamma, nbeta;
    uint64_t seed;
};

/* What a chain walks on: `size` numbers; all lent. */
struct llc_walk {
    size_t size;
    float *w;                                /* starts at w* */
    const float *centre;                     /* w* */
    const float *gradient;                   /* of the last call of loss */
    const uint8_t *live;                     /* 0: a number that stays; NULL: none */
    double (*loss)(void *ctx, int64_t step); /* at w; fills the gradient */
    void *ctx;
    bool (*enough)(void *ctx); /* asked before each step: whether to break off; NULL: never */
};

/* The mean loss over the last 3/4 of the steps; trace [LLC_TRACE], NaN for parts without a step.
 * NaN for a chain that is broken off. */
double llc_chain(const struct llc_rule *r, struct llc_walk *walk, double *trace);

#endif
