// SPDX-License-Identifier: MIT
/* Kernels: each against its slow twin, and both levels against each other, bit for bit. */
#include "tests/test.h"

#include "common/philox.h"
#include "tests/ref/naive.h"
#include "worker/num/vec.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static float *random_floats(size_t n, uint32_t stream)
{
    const struct philox p = {5, stream, PHILOX_INIT};
    float *x = vec_alloc(n);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = (float)philox_normal(&p, i);
    return x;
}

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

/* Runs a check at every level that the processor has; the float mode is the trainer's. */
static void at_levels(void (*check)(const struct vec *k, float *out, size_t n), size_t n)
{
    float *out[2] = {vec_alloc(n), vec_alloc(n)};
    vec_set_float_mode();
    assert_non_null(vec_level(3));
    for (int level = 3; level <= 4; level++)
        if (vec_level(level)) check(vec_level(level), out[level - 3], n);
    if (vec_level(4)) assert_memory_equal(out[0], out[1], n * sizeof(float));
    free(out[0]);
    free(out[1]);
}

struct shape {
    size_t m, n, k;
};

/* One product, x plain or transposed, from zero or on top of what is there. */
static void check_product(const struct vec *kernels, struct shape s, bool turned, int add,
                          float *out)
{
    size_t n = VEC_ROUND(s.n), ldz = n + 16, ldy = n + 32;
    float *x = random_floats(s.m * s.k, 1), *z = random_floats(s.k * ldz, 2);
    float *y = random_floats(s.m * ldy, 3), *start = random_floats(s.m * ldy, 3);
    double *right = calloc(s.m * n, sizeof *right);
    size_t xi = turned ? 1 : s.k, xk = turned ? s.m : 1;
    naive_gemm(right, x, xi, xk, z, ldz, s.m, n, s.k);
    kernels->gemm(y, ldy, x, xi, xk, z, ldz, s.m, n, s.k, add);
    for (size_t i = 0; i < s.m; i++)
        for (size_t j = 0; j < ldy; j++) {
            double from = add || j >= n ? start[i * ldy + j] : 0;
            if (j < n)
                check_near(y[i * ldy + j], from + right[i * n + j], 1e-6 * (double)(s.k + 10));
            else
                check_near(y[i * ldy + j], from, 0);
        }
    memcpy(out, y, s.m * ldy * sizeof *y);
    free(x), free(z), free(y), free(start), free(right);
}

static void check_gemm(const struct vec *kernels, float *out, size_t room)
{
    const struct shape shapes[] = {{1, 16, 1}, {6, 64, 128},   {7, 80, 129},  {113, 64, 512},
                                   {5, 48, 0}, {64, 528, 113}, {13, 112, 64}, {2, 32, 300}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int way = 0; way < 4; way++) {
            size_t n = shapes[i].m * (VEC_ROUND(shapes[i].n) + 32);
            assert_true(used + n <= room);
            check_product(kernels, shapes[i], way & 1, way & 2, out + used);
            used += n;
        }
}

void test_products_are_those_of_the_naive_twin_at_every_level(void **state)
{
    (void)state;
    at_levels(check_gemm, 300000);
}

static void check_transpose(const struct vec *kernels, float *out, size_t room)
{
    for (size_t m = 1; m <= 64; m += m < 18 ? 1 : 23)
        for (size_t n = 1; n <= 40; n += n < 18 ? 1 : 11) {
            float *x = random_floats(m * 48, 1), *y = random_floats(n * 64, 2);
            kernels->transpose(y, 64, x, 48, m, n);
            for (size_t j = 0; j < n; j++)
                for (size_t i = 0; i < VEC_ROUND(m); i++)
                    check_near(y[j * 64 + i], i < m ? x[i * 48 + j] : 0, 0);
            free(x), free(y);
        }
    memset(out, 0, room * sizeof *out);
}

void test_transposing_moves_every_element_and_clears_the_lanes_after_them(void **state)
{
    (void)state;
    at_levels(check_transpose, 16);
}

#define ROWS 9
#define COLS 48

