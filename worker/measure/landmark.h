// SPDX-License-Identifier: MIT
/* landmark: where a model stands between ignorance (every class alike) and truth (right and
 * certain), from its probabilities p on n inputs with C classes (arXiv 2305.01604).
 *
 * With alpha = sum over c of root p_c / root C and beta = root p_label, the overlaps with the two
 * landmarks of an input, and bars for means over inputs:
 *
 *   overlap        = alpha-, beta-                       1 there, 1/root C at the other landmark
 *   bhattacharyya  = mean of -ln alpha, -ln beta         nat; of truth half the cross-entropy
 *   distance       = root of mean (2 arccos alpha)^2     Fisher-Rao, rad
 *   hellinger      = root of 2 - 2 alpha-
 *   progress       = arctan[(beta-/alpha- - cos G) / sin G] / G,   G = arccos(1/root C)
 *                    0 at ignorance, 1 at truth, below 0 if certain and wrong
 *   progress_mao   = the t in 0..1 with the least
 *   off_geodesic   = mean over inputs of 2 arccos w,  w = [sin((1-t)G) alpha + sin(tG) beta] / sin
 * G, the arc to the point at t of the geodesic from ignorance to truth
 *
 * All arcs are at most pi/2, so that their sum is convex in t: its slope is bisected 24 times, and
 * the last interval cut by a line. Angles come from chords, so that small ones keep their digits;
 * an overlap below 1.2e-38 counts as that.
 *
 * Cost: about 400 operations an input in double for each list it stands in. Source of the values:
 * tests/golden (PyTorch, autograd apart); of progress_mao: tests/ref/ref_coords.c.
 */
#ifndef GROKD_MEASURE_LANDMARK_H
#define GROKD_MEASURE_LANDMARK_H

#include "common/err.h"

#include <stddef.h>

enum { LANDMARK_IGNORANCE, LANDMARK_TRUTH, LANDMARKS };

/* Of every input, [n] each. The first two are filled by the caller. */
struct landmark {
    double *square[LANDMARKS]; /* of the chord to the landmark */
    double *own;               /* root of the label's probability */
    double *overlap[LANDMARKS], *arc[LANDMARKS];
    double *block;
    size_t classes;
};

struct landmark_values {
    double overlap[LANDMARKS], bhattacharyya[LANDMARKS], distance[LANDMARKS], hellinger[LANDMARKS];
    double progress, progress_mao, off_geodesic;
};

int landmark_open(struct landmark *l, size_t n, size_t classes, struct err *e);
void landmark_close(struct landmark *l);

/* Overlaps and arcs of the first n inputs. */
void landmark_update(struct landmark *l, size_t n);

/* The values of inputs from..from+count-1; NaN for none of them. */
struct landmark_values landmark_values(const struct landmark *l, size_t from, size_t count);

#endif
