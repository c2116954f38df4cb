// SPDX-License-Identifier: MIT
/* Every measure but orders of pruning at the golden weights. */
#include "tests/test.h"

#include "tests/worker/golden_scene.h"
#include "worker/measure/coords.h"
#include "worker/measure/fisher.h"
#include "worker/measure/full.h"
#include "worker/measure/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct row measured(struct golden *g, struct measure **m)
{
    struct specimen *s = &g->specimen;
    struct row row;
    struct err e;
    s->settings.pruning_points = POINTS;
    assert_int_equal(measure_open(m, &s->params, &s->settings, &s->model, &s->task, &e), OK);
    row_clear(&row, s->params.epochs);
    assert_int_equal(measure_epoch(*m, &s->model, s->params.epochs, &row, &e), OK);
    return row;
}

void test_values_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    struct golden g;
    struct measure *m;
    golden_open(&g, "final/");
    struct row row = measured(&g, &m);
    NEAR(row.value[METRIC_weight_norm], NUMBER(&g, LAST_EPOCH, "\"weight_norm\":"));
    NEAR(row.value[METRIC_gini_weights], NUMBER(&g, "\"gini_weights\":"));
    NEAR(row.value[METRIC_gini_fisher], NUMBER(&g, "\"gini_fisher_regression\":"));
    NEAR(row.value[METRIC_train_loss_end], NUMBER(&g, LAST_EPOCH, "\"train_loss\":"));
    NEAR(row.value[METRIC_train_accuracy_end], NUMBER(&g, LAST_EPOCH, "\"train_accuracy\":"));
    NEAR(row.value[METRIC_ipr_output], NUMBER(&g, "\"fourier\":", "\"W\":", "\"real\":"));
    double u = NUMBER(&g, "\"fourier\":", "\"U\":", "\"real\":");
    double v = NUMBER(&g, "\"fourier\":", "\"V\":", "\"real\":");
    NEAR(row.value[METRIC_ipr_input], (u + v) / 2);
    NEAR(row.value[METRIC_ipr_output_complex],
         NUMBER(&g, "\"fourier\":", "\"W\":", "\"complex\":"));
    NEAR(row.value[METRIC_ipr_output_rfft], NUMBER(&g, "\"fourier\":", "\"W\":", "\"rfft\":"));
    u = NUMBER(&g, "\"fourier\":", "\"U\":", "\"rfft\":");
    v = NUMBER(&g, "\"fourier\":", "\"V\":", "\"rfft\":");
    NEAR(row.value[METRIC_ipr_input_rfft], (u + v) / 2);
    u = NUMBER(&g, "\"fourier\":", "\"U\":", "\"complex\":");
    v = NUMBER(&g, "\"fourier\":", "\"V\":", "\"complex\":");
    NEAR(row.value[METRIC_ipr_input_complex], (u + v) / 2);
    NEAR(row.value[METRIC_compressibility],
         NUMBER(&g, "\"pruning\":{\"layer\":", "\"compressibility\":"));
    measure_close(&m);
    golden_close(&g);
}

void test_values_of_ising_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    static const char last[] = "\"epochs\":[", epoch[] = "{\"epoch\":150,";
    struct golden g;
    struct measure *m;
    golden_open_ising(&g, "final/");
    struct row row = measured(&g, &m);
    NEAR(row.value[METRIC_weight_norm], NUMBER(&g, last, epoch, "\"weight_norm\":"));
    NEAR(row.value[METRIC_gini_weights], NUMBER(&g, "\"gini_weights\":"));
    NEAR(row.value[METRIC_gini_fisher], NUMBER(&g, "\"gini_fisher_regression\":"));
    NEAR(row.value[METRIC_train_loss_end], NUMBER(&g, last, epoch, "\"train_loss\":"));
    NEAR(row.value[METRIC_train_accuracy_end], NUMBER(&g, last, epoch, "\"train_accuracy\":"));
    NEAR(row.value[METRIC_compressibility],
         NUMBER(&g, "\"pruning\":{\"layer\":", "\"compressibility\":"));
    NEAR(row.value[METRIC_corr_energy],
         NUMBER(&g, "\"features\":", "\"fc1\":", "\"energy\":", "\"weighted\":"));
    NEAR(row.value[METRIC_corr_abs_magnetization],
         NUMBER(&g, "\"features\":", "\"fc1\":", "\"abs_magnetization\":", "\"weighted\":"));
    assert_true(isnan(row.value[METRIC_ipr_input]) && isnan(row.value[METRIC_ipr_output]));
    measure_close(&m);
    golden_close(&g);
}

