// SPDX-License-Identifier: MIT
/* The lazy optimizer against the eager one, bit for bit. */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every element of every tensor, every step: what the lazy one must equal. */
struct eager {
    float *w, *m, *v, *g;
    int64_t steps;
};

static void eager_open(struct eager *a, const struct model *m)
{
    *a = (struct eager){vec_alloc(m->size), vec_alloc(m->size), vec_alloc(m->size),
                        vec_alloc(m->size), 0};
    memcpy(a->w, m->theta, m->size * sizeof *a->w);
}

static void eager_close(struct eager *a)
{
    free(a->w), free(a->m), free(a->v), free(a->g);
}

static void eager_step(struct eager *a, const struct scene *s, const struct optimizer *rule)
{
    double t = (double)++a->steps;
    const struct adam_step step = {(float)(s->p.learning_rate / (1 - pow(s->p.beta1, t))),
                                   (float)(1 / sqrt(1 - pow(s->p.beta2, t)))};
    memcpy(a->g, s->gradient.g, s->model.size * sizeof *a->g);
    for (size_t n = 0; n < s->model.tensor_count; n++) {
        const struct tensor *w = &s->model.tensor[n];
        for (size_t r = 0; w->by_rows && r < s->gradient.rows; r++)
            if (!s->gradient.touched[r])
                memset(a->g + w->offset + r * w->col_stride, 0, w->col_stride * sizeof *a->g);
    }
    if (s->p.optimizer == OPTIMIZER_SGD)
        vec->sgd(a->w, a->m, a->g, s->model.size, &rule->descent, 1);
    else
        (s->p.optimizer == OPTIMIZER_ADAMW ? vec->adamw : vec->adam)(
            a->w, a->m, a->v, a->g, s->model.size, &rule->rule, &step, 1);
}

/* All elements, the same bits; padding is nobody's number. */
static void check_same(const struct model *m, const float *a, const float *b)
{
    float *x = malloc(m->parameters * sizeof *x), *y = malloc(m->parameters * sizeof *y);
    model_flatten(m, a, x);
    model_flatten(m, b, y);
    assert_memory_equal(x, y, m->parameters * sizeof *x);
    free(x), free(y);
}

/* Two epochs of batches of `batch`; the marks of rows outside a batch say what is behind, so the
 * eager twin is shown a gradient with only this batch's. */
static void check_lazy(const char *const settings[], size_t batch)
{
    struct scene s;
    struct optimizer lazy;
    struct eager eager;
    struct err e;
    struct vec_score score = {0};
    scene_open(&s, settings);
    size_t n = s.task.train.count, batches = (n + batch - 1) / batch;
    assert_int_equal(optimizer_open(&lazy, &s.model, &s.p, batches, &e), OK);
    eager_open(&eager, &s.model);
    for (size_t i = 0; i < 2 * batches; i++) {
        size_t from = i % batches * batch;
        struct batch b = dataset_chunk(&s.task.train, from);
        if (b.count > batch) b.count = batch;
        optimizer_fetch(&lazy, &s.model, &s.gradient, &s.task.train, from, b.count);
        uint8_t *pending = calloc(s.gradient.rows, 1);
        memcpy(pending, s.gradient.touched, s.gradient.rows);
        model_forward(&s.model, &b, &s.work);
        model_backward(&s.model, &b, &s.work, 1.0f / (float)b.count, true, &s.gradient, &score);
        for (size_t r = 0; r < s.gradient.rows; r++) s.gradient.touched[r] ^= pending[r];
        eager_step(&eager, &s, &lazy);
        for (size_t r = 0; r < s.gradient.rows; r++) s.gradient.touched[r] ^= pending[r];
        free(pending);
        optimizer_step(&lazy, &s.model, &s.gradient);
        if (i % batches != batches - 1) continue;
        optimizer_settle(&lazy, &s.model, &s.gradient);
        check_same(&s.model, s.model.theta, eager.w);
        check_same(&s.model, lazy.m, eager.m);
        if (lazy.v) check_same(&s.model, lazy.v, eager.v);
    }
    eager_close(&eager);
    optimizer_close(&lazy);
    scene_close(&s);
}

void test_rows_caught_up_late_have_the_bits_of_rows_kept_up(void **state)
{
    (void)state;
    check_lazy((const char *const[]){"modulus=23", "hidden=20", "weight_decay=0.01", NULL}, 4);
    check_lazy((const char *const[]){"modulus=23", "hidden=20", "weight_decay=0.01", NULL}, 64);
    check_lazy((const char *const[]){"modulus=31", "hidden=33", "weight_decay=0", NULL}, 7);
    check_lazy((const char *const[]){"modulus=11", "hidden=16", "beta1=0", NULL}, 1);
    check_lazy((const char *const[]){"modulus=23", "hidden=20", "optimizer=adamw",
                                     "weight_decay=0.5", NULL},
               4);
    check_lazy((const char *const[]){"modulus=23", "hidden=20", "optimizer=sgd", "momentum=0.9",
                                     "weight_decay=0.01", NULL},
               4);
    check_lazy(
        (const char *const[]){"modulus=11", "hidden=16", "optimizer=sgd", "weight_decay=0", NULL},
        7);
}
