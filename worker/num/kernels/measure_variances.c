// SPDX-License-Identifier: MIT
/* measure_variances: of one sample, how much its classes disagree about each active neuron. */
#include "worker/num/kernels/kernel.h"

void KERNEL(measure_variances)(float *a, float *b, const float *h, const float *top,
                               const float *first, const float *second, float rest, size_t n)
{
    vf zero = vf_set(0), r = vf_set(rest);
    for (size_t k = 0; k < n; k += VEC_FLOATS) {
        vf w = vf_load(top + k), one = vf_load(first + k);
        vf mean = vf_fnma(w, r, one);
        vf square = vf_fnma(w, vf_add(one, mean), vf_load(second + k));
        vf variance = vf_max(vf_fnma(mean, mean, square), zero);
        variance = vf_select(vf_greater(vf_load(h + k), zero), variance, zero);
        vf_store(a + k, vf_add(vf_load(a + k), variance));
        vf_store(b + k, vf_add(vf_load(b + k), variance));
    }
}
