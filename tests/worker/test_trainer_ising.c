// SPDX-License-Identifier: MIT
/* The trainer on snapshots: against the golden run (tests/golden/make_golden.py: PyTorch, double
 * precision, 150 epochs), and against itself, bit for bit.
 */
#include "worker/train/trainer.h"

#include "tests/test.h"
#include "tests/worker/trainer_scene.h"
#include "worker/train/init.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA   "tests/golden/ising_data.safetensors"
#define GOLDEN "tests/golden/ising.safetensors"

static const char *const golden_run[] = {"task=ising", "learning_rate=0.002",   "weight_decay=0.02",
                                         "epochs=150", "weight_multiplier=1.5", NULL};

static struct trainer *open_trainer(const char *const settings[], const struct trainer_source *from)
{
    struct params p = scene_params(settings);
    struct trainer *t;
    struct err e;
    if (trainer_open(&t, &p, from, &e) < 0) fail_msg("%s", e.text);
    return t;
}

static char *slurp(const char *path)
{
    char *text = NULL;
    size_t size = 0, n;
    FILE *in = fopen(path, "r"), *out = open_memstream(&text, &size);
    char buffer[4096];
    assert_non_null(in);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0) fwrite(buffer, 1, n, out);
    fclose(in);
    fclose(out);
    return text;
}

/* A number of an epoch of the golden document. */
static double golden(const char *text, int epoch, const char *name)
{
    char mark[64];
    snprintf(mark, sizeof mark, "\"epoch\":%d,", epoch);
    const char *at = strstr(text, mark);
    assert_non_null(at);
    snprintf(mark, sizeof mark, "\"%s\":", name);
    at = strstr(at, mark);
    assert_non_null(at);
    return strtod(at + strlen(mark), NULL);
}

static void check_near(const char *what, int epoch, double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance * (1 + fabs(right))))
        fail_msg("epoch %d: %s %.9g, golden %.9g", epoch, what, is, right);
}

void test_losses_are_those_of_the_golden_run(void **state)
{
    (void)state;
    const struct trainer_source from = {
        .init_path = GOLDEN, .init_prefix = "init/", .data_path = DATA};
    struct trainer *t = open_trainer(golden_run, &from);
    char *text = slurp("tests/golden/ising.json");
    struct row row;
    struct err e;
    assert_int_equal(trainer_start(t, &row, &e), OK);
    check_near("test loss", 0, row.value[METRIC_test_loss], golden(text, 0, "test_loss"), 1e-6);
    for (int epoch = 1; epoch <= (test_short() ? 5 : 150); epoch++) {
        assert_int_equal(trainer_epoch(t, &row, &e), OK);
        /* Later some window has two sites within a rounding of each other, and pooling in float
         * takes another than in double: PyTorch in float leaves the golden run by as much. */
        double tolerance = epoch <= 60 ? 1e-6 : 5e-3;
        check_near("training loss", epoch, row.value[METRIC_train_loss],
                   golden(text, epoch, "running_train_loss"), tolerance);
        check_near("test loss", epoch, row.value[METRIC_test_loss],
                   golden(text, epoch, "test_loss"), tolerance);
    }
    free(text);
    trainer_close(&t);
}

void test_the_gradient_of_the_first_batch_is_golden(void **state)
{
    (void)state;
    struct params p = scene_params(golden_run);
    struct safetensors s = {0};
    struct task task;
    struct model m;
    struct workspace w;
    struct gradient g;
    struct err e;
    struct vec_score score = {0};
    assert_int_equal(vec_open(&e), OK);
    vec_set_float_mode();
    assert_int_equal(task_open(&task, &p, DATA, &e), OK);
    assert_int_equal(model_open(&m, &p, &e), OK);
    assert_int_equal(workspace_open(&w, &m, &e), OK);
    assert_int_equal(gradient_open(&g, &m, &e), OK);
    assert_int_equal(safetensors_read(&s, GOLDEN, &e), OK);
    assert_int_equal(init_load(&m, m.theta, &s, "init/", &e), OK);
    assert_int_equal(task.train.count, 150);
    for (size_t from = 0; from < 150; from += VEC_LANES) {
        struct batch b = dataset_chunk(&task.train, from);
        model_forward(&m, &b, &w);
        model_backward(&m, &b, &w, 1.0f / 150, from == 0, &g, &score);
    }
    double *is = scene_flat(&m, g.g);
    assert_int_equal(init_load(&m, m.theta, &s, "grad/", &e), OK);
    double *right = scene_flat(&m, m.theta), most = 0;
    for (size_t i = 0; i < m.parameters; i++) most = fmax(most, fabs(right[i]));
    for (size_t i = 0; i < m.parameters; i++)
        if (!(fabs(is[i] - right[i]) <= 1e-4 * fabs(right[i]) + 1e-6 * most))
            fail_msg("parameter %zu: %.9g, golden %.9g", i, is[i], right[i]);
    free(is), free(right);
    safetensors_close(&s);
    gradient_close(&g);
    workspace_close(&w);
    model_close(&m);
    task_close(&task);
}

