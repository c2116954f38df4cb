// SPDX-License-Identifier: MIT
/* pruning: how many weights a model can lose: compressibility (arXiv 2502.01739, equation 5).
 *
 * a(p) is the accuracy on the whole test set of a network that has lost the fraction p of an order
 * of its parameters (order.h); c = 1/(1 - area under a). The headline is the layer order, at every
 * measured epoch:
 *
 *   compressibility           c; NULL for area 1; 1/(1 - 1/P) for a model that guesses
 *   compressibility_bound     how far c may be off, see area.h
 *   compressibility_relative  area / a(0); NULL for a(0) = 0
 *   weights_for_95            1 - greatest p, of those looked at, with a(p) >= .95 a(0): the
 *                             smallest share of weights kept; NULL for a(0) = 0
 *   compressibility_rule      trapezoid K  K equally spaced p (setting measure.pruning.points)
 *                             bisect       p are added where the bound is worst until it is at most
 *                                          1% of c (PRUNING_GOAL), or nothing is left to
 *                              cut: then exact, where walk.h can
 *                             exact        the whole step function; the area has no error but that
 *                                          of rounding in the logits
 *
 * At curve_epochs every order asked for is taken: exact where walk.h can, else as above; accuracy
 * and loss at K equally spaced p (21 with bisect) go to the table pruning, c to
 * compressibility_global, _rescaled, _fisher, and of single tensors to the features. D15, D16 and
 * D17 of that paper's code are not repeated: accuracy is of the whole set, an order holds what it
 * says and nothing else, and its Fisher information is of the whole model.
 *
 * Point 0 is the model itself and has the bits of test_loss and test_accuracy.
 *
 * Cost: one sort; a forward pass over the test set (n H P multiplications) for each point of a
 * curve, of a trapezoid, and of a bisection where walk.h does not fit; else that of its walks: a
 * sketch of the curve from a sixth of the samples, and one or two through all of them.
 */
#ifndef GROKD_MEASURE_PRUNING_H
#define GROKD_MEASURE_PRUNING_H

#include "common/err.h"
#include "proto/metric.h"
#include "worker/measure/area.h"
#include "worker/measure/order.h"
#include "worker/measure/walk.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRUNING_GOAL   0.01 /* of c */
#define PRUNING_POINTS 21   /* of a curve, where bisection finds c */
#define PRUNING_MOST   2048 /* points of a bisection */

struct pruning {
    const struct dataset *set; /* lent */
    size_t points;             /* of a curve */
    bool bisects;              /* else c is of those points */
    bool walks;                /* walk fits the model */
    struct model pruned;       /* a copy that loses its parameters */
    struct workspace workspace;
    struct order order;
    struct walk walk;
    /* Of the order made last. */
    struct area_point *point; /* [PRUNING_MOST], point_count of them */
    size_t point_count;
    int64_t *hits; /* [parameters + PRUNING_MOST]: of every step, or of the points of a walk */
    /* Room for pruning_curve. */
    struct pruning_point *curve; /* [MODEL_TENSORS + ORDER_SCHEMES][points] */
    size_t curve_count;
};

/* What is known of an order. */
struct pruning_result {
    double c, bound, relative, kept; /* NaN: undefined */
    double rule;                     /* as METRIC_compressibility_rule */
};

/* m gives the shape, set is lent; points 0: bisection. pruning_close frees what is half made. */
int pruning_open(struct pruning *p, const struct model *m, const struct dataset *set, size_t points,
                 struct err *e);
void pruning_close(struct pruning *p);

/* Measures p->order, made of m by order_make; accuracy and greatest are the accuracy of m on the
 * set and its greatest |logit|. exact: the whole step function, where it can be had. */
struct pruning_result pruning_measure(struct pruning *p, const struct model *m, double accuracy,
                                      double greatest, bool exact);

/* Adds p->order's curve to p->curve; the strings are lent. */
void pruning_curve(struct pruning *p, const struct model *m, const char *scheme, const char *layer);

#endif
