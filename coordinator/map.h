// SPDX-License-Identifier: MIT
/* map: a cloud of sketches in three coordinates: its principal components, with anchors.
 *
 * A sketch y is a linear image of a model's root probabilities Psi (unit length), and keeps their
 * Euclidean distances, which are Hellinger distances of the models. So the principal components of
 * the sketches are the classical scaling of the Hellinger distances (Torgerson 1952).
 *
 * Five synthetic points belong to every cloud, one each: ignorance (the uniform distribution),
 * truth (all on the right class) and the geodesic between them at s = 1/4, 1/2, 3/4, y(s) = [sin((1
 * - s) G) y_ignorance + sin(s G) y_truth] / sin G,  G = arccos(1 / sqrt(classes)). Every axis
 * points from ignorance to truth. An axis square to that direction (its cosine below 1e-9) has its
 * greatest component positive instead, the first of equal ones.
 *
 * Cost: one eigenvalue problem of m rows (256: 15 ms), then 3 m multiplications a point.
 */
#ifndef GROKD_COORDINATOR_MAP_H
#define GROKD_COORDINATOR_MAP_H

#include "coordinator/moments.h"

#define MAP_AXES 3

enum { MAP_IGNORANCE, MAP_GEODESIC_25, MAP_GEODESIC_50, MAP_GEODESIC_75, MAP_TRUTH, MAP_ANCHORS };
extern const char *const map_anchor_names[MAP_ANCHORS];

struct map {
    int size;              /* m: numbers of a sketch */
    int64_t points;        /* sketches it was made from, the anchors apart */
    double variance;       /* mean squared distance from the middle, anchors included */
    double kept[MAP_AXES]; /* share of it along the first axis, the first two, all three */
    double anchors[MAP_ANCHORS][MAP_AXES];
    double *middle; /* [m] */
    double *axes;   /* [MAP_AXES, m], of unit length */
};

/* The two ends of an evaluation table: sketches [m], lent. */
struct map_ends {
    const float *ignorance, *truth;
    int classes; /* at least 2 */
};

/* Makes the map of a cloud (flushed here). E_STATE: fewer than MAP_AXES numbers, or some that are
 * not finite; E_NOMEM. Close it in any case. */
int map_make(struct map *out, struct moments *cloud, const struct map_ends *ends, struct err *e);
void map_close(struct map *m); /* all zero afterwards; may be so before */

/* Where a sketch y [m] lies. */
void map_place(const struct map *m, const float *y, double x[MAP_AXES]);

#endif
