// SPDX-License-Identifier: MIT
/* Layers and model: passes against the naive network, its gradient against finite differences. */
#include "tests/test.h"

#include "tests/ref/naive.h"
#include "tests/worker/trainer_scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sizes with no, one and many whole vectors, and edges that are none. */
static const char *const sizes[][3] = {
    {"modulus=5", "hidden=3", NULL},    {"modulus=7", "hidden=20", NULL},
    {"modulus=17", "hidden=16", NULL},  {"modulus=23", "hidden=33", NULL},
    {"modulus=16", "hidden=130", NULL},
};
#define SIZES (sizeof sizes / sizeof *sizes)

static void check_near(double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%.17g: expected %.17g", is, right);
}

/* Biases that are not zero, so that they are tested too. */
static void shift_biases(struct model *m)
{
    for (size_t n = 0; n < m->tensor_count; n++)
        for (size_t i = 0; m->tensor[n].bias && i < m->tensor[n].rows; i++)
            m->theta[tensor_index(&m->tensor[n], i, 0)] = 0.1f * (float)(i % 5) - 0.2f;
}

static struct naive_net twin_of(const struct scene *s)
{
    return (struct naive_net){s->task.modulus, (size_t)s->p.hidden, s->p.loss, s->p.activation};
}

/* Every loss and activation. */
static const char *const kinds[][4] = {
    {"modulus=7", "hidden=20", "loss=mse", NULL},
    {"modulus=7", "hidden=20", "loss=stablemax", NULL},
    {"modulus=7", "hidden=20", "activation=square", NULL},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void check_twin(const char *const settings[])
{
    struct scene s;
    scene_open(&s, settings);
    shift_biases(&s.model);
    struct naive_net n = twin_of(&s);
    double *theta = scene_flat(&s.model, s.model.theta);
    double *g = calloc(s.model.parameters, sizeof *g);
    const int32_t(*pair)[2] = (const int32_t(*)[2])s.task.train.pair;
    naive_loss(&n, theta, pair, s.task.train.label, 20, g, NULL);
    for (size_t i = 0; i < s.model.parameters; i++) {
        double was = theta[i], step = 1e-6, side[2];
        for (int k = 0; k < 2; k++) {
            theta[i] = was + (k ? step : -step);
            side[k] = naive_loss(&n, theta, pair, s.task.train.label, 20, NULL, NULL);
        }
        theta[i] = was;
        check_near(g[i], (side[1] - side[0]) / (2 * step), 1e-8);
    }
    free(theta), free(g);
    scene_close(&s);
}

void test_the_twins_gradient_is_that_of_central_differences(void **state)
{
    (void)state;
    check_twin(sizes[1]);
    for (size_t i = 0; i < KINDS; i++) check_twin(kinds[i]);
}

static void check_forward(struct scene *s, size_t count)
{
    struct naive_net n = twin_of(s);
    double *theta = scene_flat(&s->model, s->model.theta);
    double *hidden = calloc(n.hidden, sizeof *hidden), *z = calloc(n.modulus, sizeof *z);
    struct batch b = dataset_chunk(&s->task.train, 0);
    b.count = count;
    model_forward(&s->model, &b, &s->work);
    const struct signal *a = model_hidden(&s->model, &s->work), *y = &s->work.value[3];
    for (size_t i = 0; i < count; i++) {
        naive_logits(&n, theta, b.pair[i], hidden, z);
        for (size_t h = 0; h < n.hidden; h++)
            check_near(a->x[i * a->sample_stride + h * a->feature_stride], hidden[h], 1e-6);
        for (size_t c = 0; c < n.modulus; c++)
            check_near(y->x[i * y->sample_stride + c * y->feature_stride], z[c], 3e-6);
    }
    free(theta), free(hidden), free(z);
}

void test_hidden_layer_and_logits_are_those_of_the_naive_network(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct scene s;
        scene_open(&s, sizes[i]);
        shift_biases(&s.model);
        for (size_t count = 1; count <= s.task.train.count && count <= VEC_LANES; count += 7)
            check_forward(&s, count);
        scene_close(&s);
    }
}

/* The gradient of samples 0..count-1 in chunks of at most `chunk`. */
static void gradient_of(struct scene *s, size_t count, size_t chunk, struct vec_score *score)
{
    memset(s->gradient.touched, 0, s->gradient.rows);
    for (size_t from = 0; from < count; from += chunk) {
        struct batch b = dataset_chunk(&s->task.train, from);
        b.count = count - from < chunk ? count - from : chunk;
        model_forward(&s->model, &b, &s->work);
        model_backward(&s->model, &b, &s->work, 1 / (float)count, from == 0, &s->gradient, score);
    }
    for (size_t n = 0; n < s->model.tensor_count; n++)
        for (size_t r = 0; s->model.tensor[n].by_rows && r < s->gradient.rows; r++)
            if (!s->gradient.touched[r])
                memset(s->gradient.g + s->model.tensor[n].offset +
                           r * s->model.tensor[n].col_stride,
                       0, s->model.tensor[n].col_stride * sizeof(float));
}