void test_features_of_every_layer_are_golden(void **state)
{
    (void)state;
    struct golden g;
    struct measure *m;
    size_t compared = 0;
    golden_open_ising(&g, "final/");
    struct row row = measured(&g, &m);
    assert_int_equal(row.feature_count, 3 * 3 * 4 + 8 + 2 * 4 + 2); /* norms, ranks, gradient */
    for (size_t i = 0; i < row.feature_count; i++) {
        char layer[32], quantity[64], statistic[32];
        const struct feature *f = &row.features[i];
        const char *end = strrchr(f->name, '_');
        if (!end || (strcmp(end, "_mean") && strcmp(end, "_weighted"))) continue;
        snprintf(layer, sizeof layer, "\"%s\":", f->layer);
        snprintf(quantity, sizeof quantity, "\"%.*s\":", (int)(end - f->name), f->name);
        snprintf(statistic, sizeof statistic, "\"%s\":", end + 1);
        double golden = NUMBER(&g, "\"features\":", layer, quantity, statistic);
        if (!ref_close(f->value, golden, 1e-4, 0))
            fail_msg("%s of %s: %.9g, golden %.9g", f->name, f->layer, f->value, golden);
        compared++;
    }
    assert_int_equal(compared, 18);
    measure_close(&m);
    golden_close(&g);
}

/* Coordinates of the initial and the final weights on a table: what both leave in their rows. */
static void check_coords(struct golden *g, const struct table *t, const char *const last[3])
{
    struct coords *c;
    struct row row;
    struct err e;
    struct specimen *s = &g->specimen;
    golden_take_weights(g, "init/");
    assert_int_equal(coords_open(&c, t, &s->model, &e), OK);
    row_clear(&row, 0);
    coords_read(c, &s->model, NULL, 0, &row);
    golden_take_weights(g, "final/");
    row_clear(&row, s->params.epochs);
    coords_read(c, &s->model, NULL, s->params.epochs, &row);
#define LANDMARK(name, key)                                                                        \
    NUMBER(g, last[0], last[1], last[2], "\"landmarks\":", "\"" name "\":", "\"" key "\":")
    NEAR(row.value[METRIC_overlap_ignorance], LANDMARK("ignorance", "overlap"));
    NEAR(row.value[METRIC_overlap_truth], LANDMARK("truth", "overlap"));
    NEAR(row.value[METRIC_bhattacharyya_ignorance], LANDMARK("ignorance", "bhattacharyya"));
    NEAR(row.value[METRIC_bhattacharyya_truth], LANDMARK("truth", "bhattacharyya"));
    NEAR(row.value[METRIC_distance_ignorance], sqrt(LANDMARK("ignorance", "fisher_rao2")));
    NEAR(row.value[METRIC_distance_truth], sqrt(LANDMARK("truth", "fisher_rao2")));
    NEAR(row.value[METRIC_hellinger_ignorance], sqrt(LANDMARK("ignorance", "hellinger2")));
    NEAR(row.value[METRIC_hellinger_truth], sqrt(LANDMARK("truth", "hellinger2")));
    NEAR(row.value[METRIC_progress], NUMBER(g, last[0], last[1], last[2], "\"progress\":"));
    NEAR(row.value[METRIC_chord],
         NUMBER(g, last[0], last[1], last[2], "\"fisher_rao_from_start\":"));
    NEAR(row.value[METRIC_fr_step], row.value[METRIC_chord]);
    coords_close(&c);
}

void test_the_coordinates_of_the_final_weights_are_golden(void **state)
{
    (void)state;
    static const char *const modular[] = {LAST_EPOCH};
    static const char *const ising[] = {"\"data\":", "\"epochs\":[", "{\"epoch\":150,"};
    struct golden g;
    struct table t;
    struct err e;
    golden_open(&g, "final/");
    assert_int_equal(table_open(&t, &g.specimen.params, 1, &g.specimen.task, &e), OK);
    check_coords(&g, &t, modular);
    table_close(&t);
    golden_close(&g);
    golden_open_ising(&g, "final/");
    t = (struct table){0};
    assert_int_equal(table_of(&t, &g.specimen.task.test, &g.specimen.task, &e), OK);
    check_coords(&g, &t, ising);
    table_close(&t);
    golden_close(&g);
}

static void check_diagonal(struct golden *g, enum fisher_variant variant, const char *name)
{
    struct fisher f;
    struct err e;
    const struct model *m = &g->specimen.model;
    const struct safetensors_entry *entry = safetensors_find(&g->tensors, name);
    double most = 0;
    assert_int_equal(entry->count, m->parameters);
    assert_int_equal(fisher_open(&f, m, 16, &e), OK);
    float *block = vec_alloc(m->size);
    fisher_diagonal(&f, m, &g->specimen.task.test, variant, NULL, block);
    model_flatten(m, block, g->specimen.flat);
    for (size_t i = 0; i < m->parameters; i++)
        most = fmax(most, safetensors_real(&g->tensors, entry, i));
    for (size_t i = 0; i < m->parameters; i++) {
        double golden = safetensors_real(&g->tensors, entry, i);
        if (!ref_close(g->specimen.flat[i], golden, 1e-4, 1e-6 * most))
            fail_msg("%s, parameter %zu: %.9g, golden %.9g", name, i, (double)g->specimen.flat[i],
                     golden);
    }
    fisher_close(&f);
    free(block);
}

