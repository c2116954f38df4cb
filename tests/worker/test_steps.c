// SPDX-License-Identifier: MIT
/* The kernels of the optimizers: each against its scalar twin, and both levels against each other,
 * bit for bit.
 */
#include "tests/test.h"

#include "common/philox.h"
#include "proto/param.h"
#include "tests/ref/naive.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 64

static float *random_floats(size_t n, uint32_t stream)
{
    const struct philox p = {5, stream, PHILOX_INIT};
    float *x = vec_alloc(n);
    for (size_t i = 0; i < n; i++) x[i] = (float)philox_normal(&p, i);
    return x;
}

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

/* A step of a kernel by the twin's rule, g NULL for no gradient. */
static void step(const struct vec *kernels, const struct naive_rule *r, float *w, float *m,
                 float *v, const float *g, int64_t t)
{
    bool decoupled = r->optimizer == OPTIMIZER_ADAMW;
    const struct sgd_rule descent = {(float)r->rate, (float)r->momentum, (float)r->decay};
    const struct adam_rule rule = {.beta1 = (float)r->beta1,
                                   .rest1 = (float)(1 - r->beta1),
                                   .beta2 = (float)r->beta2,
                                   .rest2 = (float)(1 - r->beta2),
                                   .epsilon = (float)r->epsilon,
                                   .weight_decay =
                                       (float)(decoupled ? r->rate * r->decay : r->decay)};
    const struct adam_step now = {(float)(r->rate / (1 - pow(r->beta1, (double)t))),
                                  (float)(1 / sqrt(1 - pow(r->beta2, (double)t)))};
    if (r->optimizer == OPTIMIZER_SGD)
        kernels->sgd(w, m, g, N, &descent, 1);
    else
        (decoupled ? kernels->adamw : kernels->adam)(w, m, v, g, N, &rule, &now, 1);
}

/* Twenty steps, some of them without a gradient. */
static void check_steps(const struct vec *kernels, const struct naive_rule *rule, float out[N])
{
    float *w = random_floats(N, 1), *m = vec_alloc(N), *v = vec_alloc(N);
    double twin[3][N] = {{0}};
    for (size_t i = 0; i < N; i++) twin[0][i] = w[i];
    for (int64_t t = 1; t <= 20; t++) {
        float *g = t % 3 == 2 ? NULL : random_floats(N, 10 + (uint32_t)t);
        step(kernels, rule, w, m, v, g, t);
        for (size_t i = 0; i < N; i++) {
            naive_step(rule, &twin[0][i], &twin[1][i], &twin[2][i], g ? g[i] : 0, t);
            check_near(w[i], twin[0][i], 3e-6);
            check_near(v[i], twin[2][i], 1e-5 * twin[2][i]);
        }
        free(g);
    }
    memcpy(out, w, N * sizeof *w);
    free(w), free(m), free(v);
}

void test_every_optimizer_moves_as_its_scalar_twin_at_every_level(void **state)
{
    (void)state;
    const struct naive_rule rules[] = {
        {5e-3, 0.9, 0.999, 1e-8, 3e-2, 0, OPTIMIZER_ADAM},
        {5e-3, 0.9, 0.999, 1e-8, 1, 0, OPTIMIZER_ADAMW},
        {1e-2, 0, 0, 0, 3e-2, 0.9, OPTIMIZER_SGD},
        {1e-2, 0, 0, 0, 0, 0, OPTIMIZER_SGD},
    };
    vec_set_float_mode();
    assert_non_null(vec_level(3));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        float out[2][N];
        for (int level = 3; level <= 4; level++)
            if (vec_level(level)) check_steps(vec_level(level), &rules[i], out[level - 3]);
        if (vec_level(4)) assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
}

static void check_many(const struct vec *kernels, int64_t optimizer)
{
    const struct adam_rule rule = {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f, 0.01f};
    const struct sgd_rule descent = {0.01f, 0.9f, 0.01f};
    const struct adam_step steps[] = {{0.01f, 30}, {0.02f, 20}, {0.03f, 10}, {0.04f, 5}};
    float *a = random_floats(3 * N, 1), *b = random_floats(3 * N, 1), *g = random_floats(N, 2);
    for (size_t i = 2 * N; i < 3 * N; i++) a[i] = b[i] = fabsf(a[i]);
    for (int s = -1; s < 4; s++) {
        float *x = s < 0 ? a : b, *slope = s > 0 ? NULL : g;
        size_t count = s < 0 ? 4 : 1, first = s < 0 ? 0 : (size_t)s;
        if (optimizer == OPTIMIZER_SGD)
            kernels->sgd(x, x + N, slope, N, &descent, count);
        else
            (optimizer == OPTIMIZER_ADAMW ? kernels->adamw : kernels->adam)(
                x, x + N, x + 2 * N, slope, N, &rule, steps + first, count);
    }
    assert_memory_equal(a, b, 3 * N * sizeof *a);
    free(a), free(b), free(g);
}

void test_several_steps_at_once_are_the_same_bits(void **state)
{
    (void)state;
    vec_set_float_mode();
    for (int level = 3; level <= 4; level++)
        for (int64_t optimizer = OPTIMIZER_ADAM; optimizer <= OPTIMIZER_SGD; optimizer++)
            if (vec_level(level)) check_many(vec_level(level), optimizer);
}

/* arXiv 1711.05101: decay that is not divided by the root of the second moment. Without a gradient
 * a weight shrinks by the share rate * decay a step, whatever its history; with L2 Adam takes steps
 * of the learning rate, whatever the coefficient. */
void test_decoupled_decay_is_a_share_and_coupled_decay_is_not(void **state)
{
    (void)state;
    const struct naive_rule decoupled = {1e-2, 0.9, 0.999, 1e-8, 0.5, 0, OPTIMIZER_ADAMW};
    const struct naive_rule coupled = {1e-2, 0.9, 0.999, 1e-8, 0.5, 0, OPTIMIZER_ADAM};
    assert_int_equal(vec_open(NULL), OK);
    float *w = random_floats(N, 1), *was = random_floats(N, 1), *m = vec_alloc(N);
    float *v = vec_alloc(N);
    for (int t = 1; t <= 10; t++) step(vec, &decoupled, w, m, v, NULL, t);
    for (size_t i = 0; i < N; i++)
        check_near(w[i], was[i] * pow(1 - 1e-2 * 0.5, 10), 1e-6 * fabsf(was[i]));
    step(vec, &coupled, w, m, v, NULL, 1);
    for (size_t i = 0; i < N; i++)
        check_near(fabs(w[i] - was[i] * pow(1 - 1e-2 * 0.5, 10)), 1e-2, 1e-5);
    free(w), free(was), free(m), free(v);
}

void test_adam_without_epsilon_leaves_padding_at_zero(void **state)
{
    (void)state;
    const struct adam_rule rule = {0.9f, 0.1f, 0.999f, 0.001f, 0, 0.01f};
    const struct adam_step step = {0.01f, 30};
    float *x = vec_alloc(4 * VEC_FLOATS);
    assert_int_equal(vec_open(NULL), OK);
    vec->adam(x, x + 16, x + 32, x + 48, VEC_FLOATS, &rule, &step, 1);
    for (int i = 0; i < 4 * VEC_FLOATS; i++) assert_true(x[i] == 0);
    free(x);
}