static void check_rows(const struct vec *kernels, float *out, size_t room)
{
    float *w = random_floats(ROWS * COLS, 1), *bias = random_floats(COLS, 2);
    float *y = random_floats(3 * COLS, 3), *sum = random_floats(COLS, 4);
    float *start = random_floats(COLS, 4), total[2 * ROWS];
    const int32_t row[3][2] = {{0, 8}, {3, 3}, {7, 1}};
    assert_true(room >= 4 * COLS + 2 * ROWS);
    kernels->gather(y, COLS, w, COLS, bias, row, 3, COLS);
    kernels->sum_rows(sum, w, COLS, ROWS, COLS, 1);
    kernels->sum_columns(total, w, COLS, ROWS, COLS, 0);
    for (int i = 0; i < ROWS; i++) total[ROWS + i] = (float)i;
    kernels->sum_columns(total + ROWS, w, COLS, ROWS, COLS, 1);
    for (size_t j = 0; j < COLS; j++) {
        double right = start[j];
        for (size_t s = 0; s < 3; s++)
            check_near(y[s * COLS + j],
                       (double)w[row[s][0] * COLS + j] + w[row[s][1] * COLS + j] + bias[j], 1e-6);
        for (size_t i = 0; i < ROWS; i++) right += w[i * COLS + j];
        check_near(sum[j], right, 1e-5);
    }
    for (size_t i = 0; i < ROWS; i++) {
        double right = 0;
        for (size_t j = 0; j < COLS; j++) right += w[i * COLS + j];
        check_near(total[i], right, 1e-5);
        check_near(total[ROWS + i], (double)i + right, 1e-5);
    }
    memcpy(out, y, 3 * COLS * sizeof *y);
    memcpy(out + 3 * COLS, sum, COLS * sizeof *sum);
    memcpy(out + 4 * COLS, total, sizeof total);
    free(w), free(bias), free(y), free(sum), free(start);
}

void test_rows_are_gathered_and_summed_as_by_plain_loops(void **state)
{
    (void)state;
    at_levels(check_rows, 4 * COLS + 2 * ROWS);
}

static void check_relu(const struct vec *kernels, float *out, size_t n)
{
    float *x = random_floats(n, 1), *dx = random_floats(n, 2);
    float *was = random_floats(n, 1), *slope = random_floats(n, 2);
    x[0] = was[0] = 0, x[1] = was[1] = -0.0f, x[2] = INFINITY, x[3] = NAN;
    kernels->relu(x, n);
    assert_true(isnan(x[3]) && x[2] == INFINITY);
    kernels->relu_backward(dx, x, n);
    for (size_t i = 4; i < n; i++) {
        check_near(x[i], was[i] > 0 ? was[i] : 0, 0);
        check_near(dx[i], was[i] > 0 ? slope[i] : 0, 0);
    }
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == slope[2]);
    memcpy(out, dx, n * sizeof *dx);
    free(x), free(dx), free(was), free(slope);
}

void test_relu_keeps_what_is_positive_and_its_slope(void **state)
{
    (void)state;
    at_levels(check_relu, 64);
}

#define CLASSES 13

static void check_softmax_of(const struct vec *kernels, size_t count, float spread, float *out)
{
    float *z = random_floats(CLASSES * VEC_LANES, 7);
    double logits[CLASSES], p[CLASSES], loss = 0;
    int32_t label[VEC_LANES];
    struct vec_score sum = {1, 2}, plain = {1, 2};
    for (size_t i = 0; i < CLASSES * VEC_LANES; i++) z[i] *= spread;
    for (size_t s = 0; s < count; s++) label[s] = (int32_t)(s % CLASSES);
    float *was = vec_alloc(CLASSES * VEC_LANES);
    memcpy(was, z, CLASSES * VEC_LANES * sizeof *z);
    kernels->softmax_xent(z, VEC_LANES, label, CLASSES, count, 0, &plain);
    assert_memory_equal(z, was, CLASSES * VEC_LANES * sizeof *z);
    kernels->softmax_xent(z, VEC_LANES, label, CLASSES, count, 0.5f, &sum);
    assert_memory_equal(&plain, &sum, sizeof sum);
    int64_t hits = 2;
    for (size_t s = 0; s < count; s++) {
        size_t top = 0;
        for (size_t c = 0; c < CLASSES; c++) logits[c] = was[c * VEC_LANES + s];
        for (size_t c = 1; c < CLASSES; c++)
            if (logits[c] > logits[top]) top = c;
        hits += (int32_t)top == label[s];
        loss += naive_softmax_xent(logits, CLASSES, (size_t)label[s], p);
        p[label[s]] -= 1;
        for (size_t c = 0; c < CLASSES; c++) check_near(z[c * VEC_LANES + s], 0.5 * p[c], 3e-7);
    }
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t s = count; s < VEC_ROUND(count); s++) assert_true(z[c * VEC_LANES + s] == 0);
    assert_int_equal(sum.hits, hits);
    check_near(sum.loss, 1 + loss, 3e-7 * (1 + loss));
    memcpy(out, z, CLASSES * VEC_LANES * sizeof *z);
    out[CLASSES * VEC_LANES] = (float)sum.loss;
    free(z), free(was);
}

