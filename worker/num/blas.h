// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS. One thread, row-major, single precision.
 *
 * Its bits depend on the family of kernels it picks for the processor, so a run remembers the
 * family and a fingerprint of what the family computes.
 */
#ifndef GROKD_NUM_BLAS_H
#define GROKD_NUM_BLAS_H

#include "common/err.h"

#include <stddef.h>

/* Family of kernels in use, and SHA-256 in hexadecimal of fixed products and the library's version.
 * E_STATE if the library would use more than one thread. */
int blas_open(char family[64], char fingerprint[65], struct err *e);

/* c = a b, or + c if add:   a [m,k] (lda), b [k,n] (ldb), c [m,n] (ldc), row-major, no aliasing.
 * blas_gemm_tn reads a as [k,m], blas_gemm_nt reads b as [n,k].   2*m*n*k flops. */
void blas_gemm(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
               size_t m, size_t n, size_t k, int add);
void blas_gemm_tn(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                  size_t m, size_t n, size_t k, int add);
void blas_gemm_nt(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                  size_t m, size_t n, size_t k, int add);

#endif
