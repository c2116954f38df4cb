// SPDX-License-Identifier: MIT
/* The whole Fisher metric: moves of the logits and their products against central differences in
 * double, the divergence of a small step, and a network whose parameters are one scale. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/full.h"
#include "worker/measure/jvp.h"
#include "worker/measure/logits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A vector of parameters in state-dict order, and as the model lays it out. */
struct direction {
    double *flat;
    float *block;
};

static struct direction direction_open(const struct specimen *s, uint64_t seed, double deviation)
{
    size_t n = s->model.parameters;
    struct direction d = {calloc(n, sizeof *d.flat), vec_alloc(s->model.size)};
    float *flat = calloc(n, sizeof *flat);
    for (size_t i = 0; i < n; i++) d.flat[i] = flat[i] = (float)(deviation * ref_normal(&seed));
    model_unflatten(&s->model, flat, d.block);
    free(flat);
    return d;
}

static void direction_close(struct direction *d)
{
    free(d->flat);
    free(d->block);
}

/* Logits of a pair at theta + t d, and their central difference in t. */
static void logits_at(const struct specimen *s, const double *d, double t, size_t pair, double *f)
{
    size_t n = s->model.parameters;
    double *theta = malloc(n * sizeof *theta);
    for (size_t i = 0; i < n; i++) theta[i] = s->theta[i] + t * d[i];
    struct ref_net net = {s->net.P, s->net.H, theta, s->net.square};
    ref_logits(&net, s->test[2 * pair], s->test[2 * pair + 1], f);
    free(theta);
}

static void twin_move(const struct specimen *s, const double *d, size_t pair, double *u)
{
    const double t = 1e-6;
    double *other = malloc(s->net.P * sizeof *other);
    logits_at(s, d, t, pair, u);
    logits_at(s, d, -t, pair, other);
    for (size_t c = 0; c < s->net.P; c++) u[c] = (u[c] - other[c]) / (2 * t);
    free(other);
}

static void softmax(double *p, size_t n)
{
    double most = p[0], sum = 0;
    for (size_t c = 1; c < n; c++) most = fmax(most, p[c]);
    for (size_t c = 0; c < n; c++) sum += p[c] = exp(p[c] - most);
    for (size_t c = 0; c < n; c++) p[c] /= sum;
}

/* By the formulas, from differences. */
static void twin_products(const struct specimen *s, size_t samples,
                          const double *const vector[FULL_VECTORS], struct full_products *out)
{
    size_t P = s->net.P;
    double *u[FULL_VECTORS], *p = malloc(P * sizeof *p);
    for (size_t i = 0; i < FULL_VECTORS; i++) u[i] = malloc(P * sizeof *u[i]);
    memset(out, 0, sizeof *out);
    for (size_t x = 0; x < samples; x++) {
        logits_at(s, s->theta, 0, x, p);
        softmax(p, P);
        for (size_t i = 0; i < FULL_VECTORS; i++) twin_move(s, vector[i], x, u[i]);
        for (size_t i = 0; i < FULL_VECTORS; i++)
            for (size_t j = i; j < FULL_VECTORS; j++) {
                double plain = 0, both = 0, first = 0, second = 0;
                for (size_t c = 0; c < P; c++) {
                    plain += u[i][c] * u[j][c];
                    both += p[c] * u[i][c] * u[j][c];
                    first += p[c] * u[i][c];
                    second += p[c] * u[j][c];
                }
                out->of[FISHER_REGRESSION][i][j] += plain / (double)samples;
                out->of[FISHER_CLASSIFICATION][i][j] += (both - first * second) / (double)samples;
            }
    }
    for (size_t i = 0; i < FULL_VECTORS; i++) free(u[i]);
    free(p);
}

static void check_products(int64_t P, int64_t hidden, size_t samples, double deviation,
                           int64_t activation)
{
    struct specimen s;
    struct full f;
    struct err e;
    struct full_products ours, twin;
    specimen_open_with(&s, P, hidden, deviation, activation);
    struct direction step = direction_open(&s, 7, 0.01), previous = direction_open(&s, 8, 0.02);
    const double *const vector[] = {step.flat, previous.flat, s.theta};
    assert_int_equal(full_open(&f, &s.model, samples, &e), OK);
    full_find(&f, &s.model, &s.task.test, NULL, step.block, previous.block, &ours);
    twin_products(&s, samples && samples < s.n_test ? samples : s.n_test, vector, &twin);
    for (int v = 0; v < FISHER_VARIANTS; v++)
        for (size_t i = 0; i < FULL_VECTORS; i++)
            for (size_t j = i; j < FULL_VECTORS; j++) {
                double scale = sqrt(twin.of[v][i][i] * twin.of[v][j][j]);
                if (!ref_close(ours.of[v][i][j], twin.of[v][i][j], 1e-4, scale))
                    fail_msg("P %d, H %d, variant %d, %zu with %zu: %.9g, by differences %.9g",
                             (int)P, (int)hidden, v, i, j, ours.of[v][i][j], twin.of[v][i][j]);
            }
    full_close(&f);
    direction_close(&step);
    direction_close(&previous);
    specimen_close(&s);
}

