// SPDX-License-Identifier: MIT
/* Filters against twins that keep every gradient in double. */
#include "worker/train/filter.h"

#include "common/philox.h"
#include "tests/test.h"
#include "tests/worker/trainer_scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 12

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

/* A gradient of step t as a batch leaves it: some rows are not touched and hold what is stale. The
 * true one, in double and state-dict order: gives. */
static double *draw_gradient(struct scene *s, uint32_t t)
{
    const struct philox stream = {3, t, PHILOX_INIT};
    const struct tensor *w = &s->model.tensor[0];
    float *flat = calloc(s->model.parameters, sizeof *flat);
    double *g = calloc(s->model.parameters, sizeof *g);
    for (size_t i = 0; i < s->model.parameters; i++)
        g[i] = flat[i] = (float)(1 + philox_normal(&stream, i));
    model_unflatten(&s->model, flat, s->gradient.g);
    for (size_t r = 0; r < s->gradient.rows; r++) {
        s->gradient.touched[r] = (r + t) % 3 > 0;
        for (size_t i = 0; !s->gradient.touched[r] && i < w->rows; i++) g[i * w->cols + r] = 0;
    }
    free(flat);
    return g;
}

/* What a filter must make of the gradients of steps 0..t, given in g [t + 1]. */
static double twin(const struct params *p, double *const *g, size_t t, size_t i)
{
    double mean = g[0][i], sum = 0, window = (double)p->grokfast_window;
    for (size_t s = 1; s <= t; s++)
        mean = p->grokfast_alpha * mean + (1 - p->grokfast_alpha) * g[s][i];
    for (size_t s = 0; s <= t; s++)
        if ((double)(t - s) < window) sum += g[s][i];
    if (p->gradient_filter == FILTER_GROKFAST_EMA) return g[t][i] + p->grokfast_lambda * mean;
    if (p->gradient_filter == FILTER_GROKFAST_MA && (double)(t + 1) >= window)
        return g[t][i] + p->grokfast_lambda * sum / window;
    return g[t][i];
}

static void check_filter(const char *const settings[])
{
    struct scene s;
    struct filter f;
    struct err e;
    double *g[STEPS];
    scene_open(&s, settings);
    assert_int_equal(filter_open(&f, &s.model, &s.p, &e), OK);
    assert_true(filter_works(&f));
    for (uint32_t t = 0; t < STEPS; t++) {
        g[t] = draw_gradient(&s, t);
        filter_apply(&f, &s.model, &s.gradient, t);
        double *is = scene_flat(&s.model, s.gradient.g);
        for (size_t i = 0; i < s.model.parameters; i++)
            check_near(is[i], twin(&s.p, g, t, i), 1e-5);
        for (size_t r = 0; r < s.gradient.rows; r++) assert_int_equal(s.gradient.touched[r], 1);
        if (t % 5 == 4) filter_settle(&f);
        free(is);
    }
    for (int t = 0; t < STEPS; t++) free(g[t]);
    filter_close(&f);
    scene_close(&s);
}

void test_grokfast_adds_the_running_mean_of_gradients(void **state)
{
    (void)state;
    check_filter(
        (const char *const[]){"modulus=5", "hidden=6", "gradient_filter=grokfast_ema", NULL});
    check_filter((const char *const[]){"modulus=5", "hidden=6", "gradient_filter=grokfast_ema",
                                       "grokfast_alpha=0.5", "grokfast_lambda=0.7", NULL});
}

void test_grokfast_adds_the_mean_of_a_window_once_it_is_full(void **state)
{
    (void)state;
    check_filter((const char *const[]){"modulus=5", "hidden=6", "gradient_filter=grokfast_ma",
                                       "grokfast_window=4", NULL});
    check_filter((const char *const[]){"modulus=5", "hidden=6", "gradient_filter=grokfast_ma",
                                       "grokfast_window=1", "grokfast_lambda=3", NULL});
    check_filter((const char *const[]){"modulus=5", "hidden=6", "gradient_filter=grokfast_ma",
                                       NULL}); /* the window is not full yet */
}

