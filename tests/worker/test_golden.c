// SPDX-License-Identifier: MIT
/* Every measure at the golden weights (tests/golden/make_golden.py: PyTorch, double precision,
 * autograd where we have closed forms). Run from the top of the repository, as make does.
 */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/coords.h"
#include "worker/measure/fisher.h"
#include "worker/measure/full.h"
#include "worker/measure/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { P = 43, HIDDEN = 128, POINTS = 21, BATCH = 32, EPOCHS = 60, ISING_EPOCHS = 150 };

/* The files of a task, and a model of the golden shape with the golden data. */
struct golden {
    char *text; /* modular.json or ising.json */
    struct safetensors tensors;
    struct specimen specimen;
};

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

/* Weights under prefix, in state-dict order, become the model's. */
static void take_weights(struct golden *g, const char *prefix)
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
    take_weights(g, prefix);
}

static void golden_open_ising(struct golden *g, const char *prefix)
{
    specimen_open_ising(&g->specimen, 1, 1);
    take_files(g, "ising", ISING_EPOCHS, prefix);
}

static void golden_open(struct golden *g, const char *prefix)
{
    specimen_open(&g->specimen, P, HIDDEN, 1);
    take_files(g, "modular", EPOCHS, prefix);
}

static void golden_close(struct golden *g)
{
    free(g->text);
    safetensors_close(&g->tensors);
    specimen_close(&g->specimen);
}

/* `count` numbers of the golden document that follow the last of these marks, each searched after
 * the one before. */
static void numbers(const struct golden *g, const char *const *marks, double *out, size_t count)
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

static double number(const struct golden *g, const char *const *marks)
{
    double one;
    numbers(g, marks, &one, 1);
    return one;
}

#define NUMBER(g, ...)          number(g, (const char *const[]){__VA_ARGS__, NULL})
#define NUMBERS(g, out, n, ...) numbers(g, (const char *const[]){__VA_ARGS__, NULL}, out, n)
#define LAST_EPOCH              "\"data\":", "\"epochs\":[", "{\"epoch\":60,"
#define NEAR(ours, theirs)                                                                         \
    if (!ref_close(ours, theirs, 1e-4, 0))                                                         \
    fail_msg("%s: %.9g, golden %.9g", #ours, (double)(ours), (double)(theirs))

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
    take_weights(g, "init/");
    assert_int_equal(coords_open(&c, t, &s->model, &e), OK);
    row_clear(&row, 0);
    coords_read(c, &s->model, 0, &row);
    take_weights(g, "final/");
    row_clear(&row, s->params.epochs);
    coords_read(c, &s->model, s->params.epochs, &row);
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

static void check_curve(struct golden *g)
{
    struct measure *m;
    double accuracy[POINTS], loss[POINTS];
    struct row row = measured(g, &m);
    NUMBERS(g, accuracy, POINTS, "\"pruning\":{\"layer\":", "\"accuracy\":[");
    NUMBERS(g, loss, POINTS, "\"pruning\":{\"layer\":", "\"loss\":[");
    assert_int_equal(row.pruning_count, POINTS);
    for (size_t i = 0; i < POINTS; i++) {
        /* Shares of whole samples: the same count of hits is the same double. */
        double count = (double)g->specimen.task.test.count;
        assert_true(row.pruning[i].accuracy == round(accuracy[i] * count) / count);
        NEAR(row.pruning[i].loss, loss[i]);
    }
    measure_close(&m);
}

void test_the_pruning_curves_at_the_final_weights_are_golden(void **state)
{
    (void)state;
    struct golden g;
    golden_open(&g, "final/");
    check_curve(&g);
    golden_close(&g);
    golden_open_ising(&g, "final/");
    check_curve(&g);
    golden_close(&g);
}

/* The points of one order, and what the golden document has of it. */
static void check_order(struct golden *g, const struct row *row, size_t first, const char *mark)
{
    double accuracy[POINTS], loss[POINTS], count = (double)g->specimen.task.test.count;
    NUMBERS(g, accuracy, POINTS, "\"pruning\":{", mark, "\"accuracy\":[");
    NUMBERS(g, loss, POINTS, "\"pruning\":{", mark, "\"loss\":[");
    for (size_t i = 0; i < POINTS; i++) {
        const struct pruning_point *p = &row->pruning[first + i];
        if (p->accuracy != round(accuracy[i] * count) / count)
            fail_msg("%s %zu: accuracy %.9g, golden %.9g", mark, i, p->accuracy, accuracy[i]);
        if (!ref_close(p->loss, loss[i], 1e-4, 0))
            fail_msg("%s %zu: loss %.9g, golden %.9g", mark, i, p->loss, loss[i]);
    }
}

/* Every order: its curve, and its c where there is a column or a feature for it. */
static void check_orders(struct golden *g)
{
    static const struct {
        const char *scheme, *mark;
        int metric;
    } orders[] = {{"global", "\"global\":", METRIC_compressibility_global},
                  {"rescaled", "\"global_normalised\":", METRIC_compressibility_rescaled},
                  {"fisher", "\"fisher\":", METRIC_compressibility_fisher}};
    struct measure *m;
    struct err e;
    size_t singles = 0;
    assert_int_equal(settings_assign(&g->specimen.settings, "measure.pruning.schemes",
                                     "layer,global,rescaled,single,fisher", &e),
                     OK);
    struct row row = measured(g, &m);
    for (size_t i = 0; i < 3; i++)
        NEAR(row.value[orders[i].metric],
             NUMBER(g, "\"pruning\":{", orders[i].mark, "\"compressibility\":"));
    for (size_t at = 0; at < row.pruning_count; at += POINTS) {
        char mark[32];
        if (!strcmp(row.pruning[at].scheme, "single")) {
            snprintf(mark, sizeof mark, "\"only_%zu\":", singles++);
            check_order(g, &row, at, mark);
        }
        for (size_t i = 0; i < 3; i++)
            if (!strcmp(row.pruning[at].scheme, orders[i].scheme))
                check_order(g, &row, at, orders[i].mark);
    }
    assert_int_equal(row.pruning_count, (4 + singles) * POINTS);
    measure_close(&m);
    assert_int_equal(singles, g->specimen.model.tensor_count / 2);
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
    take_weights(g, "grad/"); /* only to have them in state-dict order */
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
