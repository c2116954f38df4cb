// SPDX-License-Identifier: MIT
/* Pruning against brute force: orders, every step of every order, points, curves and bounds. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "tests/ref/ref_order.h"
#include "worker/measure/pruning.h"
#include "worker/measure/rank.h"
#include "worker/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void start(struct pruning *p, const struct specimen *s, size_t points)
{
    struct err e;
    assert_int_equal(pruning_open(p, &s->model, &s->task.test, points, &e), OK);
}

/* Coarse weights, so that many magnitudes and logits are equal and many weights are zero. */
static void coarsen(struct specimen *s)
{
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = round(s->theta[i] * 4) / 4;
    specimen_set(s, s->theta);
}

/* As at the start of a run: a network that has lost much has logits of exactly 0. */
static void clear_biases(struct specimen *s)
{
    struct ref_layout l = ref_net_layout(s->net.P, s->net.H);
    memset(s->theta + l.b1, 0, (l.w2 - l.b1) * sizeof *s->theta);
    memset(s->theta + l.b2, 0, (l.end - l.b2) * sizeof *s->theta);
    specimen_set(s, s->theta);
}

/* A network that has learned nearly all of its training set, which then is the set tested. */
enum { TRAINING = 300 };
static void train(struct specimen *s)
{
    struct trainer *t;
    struct row row;
    struct err e;
    s->params.batch_size = 16;
    s->params.epochs = TRAINING;
    assert_int_equal(trainer_open(&t, &s->params, NULL, &e), OK);
    assert_int_equal(trainer_start(t, &row, &e), OK);
    for (int i = 0; i < TRAINING; i++) assert_int_equal(trainer_epoch(t, &row, &e), OK);
    if (!(row.value[METRIC_train_accuracy] > 0.9))
        fail_msg("training accuracy %g", row.value[METRIC_train_accuracy]);
    model_flatten(trainer_model(t), trainer_model(t)->theta, s->flat);
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = s->flat[i];
    specimen_set(s, s->theta);
    trainer_close(&t);
    struct dataset set = s->task.test;
    int32_t *pairs = s->test;
    size_t n = s->n_test;
    s->task.test = s->task.train, s->task.train = set;
    s->test = s->train, s->train = pairs;
    s->n_test = s->n_train, s->n_train = n;
}

enum kind { RANDOM, COARSE, UNBIASED, TRAINED, KINDS };

static void open_kind(struct specimen *s, enum kind kind)
{
    specimen_open(s, 11, 16, 0.5);
    if (kind == COARSE) coarsen(s);
    if (kind == UNBIASED) clear_biases(s);
    if (kind == TRAINED) train(s);
}

/* ---- orders ---- */

static const struct scheme {
    enum order_scheme of;
    const char *name, *tensor;
} schemes[] = {
    {ORDER_LAYER, "layer", ""},
    {ORDER_GLOBAL, "global", ""},
    {ORDER_RESCALED, "rescaled", ""},
    {ORDER_SINGLE, "single", "model.0.weight"},
    {ORDER_SINGLE, "single", "model.2.weight"},
    {ORDER_FISHER, "fisher", ""},
};
#define SCHEMES (sizeof schemes / sizeof *schemes)

/* An order made both ways. Any numbers do for a diagonal: here with equal ones among them. */
struct made {
    size_t n, *index;
    double *at;
    struct order order;
};

static struct made make(const struct specimen *s, const struct scheme *scheme)
{
    struct made m;
    struct err e;
    size_t size = s->model.parameters;
    uint64_t seed = 9;
    double *diagonal = calloc(size, sizeof *diagonal);
    float *flat = calloc(size, sizeof *flat), *laid = vec_alloc(s->model.size);
    m.index = calloc(size, sizeof *m.index);
    m.at = calloc(size, sizeof *m.at);
    for (size_t i = 0; i < size; i++)
        diagonal[i] = flat[i] = floorf((float)ref_uniform(&seed) * 99);
    model_unflatten(&s->model, flat, laid);
    assert_int_equal(order_open(&m.order, &s->model, &e), OK);
    int tensor = model_find(&s->model, scheme->tensor);
    order_make(&m.order, &s->model, scheme->of, (size_t)(tensor < 0 ? 0 : tensor), laid);
    order_merge(&m.order);
    m.n = ref_order(&s->net, scheme->name, scheme->tensor, diagonal, m.index, m.at);
    free(diagonal), free(flat), free(laid);
    return m;
}

