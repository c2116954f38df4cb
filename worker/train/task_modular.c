// SPDX-License-Identifier: MIT
/* task_modular: the pairs of modular addition and of the other operations, by their tables. */
#include "worker/train/task_sets.h"

#include "common/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S5_POINTS 5

/* Permutation number n in alphabetical order: digit k of n in the factorial system says which of
 * the points left is the image of k. */
static void permutation(size_t n, uint8_t image[S5_POINTS])
{
    size_t weight = PARAM_S5_ORDER;
    bool used[S5_POINTS] = {false};
    for (size_t k = 0; k < S5_POINTS; k++) {
        weight /= S5_POINTS - k;
        size_t left = n / weight % (S5_POINTS - k), point = 0;
        while (used[point] || left-- > 0) point++;
        used[image[k] = (uint8_t)point] = true;
    }
}

/* The number of a permutation. */
static size_t number(const uint8_t image[S5_POINTS])
{
    size_t n = 0;
    for (size_t k = 0; k < S5_POINTS; k++) {
        size_t less = 0;
        for (size_t later = k + 1; later < S5_POINTS; later++) less += image[later] < image[k];
        n = n * (S5_POINTS - k) + less;
    }
    return n;
}

static size_t compose(size_t a, size_t b)
{
    uint8_t first[S5_POINTS], second[S5_POINTS], both[S5_POINTS];
    permutation(a, first), permutation(b, second);
    for (size_t i = 0; i < S5_POINTS; i++) both[i] = first[second[i]];
    return number(both);
}

static size_t combine(int64_t operation, size_t P, size_t a, size_t b)
{
    switch (operation) {
    case OPERATION_SUBTRACTION: return (a + P - b) % P;
    case OPERATION_MULTIPLICATION: return a * b % P;
    case OPERATION_X2_PLUS_Y2: return (a * a + b * b) % P;
    case OPERATION_S5: return compose(a, b);
    default: return (a + b) % P;
    }
}

void task_labels(int64_t operation, size_t P, int32_t *label)
{
    bool divides = operation == OPERATION_DIVISION;
    for (size_t i = 0; i < P * P; i++)
        label[i] = divides ? -1 : (int32_t)combine(operation, P, i / P, i % P);
    for (size_t c = 0; divides && c < P; c++)
        for (size_t b = 1; b < P; b++) label[c * b % P * P + b] = (int32_t)c;
}

/* Gives the table of a task. */
static int table_open(int32_t **label, const struct task *t, struct err *e)
{
    *label = malloc(t->modulus * t->modulus * sizeof **label);
    if (!*label)
        return err_set(e, E_NOMEM, "task: no memory for %zu labels", t->modulus * t->modulus);
    task_labels(t->operation, t->modulus, *label);
    return OK;
}

/* Pair number `pair` of the table becomes sample s. */
static void dataset_set(struct dataset *d, size_t s, size_t modulus, const int32_t *label,
                        size_t pair)
{
    d->pair[s][0] = (int32_t)(pair / modulus);
    d->pair[s][1] = (int32_t)(modulus + pair % modulus);
    d->label[s] = label[pair];
}

size_t task_train_count(size_t n, double train_fraction)
{
    /* the share's own rounding must not cost a sample: 12769 (1 - 0.7) is 3830.7, and 0.3 * 10
     * comes out below 3 */
    return n - (size_t)floor((double)n * (1 - train_fraction) + 1e-9);
}

/* The pairs that have a label, in rising order; returns how many. */
static size_t list_pairs(const int32_t *label, size_t count, uint32_t *pair)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (label[i] >= 0) pair[n++] = (uint32_t)i;
    return n;
}

static int draw(struct task *t, const struct params *p, struct err *e)
{
    size_t all = t->modulus * t->modulus;
    struct philox stream = {(uint64_t)p->data_seed, 0, PHILOX_SPLIT};
    uint32_t *order = malloc(all * sizeof *order), *pair = malloc(all * sizeof *pair);
    int32_t *label = NULL;
    int rc = order && pair ? OK : err_set(e, E_NOMEM, "task: no memory for %zu pairs", all);
    if (rc < 0 || (rc = table_open(&label, t, e)) < 0) goto done;
    size_t n = list_pairs(label, all, pair), train = task_train_count(n, p->train_fraction);
    if ((rc = dataset_open(&t->train, train, 0, e)) < 0 ||
        (rc = dataset_open(&t->test, n - train, 0, e)) < 0)
        goto done;
    philox_permutation(&stream, order, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        dataset_set(i < train ? &t->train : &t->test, i < train ? i : i - train, t->modulus, label,
                    pair[order[i]]);
done:
    free(label);
    free(pair);
    free(order);
    return rc;
}

/* Every pair that has a label, in rising order. */
static int table(struct dataset *d, const struct params *p, size_t snapshots, struct err *e)
{
    (void)snapshots;
    size_t modulus = (size_t)p->modulus, all = modulus * modulus;
    uint32_t *pair = malloc(all * sizeof *pair);
    int32_t *label = malloc(all * sizeof *label);
    int rc = pair && label ? OK : err_set(e, E_NOMEM, "task: no memory for %zu pairs", all);
    if (rc == OK) {
        task_labels(p->operation, modulus, label);
        size_t n = list_pairs(label, all, pair);
        rc = dataset_open(d, n, 0, e);
        for (size_t i = 0; i < n && rc == OK; i++) dataset_set(d, i, modulus, label, pair[i]);
    }
    free(label);
    free(pair);
    return rc;
}

/* E_FILE for a pair that is none of the table's. */
static int pair_number(const int32_t pair[2], size_t modulus, const int32_t *label, size_t *at,
                       const char *name, size_t i, struct err *e)
{
    if (pair[0] < 0 || pair[1] < 0 || (size_t)pair[0] >= modulus || (size_t)pair[1] >= modulus)
        return err_set(e, E_FILE, "%s[%zu] is (%d, %d): expected numbers from 0 to %zu", name, i,
                       pair[0], pair[1], modulus - 1);
    *at = (size_t)pair[0] * modulus + (size_t)pair[1];
    if (label[*at] >= 0) return OK;
    return err_set(e, E_FILE, "%s[%zu] is (%d, %d): the operation has no label for it", name, i,
                   pair[0], pair[1]);
}

static int dataset_load(struct dataset *d, size_t modulus, const int32_t *label,
                        const struct safetensors *s, const char *name, struct err *e)
{
    const struct safetensors_entry *entry = safetensors_find(s, name);
    if (!entry || entry->type != ST_I32 || entry->rank != 2 || entry->shape[1] != 2)
        return err_set(e, E_FILE, "%s: expected an I32 array of shape [N,2]", name);
    int rc = dataset_open(d, entry->shape[0], 0, e);
    const char *bytes = safetensors_data(s, entry);
    for (size_t i = 0; i < d->count && rc == OK; i++) {
        int32_t pair[2];
        size_t at = 0;
        memcpy(pair, bytes + i * sizeof pair, sizeof pair);
        if ((rc = pair_number(pair, modulus, label, &at, name, i, e)) == OK)
            dataset_set(d, i, modulus, label, at);
    }
    return rc;
}

static int load(struct task *t, const struct safetensors *s, struct err *e)
{
    int32_t *label = NULL;
    int rc = table_open(&label, t, e);
    if (rc == OK) rc = dataset_load(&t->train, t->modulus, label, s, "train_pairs", e);
    if (rc == OK) rc = dataset_load(&t->test, t->modulus, label, s, "test_pairs", e);
    free(label);
    return rc;
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

const struct task_kind task_modular = {.draw = draw, .load = load, .save = save, .table = table};
