// SPDX-License-Identifier: MIT
/* summary: what the learning curve of a finished run says, in one row. Pure.
 *
 * An accuracy is learned at the first epoch e >= 1 where it exceeds, strictly, a factor times its
 * greatest value over epochs 1..E (arXiv 2502.01739, definitions 1 and 2; its figures use the
 * factor 0.9, its text 0.95). Epochs count as in the tables: epoch e is after e passes, one more
 * than in the paper, and "t_grok > t_train" in the paper's numbers is t_grok > t_train - 1 in ours.
 *
 * The plateau is t_train <= e < end; its end is t_plateau_end, or t_test where chance is so high
 * that there is none. Straightness is 1 at the first step whatever happens: only what it is once
 * training accuracy is learned says anything.
 */
#ifndef GROKD_COORDINATOR_SUMMARY_H
#define GROKD_COORDINATOR_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#define SUMMARY_NONE INT64_MIN /* there is none: NULL in the table */

/* A curve: `count` epochs, 0 first, without gaps. NaN: not measured. Arrays are lent. */
struct summary_curve {
    size_t count;
    const double *train_loss, *train_accuracy, *test_loss, *test_accuracy, *compressibility;
    const double *straightness; /* NULL: never measured */
    const double *step_fisher;  /* the same */
};

/* Times of one factor. */
struct summary_times {
    int64_t t_train, t_test; /* epoch, or SUMMARY_NONE */
    int64_t t_grok;          /* t_test - t_train, may be negative; or SUMMARY_NONE */
    int64_t grokked;         /* 1, 0, or SUMMARY_NONE when one of the times is missing */
};

struct summary {
    struct summary_times at_90, at_95; /* factors 0.9 and 0.95 */
    int64_t t_plateau_end; /* first epoch after t_train (0.9) with test accuracy > 2 chance */
    int64_t last_epoch;
    double final_train_loss, final_test_loss, final_train_accuracy, final_test_accuracy;
    double compressibility_final, compressibility_peak; /* peak over 1..E; NaN: not measured */
    int64_t epoch_peak;                                 /* first epoch that reaches it */
    int64_t peak_lag;                                   /* epoch_peak - end of the plateau */
    double straightness_max;                            /* from t_train on; NaN: not measured */
    int64_t epoch_straightness_max;                     /* first epoch that reaches it */
    double straightness_plateau;                        /* mean over the plateau */
    int64_t t_step_min, t_step_max; /* where the step length stops to fall, then to rise */
};

/* t_step_min and t_step_max are the first roots of the gradient of the step length over epochs
 * (arXiv 2502.01739, appendix G): of step_fisher after a median of five, the first minimum that it
 * falls to and rises from by more than STEP_AMPLITUDE of its range, and the first such maximum
 * after it. Of steps of one span: from the first measured one on, as long as the measured epochs
 * are as far apart as the first two. */
#define STEP_AMPLITUDE 0.05

/* `chance` is the accuracy of guessing (1/classes); NaN: no plateau is looked for. */
void summary_compute(struct summary *out, const struct summary_curve *c, double chance);

#endif
