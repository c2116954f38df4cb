// SPDX-License-Identifier: MIT
/* ref_order: pruning by brute force: which parameter goes when, by qsort, and who is right after
 * each, by evaluating the network anew. The twin of worker/measure/order, walk and pruning,
 * straight from the definitions there; itself checked by its ends: nothing pruned, and everything.
 */
#ifndef GROKD_TESTS_REF_ORDER_H
#define GROKD_TESTS_REF_ORDER_H

#include "tests/ref/ref_measure.h"

/* scheme: "layer", "global", "rescaled", "single" (of the tensor named), "fisher" (diagonal in
 * state-dict order). index, at [ref_net_size]: which parameter is next, and from which fraction on
 * it is pruned. Returns how many there are. */
size_t ref_order(const struct ref_net *n, const char *scheme, const char *tensor,
                 const double *diagonal, size_t *index, double *at);

/* hits[i], i <= steps: pairs that are right without the first i of index. */
void ref_steps(const struct ref_net *n, const int32_t *pairs, size_t count, const size_t *index,
               size_t steps, int64_t *hits);

/* Area under the step function that changes at `at`. */
double ref_steps_area(const double *at, const int64_t *hits, size_t steps, size_t count);

#endif
