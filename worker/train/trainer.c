// SPDX-License-Identifier: MIT
/* trainer: opens task, model and optimizer, and walks the batches of an epoch. */
#include "worker/train/trainer.h"

#include "common/clock.h"
#include "common/philox.h"
#include "worker/train/filter.h"
#include "worker/train/init.h"
#include "worker/train/optimizer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
    struct params p;
    size_t batch_size;
    int64_t done; /* epochs */
    struct task task;
    struct model model;
    struct workspace work;
    struct gradient gradient;
    struct filter filter;
    struct optimizer optimizer;
    struct dataset shuffled; /* with shuffle: the training set in this epoch's order */
    uint32_t *order;
};

/* ---- open and close ----------------------------------------------------------------------------
 */

static int weights_open(struct trainer *t, const struct trainer_source *from, struct err *e)
{
    struct safetensors s = {0};
    struct err why = {0};
    if (!from || !from->init_path) {
        init_draw(&t->model, &t->p);
        return OK;
    }
    int rc = safetensors_read(&s, from->init_path, e);
    if (rc < 0) return rc;
    if ((rc = init_load(&t->model, t->model.theta, &s, from->init_prefix, &why)) < 0)
        err_set(e, rc, "%s: %s", from->init_path, why.text);
    safetensors_close(&s);
    return rc;
}

static int shuffle_open(struct trainer *t, struct err *e)
{
    size_t n = t->task.train.count;
    if (!t->p.shuffle) return OK;
    t->order = calloc(n, sizeof *t->order);
    if (!t->order) return err_set(e, E_NOMEM, "trainer: no memory to shuffle %zu samples", n);
    return dataset_copy(&t->shuffled, &t->task.train, e);
}

static int sets_open(struct trainer *t, const struct trainer_source *from, struct err *e)
{
    bool shelved = from && from->shelf && !from->data_path;
    return shelved ? task_open_shelved(&t->task, &t->p, from->shelf, e)
                   : task_open(&t->task, &t->p, from ? from->data_path : NULL, e);
}

int trainer_open(struct trainer **out, const struct params *p, const struct trainer_source *from,
                 struct err *e)
{
    int rc = vec_open(e);
    if (rc < 0) return rc;
    vec_set_float_mode();
    struct trainer *t = calloc(1, sizeof *t);
    if (!t) return err_set(e, E_NOMEM, "trainer: no memory");
    t->p = *p;
    if ((rc = sets_open(t, from, e)) < 0) goto fail;
    size_t n = t->task.train.count;
    t->batch_size = p->batch_size == 0 || (size_t)p->batch_size > n ? n : (size_t)p->batch_size;
    if ((rc = model_open(&t->model, p, e)) < 0 || (rc = weights_open(t, from, e)) < 0 ||
        (rc = workspace_open(&t->work, &t->model, e)) < 0 ||
        (rc = gradient_open(&t->gradient, &t->model, e)) < 0 ||
        (rc = optimizer_open(&t->optimizer, &t->model, p, (n + t->batch_size - 1) / t->batch_size,
                             e)) < 0 ||
        (rc = filter_open(&t->filter, &t->model, p, e)) < 0 || (rc = shuffle_open(t, e)) < 0)
        goto fail;
    *out = t;
    return OK;
fail:
    trainer_close(&t);
    return rc;
}

void trainer_close(struct trainer **t)
{
    if (!*t) return;
    dataset_close(&(*t)->shuffled);
    free((*t)->order);
    filter_close(&(*t)->filter);
    optimizer_close(&(*t)->optimizer);
    gradient_close(&(*t)->gradient);
    workspace_close(&(*t)->work);
    model_close(&(*t)->model);
    task_close(&(*t)->task);
    free(*t);
    *t = NULL;
}

/* ---- training ----------------------------------------------------------------------------------
 */

static int check_float_mode(struct err *e)
{
    if (vec_float_mode_holds()) return OK;
    return err_set(e, E_STATE,
                   "the processor's float mode has changed: expected flush to zero, "
                   "denormals are zero and rounding to nearest");
}

/* The training set in the order of the epoch to come. */
static const struct dataset *epoch_order(struct trainer *t)
{
    if (!t->p.shuffle) return &t->task.train;
    struct philox stream = {(uint64_t)t->p.order_seed, (uint32_t)(t->done + 1), PHILOX_ORDER};
    philox_permutation(&stream, t->order, (uint32_t)t->shuffled.count);
    for (size_t i = 0; i < t->shuffled.count; i++)
        dataset_put(&t->shuffled, i, &t->task.train, t->order[i]);
    return &t->shuffled;
}

