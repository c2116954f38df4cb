// SPDX-License-Identifier: MIT
/* Whole runs: against the naive network trained in double, resumed, at both levels, and refused. */
#include "tests/test.h"

#include "common/philox.h"
#include "tests/ref/naive.h"
#include "tests/worker/trainer_scene.h"
#include "worker/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct trainer *open_trainer(const char *const settings[])
{
    struct trainer *t;
    struct err e;
    struct params p = scene_params(settings);
    if (trainer_open(&t, &p, NULL, &e) < 0) fail_msg("%s", e.text);
    return t;
}

static struct row next_epoch(struct trainer *t)
{
    struct row r;
    struct err e;
    if (trainer_epoch(t, &r, &e) < 0) fail_msg("%s", e.text);
    return r;
}

/* The naive run: losses and hits while training, then the test set, all in double. */
struct twin {
    struct naive_net net;
    struct naive_rule rule;
    double *theta, *m, *v, *g;
    int64_t steps;
};

static void twin_epoch(struct twin *w, const struct dataset *train, const struct dataset *test,
                       size_t batch, double out[4])
{
    size_t hits, n = train->count, size = naive_parameters(&w->net);
    out[0] = out[1] = 0;
    for (size_t from = 0; from < n; from += batch) {
        size_t count = n - from < batch ? n - from : batch;
        out[0] +=
            (double)count * naive_loss(&w->net, w->theta, (const int32_t(*)[2])train->pair + from,
                                       train->label + from, count, w->g, &hits);
        out[1] += (double)hits;
        w->steps++;
        for (size_t i = 0; i < size; i++)
            naive_step(&w->rule, &w->theta[i], &w->m[i], &w->v[i], w->g[i], w->steps);
    }
    out[0] /= (double)n, out[1] /= (double)n;
    out[2] = naive_loss(&w->net, w->theta, (const int32_t(*)[2])test->pair, test->label,
                        test->count, NULL, &hits);
    out[3] = (double)hits / (double)test->count;
}

static void check_row(const struct row *r, const double right[4])
{
    const int which[] = {METRIC_train_loss, METRIC_train_accuracy, METRIC_test_loss,
                         METRIC_test_accuracy};
    for (int i = 0; i < 4; i++) {
        double is = r->value[which[i]];
        if (!(fabs(is - right[i]) <= 1e-4 * fabs(right[i])))
            fail_msg("epoch %d, %s: %.9g, expected %.9g", (int)r->epoch, metric_list[which[i]].name,
                     is, right[i]);
    }
}

/* The training set as the order of an epoch has it. Gives. */
static struct dataset order_of(const struct params *p, const struct dataset *d, int epoch)
{
    const struct philox stream = {(uint64_t)p->order_seed, (uint32_t)epoch, PHILOX_ORDER};
    struct dataset out = {.count = d->count,
                          .pair = calloc(d->count, sizeof *out.pair),
                          .label = calloc(d->count, sizeof *out.label)};
    uint32_t *order = calloc(d->count, sizeof *order);
    philox_permutation(&stream, order, (uint32_t)d->count);
    for (size_t i = 0; i < d->count; i++) {
        size_t from = p->shuffle ? order[i] : i;
        memcpy(out.pair[i], d->pair[from], sizeof *out.pair);
        out.label[i] = d->label[from];
    }
    free(order);
    return out;
}

static void check_run(const char *const settings[], size_t batch)
{
    struct params p = scene_params(settings);
    struct trainer *t = open_trainer(settings);
    const struct model *m = trainer_model(t);
    struct twin w = {
        .net = {(size_t)p.modulus, (size_t)p.hidden, p.loss, p.activation},
        .rule = {p.learning_rate, p.beta1, p.beta2, p.epsilon, p.weight_decay, p.momentum,
                 p.optimizer},
        .theta = scene_flat(m, m->theta),
        .m = calloc(m->parameters, sizeof(double)),
        .v = calloc(m->parameters, sizeof(double)),
        .g = calloc(m->parameters, sizeof(double)),
    };
    for (int epoch = 1; epoch <= 5; epoch++) {
        double right[4];
        struct row r = next_epoch(t);
        struct dataset train = order_of(&p, &trainer_task(t)->train, epoch);
        twin_epoch(&w, &train, &trainer_task(t)->test, batch, right);
        free(train.pair), free(train.label);
        assert_int_equal(r.epoch, epoch);
        assert_int_equal(trainer_done(t), epoch);
        assert_true(r.value[METRIC_seconds] > 0);
        check_row(&r, right);
    }
    free(w.theta), free(w.m), free(w.v), free(w.g);
    trainer_close(&t);
}

