// SPDX-License-Identifier: MIT
/* walk: what one weight more does to the logits of many samples, and what one weight more in front
 * of a neuron does to those of one sample. */
#include "worker/num/kernels/kernel.h"

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

void KERNEL(walk_top)(float *top, const float *f, size_t ld, size_t classes, size_t n)
{
    for (size_t s = 0; s < n; s += VEC_FLOATS) {
        vf best = vf_load(f + s), other = best;
        for (size_t c = 1; c + 1 < classes; c += 2) {
            best = vf_max(best, vf_load(f + c * ld + s));
            other = vf_max(other, vf_load(f + (c + 1) * ld + s));
        }
        if (classes % 2 == 0) best = vf_max(best, vf_load(f + (classes - 1) * ld + s));
        vf_store(top + s, vf_max(best, other));
    }
}