/* One step of the optimizer on samples from..from+count-1, in chunks of VEC_LANES. */
static void train_batch(struct trainer *t, const struct dataset *d, size_t from, size_t count,
                        struct vec_score *sum)
{
    float scale = (float)(1.0 / (double)count);
    optimizer_fetch(&t->optimizer, &t->model, &t->gradient, d, from, count);
    for (size_t at = from; at < from + count; at += VEC_LANES) {
        struct batch b = dataset_chunk(d, at);
        if (b.count > from + count - at) b.count = from + count - at;
        model_forward(&t->model, &b, &t->work);
        model_backward(&t->model, &b, &t->work, scale, at == from, &t->gradient, sum);
    }
    bool filters = filter_works(&t->filter);
    if (filters) filter_apply(&t->filter, &t->model, &t->gradient, t->optimizer.steps);
    optimizer_step(&t->optimizer, &t->model, &t->gradient);
    if (filters) optimizer_settle(&t->optimizer, &t->model, &t->gradient);
}

static void row_test(struct trainer *t, struct row *r)
{
    if (t->task.test.count == 0) return;
    struct score s = dataset_score(&t->task.test, &t->model, &t->work);
    r->value[METRIC_test_loss] = s.loss;
    r->value[METRIC_test_accuracy] = s.accuracy;
}

int trainer_start(struct trainer *t, struct row *r, struct err *e)
{
    double from = clock_seconds();
    int rc = check_float_mode(e);
    if (rc < 0) return rc;
    row_clear(r, 0);
    struct score s = dataset_score(&t->task.train, &t->model, &t->work);
    r->value[METRIC_train_loss] = s.loss;
    r->value[METRIC_train_accuracy] = s.accuracy;
    row_test(t, r);
    r->value[METRIC_seconds] = clock_seconds() - from;
    if (isfinite(s.loss)) return OK;
    return err_set(e, E_RUN, RUN_DIVERGED "0");
}

int trainer_epoch(struct trainer *t, struct row *r, struct err *e)
{
    double from = clock_seconds();
    int rc = check_float_mode(e);
    if (rc < 0) return rc;
    const struct dataset *d = epoch_order(t);
    struct vec_score sum = {0};
    for (size_t at = 0; at < d->count; at += t->batch_size)
        train_batch(t, d, at, d->count - at < t->batch_size ? d->count - at : t->batch_size, &sum);
    optimizer_settle(&t->optimizer, &t->model, &t->gradient);
    filter_settle(&t->filter);
    t->done++;
    row_clear(r, t->done);
    r->value[METRIC_train_loss] = sum.loss / (double)d->count;
    r->value[METRIC_train_accuracy] = (double)sum.hits / (double)d->count;
    if (!isfinite(sum.loss)) return err_set(e, E_RUN, RUN_DIVERGED "%" PRId64, t->done);
    row_test(t, r);
    r->value[METRIC_seconds] = clock_seconds() - from;
    return OK;
}

int64_t trainer_done(const struct trainer *t)
{
    return t->done;
}

const struct model *trainer_model(const struct trainer *t)
{
    return &t->model;
}

const struct task *trainer_task(const struct trainer *t)
{
    return &t->task;
}

/* ---- saving ------------------------------------------------------------------------------------
 */

int trainer_save_weights(const struct trainer *t, const char *prefix, struct safetensors *s,
                         struct err *e)
{
    return init_save(&t->model, t->model.theta, prefix, s, e);
}

int trainer_save(const struct trainer *t, struct safetensors *s, struct err *e)
{
    const int64_t progress[] = {t->done, t->optimizer.steps};
    const size_t shape[] = {2};
    int rc = init_save(&t->model, t->model.theta, "theta/", s, e);
    if (rc == OK) rc = optimizer_save(&t->optimizer, &t->model, s, e);
    if (rc == OK) rc = filter_save(&t->filter, &t->model, t->optimizer.steps, s, e);
    if (rc == OK) rc = safetensors_add(s, "train.progress", ST_I64, 1, shape, progress, e);
    return rc;
}

int trainer_load(struct trainer *t, const struct safetensors *s, struct err *e)
{
    int64_t progress[2];
    const size_t shape[] = {2};
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, "train.progress", ST_I64, 1, shape, &entry, e);
    if (rc < 0) return rc;
    memcpy(progress, safetensors_data(s, entry), sizeof progress);
    int64_t batches = (int64_t)t->optimizer.table_size;
    if (progress[0] < 0 || progress[0] > t->p.epochs || progress[1] != progress[0] * batches)
        return err_set(e, E_FILE,
                       "checkpoint says %" PRId64 " epochs and %" PRId64
                       " steps: expected at most %" PRId64 " epochs of %" PRId64 " steps",
                       progress[0], progress[1], t->p.epochs, batches);
    if ((rc = init_load(&t->model, t->model.theta, s, "theta/", e)) < 0 ||
        (rc = optimizer_load(&t->optimizer, &t->model, s, progress[1], e)) < 0 ||
        (rc = filter_load(&t->filter, &t->model, progress[1], s, e)) < 0)
        return rc;
    t->done = progress[0];
    return OK;
}
