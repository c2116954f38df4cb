// SPDX-License-Identifier: MIT
/* Models as points of information space: the columns against their twin, what must not matter, and
 * roads whose shape is known. */
#include "tests/test.h"

#include "tests/ref/ref_coords.h"
#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/coords.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { P = 11, H = 30, EPOCHS = 4, PAIRS = P * P, SNAPSHOTS = 90 };

static const struct {
    const char *suffix;
    int step, cos_previous, length, chord, straightness, progress, truth, ignorance, mao, off;
    int bhattacharyya, hellinger, overlap;
} parts[] = {
#define PART(s)                                                                                    \
    {                                                                                              \
#s, METRIC_fr_step##s, METRIC_fr_cos_previous##s, METRIC_arc_length##s, METRIC_chord##s,   \
            METRIC_straightness##s, METRIC_progress##s, METRIC_distance_truth##s,                  \
            METRIC_distance_ignorance##s, METRIC_progress_mao##s, METRIC_off_geodesic##s,          \
            METRIC_bhattacharyya_truth##s, METRIC_hellinger_ignorance##s, METRIC_overlap_truth##s  \
    }
    PART(), PART(_train), PART(_test)};

struct scene {
    struct specimen s;
    struct table table;
    struct coords *coords;
};

static void scene_open(struct scene *g, int64_t task)
{
    struct err e;
    if (task == TASK_ISING)
        specimen_open_ising(&g->s, 70, 1);
    else
        specimen_open(&g->s, P, H, 0.5);
    assert_int_equal(table_open(&g->table, &g->s.params, SNAPSHOTS, &g->s.task, &e), OK);
    assert_int_equal(coords_open(&g->coords, &g->table, &g->s.model, &e), OK);
}

static void scene_close(struct scene *g)
{
    coords_close(&g->coords);
    table_close(&g->table);
    specimen_close(&g->s);
}

static struct row read_row(struct scene *g, int64_t epoch)
{
    struct row row;
    row_clear(&row, epoch);
    coords_read(g->coords, &g->s.model, NULL, epoch, &row);
    return row;
}

static void near(const char *what, const char *suffix, double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance * fmax(fabs(right), 1e-3)))
        fail_msg("%s%s: %.9g, expected %.9g", what, suffix, is, right);
}

/* Pairs [count,2] of a part, and their labels. */
static size_t inputs_of(const struct scene *g, int part, int32_t *pairs, int32_t *label)
{
    size_t n = part == TABLE_WHOLE ? PAIRS : part == TABLE_TRAIN ? g->s.n_train : g->s.n_test;
    for (size_t x = 0; x < n; x++) {
        int32_t *to = pairs + 2 * x;
        if (part == TABLE_WHOLE)
            to[0] = (int32_t)x / P, to[1] = (int32_t)x % P;
        else
            memcpy(to, (part == TABLE_TRAIN ? g->s.train : g->s.test) + 2 * x, 2 * sizeof *to);
        label[x] = (to[0] + to[1]) % P;
    }
    return n;
}

static void check_landmarks(const struct row *row, int part, const double *psi,
                            const int32_t *label, size_t n)
{
    const char *s = parts[part].suffix;
    struct ref_landmarks r = ref_landmarks(psi, label, n, P);
    near("progress", s, row->value[parts[part].progress], r.progress, 1e-4);
    near("progress_mao", s, row->value[parts[part].mao], r.progress_mao, 1e-4);
    near("off_geodesic", s, row->value[parts[part].off], r.off_geodesic, 1e-5);
    near("distance_truth", s, row->value[parts[part].truth], r.distance[1], 1e-5);
    near("distance_ignorance", s, row->value[parts[part].ignorance], r.distance[0], 1e-5);
    near("bhattacharyya_truth", s, row->value[parts[part].bhattacharyya], r.bhattacharyya[1], 1e-5);
    near("hellinger_ignorance", s, row->value[parts[part].hellinger], r.hellinger[0], 1e-5);
    near("overlap_truth", s, row->value[parts[part].overlap], r.overlap[1], 1e-5);
}

