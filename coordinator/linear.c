// SPDX-License-Identifier: MIT
/* linear: the coordinator's door of OpenBLAS and its LAPACK. */
#include "coordinator/linear.h"

#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* LAPACK 3.11, dsyevr.f: chosen eigenvalues of a real symmetric matrix by relatively robust
 * representations. No header of the library declares it; the lengths of its three texts come last.
 */
void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a,
             const int *lda, const double *vl, const double *vu, const int *il, const int *iu,
             const double *abstol, int *m, double *w, double *z, const int *ldz, int *isuppz,
             double *work, const int *lwork, int *iwork, const int *liwork, int *info,
             size_t jobz_length, size_t range_length, size_t uplo_length);

void linear_gram(double *s, const double *x, int n, int m)
{
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, m, n, 1, x, m, 1, s, m);
}

int linear_top(double *a, int m, int k, double *values, double *vectors, struct err *e)
{
    int from = m - k + 1, found = 0, info = 0, work_size = 32 * m, integers = 10 * m;
    double none = 0;
    /* A row-major upper triangle is LAPACK's lower one; it finds the greatest last. */
    double *w = malloc((size_t)m * sizeof *w);
    double *z = malloc((size_t)m * (size_t)k * sizeof *z);
    double *work = malloc((size_t)work_size * sizeof *work);
    int *integer = malloc((size_t)(integers + 2 * m) * sizeof *integer);
    int rc = w && z && work && integer
                 ? OK
                 : err_set(e, E_NOMEM, "no memory for a matrix of %d rows", m);
    if (rc == OK) {
        dsyevr_("V", "I", "L", &m, a, &m, &none, &none, &from, &m, &none, &found, w, z, &m,
                integer + integers, work, &work_size, integer, &integers, &info, 1, 1, 1);
        if (info != 0 || found != k)
            rc = err_set(e, E_STATE, "eigenvalues of a matrix of %d rows: LAPACK says %d", m, info);
    }
    for (int i = 0; i < k && rc == OK; i++) {
        values[i] = w[k - 1 - i];
        memcpy(vectors + (size_t)i * (size_t)m, z + (size_t)(k - 1 - i) * (size_t)m,
               (size_t)m * sizeof *z);
    }
    free(w);
    free(z);
    free(work);
    free(integer);
    return rc;
}
