// SPDX-License-Identifier: MIT
/* softmax: cross-entropy and its derivative for samples in lanes, and exp and ln over arrays.
 *
 * The loss of a sample is (greatest - label's logit) + ln(1 + sum of exp(z - greatest) over the
 * other classes): a loss near zero keeps its digits. A logit that is not a number, or two infinite
 * ones, make the loss NaN.
 */
#include "worker/num/kernels/elementary.h"
#include "worker/num/kernels/lanes.h"

#include <stdbool.h>

/* Sum over all classes but the greatest of exp(z - best); with keep, exp replaces the logit. */
INLINE vf lane_others(float *z, size_t ld, size_t classes, vf best, vf index, const bool keep)
{
    vf sum = vf_set(0);
    for (size_t c = 0; c < classes; c++) {
        vf x = vf_exp(vf_sub(vf_load(z + c * ld), best));
        if (keep) vf_store(z + c * ld, x);
        /* the greatest itself counts 0, unless it is NaN: then 0 * NaN keeps it */
        vm itself = vf_equal(index, vf_set((float)c));
        sum = vf_fma(x, vf_select(itself, vf_set(0), vf_set(1)), sum);
    }
    return sum;
}

/* Adds what lanes 0..lanes-1 say; own holds the labels' logits. */
INLINE void lane_score(const int32_t *label, size_t lanes, vf best, vf index, vf loss,
                       const float *own, struct vec_score *score)
{
    _Alignas(VEC_BYTES) float at[VEC_FLOATS], l[VEC_FLOATS], top[VEC_FLOATS];
    vf_store(at, index);
    vf_store(l, loss);
    vf_store(top, best);
    for (size_t s = 0; s < lanes; s++) {
        score->loss += ((double)top[s] - own[s]) + l[s];
        score->hits += at[s] == (float)label[s];
    }
}

/* exp/(1 + others) * scale in lanes that hold a sample, 0 in the rest; -scale at the label. */
INLINE void lane_slope(float *z, size_t ld, const int32_t *label, size_t classes, size_t lanes,
                       vf others, float scale)
{
    _Alignas(VEC_BYTES) float live[VEC_FLOATS];
    for (size_t s = 0; s < VEC_FLOATS; s++) live[s] = s < lanes ? scale : 0;
    vf factor = vf_div(vf_load(live), vf_add(vf_set(1), others));
    for (size_t c = 0; c < classes; c++) vf_store(z + c * ld, vf_mul(vf_load(z + c * ld), factor));
    for (size_t s = 0; s < lanes; s++) z[(size_t)label[s] * ld + s] -= scale;
}

void KERNEL(softmax_xent)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                          float scale, struct vec_score *score)
{
    for (size_t s0 = 0; s0 < count; s0 += VEC_FLOATS, z += VEC_FLOATS, label += VEC_FLOATS) {
        size_t lanes = count - s0 < VEC_FLOATS ? count - s0 : VEC_FLOATS;
        float own[VEC_FLOATS];
        for (size_t s = 0; s < lanes; s++) own[s] = z[(size_t)label[s] * ld + s];
        vf index, best = lane_greatest(z, ld, classes, &index);
        vf others = scale > 0 ? lane_others(z, ld, classes, best, index, true)
                              : lane_others(z, ld, classes, best, index, false);
        lane_score(label, lanes, best, index, vf_log1p(others), own, score);
        if (scale > 0) lane_slope(z, ld, label, classes, lanes, others, scale);
    }
}

void KERNEL(exp)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) vf_store(y + i, vf_exp(vf_load(x + i)));
}

void KERNEL(log)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) vf_store(y + i, vf_log(vf_load(x + i)));
}
