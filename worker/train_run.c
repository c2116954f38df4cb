// SPDX-License-Identifier: MIT
/* train_run: one run from its first epoch to its last: trainer, measures, stop rule. */
#include "worker/train_run.h"

#include "worker/measure/measure.h"

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

static int walk(struct run *r, const struct train_listener *listener, struct err *e)
{
    for (bool first = true;; first = false) {
        struct row row;
        int rc = step(r, first, &row, e);
        if (rc < 0) return rc;
        struct train_epoch now = {&row, r->trainer, r->params.epochs,
                                  row.epoch >= r->params.epochs};
        rc = listener->epoch(listener->ctx, &now, e);
        if (rc != TRAIN_ON || now.final) return rc < 0 || !now.final ? rc : OK;
    }
}

int train_run(const struct params *p, const struct settings *s, const struct trainer_source *from,
              const struct train_listener *listener, struct err *e)
{
    struct run r = {.params = *p, .settings = s};
    int rc = trainer_open(&r.trainer, p, from, e);
    if (rc == OK)
        rc = measure_open(&r.measure, &r.params, s, trainer_model(r.trainer),
                          trainer_task(r.trainer), e);
    if (rc == OK) rc = walk(&r, listener, e);
    measure_close(&r.measure);
    trainer_close(&r.trainer);
    return rc;
}
