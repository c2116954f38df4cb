// SPDX-License-Identifier: MIT
/* The losses beside softmax and the activation beside ReLU: each kernel against its slow twin, and
 * both levels against each other, bit for bit. (Softmax and ReLU: test_kernels.)
 */
#include "tests/test.h"

#include "common/philox.h"
#include "tests/ref/naive.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 13

typedef void loss_kernel(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                         float scale, struct vec_score *score);
typedef double loss_twin(const double *z, size_t classes, size_t label, double *dz);

struct loss {
    loss_kernel *kernel;
    loss_twin *twin;
};

static void losses_of(const struct vec *kernels, struct loss out[2])
{
    out[0] = (struct loss){kernels->mse, naive_mse};
    out[1] = (struct loss){kernels->stablemax_xent, naive_stablemax};
}

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

static float *random_logits(float spread)
{
    const struct philox p = {5, 7, PHILOX_INIT};
    float *z = vec_alloc(CLASSES * VEC_LANES);
    for (size_t i = 0; i < CLASSES * VEC_LANES; i++) z[i] = spread * (float)philox_normal(&p, i);
    return z;
}

/* Slopes and the summed loss of samples 0..count-1, put after one another into out. */
static void check_loss(const struct loss *loss, size_t count, float spread, float *out)
{
    float *z = random_logits(spread), *was = random_logits(spread);
    double logits[CLASSES], dz[CLASSES], right = 0, largest = 1 + spread;
    struct vec_score sum = {1, 2}, plain = {1, 2};
    int64_t hits = 2;
    int32_t label[VEC_LANES];
    for (size_t s = 0; s < VEC_LANES; s++) label[s] = (int32_t)(s % CLASSES);
    loss->kernel(z, VEC_LANES, label, CLASSES, count, 0, &plain);
    assert_memory_equal(z, was, CLASSES * VEC_LANES * sizeof *z);
    loss->kernel(z, VEC_LANES, label, CLASSES, count, 0.5f, &sum);
    assert_memory_equal(&plain, &sum, sizeof sum);
    for (size_t s = 0; s < count; s++) {
        size_t top = 0;
        for (size_t c = 0; c < CLASSES; c++) logits[c] = was[c * VEC_LANES + s];
        for (size_t c = 1; c < CLASSES; c++)
            if (logits[c] > logits[top]) top = c;
        hits += (int32_t)top == label[s];
        right += loss->twin(logits, CLASSES, (size_t)label[s], dz);
        for (size_t c = 0; c < CLASSES; c++)
            check_near(z[c * VEC_LANES + s], 0.5 * dz[c], 3e-7 * largest);
    }
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t s = count; s < VEC_ROUND(count); s++) assert_true(z[c * VEC_LANES + s] == 0);
    assert_int_equal(sum.hits, hits);
    check_near(sum.loss, 1 + right, 1e-6 * (1 + right));
    memcpy(out, z, CLASSES * VEC_LANES * sizeof *z);
    out[CLASSES * VEC_LANES] = (float)sum.loss;
    free(z), free(was);
}

void test_losses_and_their_slopes_are_those_of_the_naive_twins_at_every_level(void **state)
{
    (void)state;
    const size_t counts[] = {1, 15, 16, 43, 64};
    const float spreads[] = {0, 0.1f, 1, 30, 1000};
    vec_set_float_mode();
    assert_non_null(vec_level(3));
    for (int i = 0; i < 50; i++) {
        float out[2][CLASSES * VEC_LANES + 1];
        for (int level = 3; level <= 4; level++) {
            struct loss loss[2];
            if (!vec_level(level)) continue;
            losses_of(vec_level(level), loss);
            check_loss(&loss[i % 2], counts[i / 2 % 5], spreads[i / 10], out[level - 3]);
        }
        if (vec_level(4)) assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
}

void test_the_slopes_of_the_twins_are_central_differences(void **state)
{
    (void)state;
    loss_twin *const twins[] = {naive_mse, naive_stablemax};
    double z[CLASSES], dz[CLASSES], none[CLASSES];
    for (size_t c = 0; c < CLASSES; c++) z[c] = 0.7 * (double)c - 3.1;
    for (size_t label = 0; label < CLASSES; label++)
        for (int k = 0; k < 2; k++) {
            twins[k](z, CLASSES, label, dz);
            for (size_t c = 0; c < CLASSES; c++) {
                double was = z[c], step = 1e-6;
                z[c] = was + step;
                double above = twins[k](z, CLASSES, label, none);
                z[c] = was - step;
                double below = twins[k](z, CLASSES, label, none);
                z[c] = was;
                check_near(dz[c], (above - below) / (2 * step), 1e-9);
            }
        }
}

/* arXiv 2501.04697: where softmax would round the loss to exactly zero and stop learning, StableMax
 * has a loss and a slope that pulls on. */
void test_stablemax_still_learns_where_softmax_has_collapsed(void **state)
{
    (void)state;
    assert_int_equal(vec_open(NULL), OK);
    float *soft = vec_alloc(2 * VEC_FLOATS), *stable = vec_alloc(2 * VEC_FLOATS);
    struct vec_score sum = {0};
    soft[0] = stable[0] = 200;
    vec->softmax_xent(soft, VEC_FLOATS, (int32_t[]){0}, 2, 1, 1, &sum);
    assert_true(sum.loss == 0 && soft[0] == 0);
    vec->stablemax_xent(stable, VEC_FLOATS, (int32_t[]){0}, 2, 1, 1, &sum);
    check_near(sum.loss, log(202.0 / 201), 1e-9);
    check_near(stable[0], 1 / 202.0 - 1 / 201.0, 1e-10);
    free(soft), free(stable);
}

void test_a_logit_that_is_no_number_makes_any_loss_none(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY};
    struct loss loss[2];
    assert_int_equal(vec_open(NULL), OK);
    losses_of(vec, loss);
    for (int i = 0; i < 4; i++)
        for (size_t at = 0; at < 3; at++)
            for (float scale = 0; scale < 2; scale++) {
                float *z = vec_alloc(3 * VEC_FLOATS);
                struct vec_score sum = {0};
                z[at * VEC_FLOATS] = bad[i / 2];
                loss[i % 2].kernel(z, VEC_FLOATS, (int32_t[]){1}, 3, 1, scale, &sum);
                assert_false(isfinite(sum.loss));
                free(z);
            }
}

static void check_square(const struct vec *kernels, float out[64])
{
    float *x = random_logits(1), *dy = random_logits(2);
    kernels->square(out, x, 32);
    kernels->square_backward(out + 32, dy, x, 32);
    for (size_t i = 0; i < 32; i++) {
        check_near(out[i], (double)x[i] * x[i], 1e-6 * out[i]);
        check_near(out[32 + i], 2.0 * x[i] * dy[i], 1e-6 * fabsf(out[32 + i]));
    }
    free(x), free(dy);
}

void test_square_has_its_slope_at_every_level(void **state)
{
    (void)state;
    float *out[2] = {vec_alloc(64), vec_alloc(64)};
    for (int level = 3; level <= 4; level++)
        if (vec_level(level)) check_square(vec_level(level), out[level - 3]);
    if (vec_level(4)) assert_memory_equal(out[0], out[1], 64 * sizeof(float));
    free(out[0]), free(out[1]);
}
