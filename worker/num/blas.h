// SPDX-License-Identifier: MIT
/* blas: the door of OpenBLAS, and the choice of who multiplies matrices.
 *
 * Our own product, vec->gemm, gives the same bits on every processor and is faster on the small
 * matrices of training: it is the family BLAS_OURS, and what runs are trained with unless they say
 * otherwise. Any other family is one of OpenBLAS's kernels, whose bits are that family's own; it
 * takes the place of vec->gemm. Everything else of vec is ours in any case. Whoever multiplies is
 * checked against the other one when a program starts.
 */
#ifndef GROKD_NUM_BLAS_H
#define GROKD_NUM_BLAS_H

#include "common/err.h"

#define BLAS_OURS "grokd"

/* Who multiplies, and SHA-256 in hexadecimal of fixed products over the shapes in use, one of them
 * so small that it tells whether such numbers are flushed to zero; for a family of OpenBLAS, of its
 * version too. Programs with the same two give the same bits. */
struct blas {
    char family[64];
    char fingerprint[65];
};

/* Family of kernels that OpenBLAS took when it was loaded: the processor's best, or that of
 * OPENBLAS_CORETYPE if it can be used here. Lends a constant. */
const char *blas_library_family(void);

/* Opens the kernels (vec), sets the float mode of this thread and lets `family` multiply:
 * BLAS_OURS, or "auto" for the same, or any other name for OpenBLAS with one thread and the kernels
 * that it took, which are not always those that were asked for: b->family says which. E_STATE if
 * OpenBLAS insists on several threads, or if it and our kernels disagree by more than rounding: one
 * of them is wrong on this machine. */
int blas_open(struct blas *b, const char *family, struct err *e);

#endif
