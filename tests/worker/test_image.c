// SPDX-License-Identifier: MIT
/* Kernels and layers of images: each against its slow twin in double, both levels bit for bit, and
 * the whole convolutional network against its twin and finite differences.
 */
#include "tests/test.h"

#include "common/philox.h"
#include "tests/ref/naive_image.h"
#include "tests/worker/trainer_scene.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAPS 9

static float *random_floats(size_t n, uint32_t stream)
{
    const struct philox p = {6, stream, PHILOX_INIT};
    float *x = vec_alloc(n);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = (float)philox_normal(&p, i);
    return x;
}

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

/* Sample s of what lies in lanes, in double. Gives. */
static double *sample_of(const float *x, size_t features, size_t s)
{
    double *out = calloc(features, sizeof *out);
    for (size_t f = 0; f < features; f++) out[f] = (double)x[f * VEC_LANES + s];
    return out;
}

static double *doubles(const float *x, size_t n)
{
    double *out = calloc(n, sizeof *out);
    for (size_t i = 0; i < n; i++) out[i] = (double)x[i];
    return out;
}

static const struct vec_image images[] = {
    {1, 2, 16, 64}, {2, 4, 8, 48}, {4, 2, 8, 64}, {3, 7, 4, 16}, {1, 1, 2, 32}, {5, 5, 1, 64},
};
#define IMAGES (sizeof images / sizeof *images)

/* Runs a check at both levels; what they leave in out must be the same bytes. */
static void at_levels(void (*check)(const struct vec *, const struct vec_image *, float *, size_t))
{
    vec_set_float_mode();
    assert_non_null(vec_level(3));
    for (size_t i = 0; i < IMAGES; i++) {
        size_t n = 128 * 1024;
        float *out[2] = {vec_alloc(n), vec_alloc(n)};
        for (int level = 3; level <= 4; level++)
            if (vec_level(level)) check(vec_level(level), &images[i], out[level - 3], n);
        if (vec_level(4)) assert_memory_equal(out[0], out[1], n * sizeof(float));
        free(out[0]);
        free(out[1]);
    }
}

static void check_conv(const struct vec *k, const struct vec_image *g, float *out, size_t n)
{
    size_t sites = g->side * g->side, taps = g->in * TAPS, ldw = taps + 3;
    float *x = random_floats(g->in * sites * VEC_LANES, 1), *w = random_floats(g->out * ldw, 2);
    float *bias = random_floats(g->out, 3);
    double *packed = calloc(g->out * taps, sizeof *packed), *b = doubles(bias, g->out);
    double *y = calloc(g->out * sites, sizeof *y);
    assert_true(g->out * sites * VEC_LANES <= n);
    for (size_t i = 0; i < g->out * taps; i++) packed[i] = (double)w[i / taps * ldw + i % taps];
    k->conv(out, x, w, ldw, bias, g);
    for (size_t s = 0; s < g->lanes; s += 5) {
        double *sample = sample_of(x, g->in * sites, s);
        naive_conv(y, sample, packed, b, g->in, g->out, g->side);
        for (size_t f = 0; f < g->out * sites; f++)
            check_near((double)out[f * VEC_LANES + s], y[f], 2e-5);
        free(sample);
    }
    free(x), free(w), free(bias), free(packed), free(b), free(y);
}

void test_convolution_is_that_of_the_formula(void **state)
{
    (void)state;
    at_levels(check_conv);
}

static void check_slope(const struct vec *k, const struct vec_image *g, float *out, size_t n)
{
    size_t sites = g->side * g->side, taps = g->out * g->in * TAPS;
    float *x = random_floats(g->in * sites * VEC_LANES, 1), *db = out + taps * VEC_LANES;
    float *dy = random_floats(g->out * sites * VEC_LANES, 4);
    double *none = calloc(taps, sizeof *none);
    assert_true((taps + g->out) * VEC_LANES <= n);
    k->conv_slope(out, db, x, dy, g);
    for (size_t s = 0; s < g->lanes; s += 5) {
        double *in = sample_of(x, g->in * sites, s), *slope = sample_of(dy, g->out * sites, s);
        double *dw = calloc(taps, sizeof *dw), *dbias = calloc(g->out, sizeof *dbias);
        naive_conv_backward(dw, dbias, NULL, in, none, slope, g->in, g->out, g->side);
        for (size_t i = 0; i < taps; i++) check_near((double)out[i * VEC_LANES + s], dw[i], 1e-4);
        for (size_t o = 0; o < g->out; o++)
            check_near((double)db[o * VEC_LANES + s], dbias[o], 1e-4);
        free(in), free(slope), free(dw), free(dbias);
    }
    free(x), free(dy), free(none);
}

