// SPDX-License-Identifier: MIT
/* elementary: exp and ln of a vector, by polynomials of our own, so that their bits are the same
 * on every processor and with every C library. Within 2 ulp.
 */
#ifndef GROKD_NUM_ELEMENTARY_H
#define GROKD_NUM_ELEMENTARY_H

#include "worker/num/kernels/kernel.h"

#include <math.h>

/* exp(x) = 2^n exp(r), n = nearest(x / ln 2), |r| <= ln 2 / 2, exp(r) by its Taylor series to r^7
 * (next term below 6e-9). Below -87.3: 0; above 88: inf; NaN stays. */
INLINE vf vf_exp(vf x)
{
    const vf least = vf_set(-87.3f), greatest = vf_set(88), magic = vf_set(0x1.8p23f);
    vf y = vf_min(greatest, vf_max(least, x));
    vf n = vf_sub(vf_fma(y, vf_set(0x1.715476p0f), magic), magic);
    vf r = vf_fnma(n, vf_set(0x1.62e4p-1f), y);
    r = vf_fnma(n, vf_set(0x1.7f7d1cp-20f), r);
    vf p = vf_fma(r, vf_set(1 / 5040.0f), vf_set(1 / 720.0f));
    p = vf_fma(p, r, vf_set(1 / 120.0f));
    p = vf_fma(p, r, vf_set(1 / 24.0f));
    p = vf_fma(p, r, vf_set(1 / 6.0f));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1));
    p = vf_fma(p, r, vf_set(1));
    p = vf_mul(p, vf_power_of_two(n));
    p = vf_select(vf_greater(least, x), vf_set(0), p);
    return vf_select(vf_greater(x, greatest), vf_set(INFINITY), p);
}

/* 2 artanh(num / den) + n ln 2, artanh(s) by its series to s^11, for |s| < 0.172. */
INLINE vf vf_log_ratio(vf num, vf den, vf n)
{
    vf s = vf_div(num, den), q = vf_mul(s, s);
    vf p = vf_fma(q, vf_set(2 / 11.0f), vf_set(2 / 9.0f));
    p = vf_fma(p, q, vf_set(2 / 7.0f));
    p = vf_fma(p, q, vf_set(2 / 5.0f));
    p = vf_fma(p, q, vf_set(2 / 3.0f));
    p = vf_mul(p, q);
    /* 2s + s*p with the leading term added last keeps the small numbers exact */
    vf tail = vf_fma(n, vf_set(0x1.7f7d1cp-20f), vf_mul(s, p));
    return vf_fma(n, vf_set(0x1.62e4p-1f), vf_add(vf_add(s, s), tail));
}

/* ln(x) for normal positive x: x = 2^n m, ln m = 2 artanh((m - 1) / (m + 1)). */
INLINE vf vf_log(vf x)
{
    vf n, m = vf_mantissa(x, &n), one = vf_set(1);
    return vf_log_ratio(vf_sub(m, one), vf_add(m, one), n);
}

/* ln(1 + x) for x >= 0, without losing a small x in the sum. NaN stays. */
INLINE vf vf_log1p(vf x)
{
    vf n, one = vf_set(1), sum = vf_add(one, x), m = vf_mantissa(sum, &n);
    vm small = vf_equal(n, vf_set(0));
    vf num = vf_select(small, x, vf_sub(m, one));
    vf y = vf_log_ratio(num, vf_select(small, vf_add(x, vf_set(2)), vf_add(m, one)), n);
    return vf_select(vf_equal(x, x), y, x);
}

#endif