void test_a_run_with_an_uneven_last_batch_follows_the_naive_network(void **state)
{
    (void)state;
    check_run((const char *const[]){"modulus=11", "hidden=20", "batch_size=16", "seed=1",
                                    "weight_decay=1e-3", NULL},
              16);
}

void test_a_shuffled_run_draws_a_new_order_every_epoch(void **state)
{
    (void)state;
    check_run(
        (const char *const[]){"modulus=11", "hidden=20", "batch_size=16", "shuffle=true", NULL},
        16);
}

void test_a_batch_of_more_than_one_chunk_follows_the_naive_network(void **state)
{
    (void)state;
    check_run((const char *const[]){"modulus=17", "hidden=24", "batch_size=100", "seed=2", NULL},
              100);
    check_run((const char *const[]){"modulus=17", "hidden=24", "batch_size=0", "seed=3", NULL},
              1000000);
}

void test_a_run_with_any_optimizer_follows_the_naive_network(void **state)
{
    (void)state;
    check_run((const char *const[]){"modulus=11", "hidden=20", "batch_size=16", "optimizer=adamw",
                                    "weight_decay=0.1", NULL},
              16);
    check_run((const char *const[]){"modulus=11", "hidden=20", "batch_size=16", "optimizer=sgd",
                                    "learning_rate=0.1", "momentum=0.9", "weight_decay=1e-2", NULL},
              16);
    check_run((const char *const[]){"modulus=11", "hidden=20", "batch_size=16", "optimizer=sgd",
                                    "learning_rate=0.1", "weight_decay=0", NULL},
              16);
}

static const char *const small[] = {"modulus=13", "hidden=20",    "batch_size=10",
                                    "epochs=9",   "shuffle=true", NULL};

/* Values of two rows, all but the time, bit for bit. */
static void check_same(struct row a, struct row b)
{
    a.value[METRIC_seconds] = b.value[METRIC_seconds] = 0;
    assert_int_equal(a.epoch, b.epoch);
    assert_memory_equal(a.value, b.value, sizeof a.value);
}

static void check_same_weights(const struct trainer *a, const struct trainer *b)
{
    const struct model *x = trainer_model(a), *y = trainer_model(b);
    assert_memory_equal(x->theta, y->theta, x->size * sizeof *x->theta);
}

static void check_resumed(const char *const settings[])
{
    for (int stop = 0; stop < 9; stop += 4) {
        struct trainer *whole = open_trainer(settings), *first = open_trainer(settings);
        struct trainer *second = open_trainer(settings);
        struct safetensors s = {0}, back;
        struct err e;
        unsigned char *bytes;
        size_t size;
        for (int i = 0; i < stop; i++) next_epoch(whole), next_epoch(first);
        assert_int_equal(trainer_save(first, &s, &e), OK);
        assert_int_equal(safetensors_bytes(&s, &bytes, &size, &e), OK);
        assert_int_equal(safetensors_parse(&back, bytes, size, "checkpoint", &e), OK);
        assert_int_equal(trainer_load(second, &back, &e), OK);
        assert_int_equal(trainer_done(second), stop);
        for (int i = stop; i < 9; i++) check_same(next_epoch(whole), next_epoch(second));
        check_same_weights(whole, second);
        free(bytes);
        safetensors_close(&s), safetensors_close(&back);
        trainer_close(&whole), trainer_close(&first), trainer_close(&second);
    }
}

void test_a_run_resumed_from_any_epoch_gives_the_same_bits(void **state)
{
    (void)state;
    check_resumed(small);
    check_resumed((const char *const[]){"modulus=13", "hidden=20", "batch_size=10", "epochs=9",
                                        "optimizer=adamw", NULL});
    check_resumed((const char *const[]){"modulus=13", "hidden=20", "batch_size=10", "epochs=9",
                                        "optimizer=sgd", "momentum=0.9", NULL});
    check_resumed((const char *const[]){"modulus=13", "hidden=20", "batch_size=10", "epochs=9",
                                        "gradient_filter=grokfast_ema", "orthogonal_gradient=true",
                                        NULL});
    check_resumed((const char *const[]){"modulus=13", "hidden=20", "batch_size=10", "epochs=9",
                                        "gradient_filter=grokfast_ma", "grokfast_window=50", NULL});
}

void test_scores_taken_in_between_change_nothing(void **state)
{
    (void)state;
    struct trainer *a = open_trainer(small), *b = open_trainer(small);
    struct workspace w;
    struct row r;
    struct err e;
    assert_int_equal(workspace_open(&w, trainer_model(b), &e), OK);
    assert_int_equal(trainer_start(b, &r, &e), OK);
    for (int i = 0; i < 4; i++) {
        struct row x = next_epoch(a), y = next_epoch(b);
        check_same(x, y);
        struct score s = dataset_score(&trainer_task(b)->test, trainer_model(b), &w);
        assert_true(s.loss == y.value[METRIC_test_loss]);
        assert_true(s.accuracy == y.value[METRIC_test_accuracy]);
    }
    workspace_close(&w);
    trainer_close(&a), trainer_close(&b);
}