static void check_softmax(const struct vec *kernels, float *out, size_t room)
{
    const size_t counts[] = {1, 15, 16, 43, 64};
    const float spreads[] = {0, 0.1f, 1, 30, 1000};
    const size_t step = CLASSES * VEC_LANES + 1;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            assert_true((5 * i + j + 1) * step <= room);
            check_softmax_of(kernels, counts[i], spreads[j], out + (5 * i + j) * step);
        }
}

void test_softmax_and_its_loss_are_those_of_the_naive_twin(void **state)
{
    (void)state;
    at_levels(check_softmax, 25 * (CLASSES * VEC_LANES + 1));
}

/* Logits of two classes that differ by d: the loss is ln(1 + exp(-d)), tiny for a large d. */
void test_a_loss_near_zero_keeps_its_digits(void **state)
{
    (void)state;
    assert_int_equal(vec_open(NULL), OK);
    for (float d = 0; d < 80; d += 0.7f) {
        float *z = vec_alloc(2 * VEC_FLOATS);
        struct vec_score sum = {0};
        z[0] = 100, z[VEC_FLOATS] = 100 - d;
        double exact = log1p(exp(-((double)z[0] - z[VEC_FLOATS])));
        vec->softmax_xent(z, VEC_FLOATS, (int32_t[]){0}, 2, 1, 0, &sum);
        check_near(sum.loss, exact, 1e-6 * exact);
        free(z);
    }
}

void test_a_logit_that_is_no_number_makes_the_loss_none(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY};
    assert_int_equal(vec_open(NULL), OK);
    for (int kind = 0; kind < 2; kind++)
        for (size_t at = 0; at < 3; at++)
            for (float scale = 0; scale < 2; scale++) {
                float *z = vec_alloc(3 * VEC_FLOATS);
                struct vec_score sum = {0};
                z[at * VEC_FLOATS] = bad[kind];
                vec->softmax_xent(z, VEC_FLOATS, (int32_t[]){1}, 3, 1, scale, &sum);
                assert_false(isfinite(sum.loss));
                free(z);
            }
}

void test_of_equal_logits_the_first_counts(void **state)
{
    (void)state;
    assert_int_equal(vec_open(NULL), OK);
    for (int32_t label = 0; label < 3; label++) {
        float *z = vec_alloc(3 * VEC_FLOATS);
        struct vec_score sum = {0};
        vec->softmax_xent(z, VEC_FLOATS, &label, 3, 1, 0, &sum);
        assert_int_equal(sum.hits, label == 0);
        check_near(sum.loss, log(3), 1e-6);
        free(z);
    }
}

/* Distance in units of the last place of the right value. */
static double ulps(float is, double right)
{
    return fabs(is - right) /
           ((double)nextafterf(fabsf((float)right), INFINITY) - fabs((float)right));
}

static void check_elementary(const struct vec *kernels, float *out, size_t n)
{
    float *x = vec_alloc(n), *y = vec_alloc(n);
    for (size_t i = 0; i < n; i++) x[i] = -87.3f + (float)i * (175.3f / (float)n);
    kernels->exp(y, x, n);
    for (size_t i = 0; i < n; i++) assert_true(ulps(y[i], exp(x[i])) <= 2);
    memcpy(out, y, n * sizeof *y);
    for (size_t i = 0; i < n; i++) x[i] = expf(-87 + (float)i * (175.0f / (float)n));
    for (size_t i = 0; i < n; i += 2) x[i] = 0.5f + (float)i * (2.0f / (float)n);
    kernels->log(y, x, n);
    for (size_t i = 0; i < n; i++) assert_true(x[i] == 1 ? y[i] == 0 : ulps(y[i], log(x[i])) <= 2);
    for (size_t i = 0; i < n; i++) out[i] += y[i];
    free(x), free(y);
}