void test_products_equal_those_of_finite_differences(void **state)
{
    (void)state;
    for (int64_t activation = 0; activation <= ACTIVATION_SQUARE; activation++) {
        check_products(11, 16, 0, 0.7, activation);
        check_products(7, 33, 5, 0.3, activation);
        check_products(23, 9, 70, 0.3, activation); /* more than a chunk */
    }
    check_products(7, 12, 0, 2, ACTIVATION_RELU); /* probabilities near 0 and 1 */
}

/* Twice the mean divergence of a small step is its length in the classification metric, squared. */
void test_a_small_step_has_the_length_of_its_divergence(void **state)
{
    (void)state;
    const double t = 1e-3;
    struct specimen s;
    struct full f;
    struct err e;
    struct full_products products;
    specimen_open(&s, 11, 16, 0.7);
    struct direction step = direction_open(&s, 9, 0.5);
    double p[11], q[11], divergence = 0;
    for (size_t x = 0; x < s.n_test; x++) {
        logits_at(&s, step.flat, 0, x, p);
        logits_at(&s, step.flat, t, x, q);
        softmax(p, 11);
        softmax(q, 11);
        for (size_t c = 0; c < 11; c++) divergence += p[c] * log(p[c] / q[c]) / (double)s.n_test;
    }
    assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
    full_find(&f, &s.model, &s.task.test, NULL, step.block, NULL, &products);
    struct geometry_step g = full_step(&products, FISHER_CLASSIFICATION);
    if (!ref_close(2 * divergence, t * t * g.length * g.length, 5e-3, 0))
        fail_msg("twice the divergence %.9g, in the metric %.9g", 2 * divergence,
                 t * t * g.length * g.length);
    assert_true(isnan(g.cos_previous) && fabs(g.cos_origin) <= 1);
    full_close(&f);
    direction_close(&step);
    specimen_close(&s);
}

/* What is known by homogeneity equals what a pass along theta gives. */
void test_the_move_along_the_parameters_themselves_is_known(void **state)
{
    (void)state;
    struct specimen s;
    struct full f, g;
    struct err e;
    struct full_products known, pushed;
    specimen_open(&s, 13, 20, 0.5);
    struct direction step = direction_open(&s, 3, 0.1);
    assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
    assert_true(f.homogeneous);
    full_find(&f, &s.model, &s.task.test, NULL, step.block, NULL, &known);
    assert_int_equal(full_open(&g, &s.model, 0, &e), OK);
    full_find(&g, &s.model, &s.task.test, NULL, step.block, s.model.theta, &pushed);
    for (int v = 0; v < FISHER_VARIANTS; v++) {
        assert_true(ref_close(known.of[v][FULL_STEP][FULL_THETA],
                              pushed.of[v][FULL_STEP][FULL_PREVIOUS], 1e-4, 0));
        assert_true(ref_close(known.of[v][FULL_THETA][FULL_THETA],
                              pushed.of[v][FULL_PREVIOUS][FULL_PREVIOUS], 1e-4, 0));
    }
    /* Straight to the origin, and on in the same direction. */
    for (size_t i = 0; i < s.model.size; i++) step.block[i] = -0.25f * s.model.theta[i];
    full_find(&f, &s.model, &s.task.test, NULL, step.block, step.block, &known);
    for (int v = 0; v < FISHER_VARIANTS; v++) {
        struct geometry_step way = full_step(&known, (enum fisher_variant)v);
        assert_true(ref_close(way.cos_origin, 1, 1e-5, 0));
        assert_true(ref_close(way.cos_previous, 1, 1e-12, 0));
    }
    full_close(&f);
    full_close(&g);
    direction_close(&step);
    specimen_close(&s);
}

/* Of squares J theta is not a multiple of the logits less b2: the hidden layer is of degree 2 and
 * the output of degree 1, together 3 for weights but for the output bias. */
void test_the_move_along_the_parameters_of_squares_is_three_times_the_logits(void **state)
{
    (void)state;
    struct specimen s;
    struct full f;
    struct err e;
    struct full_products products;
    double sum = 0, *z = malloc(11 * sizeof *z);
    specimen_open_with(&s, 11, 16, 0.5, ACTIVATION_SQUARE);
    struct direction step = direction_open(&s, 3, 0.1);
    assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
    assert_false(f.homogeneous);
    full_find(&f, &s.model, &s.task.test, NULL, step.block, NULL, &products);
    const double *b2 = s.theta + ref_net_layout(11, 16).b2;
    for (size_t x = 0; x < s.n_test; x++) {
        ref_logits(&s.net, s.test[2 * x], s.test[2 * x + 1], z);
        for (size_t c = 0; c < 11; c++) sum += pow(3 * z[c] - 2 * b2[c], 2) / (double)s.n_test;
    }
    assert_true(ref_close(products.of[FISHER_REGRESSION][FULL_THETA][FULL_THETA], sum, 1e-5, 0));
    full_close(&f);
    direction_close(&step);
    specimen_close(&s);
    free(z);
}

