// SPDX-License-Identifier: MIT
/* ising: 16 lattices at a time, one in each lane. */
#include "worker/train/ising.h"

#include "common/philox.h"
#include "worker/num/vec.h"

#include <stdlib.h>
#include <string.h>

#define UPDATES 256 /* of random_site whose words are made at once */

/* exp(x) with additions and multiplications only: the same bits everywhere, which a C library's exp
 * does not promise. Within 10^-13 for |x| up to 64. */
static double exponential(double x)
{
    double sum = 1, term = 1;
    for (int n = 1; n < 20; n++) sum += term *= x / 256 / n;
    for (int i = 0; i < 8; i++) sum *= sum;
    return sum;
}

uint32_t ising_threshold(double temperature, int up)
{
    double x = -2.0 * (2 * up - 4) / temperature; /* beyond 64 the share is 0 or 1 to 32 bits */
    double share = 1 / (1 + exponential(x < -64 ? -64 : x > 64 ? 64 : x));
    return share * 0x1p32 < 0x1p32 - 1 ? (uint32_t)(share * 0x1p32) : UINT32_MAX;
}

double ising_temperature(int64_t n, double halfwidth, int64_t j)
{
    return ISING_TC - halfwidth + 2 * halfwidth * (double)j / (double)(n - 1);
}

int64_t ising_test_index(const struct params *p, int64_t i)
{
    return i % p->temperatures;
}

int64_t ising_train_index(const struct params *p, int64_t i)
{
    if (!p->balance) return (p->test_size + i) % p->temperatures;
    int64_t pairs = p->temperatures / 2, k = i % (2 * pairs);
    return k % 2 ? p->temperatures - 1 - k / 2 : k / 2;
}

struct ising_rule ising_rule(const struct params *p)
{
    return (struct ising_rule){.side = (size_t)p->lattice,
                               .update = (enum ising_update)p->glauber_update,
                               .sweeps = p->glauber_sweeps,
                               .seed = (uint64_t)p->data_seed};
}

/* 16 lattices on their way: [site][lane], 1 up and 0 down. */
struct lattices {
    const struct ising_rule *rule;
    size_t sites;
    uint32_t first;
    int32_t *spin, *scratch;
    int32_t threshold[5][VEC_FLOATS] __attribute__((aligned(VEC_BYTES))); /* minus 2^31 */
};

static void start(struct lattices *l)
{
    vec->philox(l->spin, l->sites, l->rule->seed, l->first, PHILOX_HOT, 0);
    for (size_t j = 0; j < l->sites * VEC_FLOATS; j++) l->spin[j] = l->spin[j] < 0;
}

/* One update of lane k; bits: a word minus 2^31. */
static void update(struct lattices *l, size_t k, size_t site, int32_t bits)
{
    size_t side = l->rule->side, r = site / side, c = site % side;
    const int32_t *s = l->spin + k;
    int32_t up = s[((r + 1) % side * side + c) * VEC_FLOATS] +
                 s[((r + side - 1) % side * side + c) * VEC_FLOATS] +
                 s[(r * side + (c + 1) % side) * VEC_FLOATS] +
                 s[(r * side + (c + side - 1) % side) * VEC_FLOATS];
    l->spin[site * VEC_FLOATS + k] = bits < l->threshold[up][k];
}

/* Lanes go one by one: each has its own sites. */
static void random_sites(struct lattices *l)
{
    uint64_t updates = (uint64_t)l->rule->sweeps * l->sites;
    for (uint64_t u = 0; u < updates; u += UPDATES) {
        size_t n = updates - u < UPDATES ? (size_t)(updates - u) : UPDATES;
        vec->philox(l->scratch, (2 * n + 3) / 4 * 4, l->rule->seed, l->first, PHILOX_FLIP, 2 * u);
        for (size_t k = 0; k < VEC_FLOATS; k++)
            for (size_t i = 0; i < n; i++) {
                const int32_t *word = l->scratch + 2 * i * VEC_FLOATS + k;
                uint64_t site = (uint64_t)(uint32_t)word[0] * l->sites >> 32;
                update(l, k, site, (int32_t)((uint32_t)word[VEC_FLOATS] ^ 0x80000000u));
            }
    }
}

static void take(const struct lattices *l, size_t lanes, int8_t *spin)
{
    for (size_t k = 0; k < lanes; k++)
        for (size_t j = 0; j < l->sites; j++)
            spin[k * l->sites + j] = l->spin[j * VEC_FLOATS + k] ? 1 : -1;
}

/* Lanes that no snapshot needs run at the last temperature. */
static void group(struct lattices *l, size_t lanes, const double *temperature)
{
    for (size_t k = 0; k < VEC_FLOATS; k++)
        for (int up = 0; up < 5; up++) {
            double t = temperature[k < lanes ? k : lanes - 1];
            l->threshold[up][k] = (int32_t)(ising_threshold(t, up) ^ 0x80000000u);
        }
    start(l);
    if (l->rule->update == ISING_RANDOM_SITE)
        random_sites(l);
    else
        vec->glauber(l->spin, l->rule->side, l->threshold[0], l->rule->seed, l->first, PHILOX_FLIP,
                     0, (uint64_t)l->rule->sweeps, l->scratch);
}

int ising_snapshots(const struct ising_rule *r, uint32_t first, size_t count,
                    const double *temperature, int8_t *spin, struct err *e)
{
    struct lattices l = {.rule = r, .sites = r->side * r->side};
    size_t most = l.sites > 2 * UPDATES ? l.sites : 2 * UPDATES;
    l.spin = aligned_alloc(VEC_BYTES, l.sites * VEC_BYTES);
    l.scratch = aligned_alloc(VEC_BYTES, most * VEC_BYTES);
    int rc = l.spin && l.scratch ? OK : err_set(e, E_NOMEM, "snapshots: no memory for lattices");
    for (size_t n = 0; n < count && rc == OK; n += VEC_FLOATS) {
        size_t lanes = count - n < VEC_FLOATS ? count - n : VEC_FLOATS;
        l.first = first + (uint32_t)n;
        group(&l, lanes, temperature + n);
        take(&l, lanes, spin + n * l.sites);
    }
    free(l.spin);
    free(l.scratch);
    return rc;
}
