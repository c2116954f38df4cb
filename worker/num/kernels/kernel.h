// SPDX-License-Identifier: MIT
/* kernel: the prototypes of all kernels at both levels, and the 16-float vector they are written
 * with: one 512-bit register at v4, two 256-bit halves at v3, the same element order and the same
 * roundings in both.
 */
#ifndef GROKD_NUM_KERNEL_H
#define GROKD_NUM_KERNEL_H

#include "worker/num/vec.h"

#define X(name) __typeof__(*((struct vec *)0)->name) vec_##name##_v3, vec_##name##_v4;
VEC_LIST(X)
#undef X

#ifdef LEVEL /* not for the file that only fills the tables */

#include <immintrin.h>

#define KERNEL_PASTE(name, level) vec_##name##_##level
#define KERNEL_AT(name, level)    KERNEL_PASTE(name, level)
#define KERNEL(name)              KERNEL_AT(name, LEVEL)

#define INLINE static inline __attribute__((always_inline, unused))

/* Loops over registers must vanish before the compiler looks for values to keep in registers. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#ifdef __AVX512F__

typedef __m512 vf;
typedef __mmask16 vm; /* one truth per element */

#define VF1(name, op)                                                                              \
    INLINE vf name(vf a)                                                                           \
    {                                                                                              \
        return _mm512_##op##_ps(a);                                                                \
    }
#define VF2(name, op)                                                                              \
    INLINE vf name(vf a, vf b)                                                                     \
    {                                                                                              \
        return _mm512_##op##_ps(a, b);                                                             \
    }
#define VF3(name, op)                                                                              \
    INLINE vf name(vf a, vf b, vf c)                                                               \
    {                                                                                              \
        return _mm512_##op##_ps(a, b, c);                                                          \
    }

INLINE vf vf_load(const float *p)
{
    return _mm512_load_ps(p);
}
INLINE void vf_store(float *p, vf a)
{
    _mm512_store_ps(p, a);
}
INLINE vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}
INLINE vm vf_greater(vf a, vf b) /* false for NaN */
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
INLINE vm vf_equal(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
INLINE vf vf_select(vm m, vf yes, vf no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}
INLINE unsigned vm_bits(vm m) /* bit i: element i */
{
    return m;
}
/* 2^n for whole n in -126..127 */
INLINE vf vf_power_of_two(vf n)
{
    __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}
/* x = m * 2^n with m in [1/sqrt 2, sqrt 2), x normal and positive; gives m, puts n. */
INLINE vf vf_mantissa(vf x, vf *n)
{
    __m512i bits = _mm512_sub_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x3f3504f3));
    __m512i e = _mm512_srai_epi32(bits, 23);
    *n = _mm512_cvtepi32_ps(e);
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(e, 23)));
}

#else

typedef struct {
    __m256 lo, hi;
} vf;
typedef vf vm; /* all bits of an element, or none */

#define VF1(name, op)                                                                              \
    INLINE vf name(vf a)                                                                           \
    {                                                                                              \
        return (vf){_mm256_##op##_ps(a.lo), _mm256_##op##_ps(a.hi)};                               \
    }
#define VF2(name, op)                                                                              \
    INLINE vf name(vf a, vf b)                                                                     \
    {                                                                                              \
        return (vf){_mm256_##op##_ps(a.lo, b.lo), _mm256_##op##_ps(a.hi, b.hi)};                   \
    }
#define VF3(name, op)                                                                              \
    INLINE vf name(vf a, vf b, vf c)                                                               \
    {                                                                                              \
        return (vf){_mm256_##op##_ps(a.lo, b.lo, c.lo), _mm256_##op##_ps(a.hi, b.hi, c.hi)};       \
    }

INLINE vf vf_load(const float *p)
{
    return (vf){_mm256_load_ps(p), _mm256_load_ps(p + 8)};
}
INLINE void vf_store(float *p, vf a)
{
    _mm256_store_ps(p, a.lo);
    _mm256_store_ps(p + 8, a.hi);
}
INLINE vf vf_set(float x)
{
    __m256 a = _mm256_set1_ps(x);
    return (vf){a, a};
}
INLINE vm vf_greater(vf a, vf b)
{
    return (vm){_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
INLINE vm vf_equal(vf a, vf b)
{
    return (vm){_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ)};
}
INLINE vf vf_select(vm m, vf yes, vf no)
{
    return (vf){_mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi)};
}
INLINE unsigned vm_bits(vm m)
{
    return (unsigned)_mm256_movemask_ps(m.lo) | (unsigned)_mm256_movemask_ps(m.hi) << 8;
}
INLINE __m256 vf_power_half(__m256 n)
{
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}
INLINE vf vf_power_of_two(vf n)
{
    return (vf){vf_power_half(n.lo), vf_power_half(n.hi)};
}
INLINE __m256 vf_mantissa_half(__m256 x, __m256 *n)
{
    __m256i bits = _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(0x3f3504f3));
    __m256i e = _mm256_srai_epi32(bits, 23);
    *n = _mm256_cvtepi32_ps(e);
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(e, 23)));
}
INLINE vf vf_mantissa(vf x, vf *n)
{
    return (vf){vf_mantissa_half(x.lo, &n->lo), vf_mantissa_half(x.hi, &n->hi)};
}

#endif

VF2(vf_add, add)
VF2(vf_sub, sub)
VF2(vf_mul, mul)
VF2(vf_div, div)
VF2(vf_max, max) /* b if either is NaN */
VF2(vf_min, min) /* b if either is NaN */
VF1(vf_sqrt, sqrt)
VF3(vf_fma, fmadd)   /* a*b + c, rounded once */
VF3(vf_fnma, fnmadd) /* c - a*b, rounded once */
#undef VF1
#undef VF2
#undef VF3

/* Sum of the 16: halves onto halves, so that element i meets i + 8, then i + 4, i + 2, i + 1. */
INLINE float vf_sum(vf a)
{
#ifdef __AVX512F__
    __m256 hi = _mm512_extractf32x8_ps(a, 1), lo = _mm512_castps512_ps256(a);
#else
    __m256 hi = a.hi, lo = a.lo;
#endif
    __m256 h = _mm256_add_ps(lo, hi);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* Greatest of the 16, none of which is NaN. */
INLINE float vf_greatest(vf a)
{
#ifdef __AVX512F__
    __m256 hi = _mm512_extractf32x8_ps(a, 1), lo = _mm512_castps512_ps256(a);
#else
    __m256 hi = a.hi, lo = a.lo;
#endif
    __m256 h = _mm256_max_ps(lo, hi);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

#endif
#endif
