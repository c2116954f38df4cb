// SPDX-License-Identifier: MIT
/* Who multiplies matrices: our kernels or OpenBLAS's, and the fingerprint of each. */
#include "tests/test.h"

#include "tests/ref/naive.h"
#include "worker/num/blas.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct blas opened(const char *family)
{
    struct blas b;
    struct err e;
    if (blas_open(&b, family, &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(strlen(b.fingerprint), 64);
    return b;
}

void test_family_and_fingerprint_are_the_same_every_time(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        const char *family = ours ? BLAS_OURS : blas_library_family();
        struct blas first = opened(family), second = opened(family);
        assert_string_equal(first.family, family);
        assert_string_equal(second.family, family);
        assert_string_equal(first.fingerprint, second.fingerprint);
    }
}

void test_ours_multiply_unless_others_are_asked_for(void **state)
{
    (void)state;
    struct blas ours = opened("auto");
    const struct vec *own = vec;
    assert_string_equal(ours.family, BLAS_OURS);
    assert_true(own == vec_level(4) || own == vec_level(3));
    struct blas other = opened(blas_library_family());
    assert_string_not_equal(other.fingerprint, ours.fingerprint);
    assert_true(vec->gemm != own->gemm && vec->adam == own->adam);
    assert_int_equal(vec_open(NULL), OK); /* as a trainer does */
    assert_true(vec->gemm != own->gemm);
    opened(BLAS_OURS);
    assert_ptr_equal(vec, own);
}

/* Whatever the processor and the compiler. Kernels that change it part with every run under way. */
void test_the_fingerprint_of_ours_is_this_one_everywhere(void **state)
{
    (void)state;
    opened("auto");
    if (!(__builtin_ia32_stmxcsr() & 0x8000)) skip(); /* valgrind cannot flush to zero */
    assert_string_equal(opened("auto").fingerprint,
                        "850b6789ec97640f6d3890a24ebed8302eb7c82b99e41c8df1b978e3e33b07ec");
}

void test_a_family_that_is_not_there_is_told_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(opened("Haswelll").family, blas_library_family());
}

/* y [M,N] = x z, or + 2: x plain or transposed, on rows that are longer than they need be. */
static void check_product(size_t M, size_t N, size_t K, int turned, int add)
{
    size_t n = VEC_ROUND(N), ldx = (turned ? M : K) + 3, xi = turned ? 1 : ldx;
    size_t xk = turned ? ldx : 1;
    float *x = vec_alloc(ldx * (turned ? K : M)), *z = vec_alloc(K * n), *y = vec_alloc(M * n);
    double *right = calloc(M * n, sizeof *right);
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < K; k++) x[i * xi + k * xk] = ((float)i - (float)k) / 7;
    for (size_t k = 0; k < K; k++)
        for (size_t j = 0; j < N; j++) z[k * n + j] = (float)(k * j % 4) / 8 + 0.1f;
    for (size_t i = 0; i < M * n; i++) y[i] = 2;
    naive_gemm(right, x, xi, xk, z, n, M, n, K);
    vec->gemm(y, n, x, xi, xk, z, n, M, n, K, add);
    for (size_t i = 0; i < M * n; i++)
        if (fabs(y[i] - (right[i] + 2 * add)) > 1e-5 * (double)(K * K))
            fail_msg("%zux%zux%zu, element %zu: %.9g, expected %.9g", M, N, K, i, (double)y[i],
                     right[i] + 2 * add);
    free(x), free(z), free(y), free(right);
}

void test_products_of_the_library_are_those_of_the_naive_twin(void **state)
{
    (void)state;
    opened(blas_library_family());
    for (int way = 0; way < 4; way++) {
        check_product(5, 7, 6, way & 1, way >> 1);
        check_product(1, 16, 9, way & 1, way >> 1);
        check_product(33, 70, 40, way & 1, way >> 1);
    }
}
