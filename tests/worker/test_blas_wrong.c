// SPDX-License-Identifier: MIT
/* A machine whose library multiplies wrongly: the product below stands in OpenBLAS's place in this
 * program. */
#include "tests/test.h"

#include "worker/num/blas.h"
#include "worker/num/vec.h"

#include <string.h>

static int64_t element, count; /* which of all elements computed is wrong */

void cblas_sgemm(int layout, int turn_a, int turn_b, int m, int n, int k, float alpha,
                 const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    const int as_stored = 111;
    assert_int_equal(layout, 101); /* by rows */
    assert_int_equal(turn_b, as_stored);
    assert_true(alpha == 1 && beta == 0);
    size_t xi = turn_a == as_stored ? (size_t)lda : 1, xk = turn_a == as_stored ? 1 : (size_t)lda;
    vec_level(3)->gemm(c, (size_t)ldc, a, xi, xk, b, (size_t)ldb, (size_t)m, (size_t)n, (size_t)k,
                       0);
    if (element >= count && element < count + m * n)
        c[(element - count) / n * ldc + (element - count) % n] += 0.5f;
    count += m * n;
}

static int opened(const char *family, int64_t wrong, struct err *e)
{
    struct blas b;
    element = wrong;
    count = 0;
    *e = (struct err){0};
    return blas_open(&b, family, e);
}

void test_one_wrong_element_of_any_product_is_seen_whoever_multiplies(void **state)
{
    (void)state;
    struct err e;
    const int64_t steps = test_short() ? 2 : 10;
    for (int ours = 0; ours < 2; ours++) {
        const char *family = ours ? BLAS_OURS : "Haswell";
        assert_int_equal(opened(family, -1, &e), OK);
        int64_t last = count - VEC_FLOATS; /* the tiny product at the end is not compared */
        for (int64_t wrong = 0; wrong < last; wrong += last / steps) {
            assert_int_equal(opened(family, wrong, &e), E_STATE);
            assert_non_null(strstr(e.text, "this machine computes wrong numbers"));
        }
    }
}