static void check_levels(const char *const settings[])
{
    struct trainer *a = open_trainer(settings), *b = open_trainer(settings);
    for (int i = 0; i < 2; i++) {
        vec = vec_level(3);
        struct row x = next_epoch(a);
        vec = vec_level(4);
        check_same(x, next_epoch(b));
    }
    check_same_weights(a, b);
    trainer_close(&a), trainer_close(&b);
}

void test_both_levels_of_the_processor_train_the_same_bits(void **state)
{
    (void)state;
    if (!vec_level(4)) skip();
    check_levels((const char *const[]){"hidden=100", "epochs=2", NULL});
    check_levels((const char *const[]){"modulus=23", "hidden=50", "epochs=2", "optimizer=adamw",
                                       "loss=mse", "activation=square",
                                       "gradient_filter=grokfast_ema", NULL});
    check_levels((const char *const[]){"modulus=23", "hidden=50", "epochs=2", "optimizer=sgd",
                                       "momentum=0.9", "loss=stablemax", "operation=division",
                                       "gradient_filter=grokfast_ma", "grokfast_window=3",
                                       "orthogonal_gradient=true", NULL});
    check_levels((const char *const[]){"task=ising", "train_size=40", "test_size=20", "epochs=2",
                                       "activation=square", "loss=mse", NULL});
}

void test_epoch_zero_is_the_model_as_it_starts(void **state)
{
    (void)state;
    struct trainer *t = open_trainer(small);
    struct row r;
    struct err e;
    const struct model *m = trainer_model(t);
    const struct naive_net n = {.modulus = 13, .hidden = 20};
    double *theta = scene_flat(m, m->theta);
    const struct dataset *train = &trainer_task(t)->train;
    double right = naive_loss(&n, theta, (const int32_t(*)[2])train->pair, train->label,
                              train->count, NULL, NULL);
    assert_int_equal(trainer_start(t, &r, &e), OK);
    assert_int_equal(r.epoch, 0);
    assert_true(fabs(r.value[METRIC_train_loss] - right) < 1e-6 * right);
    assert_true(isnan(r.value[METRIC_weight_norm]));
    free(theta);
    trainer_close(&t);
}

void test_the_order_changes_with_shuffle_and_its_seed_only(void **state)
{
    (void)state;
    const char *const fixed[] = {"modulus=13", "hidden=20", "order_seed=5", NULL};
    const char *const other[] = {"modulus=13", "hidden=20", "order_seed=6", NULL};
    const char *const drawn[] = {"modulus=13", "hidden=20", "order_seed=5", "shuffle=true", NULL};
    const char *const again[] = {"modulus=13", "hidden=20", "order_seed=6", "shuffle=true", NULL};
    struct trainer *t[] = {open_trainer(fixed), open_trainer(other), open_trainer(drawn),
                           open_trainer(again)};
    double loss[4];
    for (int i = 0; i < 4; i++) {
        loss[i] = next_epoch(t[i]).value[METRIC_train_loss];
        trainer_close(&t[i]);
    }
    assert_true(loss[0] == loss[1]);
    assert_true(loss[0] != loss[2] && loss[2] != loss[3]);
}

/* ---- files -------------------------------------------------------------------------------------
 */

struct place {
    char dir[32], path[64];
};

static void place_open(struct place *at, const struct safetensors *s)
{
    struct err e;
    snprintf(at->dir, sizeof at->dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(at->dir));
    snprintf(at->path, sizeof at->path, "%s/w.safetensors", at->dir);
    assert_int_equal(safetensors_write(s, at->path, &e), OK);
}

static void place_close(const struct place *at)
{
    unlink(at->path);
    rmdir(at->dir);
}

void test_weights_and_data_from_files_start_the_same_run(void **state)
{
    (void)state;
    struct trainer *a = open_trainer(small), *b;
    struct safetensors s = {0};
    struct place at;
    struct err e;
    struct params p = scene_params(small);
    assert_int_equal(trainer_save_weights(a, "init/", &s, &e), OK);
    assert_int_equal(task_save(trainer_task(a), &s, &e), OK);
    place_open(&at, &s);
    p.data_seed = p.init_seed = 77;
    const struct trainer_source from = {
        .init_path = at.path, .init_prefix = "init/", .data_path = at.path};
    if (trainer_open(&b, &p, &from, &e) < 0) fail_msg("%s", e.text);
    for (int i = 0; i < 3; i++) check_same(next_epoch(a), next_epoch(b));
    safetensors_close(&s);
    place_close(&at);
    trainer_close(&a), trainer_close(&b);
}