static void unmake(struct made *m)
{
    order_close(&m->order);
    free(m->index), free(m->at);
}

/* Places in theta of the parameters in state-dict order. */
static uint32_t *places_of(const struct model *m)
{
    uint32_t *place = calloc(m->parameters, sizeof *place);
    for (size_t t = 0; t < m->tensor_count; t++)
        for (size_t i = 0; i < m->tensor[t].rows; i++)
            for (size_t j = 0; j < m->tensor[t].cols; j++)
                place[m->tensor[t].first + i * m->tensor[t].cols + j] =
                    (uint32_t)tensor_index(&m->tensor[t], i, j);
    return place;
}

void test_ranks_are_those_of_a_stable_sort_by_magnitude(void **state)
{
    (void)state;
    for (int kind = RANDOM; kind <= COARSE; kind++) {
        struct specimen s;
        open_kind(&s, (enum kind)kind);
        for (size_t t = 0; t < s.model.tensor_count; t++) {
            const struct tensor *tensor = &s.model.tensor[t];
            size_t n = tensor->rows * tensor->cols;
            uint32_t *position = malloc(n * sizeof *position);
            uint64_t *spare = malloc(2 * n * sizeof *spare);
            rank_by_magnitude(s.model.theta, &tensor, 1, position, spare);
            for (size_t count = 0; count <= n; count += 1 + n / 7) {
                double *ours = malloc(n * sizeof *ours), *twin = malloc(n * sizeof *twin);
                for (size_t i = 0; i < n; i++) ours[i] = twin[i] = s.theta[tensor->first + i];
                ref_prune(twin, n, count);
                for (size_t i = 0; i < n; i++)
                    for (size_t k = 0; k < count; k++)
                        if (position[k] == tensor_index(tensor, i / tensor->cols, i % tensor->cols))
                            ours[i] = 0;
                for (size_t i = 0; i < n; i++)
                    if (ours[i] != twin[i])
                        fail_msg("%s, %zu of %zu pruned: element %zu is %g, twin %g", tensor->name,
                                 count, n, i, ours[i], twin[i]);
                free(ours), free(twin);
            }
            free(position), free(spare);
        }
        specimen_close(&s);
    }
}

void test_every_order_is_that_of_brute_force_and_of_equals_the_first_goes_first(void **state)
{
    (void)state;
    for (int kind = RANDOM; kind <= COARSE; kind++) {
        struct specimen s;
        open_kind(&s, (enum kind)kind);
        uint32_t *place = places_of(&s.model);
        for (size_t i = 0; i < SCHEMES; i++) {
            struct made m = make(&s, &schemes[i]);
            assert_int_equal(m.order.n, m.n);
            for (size_t k = 0; k < m.n; k++)
                if (m.order.merged[k] != place[m.index[k]] ||
                    !ref_close(m.order.at[k], m.at[k], 1e-15, 0))
                    fail_msg("%s %s: step %zu", schemes[i].name, schemes[i].tensor, k);
            unmake(&m);
        }
        free(place);
        specimen_close(&s);
    }
}

void test_every_fraction_of_an_order_prunes_a_beginning_of_its_steps(void **state)
{
    (void)state;
    struct specimen s;
    open_kind(&s, RANDOM);
    for (size_t i = 0; i < SCHEMES; i++) {
        struct made m = make(&s, &schemes[i]);
        float *a = vec_alloc(s.model.size), *b = vec_alloc(s.model.size);
        memcpy(a, s.model.theta, s.model.size * sizeof *a);
        memcpy(b, s.model.theta, s.model.size * sizeof *b);
        size_t done = 0;
        for (int k = 0; k <= 64; k++) {
            order_prune(&m.order, a, (k - 1) / 64.0, k / 64.0);
            for (; done < order_count(&m.order, k / 64.0); done++) b[m.order.merged[done]] = 0;
            assert_memory_equal(a, b, s.model.size * sizeof *a);
        }
        assert_int_equal(done, m.n);
        free(a), free(b);
        unmake(&m);
    }
    specimen_close(&s);
}

