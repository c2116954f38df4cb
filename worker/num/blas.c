// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS. */
#include "worker/num/blas.h"

#include "common/hash.h"
#include "worker/num/vec.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Products whose bits tell kernels apart: m, n, k, and which operand is transposed. Their shapes
 * are those of the paper's task and ones with edges in every direction. */
static const struct shape {
    size_t m, n, k;
    char kind; /* n: a b, t: transposed a, b: transposed b */
} shapes[] = {
    {64, 113, 512, 'b'}, {64, 512, 113, 'n'}, {113, 512, 64, 't'}, {226, 113, 512, 'n'},
    {129, 97, 301, 'n'}, {43, 113, 512, 'b'}, {1, 113, 512, 'n'},
};

#define MOST (512 * 226) /* floats of the largest operand */

/* Numbers of all magnitudes around 1, the same everywhere. */
static void fill(float *x, size_t n, uint32_t state)
{
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state * 0x1p-30f;
    }
}

static void product(const struct shape *s, float *c, const float *a, const float *b)
{
    if (s->kind == 'n') blas_gemm(c, s->n, a, s->k, b, s->n, s->m, s->n, s->k, 0);
    if (s->kind == 't') blas_gemm_tn(c, s->n, a, s->m, b, s->n, s->m, s->n, s->k, 0);
    if (s->kind == 'b') blas_gemm_nt(c, s->n, a, s->k, b, s->k, s->m, s->n, s->k, 0);
}

int blas_open(char family[64], char fingerprint[65], struct err *e)
{
    if (openblas_get_num_threads() != 1)
        return err_set(e, E_STATE, "OpenBLAS uses %d threads: set OPENBLAS_NUM_THREADS=1",
                       openblas_get_num_threads());
    float *block = vec_alloc(3 * MOST);
    if (!block) return err_set(e, E_NOMEM, "blas: no memory for %d floats", 3 * MOST);
    float *a = block, *b = a + MOST, *c = b + MOST;
    struct hash h;
    hash_start(&h);
    fill(a, MOST, 1);
    fill(b, MOST, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        product(&shapes[i], c, a, b);
        hash_add(&h, c, shapes[i].m * shapes[i].n * sizeof *c);
    }
    hash_add(&h, OPENBLAS_VERSION, strlen(OPENBLAS_VERSION));
    hash_end(&h, fingerprint);
    snprintf(family, 64, "%s", openblas_get_corename());
    free(block);
    return OK;
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
