// SPDX-License-Identifier: MIT
/* pool: 2 x 2 pooling of images whose samples lie in lanes, and how bytes become lanes. */
#include "worker/num/kernels/kernel.h"

/* Offsets of a window's sites from its first. */
struct window {
    size_t at[4];
};

INLINE struct window window_of(size_t side)
{
    return (struct window){{0, VEC_LANES, side * VEC_LANES, (side + 1) * VEC_LANES}};
}

void KERNEL(pool)(float *y, const float *x, const struct vec_image *image)
{
    size_t half = image->side / 2;
    struct window w = window_of(image->side);
    for (size_t r = 0; r < image->in * half; r++)
        for (size_t c = 0; c < half; c++, y += VEC_LANES) {
            const float *first = x + (2 * r * image->side + 2 * c) * VEC_LANES;
            for (size_t s = 0; s < image->lanes; s += VEC_FLOATS) {
                vf best = vf_load(first + s);
                UNROLL for (int k = 1; k < 4; k++) best =
                    vf_max(vf_load(first + w.at[k] + s), best);
                vf_store(y + s, best);
            }
        }
}

void KERNEL(pool_backward)(float *dx, const float *dy, const float *x, const float *y,
                           const struct vec_image *image)
{
    size_t half = image->side / 2;
    struct window w = window_of(image->side);
    for (size_t r = 0; r < image->in * half; r++)
        for (size_t c = 0; c < half; c++, y += VEC_LANES, dy += VEC_LANES) {
            size_t first = (2 * r * image->side + 2 * c) * VEC_LANES;
            for (size_t s = 0; s < image->lanes; s += VEC_FLOATS) {
                vf best = vf_load(y + s), left = vf_load(dy + s), zero = vf_set(0);
                UNROLL for (int k = 0; k < 4; k++)
                {
                    size_t at = first + w.at[k] + s;
                    vm here = vf_equal(vf_load(x + at), best);
                    vf_store(dx + at, vf_select(here, left, zero));
                    left = vf_select(here, zero, left);
                }
            }
        }
}

/* a[i] byte j becomes a[j] byte i: four times, the first half is shuffled into the second. */
INLINE void bytes_transpose(__m128i a[16])
{
    __m128i b[16];
    UNROLL for (int round = 0; round < 4; round++)
    {
        UNROLL for (int i = 0; i < 8; i++)
        {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        UNROLL for (int i = 0; i < 16; i++) a[i] = b[i];
    }
}

INLINE void bytes_store(float *y, __m128i a)
{
    _mm256_store_ps(y, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(a)));
    _mm256_store_ps(y + 8, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(a, 8))));
}

/* Columns j..j+15 of `rows` rows, the rest 0. */
INLINE void bytes_block(float *y, size_t ldy, const int8_t *x, size_t rows, size_t n)
{
    __m128i a[16];
    UNROLL for (size_t i = 0; i < 16; i++) a[i] =
        i < rows ? _mm_loadu_si128((const void *)(x + i * n)) : _mm_setzero_si128();
    bytes_transpose(a);
    UNROLL for (size_t j = 0; j < 16; j++) bytes_store(y + j * ldy, a[j]);
}

void KERNEL(bytes_to_lanes)(float *y, size_t ldy, const int8_t *x, size_t count, size_t n)
{
    for (size_t s = 0; s < count; s += VEC_FLOATS) {
        size_t rows = count - s < VEC_FLOATS ? count - s : VEC_FLOATS, j = 0;
        for (; j + VEC_FLOATS <= n; j += VEC_FLOATS)
            bytes_block(y + j * ldy + s, ldy, x + s * n + j, rows, n);
        for (; j < n; j++)
            for (size_t i = 0; i < VEC_FLOATS; i++)
                y[j * ldy + s + i] = i < rows ? x[(s + i) * n + j] : 0;
    }
}