/* Epochs 0 1 2 4: the last step spans two. */
void test_every_column_of_every_part_equals_its_twin(void **state)
{
    (void)state;
    static const int64_t epoch[EPOCHS] = {0, 1, 2, 4};
    static double psi[EPOCHS][PAIRS * P];
    static int32_t pairs[2 * PAIRS], label[PAIRS];
    struct scene g;
    scene_open(&g, TASK_MODULAR_ADDITION);
    double length[TABLE_PARTS] = {0};
    for (int i = 0; i < EPOCHS; i++) {
        specimen_shake(&g.s, 9 + (uint64_t)i, 0.3 + 0.3 * i);
        struct row row = read_row(&g, epoch[i]);
        for (int part = 0; part < TABLE_PARTS; part++) {
            const char *s = parts[part].suffix;
            /* the psi of earlier epochs are those of the last part: made anew from kept weights */
            size_t n = inputs_of(&g, part, pairs, label);
            for (int k = 0; k <= i; k++) {
                specimen_shake(&g.s, 9 + (uint64_t)k, 0.3 + 0.3 * k);
                ref_roots(&g.s.net, pairs, n, psi[k]);
            }
            check_landmarks(&row, part, psi[i], label, n);
            double step = i ? ref_distance(psi[i - 1], psi[i], n, P) : 0;
            length[part] += step;
            near("arc_length", s, row.value[parts[part].length], length[part], 1e-5);
            assert_int_equal(isnan(row.value[parts[part].step]), i == 0);
            assert_int_equal(isnan(row.value[parts[part].cos_previous]), i != 2);
            if (i == 0) continue;
            double chord = ref_distance(psi[0], psi[i], n, P);
            near("fr_step", s, row.value[parts[part].step], step, 1e-5);
            near("chord", s, row.value[parts[part].chord], chord, 1e-5);
            near("straightness", s, row.value[parts[part].straightness], chord / length[part],
                 1e-5);
            if (i == 2)
                near("fr_cos_previous", s, row.value[parts[part].cos_previous],
                     ref_step_cosine(psi[0], psi[1], psi[2], n, P), 1e-5);
        }
    }
    scene_close(&g);
}

/* Swaps hidden neurons in state-dict order. */
static void permute(struct specimen *s)
{
    struct ref_layout at = ref_net_layout(P, H);
    double *to = malloc(s->model.parameters * sizeof *to);
    memcpy(to, s->theta, s->model.parameters * sizeof *to);
    for (size_t k = 0; k < H; k++) {
        size_t from = (k * 7 + 3) % H;
        memcpy(to + at.w1 + k * 2 * P, s->theta + at.w1 + from * 2 * P, 2 * P * sizeof *to);
        to[at.b1 + k] = s->theta[at.b1 + from];
        for (size_t c = 0; c < P; c++) to[at.w2 + c * H + k] = s->theta[at.w2 + c * H + from];
    }
    specimen_set(s, to);
    free(to);
}

void test_the_order_of_neurons_does_not_matter(void **state)
{
    (void)state;
    struct scene g, h;
    struct row a, b;
    scene_open(&g, TASK_MODULAR_ADDITION);
    scene_open(&h, TASK_MODULAR_ADDITION);
    for (int i = 0; i < 3; i++) {
        specimen_shake(&g.s, 3 + (uint64_t)i, 0.5);
        specimen_shake(&h.s, 3 + (uint64_t)i, 0.5);
        permute(&h.s);
        a = read_row(&g, i), b = read_row(&h, i);
    }
    for (int i = 0; i < METRIC_COUNT; i++)
        if (!isnan(a.value[i])) near(metric_list[i].name, "", b.value[i], a.value[i], 1e-4);
    assert_true(sketch_distance2(a.sketch, b.sketch) < 1e-10);
    scene_close(&g);
    scene_close(&h);
}

/* Biases of the last layer alone decide: p is their softmax on every input. */
static void set_roots(struct specimen *s, const double root[P])
{
    double *theta = calloc(s->model.parameters, sizeof *theta);
    for (size_t c = 0; c < P; c++) theta[ref_net_layout(P, H).b2 + c] = 2 * log(root[c]);
    specimen_set(s, theta);
    free(theta);
}