/* Of the Ising network, in single precision: a coarse check of every layer's rule; golden ones are
 * finer. */
void test_moves_of_convolutions_equal_differences_of_the_logits(void **state)
{
    (void)state;
    const float t = 1e-4f;
    struct specimen s;
    struct jvp j;
    struct workspace w;
    struct err e;
    double there[2][VEC_LANES];
    specimen_open_ising(&s, 40, 1);
    struct direction d = direction_open(&s, 5, 0.1);
    struct batch b = dataset_chunk(&s.task.test, 0);
    const float *const direction[] = {d.block};
    assert_true(jvp_fits(&s.model));
    assert_int_equal(jvp_open(&j, &s.model, 1, &e), OK);
    assert_int_equal(workspace_open(&w, &s.model, &e), OK);
    jvp_run(&j, &s.model, &b, NULL, direction, 1);
    const struct signal *f = &w.value[s.model.layer_count];
    for (int sign = 1; sign >= -1; sign -= 2) {
        float *theta = s.model.theta, *moved = vec_alloc(s.model.size);
        for (size_t i = 0; i < s.model.size; i++)
            moved[i] = theta[i] + (float)sign * t * d.block[i];
        s.model.theta = moved;
        model_forward(&s.model, &b, &w);
        for (size_t c = 0; c < 2; c++)
            for (size_t x = 0; x < b.count; x++)
                there[c][x] = (sign > 0 ? 0 : there[c][x]) + sign * f->x[c * VEC_LANES + x];
        s.model.theta = theta;
        free(moved);
    }
    for (size_t c = 0; c < 2; c++)
        for (size_t x = 0; x < b.count; x++) {
            double ours = jvp_moved(&j, &s.model, 0)->x[c * VEC_LANES + x];
            if (!ref_close(ours, there[c][x] / (2 * t), 2e-2, 0.2))
                fail_msg("logit %zu of %zu: %.9g, by differences %.9g", c, x, ours,
                         there[c][x] / (2 * t));
        }
    jvp_close(&j);
    workspace_close(&w);
    direction_close(&d);
    specimen_close(&s);
}

void test_both_levels_give_the_same_products(void **state)
{
    (void)state;
    const struct vec *chosen = NULL;
    for (int ising = 0; ising < 2; ising++) {
        struct specimen s;
        struct full f;
        struct err e;
        struct full_products products[2];
        if (ising)
            specimen_open_ising(&s, 70, 1);
        else
            specimen_open(&s, 17, 40, 0.5);
        struct direction step = direction_open(&s, 11, 0.1);
        chosen = vec;
        for (int level = 0; level < 2; level++) {
            if (level) vec = vec_level(3);
            assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
            full_find(&f, &s.model, &s.task.test, NULL, step.block, s.model.theta,
                      &products[level]);
            full_close(&f);
        }
        vec = chosen;
        for (int v = 0; v < FISHER_VARIANTS; v++)
            for (size_t i = 0; i < FULL_VECTORS; i++)
                for (size_t k = i; k < FULL_VECTORS; k++)
                    assert_true(products[0].of[v][i][k] == products[1].of[v][i][k]);
        direction_close(&step);
        specimen_close(&s);
    }
}

void test_an_empty_set_moves_nothing(void **state)
{
    (void)state;
    struct specimen s;
    struct full f;
    struct err e;
    struct full_products products;
    specimen_open(&s, 7, 8, 0.5);
    s.task.test.count = 0;
    assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
    full_find(&f, &s.model, &s.task.test, NULL, s.model.theta, NULL, &products);
    struct geometry_step g = full_step(&products, FISHER_REGRESSION);
    assert_true(g.length == 0 && isnan(g.cos_previous) && isnan(g.cos_origin));
    full_close(&f);
    specimen_close(&s);
}

void test_with_known_logits_the_products_have_the_same_bits(void **state)
{
    (void)state;
    struct specimen s;
    struct full f;
    struct logits l;
    struct err e;
    struct full_products made, known;
    specimen_open(&s, 17, 40, 0.5);
    struct direction step = direction_open(&s, 7, 0.01), previous = direction_open(&s, 8, 0.02);
    assert_int_equal(full_open(&f, &s.model, 0, &e), OK);
    assert_int_equal(logits_open(&l, &s.model, &s.task, &e), OK);
    logits_take(&l, &s.model);
    full_find(&f, &s.model, &s.task.test, NULL, step.block, previous.block, &made);
    full_find(&f, &s.model, &s.task.test, l.kept[LOGITS_TEST], step.block, previous.block, &known);
    for (int v = 0; v < FISHER_VARIANTS; v++)
        for (size_t i = 0; i < FULL_VECTORS; i++)
            assert_memory_equal(&made.of[v][i][i], &known.of[v][i][i],
                                (FULL_VECTORS - i) * sizeof(double));
    logits_close(&l);
    full_close(&f);
    direction_close(&step);
    direction_close(&previous);
    specimen_close(&s);
}
