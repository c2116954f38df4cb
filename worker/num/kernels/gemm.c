// SPDX-License-Identifier: MIT
/* gemm: products of small matrices with one operand broadcast and the other read in vectors.
 *
 * A tile of rows x vectors of y stays in registers while k runs; y's columns go in panels of one
 * tile's width and k in panels that keep z in the first cache. Neither changes the order of
 * additions of an element: k ascends, and a panel goes on from what the one before stored.
 */
#include "worker/num/kernels/kernel.h"

#include <stdbool.h>

#define K_PANEL 128 /* rows of z: 32 KiB at 64 columns */

/* Tile: 24 accumulators, 4 vectors of z and a broadcast in 32 registers, or 6 of two halves, one
 * vector and a broadcast in 16. */
#define ROWS 6
#ifdef __AVX512F__
#define VECTORS 4
#else
#define VECTORS 1
#endif

struct tile {
    float *y;
    size_t ldy;
    const float *x;
    size_t xi, xk;
    const float *z;
    size_t ldz, k;
    bool add;
};

/* One tile of m <= ROWS rows and n <= VECTORS vectors, both known to the compiler. */
INLINE void tile_run(const struct tile *t, const int m, const int n)
{
    vf sum[ROWS][VECTORS], b[VECTORS];
    const float *x = t->x, *z = t->z;
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < n; j++) sum[i][j] =
        t->add ? vf_load(t->y + i * t->ldy + j * VEC_FLOATS) : vf_set(0);
    for (size_t k = 0; k < t->k; k++, x += t->xk, z += t->ldz) {
        UNROLL for (int j = 0; j < n; j++) b[j] = vf_load(z + j * VEC_FLOATS);
        UNROLL for (int i = 0; i < m; i++)
        {
            vf a = vf_set(x[i * t->xi]);
            UNROLL for (int j = 0; j < n; j++) sum[i][j] = vf_fma(a, b[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < n; j++)
        vf_store(t->y + i * t->ldy + j * VEC_FLOATS, sum[i][j]);
}

INLINE void tile_rows(const struct tile *t, size_t m, const int n)
{
    switch (m) {
    case 1: tile_run(t, 1, n); break;
    case 2: tile_run(t, 2, n); break;
    case 3: tile_run(t, 3, n); break;
    case 4: tile_run(t, 4, n); break;
    case 5: tile_run(t, 5, n); break;
    default: tile_run(t, 6, n); break;
    }
}

static void tile_any(const struct tile *t, size_t m, size_t n)
{
#if VECTORS > 1
    switch (n) {
    case 1: tile_rows(t, m, 1); return;
    case 2: tile_rows(t, m, 2); return;
    case 3: tile_rows(t, m, 3); return;
    default: tile_rows(t, m, 4); return;
    }
#else
    (void)n;
    tile_rows(t, m, 1);
#endif
}

void KERNEL(gemm)(float *y, size_t ldy, const float *x, size_t xi, size_t xk, const float *z,
                  size_t ldz, size_t m, size_t n, size_t k, int add)
{
    for (size_t k0 = 0; k0 < k || k0 == 0; k0 += K_PANEL) {
        struct tile t = {.ldy = ldy, .xi = xi, .xk = xk, .ldz = ldz, .add = add || k0 > 0};
        t.k = k - k0 < K_PANEL ? k - k0 : K_PANEL;
        for (size_t j = 0; j < n; j += VECTORS * VEC_FLOATS) {
            size_t vectors = (n - j) / VEC_FLOATS < VECTORS ? (n - j) / VEC_FLOATS : VECTORS;
            for (size_t i = 0; i < m; i += ROWS) {
                t.y = y + i * ldy + j;
                t.x = x + i * xi + k0 * xk;
                t.z = z + k0 * ldz + j;
                tile_any(&t, m - i < ROWS ? m - i : ROWS, vectors);
            }
        }
    }
}
