// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS. */
#include "worker/num/blas.h"

#include "common/hash.h"
#include "worker/num/vec.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Products whose bits tell kernels apart: those of the paper's task, and some with edges in every
 * direction. */
static const struct shape {
    size_t m, n, k;
    bool turned; /* the first operand is stored as [k, m] */
} shapes[] = {
    {113, 64, 512, false}, {64, 512, 113, true}, {113, 512, 64, false}, {113, 43, 512, false},
    {129, 97, 301, false}, {97, 112, 33, true},  {1, 113, 512, false},
};

#define MOST (512 * 128) /* floats of the largest operand or product */

/* The kernels in use, but for the product. */
static struct vec with_library;

/* vec->gemm by the library. One of the strides of x must be 1, as everywhere here. */
static void library_gemm(float *y, size_t ldy, const float *x, size_t xi, size_t xk, const float *z,
                         size_t ldz, size_t m, size_t n, size_t k, int add)
{
    bool turned = xk != 1;
    cblas_sgemm(CblasRowMajor, turned ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)m, (int)n,
                (int)k, 1, x, (int)(turned ? xk : xi), z, (int)ldz, add ? 1 : 0, y, (int)ldy);
}

/* Numbers of all magnitudes around 1, the same everywhere. */
static void fill(float *x, size_t n, uint32_t state)
{
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state * 0x1p-30f;
    }
}

/* y [m, n], n rounded up. */
static void product(const struct vec *kernels, const struct shape *s, float *y, const float *x,
                    const float *z)
{
    size_t n = VEC_ROUND(s->n);
    kernels->gemm(y, n, x, s->turned ? 1 : s->k, s->turned ? s->m : 1, z, n, s->m, n, s->k, 0);
}

/* Elements are sums of k products below 4; each sum rounds k times at most. */
static int products_agree(const struct shape *s, const float *a, const float *b, struct err *e)
{
    float most = (float)s->k * (float)s->k * 0x1p-22f;
    for (size_t i = 0; i < s->m * VEC_ROUND(s->n); i++)
        if (!(fabsf(a[i] - b[i]) <= most))
            return err_set(e, E_STATE,
                           "our kernels (%s) and OpenBLAS (%s) disagree on a product %zux%zux%zu: "
                           "%.9g and %.9g: this machine computes wrong numbers",
                           vec->level, openblas_get_corename(), s->m, s->n, s->k, a[i], b[i]);
    return OK;
}

/* A product too small for a normal float: 0 only when such numbers are flushed. */
static void tiny_product(const struct vec *kernels, float *y, float *x, float *z)
{
    x[0] = 0x1p-40f;
    for (int j = 0; j < VEC_FLOATS; j++) z[j] = 0x1p-100f;
    kernels->gemm(y, VEC_FLOATS, x, 1, 1, z, VEC_FLOATS, 1, VEC_FLOATS, 1, 0);
}

/* Hashes the products of `kernels`, each checked against those of `others`. */
static int products_hash(struct hash *h, const struct vec *kernels, const struct vec *others,
                         struct err *e)
{
    int rc = OK;
    float *x = vec_alloc(4 * MOST), *z = x + MOST, *y = z + MOST, *check = y + MOST;
    if (!x) return err_set(e, E_NOMEM, "blas: no memory for %d floats", 4 * MOST);
    fill(x, MOST, 1);
    fill(z, MOST, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && rc == OK; i++) {
        product(kernels, &shapes[i], y, x, z);
        product(others, &shapes[i], check, x, z);
        hash_add(h, y, shapes[i].m * VEC_ROUND(shapes[i].n) * sizeof *y);
        rc = products_agree(&shapes[i], y, check, e);
    }
    tiny_product(kernels, y, x, z);
    hash_add(h, y, VEC_BYTES);
    free(x);
    return rc;
}

const char *blas_library_family(void)
{
    return openblas_get_corename();
}

int blas_open(struct blas *b, const char *family, struct err *e)
{
    struct hash h;
    bool ours = !strcmp(family, BLAS_OURS) || !strcmp(family, "auto");
    vec = NULL; /* ours, whoever multiplied until now */
    int rc = vec_open(e);
    if (rc < 0) return rc;
    vec_set_float_mode();
    openblas_set_num_threads(1);
    if (openblas_get_num_threads() != 1)
        return err_set(e, E_STATE, "OpenBLAS uses %d threads, also when told to use one",
                       openblas_get_num_threads());
    const struct vec *own = vec;
    with_library = *own;
    with_library.gemm = library_gemm;
    vec = ours ? own : &with_library;
    hash_start(&h);
    rc = products_hash(&h, vec, ours ? &with_library : own, e);
    if (!ours) hash_add(&h, OPENBLAS_VERSION, strlen(OPENBLAS_VERSION));
    hash_end(&h, b->fingerprint);
    snprintf(b->family, sizeof b->family, "%s", ours ? BLAS_OURS : openblas_get_corename());
    return rc;
}
