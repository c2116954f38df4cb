// SPDX-License-Identifier: MIT
/* loss: mean square difference, and cross-entropy of StableMax, of samples in lanes.
 *
 * The loss of StableMax is ln(1 + sum of s over the other classes / s of the label's): one near
 * zero keeps its digits. A logit that is not a number, or that is infinite, makes either loss none;
 * but for StableMax a label's logit of -inf makes it infinite and another's changes nothing.
 */
#include "worker/num/kernels/elementary.h"
#include "worker/num/kernels/lanes.h"

#include <float.h>

/* Factors of lanes 0..lanes-1, 0 in the others. */
INLINE vf live_lanes(size_t lanes, float factor)
{
    _Alignas(VEC_BYTES) float live[VEC_FLOATS];
    for (size_t s = 0; s < VEC_FLOATS; s++) live[s] = s < lanes ? factor : 0;
    return vf_load(live);
}

/* 1 in the lanes whose label is c, else 0; label as floats, -1 in lanes without a sample. */
INLINE vf is_label(vf label, size_t c)
{
    return vf_select(vf_equal(label, vf_set((float)c)), vf_set(1), vf_set(0));
}

INLINE vf label_floats(const int32_t *label, size_t lanes)
{
    _Alignas(VEC_BYTES) float at[VEC_FLOATS];
    for (size_t s = 0; s < VEC_FLOATS; s++) at[s] = s < lanes ? (float)label[s] : -1;
    return vf_load(at);
}

/* Adds what lanes 0..lanes-1 say; index: of the greatest logit. */
INLINE void score_lanes(const int32_t *label, size_t lanes, vf index, vf loss,
                        struct vec_score *score)
{
    _Alignas(VEC_BYTES) float at[VEC_FLOATS], l[VEC_FLOATS];
    vf_store(at, index);
    vf_store(l, loss);
    for (size_t s = 0; s < lanes; s++) {
        score->loss += l[s];
        score->hits += at[s] == (float)label[s];
    }
}

void KERNEL(mse)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                 float scale, struct vec_score *score)
{
    vf share = vf_set(1 / (float)classes);
    for (size_t s0 = 0; s0 < count; s0 += VEC_FLOATS, z += VEC_FLOATS, label += VEC_FLOATS) {
        size_t lanes = count - s0 < VEC_FLOATS ? count - s0 : VEC_FLOATS;
        vf own = label_floats(label, lanes), factor = live_lanes(lanes, 2 / (float)classes * scale);
        vf index, sum = vf_set(0);
        lane_greatest(z, ld, classes, &index);
        for (size_t c = 0; c < classes; c++) {
            vf d = vf_sub(vf_load(z + c * ld), is_label(own, c));
            sum = vf_fma(d, d, sum);
            if (scale > 0) vf_store(z + c * ld, vf_mul(d, factor));
        }
        score_lanes(label, lanes, index, vf_mul(sum, share), score);
    }
}

/* s(z) and its derivative. */
INLINE vf stable(vf z, vf *slope)
{
    vf one = vf_set(1), zero = vf_set(0);
    vm below = vf_greater(zero, z);
    vf inverse = vf_div(one, vf_sub(one, z));
    *slope = vf_select(below, vf_mul(inverse, inverse), one);
    return vf_select(below, inverse, vf_add(one, z));
}

/* s of the label's class, and its sum over the others; 0 times an infinite one is no number. */
INLINE vf stable_sums(const float *z, size_t ld, size_t classes, vf label, vf *others)
{
    vf own = vf_set(0), rest = vf_set(0), slope;
    for (size_t c = 0; c < classes; c++) {
        vf s = stable(vf_load(z + c * ld), &slope), mine = is_label(label, c);
        own = vf_fma(s, mine, own);
        rest = vf_fma(s, vf_sub(vf_set(1), mine), rest);
    }
    *others = rest;
    return own;
}

/* ln(1 + ratio), also for a ratio beyond all numbers. */
INLINE vf stable_loss(vf ratio)
{
    return vf_select(vf_greater(ratio, vf_set(FLT_MAX)), ratio, vf_log1p(ratio));
}

void KERNEL(stablemax_xent)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                            float scale, struct vec_score *score)
{
    for (size_t s0 = 0; s0 < count; s0 += VEC_FLOATS, z += VEC_FLOATS, label += VEC_FLOATS) {
        size_t lanes = count - s0 < VEC_FLOATS ? count - s0 : VEC_FLOATS;
        vf at = label_floats(label, lanes), factor = live_lanes(lanes, scale);
        vf index, others, own = stable_sums(z, ld, classes, at, &others);
        lane_greatest(z, ld, classes, &index);
        score_lanes(label, lanes, index, stable_loss(vf_div(others, own)), score);
        if (scale <= 0) continue;
        vf all = vf_div(vf_set(1), vf_add(own, others));
        /* of the label: s' (1/sum - 1/s) = -s' others / (s sum), which cancels nothing */
        vf mine = vf_sub(vf_set(0), vf_mul(vf_div(others, own), all));
        for (size_t c = 0; c < classes; c++) {
            vf slope;
            stable(vf_load(z + c * ld), &slope);
            vf pull = vf_select(vf_equal(at, vf_set((float)c)), mine, all);
            vf_store(z + c * ld, vf_mul(vf_mul(slope, pull), factor));
        }
    }
}