void test_a_geodesic_is_straight_and_a_way_back_is_not(void **state)
{
    (void)state;
    static const double at[] = {0.1, 0.3, 0.5, 0.3};
    static const double cosine[] = {NAN, NAN, 1, -1}, straight[] = {NAN, 1, 1, 1.0 / 3};
    struct scene g;
    scene_open(&g, TASK_MODULAR_ADDITION);
    for (int i = 0; i < 4; i++) {
        double root[P], a[P], b[P], one = 0, two = 0, inner = 0;
        for (int c = 0; c < P; c++) {
            a[c] = 1 + c % 3, b[c] = 1 + c % 4;
            one += a[c] * a[c], two += b[c] * b[c];
        }
        for (int c = 0; c < P; c++) inner += a[c] * b[c] / sqrt(one * two);
        double whole = acos(inner);
        for (int c = 0; c < P; c++)
            root[c] = (sin((1 - at[i]) * whole) * a[c] / sqrt(one) +
                       sin(at[i] * whole) * b[c] / sqrt(two)) /
                      sin(whole);
        set_roots(&g.s, root);
        struct row row = read_row(&g, i);
        if (i) near("fr_step", "", row.value[METRIC_fr_step], 0.4 * whole, 1e-4);
        if (i) near("straightness", "", row.value[METRIC_straightness], straight[i], 1e-4);
        if (i > 1) near("fr_cos_previous", "", row.value[METRIC_fr_cos_previous], cosine[i], 1e-4);
        if (i > 1)
            near("straightness_two", "", row.value[METRIC_straightness_two], i == 2 ? 1 : 0, 1e-4);
    }
    scene_close(&g);
}

/* f_1 - f_0 of every snapshot of the table. */
static void gaps(struct scene *g, double *gap)
{
    struct workspace w;
    struct err e;
    assert_int_equal(workspace_open(&w, &g->s.model, &e), OK);
    for (size_t from = 0; from < SNAPSHOTS; from += VEC_LANES) {
        struct batch b = dataset_chunk(g->table.set[0], from);
        model_forward(&g->s.model, &b, &w);
        const struct signal *z = &w.value[g->s.model.layer_count];
        for (size_t s = 0; s < b.count; s++)
            gap[from + s] = (double)z->x[z->feature_stride + s] - (double)z->x[s];
    }
    workspace_close(&w);
}

void test_two_classes_have_a_closed_form(void **state)
{
    (void)state;
    static double gap[2][SNAPSHOTS];
    struct scene g;
    double sum = 0;
    scene_open(&g, TASK_ISING);
    gaps(&g, gap[0]);
    read_row(&g, 0);
    specimen_shake(&g.s, 5, 0.1);
    gaps(&g, gap[1]);
    struct row row = read_row(&g, 1);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        double t = 2 * fabs(atan(exp(gap[1][i] / 2)) - atan(exp(gap[0][i] / 2)));
        sum += t * t;
    }
    near("fr_step", "", row.value[METRIC_fr_step], sqrt(sum / SNAPSHOTS), 1e-5);
    scene_close(&g);
}

void test_a_sketch_is_the_map_of_all_roots_and_keeps_its_distances(void **state)
{
    (void)state;
    static double psi[PAIRS * P];
    static int32_t pairs[2 * PAIRS], label[PAIRS];
    struct scene g;
    double y[SKETCH_ROWS] = {0};
    scene_open(&g, TASK_MODULAR_ADDITION);
    struct row row = read_row(&g, 0);
    inputs_of(&g, TABLE_WHOLE, pairs, label);
    ref_roots(&g.s.net, pairs, PAIRS, psi);
    for (uint32_t x = 0; x < PAIRS; x++)
        for (uint32_t c = 0; c < P; c++)
            for (int b = 0; b < SKETCH_NONZEROS; b++) {
                uint32_t byte = sketch_column(x, c) >> 8 * b & 127;
                y[64 * b + (int)(byte & 63)] += psi[x * P + c] * (byte & 64 ? -0.5 : 0.5) / P;
            }
    for (int i = 0; i < SKETCH_ROWS; i++) assert_true(fabs((double)row.sketch[i] - y[i]) < 1e-6);
    double exact = row.value[METRIC_hellinger_ignorance];
    double seen = sketch_distance2(row.sketch, g.table.ignorance);
    assert_true(fabs(seen / (exact * exact) - 1) < SKETCH_TOLERANCE);
    assert_true(fabs(row.value[METRIC_sketch_error]) < SKETCH_TOLERANCE);
    scene_close(&g);
}