void test_counts_round_half_to_even(void **state)
{
    (void)state;
    assert_int_equal(order_part_count(10, 1 / 20.0), 0); /* 0.5 */
    assert_int_equal(order_part_count(10, 3 / 20.0), 2); /* 1.5 */
    assert_int_equal(order_part_count(10, 5 / 20.0), 2); /* 2.5 */
    assert_int_equal(order_part_count(10, 7 / 20.0), 4); /* 3.5 */
    assert_int_equal(order_part_count(57856, 0), 0);
    assert_int_equal(order_part_count(57856, 1), 57856);
}

/* ---- steps ---- */

void test_every_step_of_every_order_has_the_accuracy_of_brute_force(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct specimen s;
        open_kind(&s, (enum kind)kind);
        struct pruning p;
        start(&p, &s, 0);
        int64_t *twin = calloc(s.model.parameters + 1, sizeof *twin);
        assert_true(p.walks);
        p.walk.tie = 1e-5f;
        for (size_t i = 0; i < SCHEMES; i++) {
            struct made m = make(&s, &schemes[i]);
            ref_steps(&s.net, s.test, s.n_test, m.index, m.n, twin);
            walk_every(&p.walk, &s.model, m.order.merged, m.n, p.hits);
            for (size_t k = 0; k <= m.n; k++)
                if (p.hits[k] != twin[k])
                    fail_msg("kind %d, %s %s: %lld right after %zu of %zu, twin %lld", kind,
                             schemes[i].name, schemes[i].tensor, (long long)p.hits[k], k, m.n,
                             (long long)twin[k]);
            assert_true(ref_close(area_of_steps(m.order.at, p.hits, m.n, s.n_test).area,
                                  ref_steps_area(m.at, twin, m.n, s.n_test), 1e-12, 0));
            unmake(&m);
        }
        free(twin);
        pruning_close(&p);
        specimen_close(&s);
    }
}

void test_stops_of_a_walk_equal_its_steps_and_a_forward_pass(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct specimen s;
        open_kind(&s, (enum kind)kind);
        struct pruning p;
        start(&p, &s, 0);
        p.walk.tie = 1e-5f;
        for (size_t i = 0; i < SCHEMES; i++) {
            struct made m = make(&s, &schemes[i]);
            size_t stop[] = {m.n / 5, m.n / 2, m.n / 2, m.n / 2 + 1, 2 * m.n / 3, m.n * 9 / 10};
            int64_t hits[6];
            walk_every(&p.walk, &s.model, m.order.merged, m.n, p.hits);
            assert_int_equal(walk_at(&p.walk, &s.model, m.order.merged, stop, 6, 1, hits),
                             s.n_test);
            memcpy(p.pruned.theta, s.model.theta, s.model.size * sizeof(float));
            for (size_t k = 0, done = 0; k < 6; k++) {
                while (done < stop[k]) p.pruned.theta[m.order.merged[done++]] = 0;
                double a = dataset_score(&s.task.test, &p.pruned, &p.workspace).accuracy;
                assert_int_equal(hits[k], p.hits[stop[k]]);
                assert_int_equal(hits[k], llround(a * (double)s.n_test));
            }
            unmake(&m);
        }
        pruning_close(&p);
        specimen_close(&s);
    }
}