void test_exp_and_log_are_within_two_units_of_the_last_place(void **state)
{
    (void)state;
    at_levels(check_elementary, 1 << 18);
}

void test_exp_ends_in_zero_infinity_and_not_a_number(void **state)
{
    (void)state;
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        float *x = vec_alloc(VEC_FLOATS);
        x[0] = -INFINITY, x[1] = INFINITY, x[2] = NAN, x[3] = -88, x[4] = 89, x[5] = 0;
        vec_level(level)->exp(x, x, VEC_FLOATS);
        assert_true(x[0] == 0 && x[1] == INFINITY && isnan(x[2]) && x[3] == 0 && x[4] == INFINITY);
        assert_true(x[5] == 1);
        free(x);
    }
}

static void check_dot(const struct vec *kernels, float *out, size_t n)
{
    float *a = random_floats(n, 1), *b = random_floats(n, 2), *g = random_floats(n, 3);
    for (size_t len = 0; len < n; len += len < 40 ? 1 : 331) {
        double plain = 0, weighted = 0;
        for (size_t i = 0; i < len; i++) {
            plain += (double)a[i] * b[i];
            weighted += (double)g[i] * a[i] * b[i];
        }
        check_near(kernels->dot(a, b, len), plain, 1e-11);
        check_near(kernels->dot_weighted(g, a, b, len), weighted, 1e-11);
    }
    double sum = kernels->dot(a, b, n);
    memcpy(out, &sum, sizeof sum);
    free(a), free(b), free(g);
}

void test_sums_of_products_are_those_of_double_loops(void **state)
{
    (void)state;
    at_levels(check_dot, 4000);
}

void test_the_float_mode_is_set_and_its_loss_is_seen(void **state)
{
    (void)state;
    vec_set_float_mode();
    assert_true(vec_float_mode_holds());
    volatile float tiny = FLT_MIN, result;
    result = tiny / 2;
    if (__builtin_ia32_stmxcsr() & 0x8000) assert_true(result == 0); /* valgrind has no such mode */
    __builtin_ia32_ldmxcsr(0x3f80); /* rounds down, as a library may leave it */
    assert_false(vec_float_mode_holds());
    vec_set_float_mode();
    assert_true(vec_float_mode_holds());
}

/* ---- pruning walks ---- */

enum { WALK = 48 };

static void check_walk_add(const struct vec *kernels, float *out, size_t n)
{
    (void)n;
    float *f = random_floats(WALK, 1), *start = random_floats(WALK, 1), *z = random_floats(WALK, 2);
    f[5] = start[5] = -INFINITY;
    kernels->walk_add(f, z, 0.7f, WALK);
    for (size_t s = 0; s < WALK; s++) {
        if (s == 5)
            assert_true(f[s] == -INFINITY);
        else
            check_near(f[s], start[s] + 0.7f * (double)(z[s] > 0 ? z[s] : 0), 1e-6);
    }
    memcpy(out, f, WALK * sizeof *f);
    free(f), free(start), free(z);
}

void test_a_weight_that_comes_back_adds_to_the_logits_of_active_neurons(void **state)
{
    (void)state;
    at_levels(check_walk_add, WALK);
}

