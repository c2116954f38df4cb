// SPDX-License-Identifier: MIT
/* measure_taps: squares of the gradient of a convolution, sample by sample. */
#include "worker/num/kernels/kernel.h"

#define BLOCKS (VEC_LANES / VEC_FLOATS)

struct tap {
    size_t side;
    ptrdiff_t down, right; /* from a site of dy to the one of x that the tap meets there, -1 to 1 */
};

/* Sum over lanes of the squares of their sums over sites; `blocks` vectors of lanes at a time, so
 * that their chains of additions run side by side. */
INLINE double tap_square(const float *dy, const float *x, struct tap t, size_t blocks)
{
    size_t top = t.down < 0, bottom = t.side - (t.down > 0);
    size_t left = t.right < 0, end = t.side - (t.right > 0);
    ptrdiff_t shift = (t.down * (ptrdiff_t)t.side + t.right) * VEC_LANES;
    vf sum[BLOCKS];
    UNROLL for (size_t b = 0; b < blocks; b++) sum[b] = vf_set(0);
    for (size_t i = top; i < bottom; i++)
        for (size_t j = left; j < end; j++) {
            const float *at = dy + (i * t.side + j) * VEC_LANES;
            const float *seen = x + (ptrdiff_t)((i * t.side + j) * VEC_LANES) + shift;
            UNROLL for (size_t b = 0; b < blocks; b++) sum[b] =
                vf_fma(vf_load(at + b * VEC_FLOATS), vf_load(seen + b * VEC_FLOATS), sum[b]);
        }
    double total = 0;
    UNROLL for (size_t b = 0; b < blocks; b++) total += (double)vf_sum(vf_mul(sum[b], sum[b]));
    return total;
}

INLINE double site_square(const float *dy, size_t sites)
{
    vf sum = vf_set(0);
    for (size_t i = 0; i < sites; i++) sum = vf_add(sum, vf_load(dy + i * VEC_LANES));
    return (double)vf_sum(vf_mul(sum, sum));
}

void KERNEL(measure_taps)(double *weight, size_t ld, double *bias, const float *dy, const float *x,
                          size_t out, size_t in, size_t side, size_t lanes)
{
    size_t image = side * side * VEC_LANES;
    for (size_t o = 0; o < out; o++, dy += image) {
        for (size_t n = 0; n < in * 9; n++) {
            const float *from = x + n / 9 * image;
            struct tap t = {side, (ptrdiff_t)(n % 9 / 3) - 1, (ptrdiff_t)(n % 3) - 1};
            double *to = &weight[o * ld + n];
            if (lanes == VEC_LANES)
                *to += tap_square(dy, from, t, BLOCKS);
            else
                for (size_t s = 0; s < lanes; s += VEC_FLOATS)
                    *to += tap_square(dy + s, from + s, t, 1);
        }
        for (size_t s = 0; s < lanes; s += VEC_FLOATS) bias[o] += site_square(dy + s, side * side);
    }
}