/* ---- the same bits -----------------------------------------------------------------------------
 */

static const char *const small_run[] = {"task=ising",          "train_size=100", "test_size=70",
                                        "weight_multiplier=4", "epochs=12",      "glauber_sweeps=8",
                                        "shuffle=true",        "batch_size=37",  NULL};

static void run_to(struct trainer *t, int64_t epoch, struct row *row)
{
    struct err e;
    if (trainer_done(t) == 0) assert_int_equal(trainer_start(t, row, &e), OK);
    while (trainer_done(t) < epoch)
        if (trainer_epoch(t, row, &e) < 0) fail_msg("%s", e.text);
}

static void check_same(const struct trainer *a, const struct trainer *b, const struct row *x,
                       const struct row *y)
{
    const struct model *m = trainer_model(a), *n = trainer_model(b);
    assert_memory_equal(m->theta, n->theta, m->size * sizeof *m->theta);
    assert_true(x->value[METRIC_train_loss] == y->value[METRIC_train_loss]);
    assert_true(x->value[METRIC_test_loss] == y->value[METRIC_test_loss]);
}

void test_a_run_gives_the_same_bits_again_and_when_it_is_resumed(void **state)
{
    (void)state;
    struct trainer *once = open_trainer(small_run, NULL), *again = open_trainer(small_run, NULL);
    struct trainer *resumed = open_trainer(small_run, NULL);
    struct safetensors s = {0};
    struct row row[3];
    struct err e;
    run_to(once, 12, &row[0]);
    run_to(again, 5, &row[1]);
    assert_int_equal(trainer_save(again, &s, &e), OK);
    run_to(again, 12, &row[1]);
    check_same(once, again, &row[0], &row[1]);
    if (trainer_load(resumed, &s, &e) < 0) fail_msg("%s", e.text);
    run_to(resumed, 12, &row[2]);
    check_same(once, resumed, &row[0], &row[2]);
    safetensors_close(&s);
    trainer_close(&once);
    trainer_close(&again);
    trainer_close(&resumed);
}

void test_both_levels_of_kernels_train_to_the_same_bits(void **state)
{
    (void)state;
    if (!vec_level(4)) skip();
    struct trainer *at[2] = {open_trainer(small_run, NULL), open_trainer(small_run, NULL)};
    struct row row[2];
    for (int i = 0; i < 2; i++) {
        vec = vec_level(3 + i);
        run_to(at[i], 10, &row[i]);
    }
    check_same(at[0], at[1], &row[0], &row[1]);
    trainer_close(&at[0]);
    trainer_close(&at[1]);
}

void test_a_run_that_diverges_says_when(void **state)
{
    (void)state;
    const char *const wild[] = {"task=ising",
                                "train_size=40",
                                "test_size=0",
                                "hidden=8",
                                "weight_multiplier=1e6",
                                "learning_rate=1000",
                                "epochs=2000",
                                "glauber_sweeps=1",
                                "beta2=0",
                                "weight_decay=1000",
                                NULL};
    struct trainer *t = open_trainer(wild, NULL);
    struct row row;
    struct err e = {0};
    int rc = trainer_start(t, &row, &e);
    while (rc == OK && trainer_done(t) < 2000) rc = trainer_epoch(t, &row, &e);
    assert_int_equal(rc, E_RUN);
    assert_non_null(strstr(e.text, "diverged at epoch"));
    trainer_close(&t);
}
