// SPDX-License-Identifier: MIT
/* ref_measure_specimen: makes the model twice, as grokd holds it and as a vector of doubles. */
#include "tests/ref/ref_measure_specimen.h"

#include "tests/test.h"
#include "worker/train/init.h"

#include <stdlib.h>

static int32_t *pairs_of(const struct dataset *d, int32_t P)
{
    int32_t *pairs = malloc(2 * d->count * sizeof *pairs);
    for (size_t i = 0; i < d->count; i++) {
        pairs[2 * i] = d->pair[i][0];
        pairs[2 * i + 1] = d->pair[i][1] - P;
    }
    return pairs;
}

void specimen_set(struct specimen *s, const double *theta)
{
    for (size_t i = 0; i < s->model.parameters; i++) {
        s->flat[i] = (float)theta[i];
        s->theta[i] = s->flat[i];
    }
    model_unflatten(&s->model, s->flat, s->model.theta);
}

void specimen_shake(struct specimen *s, uint64_t seed, double deviation)
{
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = deviation * ref_normal(&seed);
    specimen_set(s, s->theta);
}

void specimen_open(struct specimen *s, int64_t P, int64_t hidden, double deviation)
{
    specimen_open_with(s, P, hidden, deviation, ACTIVATION_RELU);
}

void specimen_open_with(struct specimen *s, int64_t P, int64_t hidden, double deviation,
                        int64_t activation)
{
    struct err e;
    *s = (struct specimen){.n_test = 0};
    assert_int_equal(vec_open(&e), OK);
    vec_set_float_mode();
    params_default(&s->params);
    s->params.modulus = P;
    s->params.hidden = hidden;
    s->params.activation = activation;
    assert_int_equal(params_resolve(&s->params, &e), OK);
    settings_default(&s->settings);
    settings_follow(&s->settings, TASK_MODULAR_ADDITION);
    assert_int_equal(model_open(&s->model, &s->params, &e), OK);
    assert_int_equal(task_open(&s->task, &s->params, NULL, &e), OK);
    assert_int_equal(s->model.parameters, ref_net_size((size_t)P, (size_t)hidden));
    s->flat = calloc(s->model.parameters, sizeof *s->flat);
    s->theta = calloc(s->model.parameters, sizeof *s->theta);
    s->net = (struct ref_net){(size_t)P, (size_t)hidden, s->theta, activation == ACTIVATION_SQUARE};
    s->train = pairs_of(&s->task.train, (int32_t)P);
    s->test = pairs_of(&s->task.test, (int32_t)P);
    s->n_train = s->task.train.count;
    s->n_test = s->task.test.count;
    specimen_shake(s, 1, deviation);
}

void specimen_open_ising(struct specimen *s, int64_t test_size, double multiplier)
{
    struct err e;
    *s = (struct specimen){.n_test = 0};
    assert_int_equal(vec_open(&e), OK);
    vec_set_float_mode();
    params_of_task(&s->params, TASK_ISING);
    s->params.test_size = test_size;
    s->params.train_size = 16;
    s->params.glauber_sweeps = 8;
    s->params.weight_multiplier = multiplier;
    assert_int_equal(params_resolve(&s->params, &e), OK);
    settings_default(&s->settings);
    settings_follow(&s->settings, TASK_ISING);
    s->settings.snapshots = 40;
    assert_int_equal(model_open(&s->model, &s->params, &e), OK);
    assert_int_equal(task_open(&s->task, &s->params, NULL, &e), OK);
    init_draw(&s->model, &s->params);
    s->flat = calloc(s->model.parameters, sizeof *s->flat);
    s->theta = calloc(s->model.parameters, sizeof *s->theta);
    model_flatten(&s->model, s->model.theta, s->flat);
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = s->flat[i];
}

void specimen_close(struct specimen *s)
{
    model_close(&s->model);
    task_close(&s->task);
    free(s->flat);
    free(s->theta);
    free(s->train);
    free(s->test);
}
