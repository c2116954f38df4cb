// SPDX-License-Identifier: MIT
/* grid: the i-th point of a sweep, computed from i alone.
 *
 * Grid: i in mixed radix, one digit an axis, the last axis fastest. Random: every (point, axis) is
 * a function of (sample_seed, point, parameter's name order): Philox with key sample_seed and
 * counter point and axis, so that no point needs those before it. Nothing is held in memory; a
 * point costs O(axes).
 */
#ifndef GROKD_PROTO_GRID_H
#define GROKD_PROTO_GRID_H

#include "proto/spec.h"

/* Points of the sweep: at most SPEC_POINTS. */
int64_t grid_count(const struct spec *s);

/* Point i, 0 <= i < grid_count(s): defaults, then the axes, resolved. E_FILE when the point does
 * not make a sound run; the sentence names the point and its values. */
int grid_point(const struct spec *s, int64_t i, struct params *out, struct err *e);

/* As grid_point, before params_resolve: seeds that follow still do. For callers that write over
 * some values and resolve then. */
int grid_values(const struct spec *s, int64_t i, struct params *out, struct err *e);

/* Checks every point; stops at the first that is not sound. 10^6 points take a fraction of a
 * second. */
int grid_check(const struct spec *s, struct err *e);

#endif
