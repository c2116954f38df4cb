// SPDX-License-Identifier: MIT
/* optimizer: the updates of Adam with coupled L2 (arXiv 1412.6980), of AdamW (arXiv 1711.05101) and
 * of gradient descent with momentum, in the order of operations of torch.optim, several steps of
 * one element at a time while it is in registers.
 */
#include "worker/num/kernels/kernel.h"

#include <float.h>
#include <stdbool.h>

struct rule {
    vf beta1, rest1, beta2, rest2, epsilon, decay;
};

INLINE void element_step(vf *w, vf *m, vf *v, vf g, const struct rule *r, const struct adam_step *s,
                         const bool decoupled)
{
    if (decoupled)
        *w = vf_fnma(r->decay, *w, *w);
    else
        g = vf_fma(r->decay, *w, g);
    *m = vf_fma(r->beta1, *m, vf_mul(r->rest1, g));
    *v = vf_fma(r->beta2, *v, vf_mul(vf_mul(r->rest2, g), g));
    vf root = vf_fma(vf_sqrt(*v), vf_set(s->root), r->epsilon);
    /* without it, 0/0 where a gradient was never given and epsilon is 0 */
    root = vf_max(vf_set(FLT_MIN), root);
    *w = vf_fnma(vf_set(s->rate), vf_div(*m, root), *w);
}

INLINE void steps_of_adam(float *w, float *m, float *v, const float *g, size_t n,
                          const struct adam_rule *rule, const struct adam_step *steps, size_t count,
                          const bool decoupled)
{
    const struct rule r = {
        .beta1 = vf_set(rule->beta1),
        .rest1 = vf_set(rule->rest1),
        .beta2 = vf_set(rule->beta2),
        .rest2 = vf_set(rule->rest2),
        .epsilon = vf_set(rule->epsilon),
        .decay = vf_set(rule->weight_decay),
    };
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vf wi = vf_load(w + i), mi = vf_load(m + i), vi = vf_load(v + i);
        for (size_t s = 0; s < count; s++)
            element_step(&wi, &mi, &vi, g && s == 0 ? vf_load(g + i) : vf_set(0), &r, &steps[s],
                         decoupled);
        vf_store(w + i, wi);
        vf_store(m + i, mi);
        vf_store(v + i, vi);
    }
}

void KERNEL(adam)(float *w, float *m, float *v, const float *g, size_t n,
                  const struct adam_rule *rule, const struct adam_step *steps, size_t count)
{
    steps_of_adam(w, m, v, g, n, rule, steps, count, false);
}

void KERNEL(adamw)(float *w, float *m, float *v, const float *g, size_t n,
                   const struct adam_rule *rule, const struct adam_step *steps, size_t count)
{
    steps_of_adam(w, m, v, g, n, rule, steps, count, true);
}

void KERNEL(sgd)(float *w, float *m, const float *g, size_t n, const struct sgd_rule *rule,
                 size_t count)
{
    const vf rate = vf_set(rule->rate), momentum = vf_set(rule->momentum);
    const vf decay = vf_set(rule->weight_decay);
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vf wi = vf_load(w + i), mi = vf_load(m + i);
        for (size_t s = 0; s < count; s++) {
            vf gi = vf_fma(decay, wi, g && s == 0 ? vf_load(g + i) : vf_set(0));
            mi = vf_fma(momentum, mi, gi);
            wi = vf_fnma(rate, mi, wi);
        }
        vf_store(w + i, wi);
        vf_store(m + i, mi);
    }
}