void test_the_weights_of_slow_gradients_are_the_papers_unless_given(void **state)
{
    (void)state;
    struct params p = scene_params((const char *const[]){"gradient_filter=grokfast_ema", NULL});
    assert_true(p.grokfast_lambda == 2 && p.grokfast_alpha == 0.98);
    p = scene_params((const char *const[]){"gradient_filter=grokfast_ma", NULL});
    assert_true(p.grokfast_lambda == 5 && p.grokfast_window == 100);
    p = scene_params((const char *const[]){"grokfast_alpha=0.9", NULL});
    assert_true(p.grokfast_lambda == 0);
}

void test_the_orthogonal_gradient_is_perpendicular_to_each_tensor_and_as_long(void **state)
{
    (void)state;
    struct scene s;
    struct filter f;
    struct err e;
    scene_open(&s,
               (const char *const[]){"modulus=5", "hidden=6", "orthogonal_gradient=true", NULL});
    assert_int_equal(filter_open(&f, &s.model, &s.p, &e), OK);
    double *g = draw_gradient(&s, 1), *w = scene_flat(&s.model, s.model.theta);
    filter_apply(&f, &s.model, &s.gradient, 0);
    double *is = scene_flat(&s.model, s.gradient.g);
    for (size_t n = 0; n < s.model.tensor_count; n++) {
        const struct tensor *t = &s.model.tensor[n];
        double was = 0, now = 0, along = 0, size = 0, inner = 0, right = 0;
        size_t end = t->first + t->rows * t->cols;
        for (size_t i = t->first; i < end; i++) {
            was += g[i] * g[i], now += is[i] * is[i], size += w[i] * w[i];
            along += g[i] * w[i], inner += is[i] * w[i];
        }
        check_near(now, was, 1e-6 * was);
        check_near(inner, 0, 1e-6 * sqrt(was * size));
        for (size_t i = t->first; i < end; i++)
            right += pow(g[i] - along / (size + 1e-30) * w[i], 2);
        for (size_t i = t->first; i < end; i++)
            check_near(is[i], (g[i] - along / (size + 1e-30) * w[i]) * sqrt(was / right), 1e-5);
    }
    free(g), free(w), free(is);
    filter_close(&f);
    scene_close(&s);
}

/* Biases start at 0: their gradient has no direction to lose, and must stay what it is. */
void test_a_tensor_of_zeros_keeps_its_gradient(void **state)
{
    (void)state;
    struct scene s;
    struct filter f;
    struct err e;
    scene_open(&s,
               (const char *const[]){"modulus=5", "hidden=6", "orthogonal_gradient=true", NULL});
    assert_int_equal(filter_open(&f, &s.model, &s.p, &e), OK);
    memset(s.model.theta, 0, s.model.size * sizeof *s.model.theta);
    double *g = draw_gradient(&s, 2);
    filter_apply(&f, &s.model, &s.gradient, 0);
    double *is = scene_flat(&s.model, s.gradient.g);
    for (size_t i = 0; i < s.model.parameters; i++) check_near(is[i], g[i], 1e-6);
    memset(s.gradient.g, 0, s.model.size * sizeof *s.gradient.g);
    filter_apply(&f, &s.model, &s.gradient, 1);
    for (size_t i = 0; i < s.model.size; i++) assert_true(s.gradient.g[i] == 0);
    free(g), free(is);
    filter_close(&f);
    scene_close(&s);
}

void test_without_a_filter_nothing_is_kept(void **state)
{
    (void)state;
    struct scene s;
    struct filter f;
    struct err e;
    scene_open(&s, (const char *const[]){"modulus=5", "hidden=6", NULL});
    assert_int_equal(filter_open(&f, &s.model, &s.p, &e), OK);
    assert_false(filter_works(&f));
    assert_null(f.mean);
    assert_null(f.past);
    filter_close(&f);
    scene_close(&s);
}
