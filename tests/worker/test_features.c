// SPDX-License-Identifier: MIT
/* features: the physics of a snapshot by hand, and correlations against the textbook formula. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, SITES = SIDE * SIDE };

void test_energy_and_magnetisation_of_known_states(void **state)
{
    (void)state;
    int8_t spin[SITES];
    memset(spin, 1, sizeof spin);
    assert_true(features_energy(spin, SIDE) == -1 && features_magnetization(spin, SIDE) == 1);
    spin[5] = -1; /* four bonds of 512 turn */
    assert_true(features_energy(spin, SIDE) == -1 + 8.0 / 512);
    assert_true(features_magnetization(spin, SIDE) == 1 - 2.0 / 256);
    for (int i = 0; i < SITES; i++) spin[i] = (i / SIDE + i % SIDE) % 2 ? 1 : -1;
    assert_true(features_energy(spin, SIDE) == 1 && features_magnetization(spin, SIDE) == 0);
    for (int i = 0; i < SITES; i++) spin[i] = i / SIDE < SIDE / 2 ? 1 : -1; /* two stripes */
    assert_true(features_energy(spin, SIDE) == -1 + 4.0 * SIDE / 512);
}

/* Pearson's r as in a textbook, two passes. */
static double pearson(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) mx += x[i] / (double)n, my += y[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

/* Pre-activations of a layer's neurons, z[neuron][n], one snapshot at a time. */
static void activations(const struct specimen *s, size_t layer, size_t neurons, double *z)
{
    struct workspace w;
    struct err e;
    size_t n = s->task.test.count;
    assert_int_equal(workspace_open(&w, &s->model, &e), OK);
    for (size_t i = 0; i < n; i++) {
        struct batch b = dataset_chunk(&s->task.test, i);
        b.count = 1;
        model_forward_part(&s->model, &b, &w, 0, layer + 1);
        for (size_t k = 0; k < neurons; k++)
            z[k * n + i] = w.value[layer + 1].x[k * w.value[layer + 1].feature_stride];
    }
    workspace_close(&w);
}

static double value_of(const struct features *f, const char *layer, const char *name)
{
    for (size_t i = 0; i < f->value_count; i++)
        if (!strcmp(f->value[i].layer, layer) && !strcmp(f->value[i].name, name))
            return f->value[i].value;
    fail_msg("no %s of %s", name, layer);
    return NAN;
}

static void measure_specimen(struct specimen *s, struct features *f, int64_t snapshots)
{
    struct err e;
    specimen_open_ising(s, snapshots, 1);
    assert_int_equal(features_open(f, &s->model, &s->task.test, SIDE, &e), OK);
    features_measure(f, &s->model, &s->task.test);
}

void test_statistics_of_the_last_hidden_layer_are_those_of_its_neurons(void **state)
{
    (void)state;
    enum { N = 150, NEURONS = 100 };
    struct specimen s;
    struct features f;
    static double all[NEURONS * N];
    double energy[N], size[N], mean = 0, weighted = 0, weight = 0, r[NEURONS];
    measure_specimen(&s, &f, N);
    size_t below = 0, layer = f.layer[2].layer, won = 0;
    for (size_t i = 0; i < N; i++) {
        const int8_t *spin = s.task.test.spin + i * SITES;
        energy[i] = features_energy(spin, SIDE);
        size[i] = fabs(features_magnetization(spin, SIDE));
    }
    activations(&s, layer, NEURONS, all);
    for (size_t k = 0; k < NEURONS; k++) {
        const double *z = all + k * N;
        double activity = 0, m[N];
        for (size_t i = 0; i < N; i++) {
            activity += fabs(z[i]);
            m[i] = features_magnetization(s.task.test.spin + i * SITES, SIDE);
        }
        r[k] = fabs(pearson(z, energy, N));
        mean += r[k] / NEURONS;
        weighted += r[k] * activity;
        weight += activity;
        won += r[k] > fabs(pearson(z, m, N)) && r[k] > fabs(pearson(z, size, N));
    }
    double median = value_of(&f, "fc1", "energy_median");
    for (size_t k = 0; k < NEURONS; k++) below += r[k] < median;
    assert_true(ref_close(value_of(&f, "fc1", "energy_mean"), mean, 1e-9, 0));
    assert_true(ref_close(value_of(&f, "fc1", "energy_weighted"), weighted / weight, 1e-9, 0));
    assert_int_equal(below, NEURONS / 2);
    assert_true(value_of(&f, "fc1", "energy_share") == (double)won / NEURONS);
    features_close(&f);
    specimen_close(&s);
}

void test_layers_are_named_and_every_site_of_a_convolution_is_a_neuron(void **state)
{
    (void)state;
    struct specimen s;
    struct features f;
    measure_specimen(&s, &f, 70);
    assert_int_equal(f.layer_count, 3);
    assert_int_equal(f.layer[0].neurons, 512);
    assert_int_equal(f.layer[1].neurons, 256);
    assert_int_equal(f.layer[2].neurons, 100);
    for (size_t i = 0; i < f.layer_count; i++) {
        const char *name = f.layer[i].name;
        double share = value_of(&f, name, "energy_share") +
                       value_of(&f, name, "magnetization_share") +
                       value_of(&f, name, "abs_magnetization_share");
        assert_true(fabs(share - 1) < 1e-12);
    }
    value_of(&f, "conv1", "energy_mean");
    value_of(&f, "conv2", "abs_magnetization_weighted");
    features_close(&f);
    specimen_close(&s);
}

void test_constant_neurons_correlate_with_nothing(void **state)
{
    (void)state;
    struct specimen s;
    struct features f;
    struct err e;
    specimen_open_ising(&s, 33, 1);
    const struct model *m = &s.model;
    const struct tensor *w = &m->tensor[0], *b = &m->tensor[1];
    for (size_t i = 0; i < w->span; i++) m->theta[w->offset + i] = 0;
    for (size_t i = 0; i < b->rows; i++) m->theta[tensor_index(b, i, 0)] = 0.1f;
    assert_int_equal(features_open(&f, m, &s.task.test, SIDE, &e), OK);
    features_measure(&f, m, &s.task.test);
    for (size_t i = 0; i < f.value_count; i++) assert_true(f.value[i].value == 0);
    for (size_t i = 0; i < b->rows; i++) m->theta[tensor_index(b, i, 0)] = 0;
    features_measure(&f, m, &s.task.test);
    assert_true(isnan(value_of(&f, "conv1", "energy_weighted"))); /* no weights to weigh with */
    features_close(&f);
    specimen_close(&s);
}

void test_an_empty_test_set_has_no_features(void **state)
{
    (void)state;
    struct specimen s;
    struct features f;
    measure_specimen(&s, &f, 0);
    assert_int_equal(f.value_count, 0);
    features_close(&f);
    specimen_close(&s);
}
