// SPDX-License-Identifier: MIT
/* measure: walks the list of gauges at the measured epochs; see the header for what it promises. */
#include "worker/measure/measure.h"

#include "common/clock.h"
#include "worker/measure/gauge.h"

#include <stdlib.h>

/* Every measure, in the order in which they are taken. A new one is a line here, a line in
 * gauge.h, a line in proto/metric.def for each of its values, and a file. */
static const struct gauge *const gauges[] = {
    &gauge_train_end,   &gauge_norm,     &gauge_pruning, &gauge_fourier,
    &gauge_geometry,    &gauge_features, &gauge_coords,  &gauge_waves,
    &gauge_predictions, &gauge_gini,     &gauge_llc,
};
#define GAUGES (sizeof gauges / sizeof *gauges)

struct measure {
    struct view view; /* of the last epoch; the model is lent only during a call */
    struct model shape;
    struct logits logits;
    struct findings findings;
    bool on[GAUGES];
    void *state[GAUGES];
};

int measure_open(struct measure **out, const struct params *p, const struct settings *s,
                 const struct model *m, const struct task *t, struct err *e)
{
    struct measure *new = calloc(1, sizeof *new);
    if (!new) return err_set(e, E_NOMEM, "measures: no memory");
    int rc = logits_open(&new->logits, m, t, e);
    new->shape = *m;
    new->shape.theta = NULL;
    new->view = (struct view){.params = p, .settings = s, .task = t, .model = m};
    for (size_t i = 0; i < GAUGES && rc == OK; i++) {
        new->on[i] = !gauges[i]->fits || gauges[i]->fits(&new->view);
        if (new->on[i] && gauges[i]->open) rc = gauges[i]->open(&new->state[i], &new->view, e);
    }
    new->view.model = &new->shape;
    if (rc < 0) measure_close(&new);
    *out = new;
    return rc;
}

void measure_close(struct measure **m)
{
    for (size_t i = 0; *m && i < GAUGES; i++)
        if (gauges[i]->close) gauges[i]->close((*m)->state[i]);
    if (*m) {
        logits_close(&(*m)->logits);
        findings_close(&(*m)->findings);
    }
    free(*m);
    *m = NULL;
}

int measure_epoch(struct measure *m, const struct model *model, int64_t epoch, struct row *row,
                  struct err *e)
{
    int rc = OK;
    double start = clock_seconds();
    if (!settings_measured(m->view.settings, epoch, m->view.params->epochs)) return OK;
    m->view.model = model;
    m->view.epoch = epoch;
    m->view.logits = &m->logits;
    m->view.findings = &m->findings;
    m->findings.count = 0;
    logits_take(&m->logits, model);
    for (size_t i = 0; i < GAUGES && rc == OK; i++)
        if (m->on[i]) rc = gauges[i]->read(m->state[i], &m->view, row, e);
    m->view.model = &m->shape;
    row->features = m->findings.at;
    row->feature_count = m->findings.count;
    row->value[METRIC_measure_seconds] = clock_seconds() - start;
    return rc;
}

void measure_ask(struct measure *m, int (*enough)(void *ctx, struct err *e), void *ctx)
{
    m->view.enough = enough;
    m->view.enough_ctx = ctx;
}

int measure_split(struct measure *m, const struct model *last, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < GAUGES && rc == OK; i++) {
        m->on[i] = m->on[i] && gauges[i]->split;
        if (m->on[i]) rc = gauges[i]->split(m->state[i], &m->view, last, e);
    }
    return rc;
}

int measure_save(const struct measure *m, struct safetensors *s, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < GAUGES && rc == OK; i++)
        if (m->on[i] && gauges[i]->save) rc = gauges[i]->save(m->state[i], &m->view, s, e);
    return rc;
}

int measure_load(struct measure *m, const struct safetensors *s, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < GAUGES && rc == OK; i++)
        if (m->on[i] && gauges[i]->load) rc = gauges[i]->load(m->state[i], &m->view, s, e);
    return rc;
}
