// SPDX-License-Identifier: MIT
/* Short runs with every loss, activation, optimizer and gradient filter against PyTorch in double
 * precision (tests/golden/make_options.py). Run from the top of the repository, as make does.
 */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/golden/options.safetensors"
#define MOST   32 /* settings of a run */

/* The settings of a task and, on top, those of a case, "name=value name=value ...". */
static struct params params_of(const struct safetensors *s, const char *task, const char *more)
{
    const char *setting[MOST + 1] = {NULL};
    char name[SAFETENSORS_NAME + 16], text[512] = "", *rest = NULL;
    size_t n = 0;
    snprintf(name, sizeof name, "%s/settings", task);
    const struct safetensors_entry *base = safetensors_find(s, name);
    assert_non_null(base);
    assert_in_range(base->count, 1, 255);
    memcpy(text, safetensors_data(s, base), base->count);
    snprintf(text + base->count, sizeof text - base->count, " %s", more);
    for (char *w = strtok_r(text, " ", &rest); w && n < MOST; w = strtok_r(NULL, " ", &rest))
        setting[n++] = w;
    return scene_params(setting);
}

static void check_near(const char *run, const char *what, double is, double right)
{
    if (!(fabs(is - right) <= 2e-5 * (fabs(right) + 1)))
        fail_msg("%s: %s %.9g, golden %.9g", run, what, is, right);
}

static void check_losses(struct trainer *t, const char *run, const struct safetensors *s,
                         const struct safetensors_entry *losses)
{
    size_t epochs = losses->shape[1];
    struct row row;
    struct err e;
    for (size_t i = 0; i < epochs; i++) {
        if (trainer_epoch(t, &row, &e) < 0) fail_msg("%s: %s", run, e.text);
        check_near(run, "training loss", row.value[METRIC_train_loss],
                   safetensors_real(s, losses, i));
        check_near(run, "test loss", row.value[METRIC_test_loss],
                   safetensors_real(s, losses, epochs + i));
    }
}

static void check_weights(const struct trainer *t, const char *run, const struct safetensors *s)
{
    const struct model *m = trainer_model(t);
    double *theta = scene_flat(m, m->theta);
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *w = &m->tensor[n];
        char name[2 * SAFETENSORS_NAME];
        snprintf(name, sizeof name, "%s/%s", run, w->name);
        const struct safetensors_entry *golden = safetensors_find(s, name);
        assert_non_null(golden);
        assert_int_equal(golden->count, w->rows * w->cols);
        for (size_t i = 0; i < golden->count; i++)
            check_near(run, w->name, theta[w->first + i], safetensors_real(s, golden, i));
    }
    free(theta);
}

/* run: TASK/SETTINGS. */
static void check_run(const char *run, const struct safetensors *s,
                      const struct safetensors_entry *losses)
{
    char task[32], prefix[40];
    struct trainer *t;
    struct err e;
    snprintf(task, sizeof task, "%.*s", (int)strcspn(run, "/"), run);
    snprintf(prefix, sizeof prefix, "%s/", task);
    struct params p = params_of(s, task, run + strlen(prefix));
    const struct trainer_source from = {
        .init_path = GOLDEN, .init_prefix = prefix, .data_path = GOLDEN};
    if (trainer_open(&t, &p, &from, &e) < 0) fail_msg("%s: %s", run, e.text);
    check_losses(t, run, s, losses);
    check_weights(t, run, s);
    trainer_close(&t);
}

void test_every_option_trains_as_pytorch_does(void **state)
{
    (void)state;
    struct safetensors s;
    struct err e;
    size_t runs = 0;
    if (safetensors_read(&s, GOLDEN, &e) < 0) fail_msg("%s", e.text);
    for (size_t i = 0; i < s.count; i++) {
        char run[SAFETENSORS_NAME];
        snprintf(run, sizeof run, "%s", s.entry[i].name);
        char *end = strstr(run, "/losses");
        if (!end) continue;
        *end = 0;
        check_run(run, &s, &s.entry[i]);
        runs++;
    }
    assert_in_range(runs, 20, 100);
    safetensors_close(&s);
}
