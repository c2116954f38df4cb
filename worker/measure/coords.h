// SPDX-License-Identifier: MIT
/* coords: a model as a point of information space: what it predicts, not how it is written down, so
 * that models of all runs can be compared and a permutation of neurons changes nothing
 * (arXiv 2305.01604).
 *
 * On the n inputs of an evaluation table (table.h) psi_x = root of p(.|x), a unit vector with C
 * elements; a model is the list of them, a point on a product of spheres. With theta_x(a, b) =
 * arccos <psi_x(a), psi_x(b)> = 2 arcsin(|psi_x(a) - psi_x(b)| / 2) and
 *
 *   d(a, b) = root of the mean over x of (2 theta_x)^2        Fisher-Rao, rad, at most pi
 *
 * the columns of measured epochs e'' < e' < e, 0 the first one:
 *
 *   fr_step          = d(e', e)
 *   fr_cos_previous  = -sum_x (t/sin t)(u/sin u)(cos v - cos t cos u) / root(sum t^2 sum u^2),
 *                      t = theta(e'', e'), u = theta(e', e), v = theta(e'', e): +1 on a geodesic;
 *                      NULL where the steps span different numbers of epochs
 *   arc_length       = sum of fr_step so far,  chord = d(0, e),  straightness = chord / arc_length
 *   straightness_two = d(e'', e) / (d(e'', e') + d(e', e))    1: these two steps are one geodesic
 *
 * those of landmark.h, and all of them for the run's training and test inputs alone. Besides the
 * sketch (proto/sketch.h) of all psi_x / root n, whose squared distances are those of Hellinger,
 * and sketch_error = |y - y_truth|^2 / (2 - 2 mean overlap with truth) - 1, within SKETCH_TOLERANCE
 * unless the map is broken.
 *
 * For C = 2, 2 theta = 2 |phi - phi'| with phi = arctan exp((f_1 - f_0)/2): the tests' identity.
 * Twin: tests/ref/ref_coords.c.
 *
 * Roots in float, their chords summed in double, small angles by arcsin. Cost: one forward pass
 * over the table and about 60 operations a logit. Memory: three times the roots (first, last and
 * last but one measured epoch), 17 MB at P = 113.
 */
#ifndef GROKD_MEASURE_COORDS_H
#define GROKD_MEASURE_COORDS_H

#include "proto/metric.h"
#include "worker/measure/logits.h"
#include "worker/measure/table.h"

#include <stdbool.h>
#include <stdint.h>

struct coords;

/* For models of m's shape on a table, lent. Gives. */
int coords_open(struct coords **out, const struct table *t, const struct model *m, struct err *e);
void coords_close(struct coords **c); /* accepts NULL, leaves NULL */

/* From now on rows hold predictions at n epochs in every doubling (sample.h). */
int coords_keep(struct coords *c, int64_t n, struct err *e);

/* Fills the row's columns and sketch, and at the first call of all its evaluation; what is lent
 * stands until the next call. known: m's logits on the run's sets, or NULL. */
void coords_read(struct coords *c, const struct model *m, struct logits *known, int64_t epoch,
                 struct row *row);

/* What a resumed run must be told: the weights at the first, the last but one and the last measured
 * epoch (blocks laid out as theta; before and here may be NULL with their epochs -1), and the
 * lengths so far [TABLE_PARTS]. */
struct coords_history {
    const float *start, *before, *here;
    int64_t start_epoch, before_epoch, here_epoch;
    double length[TABLE_PARTS];
};
int coords_recall(struct coords *c, const struct model *m, const struct coords_history *h,
                  struct err *e);

/* The weights at the first measured epoch, its number (-1: none yet), and the lengths. Lent. */
struct coords_history coords_so_far(const struct coords *c);

#endif
