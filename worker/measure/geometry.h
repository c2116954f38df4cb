// SPDX-License-Identifier: MIT
/* geometry: the road of the weights, measured at each step in the metric where the step begins
 * (arXiv 2502.01739, equations 8 and 9, with the metric not lagging behind).
 *
 * With consecutive measured epochs e'' < e' < e, s = theta(e) - theta(e'), s' = theta(e') -
 * theta(e''), and a diagonal metric g taken at theta(e'):
 *
 *   step         = sqrt(<s, s>)                       <a, b> = sum over j of g_j a_j b_j
 *   cos_previous = <s, s'> / (|s| |s'|)
 *   cos_origin   = <s, -theta(e')> / (|s| |theta(e')|)   +1: straight to the origin
 *
 * g = 1 for the columns _euclid, the diagonal Fisher information (fisher.h) for _fisher (regression
 * variant) and _fisher_class (classification); for _full and _full_class the same from the whole
 * Fisher information (full.h). Of those the variants that are asked for and that have a formula for
 * the network and its loss. _fisher_stiff and _fisher_sloppy are _fisher of the parameters alone
 * whose g_j is at least measure.stiff_threshold, and of the others. NULL are cos_previous when s
 * and s' span different numbers of epochs, cosines with a vector of no length, and everything of
 * the first measured epoch.
 *
 * The paper splits by the diagonal at the end of a run instead, which only a second pass knows
 * (measure_split): g is that of _fisher still, the parameters are stiff whose entry in the diagonal
 * at the end is at least the threshold. Of this split the features step_fisher, cos_previous_fisher
 * and cos_origin_fisher, of layers "stiff" and "sloppy"; and parameters, their share of all, at the
 * last epoch.
 *
 * Cost: five sums of products over the parameters for each metric, in double, and the diagonals.
 */
#ifndef GROKD_MEASURE_GEOMETRY_H
#define GROKD_MEASURE_GEOMETRY_H

#include <stddef.h>

struct geometry_step {
    double length, cos_previous, cos_origin; /* NaN where undefined */
};

/* Of vectors [n]; previous NULL: none to compare with; metric NULL: Euclidean. */
struct geometry_step geometry_step(const float *step, const float *previous, const float *origin,
                                   const float *metric, size_t n);

#endif
