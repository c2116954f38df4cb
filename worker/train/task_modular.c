// SPDX-License-Identifier: MIT
/* task_modular: the pairs of modular addition. */
#include "worker/train/task_sets.h"

#include "common/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void dataset_set(struct dataset *d, size_t s, size_t modulus, size_t a, size_t b)
{
    d->pair[s][0] = (int32_t)a;
    d->pair[s][1] = (int32_t)(modulus + b);
    d->label[s] = (int32_t)((a + b) % modulus);
}

size_t task_train_count(size_t n, double train_fraction)
{
    /* the share's own rounding must not cost a sample: 12769 (1 - 0.7) is 3830.7, and 0.3 * 10
     * comes out below 3 */
    return n - (size_t)floor((double)n * (1 - train_fraction) + 1e-9);
}

static int draw(struct task *t, const struct params *p, struct err *e)
{
    size_t modulus = t->modulus, n = modulus * modulus;
    size_t train = task_train_count(n, p->train_fraction);
    struct philox stream = {(uint64_t)p->data_seed, 0, PHILOX_SPLIT};
    uint32_t *order = malloc(n * sizeof *order);
    int rc = order ? OK : err_set(e, E_NOMEM, "task: no memory for %zu pairs", n);
    if (rc < 0 || (rc = dataset_open(&t->train, train, 0, e)) < 0 ||
        (rc = dataset_open(&t->test, n - train, 0, e)) < 0)
        goto done;
    philox_permutation(&stream, order, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        struct dataset *d = i < train ? &t->train : &t->test;
        dataset_set(d, i < train ? i : i - train, modulus, order[i] / modulus, order[i] % modulus);
    }
done:
    free(order);
    return rc;
}

static int dataset_load(struct dataset *d, size_t modulus, const struct safetensors *s,
                        const char *name, struct err *e)
{
    const struct safetensors_entry *entry = safetensors_find(s, name);
    if (!entry || entry->type != ST_I32 || entry->rank != 2 || entry->shape[1] != 2)
        return err_set(e, E_FILE, "%s: expected an I32 array of shape [N,2]", name);
    int rc = dataset_open(d, entry->shape[0], 0, e);
    if (rc < 0) return rc;
    const char *bytes = safetensors_data(s, entry);
    for (size_t i = 0; i < d->count; i++) {
        int32_t pair[2];
        memcpy(pair, bytes + i * sizeof pair, sizeof pair);
        if (pair[0] < 0 || pair[1] < 0 || (size_t)pair[0] >= modulus || (size_t)pair[1] >= modulus)
            return err_set(e, E_FILE, "%s[%zu] is (%d, %d): expected numbers from 0 to %zu", name,
                           i, pair[0], pair[1], modulus - 1);
        dataset_set(d, i, modulus, (size_t)pair[0], (size_t)pair[1]);
    }
    return OK;
}

static int load(struct task *t, const struct safetensors *s, struct err *e)
{
    int rc = dataset_load(&t->train, t->modulus, s, "train_pairs", e);
    return rc < 0 ? rc : dataset_load(&t->test, t->modulus, s, "test_pairs", e);
}

static int dataset_save(const struct dataset *d, size_t modulus, struct safetensors *s,
                        const char *name, struct err *e)
{
    const size_t shape[] = {d->count, 2};
    int32_t(*pair)[2] = malloc((d->count + 1) * sizeof *pair);
    if (!pair) return err_set(e, E_NOMEM, "task: no memory for %zu pairs", d->count);
    for (size_t i = 0; i < d->count; i++) {
        pair[i][0] = d->pair[i][0];
        pair[i][1] = d->pair[i][1] - (int32_t)modulus;
    }
    int rc = safetensors_add(s, name, ST_I32, 2, shape, pair, e);
    free(pair);
    return rc;
}

static int save(const struct task *t, struct safetensors *s, struct err *e)
{
    int rc = dataset_save(&t->train, t->modulus, s, "train_pairs", e);
    return rc < 0 ? rc : dataset_save(&t->test, t->modulus, s, "test_pairs", e);
}

const struct task_kind task_modular = {.draw = draw, .load = load, .save = save};