static void check_gradient(struct scene *s, size_t count, size_t chunk)
{
    struct naive_net n = twin_of(s);
    struct vec_score score = {0};
    size_t hits;
    double *theta = scene_flat(&s->model, s->model.theta);
    double *right = calloc(s->model.parameters, sizeof *right);
    double loss = naive_loss(&n, theta, (const int32_t(*)[2])s->task.train.pair,
                             s->task.train.label, count, right, &hits);
    gradient_of(s, count, chunk, &score);
    double *is = scene_flat(&s->model, s->gradient.g);
    for (size_t i = 0; i < s->model.parameters; i++) check_near(is[i], right[i], 1e-6);
    check_near(score.loss / (double)count, loss, 1e-6);
    assert_int_equal(score.hits, hits);
    free(theta), free(right), free(is);
}

void test_the_gradient_is_that_of_the_naive_network(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct scene s;
        scene_open(&s, sizes[i]);
        shift_biases(&s.model);
        size_t n = s.task.train.count;
        check_gradient(&s, 1, 1);
        check_gradient(&s, n < 43 ? n : 43, VEC_LANES);
        check_gradient(&s, n, VEC_LANES);
        check_gradient(&s, n, 5);
        scene_close(&s);
    }
}

void test_the_gradient_of_every_loss_and_activation_is_that_of_the_naive_network(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct scene s;
        scene_open(&s, kinds[i]);
        shift_biases(&s.model);
        check_gradient(&s, 33, VEC_LANES);
        check_gradient(&s, 33, 5);
        scene_close(&s);
    }
}

void test_padding_stays_zero_in_weights_and_gradient(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, sizes[3]);
    struct vec_score score = {0};
    gradient_of(&s, 64, VEC_LANES, &score);
    float *flat = calloc(s.model.parameters, sizeof *flat);
    float *blocks[] = {s.model.theta, s.gradient.g};
    for (int i = 0; i < 2; i++) {
        double sum = 0, block = 0;
        model_flatten(&s.model, blocks[i], flat);
        for (size_t k = 0; k < s.model.parameters; k++) sum += fabs((double)flat[k]);
        for (size_t k = 0; k < s.model.size; k++) block += fabs((double)blocks[i][k]);
        check_near(block, sum, 1e-9 * sum);
    }
    free(flat);
    scene_close(&s);
}

void test_tensors_have_the_names_and_shapes_of_the_state_dict(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rows, cols;
        bool bias;
    } right[] = {
        {"model.0.weight", 512, 226, false},
        {"model.0.bias", 512, 1, true},
        {"model.2.weight", 113, 512, false},
        {"model.2.bias", 113, 1, true},
    };
    struct scene s;
    scene_open(&s, (const char *const[]){NULL});
    assert_int_equal(s.model.parameters, 174193);
    assert_int_equal(s.model.tensor_count, 4);
    for (int i = 0; i < 4; i++) {
        const struct tensor *t = &s.model.tensor[i];
        assert_int_equal(model_find(&s.model, right[i].name), i);
        assert_int_equal(t->rows, right[i].rows);
        assert_int_equal(t->cols, right[i].cols);
        assert_int_equal(t->bias, right[i].bias);
        assert_int_equal(t->offset % VEC_FLOATS, 0);
    }
    assert_int_equal(model_find(&s.model, "model.1.weight"), -1);
    scene_close(&s);
}

void test_flattening_there_and_back_is_the_same_block(void **state)
{
    (void)state;
    struct scene s;
    struct model copy;
    struct err e;
    scene_open(&s, sizes[3]);
    assert_int_equal(model_copy(&copy, &s.model, &e), OK);
    float *flat = calloc(s.model.parameters, sizeof *flat);
    model_flatten(&s.model, s.model.theta, flat);
    const struct tensor *w = &s.model.tensor[0];
    assert_true(flat[2 * w->cols + 3] == s.model.theta[tensor_index(w, 2, 3)]);
    memset(copy.theta, 0, copy.size * sizeof *copy.theta);
    model_unflatten(&copy, flat, copy.theta);
    assert_memory_equal(copy.theta, s.model.theta, copy.size * sizeof *copy.theta);
    free(flat);
    model_close(&copy);
    scene_close(&s);
}

void test_drawn_weights_have_the_deviation_of_xavier_and_biases_none(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, (const char *const[]){"weight_multiplier=4", "seed=3", NULL});
    for (size_t n = 0; n < s.model.tensor_count; n++) {
        const struct tensor *t = &s.model.tensor[n];
        double square = 0, count = (double)(t->rows * t->cols);
        for (size_t i = 0; i < t->rows; i++)
            for (size_t j = 0; j < t->cols; j++)
                square += pow(s.model.theta[tensor_index(t, i, j)], 2);
        double right = t->bias ? 0 : 4 * sqrt(2.0 / (double)(t->rows + t->cols));
        check_near(sqrt(square / count), right, 5 * right / sqrt(2 * count));
    }
    scene_close(&s);
}
