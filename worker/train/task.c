// SPDX-License-Identifier: MIT
/* task: opens the two sets of a task, and scores a model over a set. */
#include "worker/train/task.h"

#include "worker/train/task_sets.h"

#include <stdlib.h>
#include <string.h>

static const struct task_kind *const kinds[PARAM_TASKS] = {
    [TASK_MODULAR_ADDITION] = &task_modular, [TASK_ISING] = &task_ising};

int dataset_open(struct dataset *d, size_t count, size_t sites, struct err *e)
{
    *d = (struct dataset){.count = count, .sites = sites};
    d->label = calloc(count + 1, sizeof *d->label);
    if (sites > 0) {
        d->spin = calloc(count + 1, sites);
        d->temperature = calloc(count + 1, sizeof *d->temperature);
    } else {
        d->pair = calloc(count + 1, sizeof *d->pair);
    }
    if (d->label && (d->pair || (d->spin && d->temperature))) return OK;
    return err_set(e, E_NOMEM, "task: no memory for %zu samples", count);
}

void dataset_close(struct dataset *d)
{
    free(d->pair);
    free(d->label);
    free(d->spin);
    free(d->temperature);
    *d = (struct dataset){0};
}

int dataset_copy(struct dataset *d, const struct dataset *from, struct err *e)
{
    int rc = dataset_open(d, from->count, from->sites, e);
    for (size_t s = 0; s < from->count && rc == OK; s++) dataset_put(d, s, from, s);
    return rc;
}

void dataset_put(struct dataset *d, size_t s, const struct dataset *from, size_t t)
{
    d->label[s] = from->label[t];
    if (d->pair) {
        memcpy(d->pair[s], from->pair[t], sizeof *d->pair);
        return;
    }
    memcpy(d->spin + s * d->sites, from->spin + t * d->sites, d->sites);
    d->temperature[s] = from->temperature[t];
}

static int task_load(struct task *t, const char *path, struct err *e)
{
    struct safetensors s = {0};
    struct err why = {0};
    int rc = safetensors_read(&s, path, e);
    if (rc < 0) return rc;
    if ((rc = kinds[t->kind]->load(t, &s, &why)) < 0)
        err_set(e, rc, "%s: %s", path, why.text);
    else if (t->train.count == 0)
        rc = err_set(e, E_FILE, "%s: the training set is empty", path);
    safetensors_close(&s);
    return rc;
}

int task_open(struct task *t, const struct params *p, const char *data_path, struct err *e)
{
    bool pairs = p->task == TASK_MODULAR_ADDITION;
    *t = (struct task){.kind = p->task,
                       .operation = p->operation,
                       .modulus = pairs ? (size_t)p->modulus : 0,
                       .lattice = pairs ? 0 : (size_t)p->lattice,
                       .classes = pairs ? (size_t)p->modulus : 2};
    int rc = data_path ? task_load(t, data_path, e) : kinds[p->task]->draw(t, p, e);
    if (rc < 0) task_close(t);
    return rc;
}

int task_table(struct dataset *d, const struct params *p, size_t snapshots, struct err *e)
{
    int rc = kinds[p->task]->table(d, p, snapshots, e);
    if (rc < 0) dataset_close(d);
    return rc;
}

static int task_copy(struct task *t, const struct task *from, struct err *e)
{
    *t = *from;
    t->train = t->test = (struct dataset){0};
    int rc = dataset_copy(&t->train, &from->train, e);
    if (rc == OK) rc = dataset_copy(&t->test, &from->test, e);
    if (rc < 0) task_close(t);
    return rc;
}

int task_open_shelved(struct task *t, const struct params *p, struct task_shelf *shelf,
                      struct err *e)
{
    bool (*same)(const struct params *, const struct params *) = kinds[p->task]->same;
    if (same && shelf->full && shelf->of.task == p->task && same(p, &shelf->of))
        return task_copy(t, &shelf->task, e);
    int rc = task_open(t, p, NULL, e);
    if (rc < 0 || !same) return rc;
    task_shelf_close(shelf);
    if ((rc = task_copy(&shelf->task, t, e)) < 0) {
        task_close(t);
        return rc;
    }
    shelf->of = *p;
    shelf->full = true;
    return OK;
}

void task_shelf_close(struct task_shelf *shelf)
{
    if (shelf->full) task_close(&shelf->task);
    *shelf = (struct task_shelf){0};
}

void task_close(struct task *t)
{
    dataset_close(&t->train);
    dataset_close(&t->test);
}

int task_save(const struct task *t, struct safetensors *s, struct err *e)
{
    return kinds[t->kind]->save(t, s, e);
}

struct batch dataset_chunk(const struct dataset *d, size_t from)
{
    size_t left = d->count - from;
    return (struct batch){.count = left < VEC_LANES ? left : VEC_LANES,
                          .pair = d->pair ? (const int32_t(*)[2])d->pair + from : NULL,
                          .spin = d->spin ? d->spin + from * d->sites : NULL,
                          .label = d->label + from};
}

struct score dataset_score(const struct dataset *d, const struct model *m, struct workspace *w)
{
    struct vec_score sum = {0};
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        model_forward(m, &b, w);
        model_score(m, &b, w, &sum);
    }
    double n = (double)d->count;
    return (struct score){.loss = sum.loss / n, .accuracy = (double)sum.hits / n};
}