void test_the_gradient_of_a_convolution_is_that_of_the_formula(void **state)
{
    (void)state;
    at_levels(check_slope);
}

/* Few different values, so that windows have several greatest. */
static void check_pool(const struct vec *k, const struct vec_image *g, float *out, size_t n)
{
    size_t sites = g->side * g->side, pooled = g->in * sites / 4;
    if (g->side % 2) return;
    float *x = random_floats(g->in * sites * VEC_LANES, 5);
    float *dy = random_floats(pooled * VEC_LANES, 6), *dx = out + pooled * VEC_LANES;
    double *y = calloc(pooled, sizeof *y), *slope = calloc(4 * pooled, sizeof *slope);
    size_t *at = calloc(pooled, sizeof *at);
    assert_true(5 * pooled * VEC_LANES <= n);
    for (size_t i = 0; i < g->in * sites * VEC_LANES; i++) x[i] = rintf(x[i]);
    k->pool(out, x, g);
    k->pool_backward(dx, dy, x, out, g);
    for (size_t s = 0; s < g->lanes; s++) {
        double *sample = sample_of(x, g->in * sites, s);
        naive_pool(y, at, sample, g->in, g->side);
        memset(slope, 0, 4 * pooled * sizeof *slope);
        for (size_t i = 0; i < pooled; i++) slope[at[i]] = (double)dy[i * VEC_LANES + s];
        for (size_t i = 0; i < pooled; i++) assert_true((double)out[i * VEC_LANES + s] == y[i]);
        for (size_t i = 0; i < 4 * pooled; i++)
            assert_true((double)dx[i * VEC_LANES + s] == slope[i]);
        free(sample);
    }
    free(x), free(dy), free(y), free(slope), free(at);
}

void test_pooling_takes_the_first_of_the_greatest(void **state)
{
    (void)state;
    at_levels(check_pool);
}

void test_bytes_come_into_lanes_and_the_rest_is_zero(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{64, 256}, {44, 256}, {1, 16}, {17, 37}, {33, 7}};
    for (int level = 3; level <= 4; level++)
        for (size_t i = 0; vec_level(level) && i < sizeof sizes / sizeof *sizes; i++) {
            size_t count = sizes[i][0], n = sizes[i][1];
            int8_t *x = malloc(count * n);
            float *y = random_floats(n * VEC_LANES, 7);
            for (size_t k = 0; k < count * n; k++) x[k] = (int8_t)(k * 37 + k / 11);
            vec_level(level)->bytes_to_lanes(y, VEC_LANES, x, count, n);
            for (size_t j = 0; j < n; j++)
                for (size_t s = 0; s < VEC_ROUND(count); s++)
                    assert_true(y[j * VEC_LANES + s] == (s < count ? (float)x[s * n + j] : 0));
            free(x), free(y);
        }
}

/* ---- the network -------------------------------------------------------------------------------
 */

static struct params ising_params(const char *lattice, const char *hidden)
{
    const char *const settings[] = {
        "task=ising",          lattice, hidden, "train_size=80", "test_size=50", "glauber_sweeps=4",
        "weight_multiplier=3", NULL};
    return scene_params(settings);
}

/* Gradient of the mean loss over the first `count` training samples in chunks. */
static void gradient_of(struct scene *s, size_t count, size_t chunk, struct vec_score *score)
{
    for (size_t from = 0; from < count; from += chunk) {
        struct batch b = dataset_chunk(&s->task.train, from);
        b.count = count - from < chunk ? count - from : chunk;
        model_forward(&s->model, &b, &s->work);
        model_backward(&s->model, &b, &s->work, 1 / (float)count, from == 0, &s->gradient, score);
    }
}

static void check_gradient(struct scene *s, size_t count, size_t chunk)
{
    const struct naive_cnn n = {s->task.lattice, (size_t)s->p.hidden};
    struct vec_score score = {0};
    size_t hits;
    double *theta = scene_flat(&s->model, s->model.theta);
    double *right = calloc(s->model.parameters, sizeof *right);
    assert_int_equal(naive_cnn_parameters(&n), s->model.parameters);
    double loss =
        naive_cnn_loss(&n, theta, s->task.train.spin, s->task.train.label, count, right, &hits);
    gradient_of(s, count, chunk, &score);
    double *is = scene_flat(&s->model, s->gradient.g);
    for (size_t i = 0; i < s->model.parameters; i++)
        check_near(is[i], right[i], 2e-5 + 1e-4 * fabs(right[i]));
    check_near(score.loss / (double)count, loss, 1e-5 * (1 + loss));
    assert_int_equal(score.hits, hits);
    free(theta), free(right), free(is);
}