void test_a_walk_through_many_blocks_equals_its_steps_and_a_forward_pass(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 31, 16, 0.5);
    struct pruning p;
    start(&p, &s, 0);
    p.walk.tie = 1e-5f;
    struct made m = make(&s, &schemes[0]);
    size_t stop[] = {0, m.n / 3, m.n / 2, m.n * 3 / 4}, blocks = s.n_test / WALK_LANES + 1;
    int64_t hits[4], some[4];
    assert_true(blocks > 2);
    walk_every(&p.walk, &s.model, m.order.merged, m.n, p.hits);
    assert_int_equal(walk_at(&p.walk, &s.model, m.order.merged, stop, 4, 1, hits), s.n_test);
    assert_int_equal(walk_at(&p.walk, &s.model, m.order.merged, stop, 4, blocks, some), WALK_LANES);
    memcpy(p.pruned.theta, s.model.theta, s.model.size * sizeof(float));
    for (size_t k = 0, done = 0; k < 4; k++) {
        while (done < stop[k]) p.pruned.theta[m.order.merged[done++]] = 0;
        double a = dataset_score(&s.task.test, &p.pruned, &p.workspace).accuracy;
        assert_int_equal(hits[k], p.hits[stop[k]]);
        assert_int_equal(hits[k], llround(a * (double)s.n_test));
        assert_true(some[k] <= hits[k]);
    }
    unmake(&m);
    pruning_close(&p);
    specimen_close(&s);
}

/* ---- rules ---- */

static struct pruning_result measured(struct pruning *p, struct specimen *s, bool exact)
{
    double loss, accuracy;
    ref_evaluate(&s->net, s->test, s->n_test, &loss, &accuracy);
    order_make(&p->order, &s->model, ORDER_LAYER, 0, NULL);
    return pruning_measure(p, &s->model, accuracy, 10, exact);
}

static void check_bound(struct specimen *s, const char *what)
{
    struct pruning p;
    start(&p, s, 0);
    struct pruning_result exact = measured(&p, s, true), bisect = measured(&p, s, false);
    assert_true(exact.rule == METRIC_EXACT && exact.bound == 0);
    if (!(bisect.bound <= PRUNING_GOAL * bisect.c))
        fail_msg("%s: rule %g, bound %.6g of c %.6g from %zu points", what, bisect.rule,
                 bisect.bound, bisect.c, p.point_count);
    if (!(fabs(exact.c - bisect.c) <= bisect.bound))
        fail_msg("%s: c %.6g, bound %.6g, exactly %.6g", what, bisect.c, bisect.bound, exact.c);
    p.walks = false; /* by forward passes: the same rule, other points */
    bisect = measured(&p, s, false);
    assert_true(bisect.rule == METRIC_BISECT);
    assert_true(bisect.bound <= PRUNING_GOAL * bisect.c || p.point_count > p.order.n / 2);
    assert_true(fabs(exact.c - bisect.c) <= bisect.bound);
    pruning_close(&p);
}

void test_the_bound_of_a_bisection_holds_and_is_at_most_its_goal(void **state)
{
    (void)state;
    static const char *const names[] = {"random", "coarse", "unbiased", "trained"};
    for (int kind = 0; kind < KINDS; kind++) {
        struct specimen s;
        open_kind(&s, (enum kind)kind);
        check_bound(&s, names[kind]);
        specimen_close(&s);
    }
}

void test_relative_area_and_kept_weights_are_those_of_the_steps(void **state)
{
    (void)state;
    struct specimen s;
    open_kind(&s, TRAINED);
    struct pruning p;
    start(&p, &s, 0);
    struct made m = make(&s, &schemes[0]);
    int64_t *twin = calloc(m.n + 1, sizeof *twin);
    ref_steps(&s.net, s.test, s.n_test, m.index, m.n, twin);
    struct pruning_result r = measured(&p, &s, true);
    double area = ref_steps_area(m.at, twin, m.n, s.n_test);
    size_t last = 0;
    for (size_t k = 0; k <= m.n; k++)
        if ((double)twin[k] >= 0.95 * (double)twin[0]) last = k;
    assert_true(ref_close(r.c, 1 / (1 - area), 1e-12, 0));
    assert_true(ref_close(r.relative, area * (double)s.n_test / (double)twin[0], 1e-12, 0));
    assert_true(last > 0 && last < m.n);
    assert_true(ref_close(r.kept, 1 - (double)last / (double)m.n, 1e-12, 0));
    r = measured(&p, &s, false);
    assert_true(fabs(r.kept - (1 - (double)last / (double)m.n)) < 0.05);
    free(twin);
    unmake(&m);
    pruning_close(&p);
    specimen_close(&s);
}

