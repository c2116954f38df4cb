// SPDX-License-Identifier: MIT
/* measure_moments: what the diagonal Fisher information needs of the first layer, in one walk. */
#include "worker/num/kernels/kernel.h"

/* Samples summed in float before they go to the sums in double. */
#define RUN 64

/* 16 neurons over up to RUN samples; w, active and bias point at the first of them. */
INLINE void moments_run(double *square, float *active, const float *w, size_t ld, vf bias,
                        const int32_t (*row)[2], size_t count)
{
    float part[VEC_FLOATS] __attribute__((aligned(VEC_BYTES)));
    vf zero = vf_set(0), one = vf_set(1), sum = zero;
    for (size_t s = 0; s < count; s++) {
        size_t a = (size_t)row[s][0] * ld, b = (size_t)row[s][1] * ld;
        vf z = vf_add(vf_add(vf_load(w + a), vf_load(w + b)), bias);
        vf on = vf_select(vf_greater(z, zero), one, zero), h = vf_max(z, zero);
        sum = vf_fma(h, h, sum);
        vf_store(active + a, vf_add(vf_load(active + a), on));
        vf_store(active + b, vf_add(vf_load(active + b), on));
    }
    vf_store(part, sum);
    for (int i = 0; i < VEC_FLOATS; i++) square[i] += part[i];
}

/* Neurons outside, samples inside: 16 columns of w and active stay in the nearest cache. */
void KERNEL(measure_moments)(double *square, float *active, const float *w, size_t ld,
                             const float *bias, const int32_t (*row)[2], size_t count, size_t n)
{
    for (size_t k = 0; k < n; k += VEC_FLOATS)
        for (size_t s = 0; s < count; s += RUN)
            moments_run(square + k, active + k, w + k, ld, vf_load(bias + k), row + s,
                        count - s < RUN ? count - s : RUN);
}
