// SPDX-License-Identifier: MIT
/* ref_measure_specimen: a small model with its task, and the same as the slow twins see it. */
#ifndef GROKD_TESTS_REF_MEASURE_SPECIMEN_H
#define GROKD_TESTS_REF_MEASURE_SPECIMEN_H

#include "proto/settings.h"
#include "tests/ref/ref_measure.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

struct specimen {
    struct params params;
    struct settings settings;
    struct model model;
    struct task task;
    struct ref_net net;    /* twin: lends theta */
    float *flat;           /* parameters in state-dict order */
    double *theta;         /* the same */
    int32_t *train, *test; /* pairs [n,2] with both operands below P */
    size_t n_train, n_test;
};

/* Normal weights of a standard deviation, biases too; ends the test if anything fails. */
void specimen_open(struct specimen *s, int64_t P, int64_t hidden, double deviation);
void specimen_open_with(struct specimen *s, int64_t P, int64_t hidden, double deviation,
                        int64_t activation);
/* The Ising network and test_size snapshots (few to train on), made in a few sweeps; it has no
 * twin: net, train and test are empty. */
void specimen_open_ising(struct specimen *s, int64_t test_size, double multiplier);

void specimen_close(struct specimen *s);

/* Other weights, in state-dict order; and normal ones of a seed. */
void specimen_set(struct specimen *s, const double *theta);
void specimen_shake(struct specimen *s, uint64_t seed, double deviation);

#endif
