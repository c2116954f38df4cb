// SPDX-License-Identifier: MIT
/* philox: random numbers that are a function of where they are used, never of when.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the
 * 64-bit seed as key and (index low, index high, epoch, purpose) as counter. Nothing needs saving.
 * All arithmetic is whole or in double with +, -, *, / and root only: the same bits everywhere.
 * Golden values: seed 0, index 0, epoch 0, purpose 0 give 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
 */
#ifndef GROKD_COMMON_PHILOX_H
#define GROKD_COMMON_PHILOX_H

#include <stddef.h>
#include <stdint.h>

/* Purposes: what a stream is for. Numbers never change. */
#define PHILOX_PURPOSES(X)                                                                         \
    X(PHILOX_SPLIT, 1)       /* permutation of all samples; key data_seed */                       \
    X(PHILOX_INIT, 2)        /* initial weights, epoch = number of the tensor; key init_seed */    \
    X(PHILOX_ORDER, 3)       /* permutation of the training set, per epoch; key order_seed */      \
    X(PHILOX_SAMPLE, 4)      /* random points of a sweep, epoch = axis; key sample_seed */         \
    X(PHILOX_HOT, 5)         /* spins of a random start, epoch = snapshot; key data_seed */        \
    X(PHILOX_FLIP, 6)        /* heat-bath updates of them, epoch = snapshot; key data_seed */      \
    X(PHILOX_PREDICTIONS, 8) /* inputs whose predictions are kept; key the seed of sketches */     \
    X(PHILOX_SKETCH, 7)      /* columns of the map of sketches, epoch = input; key its seed */     \
    X(PHILOX_LANGEVIN, 9)    /* noise of a chain, epoch = 16 step + lane; key seed */              \
    X(PHILOX_LANGEVIN_BATCH, 10) /* its batches, epoch = step; key seed */                         \
    X(PHILOX_SIM, 11)            /* a simulated world of tests/sim; key its seed */

enum philox_purpose {
#define X(name, number) name = number,
    PHILOX_PURPOSES(X)
#undef X
};

/* A stream: everything of key and counter but the index. */
struct philox {
    uint64_t seed;
    uint32_t epoch;
    uint32_t purpose;
};

/* The four words of an index. */
void philox_words(const struct philox *p, uint64_t index, uint32_t words[4]);

/* Uniform in [0, 1): (first word >> 8) * 2^-24. */
float philox_uniform(const struct philox *p, uint64_t index);

/* Number `index` of a stream of standard normal numbers, by Box and Muller (Ann. Math. Stat. 29,
 * 1958) in double: numbers 2i and 2i + 1 are the cosine and the sine of index i, whose words give
 * two uniforms of 53 bits. */
double philox_normal(const struct philox *p, uint64_t index);

/* A random permutation of 0..n-1: Fisher and Yates from the top (i = n-1 down to 1, swap with one
 * of 0..i). Each choice is unbiased by Lemire's rejection (arXiv 1805.10941) on words 0, 1, 2, 3 of
 * indices 0, 1, ... in turn. */
void philox_permutation(const struct philox *p, uint32_t *out, uint32_t n);

#endif
