// SPDX-License-Identifier: MIT
/* rank: the order of the elements of one or more tensors by magnitude, smallest first, equal ones
 * by their index in state-dict order; as positions in theta, so that a layer may lie there as it
 * likes.
 *
 * Cost: three passes of a radix sort over the 31 bits of |w|, about 10 ns an element.
 */
#ifndef GROKD_MEASURE_RANK_H
#define GROKD_MEASURE_RANK_H

#include "worker/train/model.h"

#include <stddef.h>
#include <stdint.h>

/* position[k] = place in theta of the k-th smallest |theta| of all elements, n, of `count` tensors,
 * which come in state-dict order. spare: 2n words, overwritten. Every place must be below 2^32. */
void rank_by_magnitude(const float *theta, const struct tensor *const *tensor, size_t count,
                       uint32_t *position, uint64_t *spare);

#endif
