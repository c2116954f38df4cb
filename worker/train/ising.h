// SPDX-License-Identifier: MIT
/* ising: snapshots of the two-dimensional Ising model, periodic, J = 1, by Glauber dynamics from a
 * random start (Glauber, J. Math. Phys. 4, 1963).
 *
 * An update of a spin s whose neighbours sum to h flips it with probability 1/(1 + exp(2 s h / T)).
 * That is to say: it becomes +1 with probability 1/(1 + exp(-2 h / T)), whatever it was. A sweep is
 * one update for each site: of those with even row + column, then of the others (checkerboard), or
 * of as many sites drawn at random (random_site). The number of sweeps is fixed, so that stripes
 * that have not yet decayed remain (arXiv 2502.01739, appendix B).
 *
 * Promise: snapshot n is a function of (seed, n, its temperature, the rule): Philox words and whole
 * numbers, the same bits at every kernel level and on every machine, whatever else is made with it.
 *   start:         site j up if word j of (seed, n, PHILOX_HOT) is at least 2^31
 *   checkerboard:  sweep t, site j: word t*sites + j of (seed, n, PHILOX_FLIP)
 *   random_site:   update u: site = floor(word 2u * sites / 2^32), then word 2u + 1
 *   a site becomes +1 if its word is below floor(2^32 / (1 + exp(-2 h / T)))
 * Cost: about 20 us a snapshot of 16 x 16 spins and 64 checkerboard sweeps.
 */
#ifndef GROKD_TRAIN_ISING_H
#define GROKD_TRAIN_ISING_H

#include "common/err.h"
#include "proto/param.h"

#include <stddef.h>
#include <stdint.h>

#define ISING_TC 2.269185314213022 /* 2 / ln(1 + sqrt 2), Onsager */

enum ising_update { ISING_CHECKERBOARD, ISING_RANDOM_SITE }; /* choices of glauber_update */

struct ising_rule {
    size_t side; /* even */
    enum ising_update update;
    int64_t sweeps;
    uint64_t seed;
};

struct ising_rule ising_rule(const struct params *p);

/* Snapshots first..first+count-1 at the temperatures [count], all above 0: spin [count][side^2], +1
 * or -1, row by row. */
int ising_snapshots(const struct ising_rule *r, uint32_t first, size_t count,
                    const double *temperature, int8_t *spin, struct err *e);

/* Number j of n temperatures from Tc - h to Tc + h. */
double ising_temperature(int64_t n, double halfwidth, int64_t j);

/* Which temperature sample i of the test set, or of the training set, has. Both go through all of
 * them over and over: the test set, and an unbalanced training set (which goes on where the test
 * set ended), in rising order; a balanced one as 0, n-1, 1, n-2, ..., so that any even number of
 * its samples has as many below as above Tc. It leaves out the middle of an odd number of
 * temperatures, which is Tc itself. */
int64_t ising_test_index(const struct params *p, int64_t i);
int64_t ising_train_index(const struct params *p, int64_t i);

/* The 32-bit threshold of a site with `up` of 4 neighbours up: floor(2^32 / (1 + exp(-2 h / T))), h
 * = 2 up - 4, at most 2^32 - 1. */
uint32_t ising_threshold(double temperature, int up);

#endif
