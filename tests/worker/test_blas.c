// SPDX-License-Identifier: MIT
/* The door of OpenBLAS: its three products, and the fingerprint. */
#include "tests/test.h"

#include "tests/ref/naive.h"
#include "worker/num/blas.h"

#include <math.h>
#include <string.h>

void test_family_and_fingerprint_are_the_same_every_time(void **state)
{
    (void)state;
    struct err e;
    char family[2][64], print[2][65];
    for (int i = 0; i < 2; i++) assert_int_equal(blas_open(family[i], print[i], &e), OK);
    assert_true(strlen(family[0]) > 0);
    assert_int_equal(strlen(print[0]), 64);
    assert_string_equal(family[0], family[1]);
    assert_string_equal(print[0], print[1]);
}

void test_products_plain_and_transposed_are_those_of_the_naive_twin(void **state)
{
    (void)state;
    enum { M = 5, N = 7, K = 6 };
    float a[M * K], at[K * M], b[K * N], bt[N * K], c[3][M * N];
    double right[M * N];
    for (int i = 0; i < M; i++)
        for (int k = 0; k < K; k++) a[i * K + k] = at[k * M + i] = (float)(i - k) / 3;
    for (int k = 0; k < K; k++)
        for (int j = 0; j < N; j++) b[k * N + j] = bt[j * K + k] = (float)(k * j % 4) + 0.1f;
    naive_gemm(right, a, K, 1, b, N, M, N, K);
    for (int add = 0; add < 2; add++) {
        for (int i = 0; i < 3 * M * N; i++) c[i / (M * N)][i % (M * N)] = 2;
        blas_gemm(c[0], N, a, K, b, N, M, N, K, add);
        blas_gemm_tn(c[1], N, at, M, b, N, M, N, K, add);
        blas_gemm_nt(c[2], N, a, K, bt, K, M, N, K, add);
        for (int i = 0; i < 3 * M * N; i++)
            assert_true(fabs(c[i / (M * N)][i % (M * N)] - (right[i % (M * N)] + 2 * add)) < 1e-5);
    }
}
