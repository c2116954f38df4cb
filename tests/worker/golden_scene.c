// SPDX-License-Identifier: MIT
/* golden_scene: reads the golden files; their text is searched, not parsed. */
#include "tests/worker/golden_scene.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: cannot be read; tests run at the top of the repository", path);
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = calloc(size + 1, 1);
    assert_int_equal(fread(text, 1, size, f), size);
    fclose(f);
    return text;
}

void golden_take_weights(struct golden *g, const char *prefix)
{
    struct specimen *s = &g->specimen;
    for (size_t t = 0; t < s->model.tensor_count; t++) {
        const struct tensor *tensor = &s->model.tensor[t];
        char name[SAFETENSORS_NAME];
        snprintf(name, sizeof name, "%s%s", prefix, tensor->name);
        const struct safetensors_entry *entry = safetensors_find(&g->tensors, name);
        assert_non_null(entry);
        assert_int_equal(entry->count, tensor->rows * tensor->cols);
        for (size_t i = 0; i < entry->count; i++)
            s->theta[tensor->first + i] = safetensors_real(&g->tensors, entry, i);
    }
    specimen_set(s, s->theta);
}

/* The golden data, 16 samples for the Fisher information, and weights. */
static void take_files(struct golden *g, const char *task, int64_t epochs, const char *prefix)
{
    char path[64];
    struct err e;
    snprintf(path, sizeof path, "tests/golden/%s.json", task);
    g->text = slurp(path);
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", task);
    assert_int_equal(safetensors_read(&g->tensors, path, &e), OK);
    task_close(&g->specimen.task);
    snprintf(path, sizeof path, "tests/golden/%s_data.safetensors", task);
    if (task_open(&g->specimen.task, &g->specimen.params, path, &e) < 0) fail_msg("%s", e.text);
    g->specimen.params.epochs = epochs;
    g->specimen.settings.measure_every = 1;
    g->specimen.settings.fisher_samples = 16;
    golden_take_weights(g, prefix);
}

void golden_open_ising(struct golden *g, const char *prefix)
{
    specimen_open_ising(&g->specimen, 1, 1);
    take_files(g, "ising", ISING_EPOCHS, prefix);
}

void golden_open(struct golden *g, const char *prefix)
{
    specimen_open(&g->specimen, P, HIDDEN, 1);
    take_files(g, "modular", EPOCHS, prefix);
}

void golden_close(struct golden *g)
{
    free(g->text);
    safetensors_close(&g->tensors);
    specimen_close(&g->specimen);
}

void golden_numbers(const struct golden *g, const char *const *marks, double *out, size_t count)
{
    char *at = g->text;
    for (; *marks; marks++) {
        at = strstr(at, *marks);
        if (!at) fail_msg("golden document: no %s", *marks);
        at += strlen(*marks);
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = strtod(at, &at);
        at++; /* the comma */
    }
}

double golden_number(const struct golden *g, const char *const *marks)
{
    double one;
    golden_numbers(g, marks, &one, 1);
    return one;
}
