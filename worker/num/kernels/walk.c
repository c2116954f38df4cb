// SPDX-License-Identifier: MIT
/* walk: what one weight more does to the logits of many samples, and what one weight more in front
 * of a neuron does to those of one sample. */
#include "worker/num/kernels/kernel.h"
#include "worker/num/kernels/turn.h"

void KERNEL(walk_add)(float *f, const float *z, float weight, size_t n)
{
    vf w = vf_set(weight), zero = vf_set(0);
    for (size_t s = 0; s < n; s += VEC_FLOATS)
        vf_store(f + s, vf_fma(w, vf_max(vf_load(z + s), zero), vf_load(f + s)));
}

size_t KERNEL(walk_watch)(float *f, const float *z, float weight, float class,
                          const struct vec_watch *watch, uint16_t *doubt, size_t n)
{
    vf w = vf_set(weight), zero = vf_set(0), c = vf_set(class);
    size_t count = 0;
    for (size_t s = 0; s < n; s += VEC_FLOATS) {
        vf x = vf_fma(w, vf_max(vf_load(z + s), zero), vf_load(f + s));
        vf rival = vf_load(watch->rival + s), sure = vf_load(watch->sure + s);
        vf lead = vf_sub(vf_load(watch->own + s), x);
        vf behind = vf_select(vf_equal(rival, c), vf_sub(zero, lead), sure);
        vf least = vf_select(vf_greater(lead, sure), sure, lead);
        sure = vf_select(vf_greater(zero, rival), least, behind);
        vf_store(f + s, x);
        vf_store(watch->sure + s, sure);
        unsigned safe = vm_bits(vf_greater(sure, vf_load(watch->slack + s)));
        for (unsigned bits = ~safe & 0xffff; bits; bits &= bits - 1)
            doubt[count++] = (uint16_t)(s + (unsigned)__builtin_ctz(bits));
    }
    return count;
}

void KERNEL(walk_row)(float *g, const float *w, float by, float range[2], size_t n)
{
    vf d = vf_set(by), low = vf_set(0), high = vf_set(0);
    for (size_t c = 0; c < n; c += VEC_FLOATS) {
        vf x = vf_fma(d, vf_load(w + c), vf_load(g + c));
        vf_store(g + c, x);
        low = vf_min(low, x);
        high = vf_max(high, x);
    }
    range[0] = -vf_greatest(vf_sub(vf_set(0), low));
    range[1] = vf_greatest(high);
}

/* Registers of a row that are held while it is added to many. */
#define HELD 8

INLINE void add_held(float *g, size_t ld, const float *w, const float *by, const uint16_t *lane,
                     size_t count)
{
    vf held[HELD];
    UNROLL for (size_t v = 0; v < HELD; v++) held[v] = vf_load(w + v * VEC_FLOATS);
    for (size_t i = 0; i < count; i++) {
        float *row = g + lane[i] * ld;
        vf x = vf_set(by[i]);
        UNROLL for (size_t v = 0; v < HELD; v++)
            vf_store(row + v * VEC_FLOATS, vf_fma(x, held[v], vf_load(row + v * VEC_FLOATS)));
    }
}

void KERNEL(walk_rows)(float *g, size_t ld, const float *w, const float *by, const uint16_t *lane,
                       size_t count)
{
    size_t c = 0;
    for (; c + HELD * VEC_FLOATS <= ld; c += HELD * VEC_FLOATS)
        add_held(g + c, ld, w + c, by, lane, count);
    for (; c < ld; c += VEC_FLOATS)
        for (size_t i = 0; i < count; i++) {
            float *row = g + lane[i] * ld + c;
            vf_store(row, vf_fma(vf_set(by[i]), vf_load(w + c), vf_load(row)));
        }
}

void KERNEL(walk_join)(float *top, float *f, size_t ldf, float *g, size_t ldg, size_t n)
{
    _Alignas(VEC_BYTES) float turned[8 * VEC_FLOATS];
    for (size_t s = 0; s < n; s += VEC_FLOATS) {
        vf best = vf_set(-__builtin_inff());
        for (size_t c = 0; c < ldg; c += 8) {
            float *from = g + s * ldg + c;
            block_transpose(turned, VEC_FLOATS, from, ldg);
            block_transpose(turned + 8, VEC_FLOATS, from + 8 * ldg, ldg);
            UNROLL for (size_t i = 0; i < 8; i++)
            {
                float *to = f + (c + i) * ldf + s;
                vf x = vf_add(vf_load(to), vf_load(turned + i * VEC_FLOATS));
                vf_store(to, x);
                best = vf_max(best, x);
            }
        }
        vf_store(top + s, best);
    }
    for (size_t i = 0; i < n * ldg; i += VEC_FLOATS) vf_store(g + i, vf_set(0));
}