void test_the_fisher_diagonals_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "final/");
    check_diagonal(&g, FISHER_REGRESSION, "fisher_regression");
    check_diagonal(&g, FISHER_CLASSIFICATION, "fisher_classification");
    golden_close(&g);
    golden_open_ising(&g, "final/");
    check_diagonal(&g, FISHER_REGRESSION, "fisher_regression");
    check_diagonal(&g, FISHER_CLASSIFICATION, "fisher_classification");
    golden_close(&g);
}

/* A vector of the file of steps as a block. */
static float *step_of(const struct golden *g, const struct safetensors *steps, const char *name)
{
    const struct model *m = &g->specimen.model;
    const struct safetensors_entry *entry = safetensors_find(steps, name);
    float *block = vec_alloc(m->size);
    assert_int_equal(entry->count, m->parameters);
    for (size_t i = 0; i < entry->count; i++)
        g->specimen.flat[i] = (float)safetensors_real(steps, entry, i);
    model_unflatten(m, g->specimen.flat, block);
    return block;
}

static void check_products(struct golden *g, const char *path)
{
    static const char *const variant[] = {"\"regression\":", "\"classification\":"};
    static const char *const with[] = {"\"last.last\":", "\"last.previous\":", "\"last.theta\":"};
    struct safetensors steps;
    struct full f;
    struct full_products products;
    struct err e;
    assert_int_equal(safetensors_read(&steps, path, &e), OK);
    float *step = step_of(g, &steps, "last"), *previous = step_of(g, &steps, "previous");
    assert_int_equal(full_open(&f, &g->specimen.model, 16, &e), OK);
    full_find(&f, &g->specimen.model, &g->specimen.task.test, NULL, step, previous, &products);
    for (int v = 0; v < FISHER_VARIANTS; v++)
        for (int i = 0; i < FULL_VECTORS; i++)
            NEAR(products.of[v][FULL_STEP][i], NUMBER(g, "\"full_metric\":", with[i], variant[v]));
    full_close(&f);
    safetensors_close(&steps);
    free(step);
    free(previous);
}

void test_products_in_the_whole_metric_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "final/");
    check_products(&g, "tests/golden/modular_steps.safetensors");
    golden_close(&g);
    golden_open_ising(&g, "final/");
    check_products(&g, "tests/golden/ising_steps.safetensors");
    golden_close(&g);
}

/* A row of a by_rows tensor that no sample of the batch touched means zero. */
static void clear_untouched(const struct model *m, struct gradient *g)
{
    for (size_t t = 0; t < m->tensor_count; t++)
        for (size_t j = 0; m->tensor[t].by_rows && j < m->tensor[t].cols; j++)
            for (size_t i = 0; !g->touched[j] && i < m->tensor[t].rows; i++)
                g->g[tensor_index(&m->tensor[t], i, j)] = 0;
}

static void check_gradient(struct golden *g, size_t size)
{
    struct workspace w;
    struct gradient gradient;
    struct err e;
    struct vec_score score = {0, 0};
    const struct model *m = &g->specimen.model;
    assert_int_equal(workspace_open(&w, m, &e), OK);
    assert_int_equal(gradient_open(&gradient, m, &e), OK);
    for (size_t from = 0; from < size; from += VEC_LANES) {
        struct batch batch = dataset_chunk(&g->specimen.task.train, from);
        if (batch.count > size - from) batch.count = size - from;
        model_forward(m, &batch, &w);
        model_backward(m, &batch, &w, 1.0f / (float)size, from == 0, &gradient, &score);
    }
    clear_untouched(m, &gradient);
    golden_take_weights(g, "grad/"); /* only to have them in state-dict order */
    float *ours = malloc(m->parameters * sizeof *ours);
    model_flatten(m, gradient.g, ours);
    double most = 0;
    for (size_t i = 0; i < m->parameters; i++) most = fmax(most, fabs(g->specimen.theta[i]));
    for (size_t i = 0; i < m->parameters; i++)
        if (!ref_close(ours[i], g->specimen.theta[i], 1e-4, 1e-2 * most))
            fail_msg("parameter %zu: %.9g, golden %.9g", i, (double)ours[i], g->specimen.theta[i]);
    free(ours);
    gradient_close(&gradient);
    workspace_close(&w);
}

void test_the_gradients_of_the_first_batch_are_golden(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "init/");
    check_gradient(&g, BATCH);
    golden_close(&g);
    golden_open_ising(&g, "init/");
    check_gradient(&g, g.specimen.task.train.count);
    golden_close(&g);
}
