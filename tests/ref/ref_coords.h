// SPDX-License-Identifier: MIT
/* ref_coords: points of information space done slowly in double, straight from their definitions:
 * angles by atan2, directions as tangent vectors, the nearest point of a geodesic by thirds.
 * Twin of worker/measure/coords and landmark.
 */
#ifndef GROKD_TESTS_REF_COORDS_H
#define GROKD_TESTS_REF_COORDS_H

#include "tests/ref/ref_measure.h"

/* psi [count][P] = roots of the probabilities of a network on pairs [count,2]. */
void ref_roots(const struct ref_net *n, const int32_t *pairs, size_t count, double *psi);

/* Fields of unit vectors [n][C]. */
double ref_distance(const double *a, const double *b, size_t n, size_t C);
double ref_step_cosine(const double *before, const double *here, const double *next, size_t n,
                       size_t C);

/* Of [0] ignorance and [1] truth; labels [n]. */
struct ref_landmarks {
    double overlap[2], bhattacharyya[2], distance[2], hellinger[2];
    double progress, progress_mao, off_geodesic;
};
struct ref_landmarks ref_landmarks(const double *psi, const int32_t *label, size_t n, size_t C);

#endif