void test_weights_of_another_network_are_refused_by_name_and_shape(void **state)
{
    (void)state;
    struct trainer *a = open_trainer(small), *b = NULL;
    struct safetensors s = {0};
    struct place at;
    struct err e;
    assert_int_equal(trainer_save_weights(a, NULL, &s, &e), OK);
    place_open(&at, &s);
    struct params p = scene_params((const char *const[]){"modulus=13", "hidden=21", NULL});
    assert_int_equal(trainer_open(&b, &p, &(struct trainer_source){.init_path = at.path}, &e),
                     E_FILE);
    assert_null(b);
    assert_non_null(strstr(e.text, "model.0.weight is F32 [20,26]: expected F32 [21,26]"));
    assert_non_null(strstr(e.text, at.path));
    safetensors_close(&s);
    place_close(&at);
    trainer_close(&a);
}

void test_a_loss_that_is_not_finite_ends_the_run_with_its_epoch(void **state)
{
    (void)state;
    struct trainer *a = open_trainer(small), *b;
    struct safetensors s = {0};
    struct place at;
    struct err e;
    struct row r;
    struct params p = scene_params(small);
    struct model *m = (struct model *)(uintptr_t)trainer_model(a);
    for (size_t i = 0; i < m->tensor[2].span; i++) m->theta[m->tensor[2].offset + i] *= 1e38f;
    m->theta[m->tensor[1].offset] = 1e38f;
    assert_int_equal(trainer_save_weights(a, NULL, &s, &e), OK);
    place_open(&at, &s);
    assert_int_equal(trainer_open(&b, &p, &(struct trainer_source){.init_path = at.path}, &e), OK);
    assert_int_equal(trainer_start(b, &r, &e), E_RUN);
    assert_string_equal(e.text, "diverged at epoch 0");
    assert_int_equal(trainer_epoch(b, &r, &e), E_RUN);
    assert_string_equal(e.text, "diverged at epoch 1");
    safetensors_close(&s);
    place_close(&at);
    trainer_close(&a), trainer_close(&b);
}

/* Infinite, not NaN: one class can never be. */
void test_an_infinite_loss_ends_the_run_too(void **state)
{
    (void)state;
    struct trainer *t = open_trainer((const char *const[]){"modulus=13", "batch_size=0", NULL});
    struct err e;
    struct row r;
    struct model *m = (struct model *)(uintptr_t)trainer_model(t);
    m->theta[m->tensor[3].offset + 5] = -INFINITY;
    assert_int_equal(trainer_start(t, &r, &e), E_RUN);
    assert_true(r.value[METRIC_train_loss] == INFINITY);
    assert_int_equal(trainer_epoch(t, &r, &e), E_RUN);
    assert_true(r.value[METRIC_train_loss] == INFINITY);
    trainer_close(&t);
}

void test_a_checkpoint_of_another_run_is_refused(void **state)
{
    (void)state;
    struct trainer *a = open_trainer(small), *b, *c, *d;
    struct safetensors s = {0}, none = {0};
    struct err e;
    for (int i = 0; i < 3; i++) next_epoch(a);
    assert_int_equal(trainer_save(a, &s, &e), OK);
    b = open_trainer((const char *const[]){"modulus=13", "hidden=24", "batch_size=10", NULL});
    c = open_trainer((const char *const[]){"modulus=13", "hidden=20", "epochs=2", NULL});
    d = open_trainer((const char *const[]){"modulus=13", "hidden=20", "batch_size=20", NULL});
    assert_int_equal(trainer_load(b, &s, &e), E_FILE);
    assert_int_equal(trainer_load(c, &s, &e), E_FILE);
    assert_int_equal(trainer_load(d, &s, &e), E_FILE);
    assert_int_equal(trainer_load(a, &none, &e), E_FILE);
    safetensors_close(&s);
    trainer_close(&a), trainer_close(&b), trainer_close(&c), trainer_close(&d);
}

void test_a_changed_float_mode_is_refused_each_epoch(void **state)
{
    (void)state;
    struct trainer *t = open_trainer(small);
    struct row r;
    struct err e;
    next_epoch(t);
    __builtin_ia32_ldmxcsr(0x3f80); /* rounds down, as a library may leave it */
    assert_int_equal(trainer_epoch(t, &r, &e), E_STATE);
    vec_set_float_mode();
    assert_int_equal(trainer_epoch(t, &r, &e), OK);
    trainer_close(&t);
}
