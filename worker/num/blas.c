// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS. */
#include "worker/num/blas.h"

#include "common/hash.h"
#include "worker/num/vec.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Products whose bits tell kernels apart: those of the paper's task, and some with edges in every
 * direction. */
static const struct shape {
    size_t m, n, k;
    char kind; /* n: a b, t: transposed a, b */
} shapes[] = {
    {113, 64, 512, 'n'}, {64, 512, 113, 't'}, {113, 512, 64, 'n'}, {113, 43, 512, 'n'},
    {129, 97, 301, 'n'}, {97, 112, 33, 't'},  {1, 113, 512, 'n'},
};

#define MOST (512 * 128) /* floats of the largest operand or product */

/* Numbers of all magnitudes around 1, the same everywhere. */
static void fill(float *x, size_t n, uint32_t state)
{
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state * 0x1p-30f;
    }
}

/* c by the library, d by our kernel; both [m, n] with n rounded up. */
static void products(const struct shape *s, float *c, float *d, const float *a, const float *b)
{
    size_t n = VEC_ROUND(s->n);
    if (s->kind == 'n') blas_gemm(c, n, a, s->k, b, n, s->m, n, s->k, 0);
    if (s->kind == 't') blas_gemm_tn(c, n, a, s->m, b, n, s->m, n, s->k, 0);
    if (s->kind == 't') vec->gemm(d, n, a, 1, s->m, b, n, s->m, n, s->k, 0);
    if (s->kind == 'n') vec->gemm(d, n, a, s->k, 1, b, n, s->m, n, s->k, 0);
}

/* Elements are sums of k products below 4; each sum rounds k times at most. */
static int products_agree(const struct shape *s, const float *c, const float *d, struct err *e)
{
    float most = (float)s->k * (float)s->k * 0x1p-22f;
    for (size_t i = 0; i < s->m * VEC_ROUND(s->n); i++)
        if (!(fabsf(c[i] - d[i]) <= most))
            return err_set(e, E_STATE,
                           "OpenBLAS (%s) and our kernels (%s) disagree on a product %zux%zux%zu: "
                           "%.9g and %.9g: this machine computes wrong numbers",
                           openblas_get_corename(), vec->level, s->m, s->n, s->k, c[i], d[i]);
    return OK;
}

static int products_hash(struct hash *h, float *block, struct err *e)
{
    float *a = block, *b = a + MOST, *c = b + MOST, *d = c + MOST;
    fill(a, MOST, 1);
    fill(b, MOST, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t bytes = shapes[i].m * VEC_ROUND(shapes[i].n) * sizeof *c;
        products(&shapes[i], c, d, a, b);
        int rc = products_agree(&shapes[i], c, d, e);
        if (rc < 0) return rc;
        hash_add(h, c, bytes);
        hash_add(h, d, bytes);
    }
    return OK;
}

int blas_open(char family[64], char fingerprint[65], struct err *e)
{
    struct hash h;
    int rc = vec_open(e);
    if (rc < 0) return rc;
    if (openblas_get_num_threads() != 1)
        return err_set(e, E_STATE, "OpenBLAS uses %d threads: set OPENBLAS_NUM_THREADS=1",
                       openblas_get_num_threads());
    float *block = vec_alloc(4 * MOST);
    if (!block) return err_set(e, E_NOMEM, "blas: no memory for %d floats", 4 * MOST);
    hash_start(&h);
    rc = products_hash(&h, block, e);
    hash_add(&h, OPENBLAS_VERSION, strlen(OPENBLAS_VERSION));
    hash_end(&h, fingerprint);
    snprintf(family, 64, "%s", openblas_get_corename());
    free(block);
    return rc;
}

void blas_gemm(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
               size_t m, size_t n, size_t k, int add)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda,
                b, (int)ldb, add ? 1 : 0, c, (int)ldc);
}

void blas_gemm_tn(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                  size_t m, size_t n, size_t k, int add)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b,
                (int)ldb, add ? 1 : 0, c, (int)ldc);
}

void blas_gemm_nt(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                  size_t m, size_t n, size_t k, int add)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b,
                (int)ldb, add ? 1 : 0, c, (int)ldc);
}
