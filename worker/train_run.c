// SPDX-License-Identifier: MIT
/* train_run: one run from its first epoch to its last: trainer, measures, stop rule. */
#include "worker/train_run.h"

#include "worker/measure/measure.h"
#include "worker/train/init.h"

#include <inttypes.h>
#include <string.h>

struct run {
    struct params params; /* epochs shrinks when the stop rule holds; the measures look here */
    const struct settings *settings;
    struct trainer *trainer;
    struct measure *measure;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A comparison with NaN is false: without a rule, or without a test set, nothing stops. Once it
 * holds, later epochs give a later end. */
static void apply_stop_rule(struct run *r, const struct row *row)
{
    if (row->value[METRIC_test_accuracy] >= r->settings->stop_test_accuracy)
        r->params.epochs = least(r->params.epochs, row->epoch + r->settings->stop_after);
}

/* Epoch 0 as initialised, else one more. */
static int step(struct run *r, bool first, struct row *row, struct err *e)
{
    int rc = first ? trainer_start(r->trainer, row, e) : trainer_epoch(r->trainer, row, e);
    if (rc < 0) return rc;
    apply_stop_rule(r, row);
    return measure_epoch(r->measure, trainer_model(r->trainer), row->epoch, row, e);
}

/* A run saved after its last epoch has nothing left to do. */
static int walk(struct run *r, bool first, const struct train_listener *listener, struct err *e)
{
    while (first || trainer_done(r->trainer) < r->params.epochs) {
        struct row row;
        int rc = step(r, first, &row, e);
        if (rc != OK) return rc;
        first = false;
        const struct train_epoch now = {&row, r->trainer, r->measure, r->params.epochs,
                                        row.epoch >= r->params.epochs};
        rc = listener->epoch(listener->ctx, &now, e);
        if (rc != TRAIN_ON) return rc < 0 || !now.final ? rc : OK;
    }
    return OK;
}

bool train_save_before_the_end(const struct train_epoch *now, const struct settings *s)
{
    return s->llc_steps > 0 && s->measure_every > 0 && now->row->epoch + 1 == now->epochs;
}

int train_save(const struct train_epoch *now, struct safetensors *s, struct err *e)
{
    const size_t one = 1;
    int rc = trainer_save(now->trainer, s, e);
    if (rc == OK) rc = measure_save(now->measure, s, e);
    return rc < 0 ? rc : safetensors_add(s, "run.epochs", ST_I64, 1, &one, &now->epochs, e);
}

static int load(struct run *r, const struct safetensors *s, struct err *e)
{
    const size_t one = 1;
    const struct safetensors_entry *entry;
    int64_t epochs;
    int rc = trainer_load(r->trainer, s, e);
    if (rc == OK) rc = measure_load(r->measure, s, e);
    if (rc == OK) rc = safetensors_expect(s, "run.epochs", ST_I64, 1, &one, &entry, e);
    if (rc < 0) return rc;
    memcpy(&epochs, safetensors_data(s, entry), sizeof epochs);
    if (epochs < trainer_done(r->trainer) || epochs > r->params.epochs)
        return err_set(e, E_FILE,
                       "checkpoint of a run of %" PRId64 " epochs: expected %" PRId64
                       " at least, %" PRId64 " at most",
                       epochs, trainer_done(r->trainer), r->params.epochs);
    r->params.epochs = epochs;
    return OK;
}

/* Has the steps split by the model in a file. */
static int split(struct run *r, const char *path, struct err *e)
{
    struct safetensors s = {0};
    struct model last = {0};
    struct err why = {0};
    int rc = safetensors_read(&s, path, e);
    if (rc == OK) rc = model_open(&last, &r->params, e);
    if (rc == OK && (rc = init_load(&last, last.theta, &s, "", &why)) < 0)
        err_set(e, rc, "%s: %s", path, why.text);
    if (rc == OK) rc = measure_split(r->measure, &last, e);
    model_close(&last);
    safetensors_close(&s);
    return rc;
}

int train_run(const struct params *p, const struct settings *s, const struct trainer_source *from,
              const char *stiff, const struct safetensors *resume,
              const struct train_listener *listener, struct err *e)
{
    struct run r = {.params = *p, .settings = s};
    int rc = trainer_open(&r.trainer, p, from, e);
    if (rc == OK)
        rc = measure_open(&r.measure, &r.params, s, trainer_model(r.trainer),
                          trainer_task(r.trainer), e);
    if (rc == OK && listener->enough) measure_ask(r.measure, listener->enough, listener->ctx);
    if (rc == OK && stiff) rc = split(&r, stiff, e);
    if (rc == OK && resume) rc = load(&r, resume, e);
    if (rc == OK) rc = walk(&r, !resume, listener, e);
    measure_close(&r.measure);
    trainer_close(&r.trainer);
    return rc;
}