void test_a_network_that_is_never_right_has_no_share_of_its_accuracy(void **state)
{
    (void)state;
    struct specimen s;
    open_kind(&s, RANDOM);
    struct pruning p;
    start(&p, &s, 5);
    order_make(&p.order, &s.model, ORDER_LAYER, 0, NULL);
    struct pruning_result r = pruning_measure(&p, &s.model, 0, 1, true);
    assert_true(isnan(r.relative) && isnan(r.kept) && r.rule == 5);
    pruning_close(&p);
    specimen_close(&s);
}

void test_a_network_of_fewer_weights_than_points_is_measured_by_its_steps(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 3, 2, 0.5);
    struct pruning p;
    start(&p, &s, 0);
    struct pruning_result exact = measured(&p, &s, true), bisect = measured(&p, &s, false);
    assert_true(fabs(exact.c - bisect.c) <= bisect.bound + 1e-12 * exact.c);
    pruning_close(&p);
    specimen_close(&s);
}

/* ---- curves ---- */

static void check_curve(struct specimen *s, size_t points)
{
    struct pruning p;
    start(&p, s, points);
    double *accuracy = calloc(points, sizeof *accuracy), *loss = calloc(points, sizeof *loss);
    double area = ref_pruning(&s->net, s->test, s->n_test, points, accuracy, loss);
    struct pruning_result r = measured(&p, s, true);
    pruning_curve(&p, &s->model, "layer", "");
    assert_int_equal(p.curve_count, points);
    for (size_t i = 0; i < points; i++) {
        const struct pruning_point *q = &p.curve[i];
        if (!ref_close(q->accuracy, accuracy[i], 1e-12, 1) || !ref_close(q->loss, loss[i], 1e-5, 0))
            fail_msg("point %zu of %zu: accuracy %.9g, twin %.9g; loss %.9g, twin %.9g", i, points,
                     q->accuracy, accuracy[i], q->loss, loss[i]);
        assert_true(q->fraction == (double)i / (double)(points - 1));
        assert_string_equal(q->scheme, "layer");
        assert_string_equal(q->layer, "");
    }
    assert_true(r.rule == (double)points);
    assert_true(ref_close(r.c, 1 / (1 - area), 1e-12, 0));
    free(accuracy), free(loss);
    pruning_close(&p);
}

void test_curves_equal_brute_force(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 13, 40, 0.5);
    check_curve(&s, 2);
    check_curve(&s, 8);
    check_curve(&s, 21);
    specimen_close(&s);
}

void test_the_first_point_has_the_bits_of_the_test_pass_and_the_model_is_left_alone(void **state)
{
    (void)state;
    struct specimen s;
    struct workspace w;
    struct err e;
    specimen_open(&s, 17, 50, 0.5);
    float *before = calloc(s.model.parameters, sizeof *before);
    model_flatten(&s.model, s.model.theta, before);
    struct pruning p;
    start(&p, &s, 0);
    measured(&p, &s, true);
    measured(&p, &s, false);
    pruning_curve(&p, &s.model, "layer", "");
    assert_int_equal(workspace_open(&w, &s.model, &e), OK);
    struct score score = dataset_score(&s.task.test, &s.model, &w);
    assert_true(p.curve[0].loss == score.loss && p.curve[0].accuracy == score.accuracy);
    model_flatten(&s.model, s.model.theta, s.flat);
    assert_memory_equal(before, s.flat, s.model.parameters * sizeof *before);
    workspace_close(&w);
    pruning_close(&p);
    free(before);
    specimen_close(&s);
}

void test_fully_pruned_only_the_output_biases_speak(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 13, 30, 0.5);
    struct ref_layout l = ref_net_layout(13, 30);
    size_t best = 0, hits = 0;
    for (size_t c = 1; c < 13; c++)
        if (s.theta[l.b2 + c] > s.theta[l.b2 + best]) best = c;
    for (size_t i = 0; i < s.n_test; i++)
        hits += (size_t)(s.test[2 * i] + s.test[2 * i + 1]) % 13 == best;
    struct pruning p;
    start(&p, &s, 0);
    measured(&p, &s, true);
    assert_int_equal(p.hits[p.order.n], hits);
    pruning_close(&p);
    specimen_close(&s);
}
