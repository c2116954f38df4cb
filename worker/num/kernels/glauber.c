// SPDX-License-Identifier: MIT
/* glauber: heat-bath sweeps of 16 Ising lattices at once, and the random numbers for them.
 *
 * Random numbers are Philox4x32-10 (Salmon et al., SC 2011; see common/philox.h), one counter a
 * lane. All of it is whole numbers.
 */
#include "worker/num/kernels/kernel.h"

/* 16 whole numbers of 32 bits. */
#ifdef __AVX512F__
typedef __m512i vi;
#define VI2(name, op)                                                                              \
    INLINE vi name(vi a, vi b)                                                                     \
    {                                                                                              \
        return _mm512_##op(a, b);                                                                  \
    }
INLINE vi vi_load(const int32_t *p)
{
    return _mm512_load_si512(p);
}
INLINE void vi_store(int32_t *p, vi a)
{
    _mm512_store_si512(p, a);
}
INLINE vi vi_set(uint32_t x)
{
    return _mm512_set1_epi32((int32_t)x);
}
INLINE vi vi_count(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
VI2(vi_add, add_epi32)
VI2(vi_xor, xor_si512)
/* yes where a equals n, no elsewhere */
INLINE vi vi_where(vi a, vi n, vi yes, vi no)
{
    return _mm512_mask_blend_epi32(_mm512_cmpeq_epi32_mask(a, n), no, yes);
}
/* 1 where a < b, else 0 */
INLINE vi vi_below(vi a, vi b)
{
    return _mm512_maskz_set1_epi32(_mm512_cmplt_epi32_mask(a, b), 1);
}
/* Low and high half of the products of a with the number m. */
INLINE void vi_multiply(vi a, uint32_t m, vi *low, vi *high)
{
    __m512i n = _mm512_set1_epi64(m);
    __m512i even = _mm512_mul_epu32(a, n), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), n);
    *low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
#else
typedef struct {
    __m256i lo, hi;
} vi;
#define VI2(name, op)                                                                              \
    INLINE vi name(vi a, vi b)                                                                     \
    {                                                                                              \
        return (vi){_mm256_##op(a.lo, b.lo), _mm256_##op(a.hi, b.hi)};                             \
    }
INLINE vi vi_load(const int32_t *p)
{
    return (vi){_mm256_load_si256((const void *)p), _mm256_load_si256((const void *)(p + 8))};
}
INLINE void vi_store(int32_t *p, vi a)
{
    _mm256_store_si256((void *)p, a.lo);
    _mm256_store_si256((void *)(p + 8), a.hi);
}
INLINE vi vi_set(uint32_t x)
{
    __m256i a = _mm256_set1_epi32((int32_t)x);
    return (vi){a, a};
}
INLINE vi vi_count(void)
{
    return (vi){_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
VI2(vi_add, add_epi32)
VI2(vi_xor, xor_si256)
VI2(vi_equal, cmpeq_epi32)
VI2(vi_greater, cmpgt_epi32)
VI2(vi_and, and_si256)
INLINE vi vi_where(vi a, vi n, vi yes, vi no)
{
    vi m = vi_equal(a, n);
    return (vi){_mm256_blendv_epi8(no.lo, yes.lo, m.lo), _mm256_blendv_epi8(no.hi, yes.hi, m.hi)};
}
INLINE vi vi_below(vi a, vi b)
{
    return vi_and(vi_greater(b, a), vi_set(1));
}
INLINE void multiply_half(__m256i a, uint32_t m, __m256i *low, __m256i *high)
{
    __m256i n = _mm256_set1_epi64x(m);
    __m256i even = _mm256_mul_epu32(a, n), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), n);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
INLINE void vi_multiply(vi a, uint32_t m, vi *low, vi *high)
{
    multiply_half(a.lo, m, &low->lo, &high->lo);
    multiply_half(a.hi, m, &low->hi, &high->hi);
}
#endif

/* The four words of one index of 16 streams, their numbers `stream`. */
INLINE void words_of(vi words[4], uint64_t seed, uint64_t index, vi stream, uint32_t purpose)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    vi x0 = vi_set((uint32_t)index), x1 = vi_set((uint32_t)(index >> 32));
    vi x2 = stream, x3 = vi_set(purpose), low0, high0, low1, high1;
    for (int round = 0; round < 10; round++, key0 += 0x9e3779b9u, key1 += 0xbb67ae85u) {
        vi_multiply(x0, 0xd2511f53u, &low0, &high0);
        vi_multiply(x2, 0xcd9e8d57u, &low1, &high1);
        x0 = vi_xor(vi_xor(high1, x1), vi_set(key0));
        x2 = vi_xor(vi_xor(high0, x3), vi_set(key1));
        x1 = low1, x3 = low0;
    }
    words[0] = x0, words[1] = x1, words[2] = x2, words[3] = x3;
}

static void fill_words(int32_t *out, size_t n, uint64_t seed, uint32_t snapshot, uint32_t purpose,
                       uint64_t first)
{
    vi stream = vi_add(vi_count(), vi_set(snapshot));
    for (size_t j = 0; j < n; j += 4, out += 4 * VEC_FLOATS) {
        vi words[4];
        words_of(words, seed, (first + j) / 4, stream, purpose);
        UNROLL for (int k = 0; k < 4; k++) vi_store(out + k * VEC_FLOATS, words[k]);
    }
}

void KERNEL(philox)(int32_t *words, size_t n, uint64_t seed, uint32_t snapshot, uint32_t purpose,
                    uint64_t first)
{
    fill_words(words, n, seed, snapshot, purpose, first);
}

/* The sites of one colour: those whose row + column is `colour` modulo 2. */
INLINE void half_sweep(int32_t *spin, size_t side, const vi threshold[5], const int32_t *words,
                       size_t colour)
{
    vi top = vi_set(0x80000000u);
    for (size_t r = 0; r < side; r++) {
        int32_t *row = spin + r * side * VEC_FLOATS;
        const int32_t *above = spin + (r ? r - 1 : side - 1) * side * VEC_FLOATS;
        const int32_t *below = spin + (r + 1 < side ? r + 1 : 0) * side * VEC_FLOATS;
        for (size_t c = (r + colour) % 2; c < side; c += 2) {
            size_t at = c * VEC_FLOATS;
            vi n = vi_add(vi_add(vi_load(above + at), vi_load(below + at)),
                          vi_add(vi_load(row + (c ? c - 1 : side - 1) * VEC_FLOATS),
                                 vi_load(row + (c + 1 < side ? c + 1 : 0) * VEC_FLOATS)));
            vi bits = vi_xor(vi_load(words + (r * side + c) * VEC_FLOATS), top);
            vi limit = threshold[0];
            UNROLL for (uint32_t k = 1; k < 5; k++) limit =
                vi_where(n, vi_set(k), threshold[k], limit);
            vi_store(row + at, vi_below(bits, limit));
        }
    }
}

void KERNEL(glauber)(int32_t *spin, size_t side, const int32_t *threshold, uint64_t seed,
                     uint32_t snapshot, uint32_t purpose, uint64_t from, uint64_t count,
                     int32_t *scratch)
{
    vi limits[5];
    for (int k = 0; k < 5; k++) limits[k] = vi_load(threshold + k * VEC_FLOATS);
    for (uint64_t t = from; t < from + count; t++) {
        fill_words(scratch, side * side, seed, snapshot, purpose, t * side * side);
        half_sweep(spin, side, limits, scratch, 0);
        half_sweep(spin, side, limits, scratch, 1);
    }
}