static void check_walk_watch(const struct vec *kernels, float *out, size_t n)
{
    (void)n;
    float *f = random_floats(WALK, 1), *twin = random_floats(WALK, 1), *z = random_floats(WALK, 2);
    float *own = random_floats(WALK, 3), *slack = random_floats(WALK, 4);
    float *sure = random_floats(WALK, 5), *was = random_floats(WALK, 5), *rival = vec_alloc(WALK);
    uint16_t doubt[WALK];
    size_t count = 0;
    for (size_t s = 0; s < WALK; s++) rival[s] = (float)(s % 4) - 1;
    kernels->walk_add(twin, z, -0.7f, WALK);
    const struct vec_watch watch = {own, rival, slack, sure};
    size_t doubts = kernels->walk_watch(f, z, -0.7f, 2, &watch, doubt, WALK);
    for (size_t s = 0; s < WALK; s++) {
        float lead = own[s] - twin[s], right = was[s];
        if (rival[s] < 0 && lead < right) right = lead;
        if (rival[s] == 2) right = -lead;
        assert_true(f[s] == twin[s] && sure[s] == right);
        if (right > slack[s]) continue;
        assert_true(count < doubts);
        assert_int_equal(doubt[count++], s);
    }
    assert_int_equal(count, doubts);
    assert_true(count > 0 && count < WALK);
    memcpy(out, sure, WALK * sizeof *sure);
    free(f), free(twin), free(z), free(own), free(slack), free(sure), free(was), free(rival);
}

void test_samples_whose_lead_is_no_longer_sure_are_listed(void **state)
{
    (void)state;
    at_levels(check_walk_watch, WALK);
}

static void check_walk_row(const struct vec *kernels, float *out, size_t n)
{
    (void)n;
    for (int sign = -1; sign <= 1; sign++) {
        float *g = random_floats(WALK, 1), *start = random_floats(WALK, 1);
        float *w = random_floats(WALK, 2), range[2], low = 0, high = 0;
        for (size_t c = 0; sign && c < WALK; c++) {
            g[c] = start[c] = (float)sign * fabsf(g[c]);
            w[c] = (float)sign * fabsf(w[c]);
        }
        kernels->walk_row(g, w, 0.3f, range, WALK);
        for (size_t c = 0; c < WALK; c++) {
            check_near(g[c], start[c] + 0.3f * (double)w[c], 1e-6);
            low = fminf(low, g[c]), high = fmaxf(high, g[c]);
        }
        assert_true(range[0] == low && range[1] == high);
        memcpy(out, g, WALK * sizeof *g);
        free(g), free(start), free(w);
    }
}

void test_a_row_is_added_and_its_range_told(void **state)
{
    (void)state;
    at_levels(check_walk_row, WALK);
}

static void check_walk_rows(const struct vec *kernels, float *out, size_t n)
{
    const uint16_t lane[] = {0, 2, 3, 6};
    const float by[] = {0.3f, -1, 0, 2};
    for (size_t ld = 16; ld <= n; ld += 16) {
        float *g = random_floats(7 * ld, 1), *twin = random_floats(7 * ld, 1);
        float *w = random_floats(ld, 2);
        kernels->walk_rows(g, ld, w, by, lane, 4);
        for (size_t i = 0; i < 4; i++)
            for (size_t c = 0; c < ld; c++)
                twin[lane[i] * ld + c] = fmaf(by[i], w[c], twin[lane[i] * ld + c]);
        for (size_t i = 0; i < 7 * ld; i++) assert_true(g[i] == twin[i]);
        memcpy(out, g, ld * sizeof *g);
        free(g), free(twin), free(w);
    }
}

void test_a_row_is_added_to_the_samples_listed_and_to_no_other(void **state)
{
    (void)state;
    at_levels(check_walk_rows, 272);
}

static void check_walk_join(const struct vec *kernels, float *out, size_t n)
{
    float *f = random_floats(32 * WALK, 1), *was = random_floats(32 * WALK, 1);
    float *g = random_floats(WALK * 32, 2), *row = random_floats(WALK * 32, 2);
    f[5 * WALK + 7] = was[5 * WALK + 7] = -INFINITY;
    kernels->walk_join(out, f, WALK, g, 32, n);
    for (size_t s = 0; s < n; s++) {
        float best = -INFINITY;
        for (size_t c = 0; c < 32; c++) {
            assert_true(f[c * WALK + s] == was[c * WALK + s] + row[s * 32 + c]);
            assert_true(g[s * 32 + c] == 0);
            best = fmaxf(best, f[c * WALK + s]);
        }
        assert_true(out[s] == best);
    }
    free(f), free(was), free(g), free(row);
}

void test_rows_join_the_logits_and_the_greatest_is_told(void **state)
{
    (void)state;
    at_levels(check_walk_join, WALK);
}