/* The sketch is linear, and every label has the same overlap with ignorance. */
void test_landmarks_are_as_far_apart_in_the_sketch_as_they_are(void **state)
{
    (void)state;
    for (int64_t task = 0; task < PARAM_TASKS; task++) {
        struct scene g;
        scene_open(&g, task);
        double exact = 2 - 2 / sqrt((double)g.table.classes);
        double seen = sketch_distance2(g.table.truth, g.table.ignorance);
        assert_true(fabs(seen / exact - 1) < SKETCH_TOLERANCE);
        scene_close(&g);
    }
}

void test_a_table_is_the_same_for_every_run_of_its_task(void **state)
{
    (void)state;
    for (int64_t task = 0; task < PARAM_TASKS; task++) {
        struct scene g;
        struct table other;
        struct err e;
        scene_open(&g, task);
        struct row row = read_row(&g, 0);
        assert_string_equal(row.evaluation.hash, g.table.hash);
        assert_int_equal(row.evaluation.samples, task == TASK_ISING ? SNAPSHOTS : PAIRS);
        row = read_row(&g, 1);
        assert_null(row.evaluation.hash);
        struct params p = g.s.params;
        p.seed = p.data_seed = 77;
        struct task theirs;
        assert_int_equal(task_open(&theirs, &p, NULL, &e), OK);
        assert_int_equal(table_open(&other, &p, SNAPSHOTS, &theirs, &e), OK);
        assert_string_equal(other.hash, g.table.hash);
        assert_memory_equal(other.truth, g.table.truth, sizeof other.truth);
        table_close(&other);
        assert_int_equal(table_of(&other, &theirs.test, &theirs, &e), OK);
        assert_string_not_equal(other.hash, g.table.hash);
        table_close(&other);
        task_close(&theirs);
        scene_close(&g);
    }
}

void test_a_model_that_is_no_number_has_no_sketch(void **state)
{
    (void)state;
    struct scene g;
    scene_open(&g, TASK_MODULAR_ADDITION);
    g.s.model.theta[tensor_index(&g.s.model.tensor[3], 2, 0)] = NAN;
    struct row row = read_row(&g, 0);
    assert_null(row.sketch);
    assert_true(isnan(row.value[METRIC_progress]) && isnan(row.value[METRIC_progress_mao]) &&
                isnan(row.value[METRIC_distance_truth]) && isnan(row.value[METRIC_sketch_error]));
    scene_close(&g);
}

/* Of a task that leaves a pair out, the table is walked as it is; of one that has them all, set by
 * set, with logits that may be known. */
void test_a_model_is_the_same_point_however_the_table_is_walked(void **state)
{
    (void)state;
    struct scene g;
    struct table pairs = {0};
    struct coords *other;
    struct logits l;
    struct err e;
    struct row row, lent;
    scene_open(&g, TASK_MODULAR_ADDITION);
    assert_int_equal(g.table.set_count, 2);
    assert_int_equal(logits_open(&l, &g.s.model, &g.s.task, &e), OK);
    struct task some = g.s.task;
    some.test.count--;
    assert_int_equal(table_of(&pairs, g.table.whole, &some, &e), OK);
    assert_int_equal(pairs.set_count, 1);
    assert_string_equal(pairs.hash, g.table.hash);
    assert_int_equal(coords_open(&other, &pairs, &g.s.model, &e), OK);
    for (int epoch = 0; epoch < 3; epoch++, specimen_shake(&g.s, 5, 0.1)) {
        row_clear(&row, epoch);
        row_clear(&lent, epoch);
        logits_take(&l, &g.s.model);
        coords_read(g.coords, &g.s.model, &l, epoch, &lent);
        coords_read(other, &g.s.model, NULL, epoch, &row);
        for (int i = 0; i < SKETCH_ROWS; i++)
            near("sketch", "", lent.sketch[i], row.sketch[i], 1e-3);
        for (int i = 0; i < METRIC_COUNT; i++)
            if (!strstr(metric_list[i].name, "_test") && i != METRIC_sketch_error)
                if (!isnan(row.value[i]) || !isnan(lent.value[i]))
                    near(metric_list[i].name, "", lent.value[i], row.value[i], 1e-6);
    }
    logits_close(&l);
    coords_close(&other);
    table_close(&pairs);
    scene_close(&g);
}
