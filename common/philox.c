// SPDX-License-Identifier: MIT
/* philox: the door of Random123, and the numbers made from its words. */
#include "common/philox.h"

#include <math.h>
#include <Random123/philox.h>

void philox_words(const struct philox *p, uint64_t index, uint32_t words[4])
{
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), p->epoch, p->purpose}};
    philox4x32_key_t key = {{(uint32_t)p->seed, (uint32_t)(p->seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) words[i] = r.v[i];
}

float philox_uniform(const struct philox *p, uint64_t index)
{
    uint32_t w[4];
    philox_words(p, index, w);
    return (float)(w[0] >> 8) * 0x1p-24f;
}

/* 53 bits of two words as a number in [0, 1). */
static double unit(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

/* ln(x) for x in (0, 1], within 2 ulp: x = 2^n m, ln m = 2 artanh((m - 1) / (m + 1)). The C
 * library's may round otherwise on another processor. */
static double ln(double x)
{
    int n;
    double m = frexp(x, &n);
    if (m < 0.70710678118654752) m *= 2, n--;
    double s = (m - 1) / (m + 1), q = s * s, sum = 0;
    for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * q;
    return n * 0.69314718055994531 + 2 * (s + s * sum);
}

/* sin and cos of 2 pi u for u in [0, 1): by symmetry from an angle of at most pi/4, Taylor. */
static void circle(double u, double *cosine, double *sine)
{
    int eighth = (int)(u * 8), quarter = ((eighth + 1) / 2) % 4;
    double x = 6.2831853071795865 * (u - ((eighth + 1) / 2) * 0.25), q = x * x, c = 0, s = 0;
    for (int k = 18; k >= 2; k -= 2) {
        c = (1 + c) * -q / (k * (k - 1));
        s = (1 + s) * -q / (k * (k + 1));
    }
    c = 1 + c, s = x * (1 + s);
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}

double philox_normal(const struct philox *p, uint64_t index)
{
    uint32_t w[4];
    double cosine, sine;
    philox_words(p, index / 2, w);
    double radius = sqrt(-2 * ln(1 - unit(w[0], w[1])));
    circle(unit(w[2], w[3]), &cosine, &sine);
    return radius * (index % 2 ? sine : cosine);
}

/* The words of a stream one after another. */
struct word_source {
    const struct philox *p;
    uint64_t used;
    uint32_t words[4];
};

static uint32_t word_next(struct word_source *s)
{
    if (s->used % 4 == 0) philox_words(s->p, s->used / 4, s->words);
    return s->words[s->used++ % 4];
}

/* Uniform in 0..n-1, n > 0. */
static uint32_t word_below(struct word_source *s, uint32_t n)
{
    uint64_t product = (uint64_t)word_next(s) * n;
    if ((uint32_t)product < n) {
        uint32_t least = -n % n; /* 2^32 mod n: so many low words would be one too many */
        while ((uint32_t)product < least) product = (uint64_t)word_next(s) * n;
    }
    return (uint32_t)(product >> 32);
}

void philox_permutation(const struct philox *p, uint32_t *out, uint32_t n)
{
    struct word_source s = {.p = p};
    for (uint32_t i = 0; i < n; i++) out[i] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = word_below(&s, i + 1), kept = out[i];
        out[i] = out[j];
        out[j] = kept;
    }
}
