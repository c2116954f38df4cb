// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS, one thread, row-major, single precision; and the check and the
 * fingerprint of every matrix product that a run may use.
 *
 * OpenBLAS's bits depend on the family of kernels it picks for the processor. Those of vec->gemm do
 * not, and on the small products of training it is faster, so passes use that. The library is its
 * independent check, when a program starts, and serves products that are not worth a kernel.
 */
#ifndef GROKD_NUM_BLAS_H
#define GROKD_NUM_BLAS_H

#include "common/err.h"

#include <stddef.h>

/* Opens the kernels too. Puts the family that OpenBLAS uses, and SHA-256 in hexadecimal of fixed
 * products by the library and by vec->gemm, and of the library's version. E_STATE if the library
 * would use more than one thread, or if the two disagree by more than rounding: one of them is
 * wrong on this machine. */
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
