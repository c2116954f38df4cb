// SPDX-License-Identifier: MIT
/* measure_roots: probabilities as unit vectors, samples in lanes, and the squares of the chords
 * between them. */
#include "worker/num/kernels/kernel.h"

#include "worker/num/kernels/elementary.h"

#define GROUPS (VEC_LANES / VEC_FLOATS)

/* Classes summed in float before they go to the sums in double. */
#define RUN 16

/* 16 samples. exp of half the logits: their squares are the probabilities. */
INLINE void roots_of(float *psi, const float *z, size_t ld, size_t classes, size_t lanes)
{
    _Alignas(VEC_BYTES) float live[VEC_FLOATS];
    vf best = vf_load(z), half = vf_set(0.5f), sum = vf_set(0);
    for (size_t c = 1; c < classes; c++) best = vf_max(vf_load(z + c * ld), best);
    for (size_t c = 0; c < classes; c++) {
        vf x = vf_exp(vf_mul(vf_sub(vf_load(z + c * ld), best), half));
        sum = vf_fma(x, x, sum);
        vf_store(psi + c * VEC_LANES, x);
    }
    for (size_t s = 0; s < VEC_FLOATS; s++) live[s] = s < lanes ? 1 : 0;
    vf factor = vf_div(vf_load(live), vf_sqrt(sum));
    for (size_t c = 0; c < classes; c++)
        vf_store(psi + c * VEC_LANES, vf_mul(vf_load(psi + c * VEC_LANES), factor));
}

void KERNEL(measure_roots)(float *psi, const float *z, size_t ld, size_t classes, size_t count)
{
    for (size_t s = 0; s < VEC_LANES; s += VEC_FLOATS) {
        if (s < count) {
            roots_of(psi + s, z + s, ld, classes, count - s < VEC_FLOATS ? count - s : VEC_FLOATS);
            continue;
        }
        for (size_t c = 0; c < classes; c++) vf_store(psi + c * VEC_LANES + s, vf_set(0));
    }
}

/* A run of classes of all lanes, added to the sums in double. */
INLINE void chords_run(double *square, const float *a, const float *b, size_t classes)
{
    _Alignas(VEC_BYTES) float part[VEC_LANES];
    vf sum[GROUPS];
    UNROLL for (size_t g = 0; g < GROUPS; g++) sum[g] = vf_set(0);
    for (size_t c = 0; c < classes; c++, a += VEC_LANES, b += VEC_LANES)
        UNROLL for (size_t g = 0; g < GROUPS; g++)
        {
            vf d = vf_sub(vf_load(a + g * VEC_FLOATS), vf_load(b + g * VEC_FLOATS));
            sum[g] = vf_fma(d, d, sum[g]);
        }
    UNROLL for (size_t g = 0; g < GROUPS; g++) vf_store(part + g * VEC_FLOATS, sum[g]);
    for (size_t s = 0; s < VEC_LANES; s++) square[s] += (double)part[s];
}

void KERNEL(measure_chords)(double *square, const float *a, const float *b, size_t classes)
{
    for (size_t s = 0; s < VEC_LANES; s++) square[s] = 0;
    for (size_t c = 0; c < classes; c += RUN)
        chords_run(square, a + c * VEC_LANES, b + c * VEC_LANES,
                   classes - c < RUN ? classes - c : RUN);
}
