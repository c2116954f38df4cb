// SPDX-License-Identifier: MIT
/* trainer_scene: opens what the tests of the trainer share. */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/train/init.h"

#include <stdlib.h>
#include <string.h>

struct params scene_params(const char *const settings[])
{
    struct params p;
    struct err e;
    char name[64];
    bool ising = *settings && !strcmp(*settings, "task=ising"); /* first, it brings the defaults */
    params_of_task(&p, ising ? TASK_ISING : TASK_MODULAR_ADDITION);
    for (; *settings; settings++) {
        const char *value = strchr(*settings, '=') + 1;
        size_t n = (size_t)(value - *settings) - 1;
        memcpy(name, *settings, n);
        name[n] = 0;
        if (param_assign(&p, param_find(name), value, &e) < 0) fail_msg("%s", e.text);
    }
    if (params_resolve(&p, &e) < 0) fail_msg("%s", e.text);
    return p;
}

void scene_open(struct scene *s, const char *const settings[])
{
    struct params p = scene_params(settings);
    scene_open_params(s, &p);
}

void scene_open_params(struct scene *s, const struct params *p)
{
    struct err e;
    s->p = *p;
    assert_int_equal(vec_open(&e), OK);
    vec_set_float_mode();
    assert_int_equal(task_open(&s->task, &s->p, NULL, &e), OK);
    assert_int_equal(model_open(&s->model, &s->p, &e), OK);
    assert_int_equal(workspace_open(&s->work, &s->model, &e), OK);
    assert_int_equal(gradient_open(&s->gradient, &s->model, &e), OK);
    init_draw(&s->model, &s->p);
}

void scene_close(struct scene *s)
{
    gradient_close(&s->gradient);
    workspace_close(&s->work);
    model_close(&s->model);
    task_close(&s->task);
}

double *scene_flat(const struct model *m, const float *block)
{
    float *flat = malloc(m->parameters * sizeof *flat);
    double *x = malloc(m->parameters * sizeof *x);
    model_flatten(m, block, flat);
    for (size_t i = 0; i < m->parameters; i++) x[i] = flat[i];
    free(flat);
    return x;
}