void test_the_network_has_the_tensors_of_the_paper(void **state)
{
    (void)state;
    static const char *const names[] = {"model.0.weight", "model.0.bias",   "model.3.weight",
                                        "model.3.bias",   "model.7.weight", "model.7.bias",
                                        "model.9.weight", "model.9.bias"};
    struct params p = ising_params("lattice=16", "hidden=100");
    struct model m;
    struct err e;
    assert_int_equal(model_open(&m, &p, &e), OK);
    assert_int_equal(m.parameters, 6798);
    assert_int_equal(m.tensor_count, 8);
    for (size_t i = 0; i < 8; i++) assert_string_equal(m.tensor[i].name, names[i]);
    assert_int_equal(m.tensor[2].rank, 4);
    assert_int_equal(m.tensor[2].shape[0], 4);
    assert_int_equal(m.tensor[2].shape[1], 2);
    assert_int_equal(m.tensor[2].shape[3], 3);
    model_close(&m);
}

void test_the_gradient_of_the_network_is_that_of_its_twin(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"lattice=16", "hidden=100"}, {"lattice=4", "hidden=7"}, {"lattice=8", "hidden=33"}};
    for (size_t i = 0; i < 3; i++) {
        struct params p = ising_params(shapes[i][0], shapes[i][1]);
        struct scene s;
        scene_open_params(&s, &p);
        check_gradient(&s, 1, 1);
        check_gradient(&s, 80, VEC_LANES);
        check_gradient(&s, 80, 19);
        scene_close(&s);
    }
}

/* The twin itself, where no ReLU and no pooling changes its mind within the step. */
void test_the_twin_agrees_with_finite_differences(void **state)
{
    (void)state;
    struct params p = ising_params("lattice=4", "hidden=5");
    struct scene s;
    scene_open_params(&s, &p);
    const struct naive_cnn n = {4, 5};
    size_t count = naive_cnn_parameters(&n);
    double *theta = scene_flat(&s.model, s.model.theta), *g = calloc(count, sizeof *g), h = 1e-6;
    const struct dataset *d = &s.task.train;
    naive_cnn_loss(&n, theta, d->spin, d->label, 20, g, NULL);
    for (size_t i = 0; i < count; i++) {
        double was = theta[i];
        theta[i] = was + h;
        double up = naive_cnn_loss(&n, theta, d->spin, d->label, 20, NULL, NULL);
        theta[i] = was - h;
        double down = naive_cnn_loss(&n, theta, d->spin, d->label, 20, NULL, NULL);
        theta[i] = was;
        check_near((up - down) / (2 * h), g[i], 1e-6);
    }
    free(theta), free(g);
    scene_close(&s);
}

void test_slopes_alone_are_those_of_the_whole_backward_pass(void **state)
{
    (void)state;
    struct params p = ising_params("lattice=8", "hidden=20");
    struct scene s;
    struct workspace w;
    struct err e;
    struct vec_score score = {0};
    scene_open_params(&s, &p);
    assert_int_equal(workspace_open(&w, &s.model, &e), OK);
    struct batch b = dataset_chunk(&s.task.train, 0);
    size_t last = s.model.layer_count, n = 2 * VEC_LANES * sizeof(float);
    model_forward(&s.model, &b, &s.work);
    model_backward(&s.model, &b, &s.work, 0.25f, true, &s.gradient, &score);
    model_forward(&s.model, &b, &w);
    memcpy(w.slope[last].x, s.work.slope[last].x, n);
    model_backward_slopes(&s.model, &b, &w);
    for (size_t l = 2; l < last; l++)
        assert_memory_equal(w.slope[l].x, s.work.slope[l].x,
                            w.slope[l].features * VEC_LANES * sizeof(float));
    workspace_close(&w);
    scene_close(&s);
}

void test_weights_start_uniform_within_the_bound_of_their_layer(void **state)
{
    (void)state;
    struct params p = ising_params("lattice=16", "hidden=100");
    struct scene s;
    scene_open_params(&s, &p);
    double *flat = scene_flat(&s.model, s.model.theta);
    static const double fan_in[] = {9, 9, 18, 18, 64, 64, 100, 100};
    for (size_t t = 0; t < s.model.tensor_count; t++) {
        size_t n = s.model.tensor[t].rows * s.model.tensor[t].cols;
        double bound = 3 / sqrt(fan_in[t]), sum = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            double x = flat[s.model.tensor[t].first + i];
            assert_true(fabs(x) <= bound);
            sum += x / (double)n, square += x * x / (double)n;
        }
        if (n < 100) continue;
        check_near(sum, 0, 4 * bound / sqrt(3 * (double)n));
        check_near(square, bound * bound / 3, 4 * bound * bound * 0.3 / sqrt((double)n));
    }
    free(flat);
    scene_close(&s);
}
