// SPDX-License-Identifier: MIT
/* Orders of pruning at the golden weights: curves, and what follows from them. */
#include "tests/test.h"

#include "tests/worker/golden_scene.h"
#include "worker/measure/gauge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The curves of the model; the row lasts until the gauge is closed. */
static void *read_pruning(struct golden *g, struct row *row)
{
    struct specimen *s = &g->specimen;
    struct logits logits;
    struct err e;
    void *state = NULL;
    struct view v = {.params = &s->params, .settings = &s->settings, .task = &s->task};
    v.model = &s->model, v.epoch = s->params.epochs, v.logits = &logits;
    struct findings found = {.count = 0};
    v.findings = &found;
    assert_int_equal(logits_open(&logits, &s->model, &s->task, &e), OK);
    logits_take(&logits, &s->model);
    row_clear(row, v.epoch);
    assert_int_equal(gauge_pruning.open(&state, &v, &e), OK);
    assert_int_equal(gauge_pruning.read(state, &v, row, &e), OK);
    logits_close(&logits);
    findings_close(&found);
    return state;
}

/* The points of one order, every step-th of the golden document's. */
static void check_order(struct golden *g, const struct pruning_point *p, size_t step,
                        const char *mark)
{
    double accuracy[POINTS], loss[POINTS], count = (double)g->specimen.task.test.count;
    NUMBERS(g, accuracy, POINTS, "\"pruning\":{", mark, "\"accuracy\":[");
    NUMBERS(g, loss, POINTS, "\"pruning\":{", mark, "\"loss\":[");
    for (size_t i = 0; i < POINTS; i += step, p++) {
        /* Shares of whole samples: the same count of hits is the same double. */
        if (p->accuracy != round(accuracy[i] * count) / count)
            fail_msg("%s %zu: accuracy %.9g, golden %.9g", mark, i, p->accuracy, accuracy[i]);
        if (!ref_close(p->loss, loss[i], 1e-4, 0))
            fail_msg("%s %zu: loss %.9g, golden %.9g", mark, i, p->loss, loss[i]);
    }
}

static const struct {
    const char *scheme, *mark;
    int metric;
} orders[] = {{"layer", "\"layer\":", METRIC_compressibility},
              {"global", "\"global\":", METRIC_compressibility_global},
              {"rescaled", "\"global_normalised\":", METRIC_compressibility_rescaled},
              {"fisher", "\"fisher\":", METRIC_compressibility_fisher}};

/* Every order: its curve, and its c where it has a column and all points are taken, which valgrind
 * has no time for. */
static void check_orders(struct golden *g)
{
    struct err e;
    struct row row;
    size_t step = test_short() ? 10 : 1, points = (POINTS - 1) / step + 1, singles = 0;
    assert_int_equal(settings_assign(&g->specimen.settings, "measure.pruning.schemes",
                                     "layer,global,rescaled,single,fisher", &e),
                     OK);
    g->specimen.settings.pruning_points = (int64_t)points;
    void *gauge = read_pruning(g, &row);
    for (size_t i = 0; i < 4 && step == 1; i++)
        NEAR(row.value[orders[i].metric],
             NUMBER(g, "\"pruning\":{", orders[i].mark, "\"compressibility\":"));
    for (size_t at = 0; at < row.pruning_count; at += points) {
        const struct pruning_point *p = &row.pruning[at];
        char mark[32];
        snprintf(mark, sizeof mark, "\"only_%zu\":", singles);
        if (!strcmp(p->scheme, "single")) check_order(g, p, step, mark), singles++;
        for (size_t i = 0; i < 4; i++)
            if (!strcmp(p->scheme, orders[i].scheme)) check_order(g, p, step, orders[i].mark);
    }
    assert_int_equal(row.pruning_count, (4 + singles) * points);
    assert_int_equal(singles, g->specimen.model.tensor_count / 2);
    gauge_pruning.close(gauge);
}

void test_all_orders_of_pruning_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "final/");
    check_orders(&g);
    golden_close(&g);
    golden_open_ising(&g, "final/");
    check_orders(&g);
    golden_close(&g);
}
