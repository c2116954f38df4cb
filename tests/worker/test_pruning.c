// SPDX-License-Identifier: MIT
/* Pruning against brute force: the sets, the curve, the area and its limits. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/pruning.h"
#include "worker/measure/rank.h"

#include <math.h>
#include <stdlib.h>

static struct pruning opened(const struct specimen *s, size_t points)
{
    struct pruning p;
    struct err e;
    assert_int_equal(pruning_open(&p, &s->model, points, &e), OK);
    return p;
}

/* Coarse weights, so that many magnitudes are equal and many are zero. */
static void coarsen(struct specimen *s)
{
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = round(s->theta[i] * 4) / 4;
    specimen_set(s, s->theta);
}

void test_ranks_are_those_of_a_stable_sort_by_magnitude(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 11, 37, 0.7);
    for (int round_ = 0; round_ < 2; round_++, coarsen(&s))
        for (size_t t = 0; t < s.model.tensor_count; t++) {
            const struct tensor *tensor = &s.model.tensor[t];
            size_t n = tensor->rows * tensor->cols;
            uint32_t *position = malloc(n * sizeof *position);
            uint64_t *spare = malloc(2 * n * sizeof *spare);
            rank_by_magnitude(s.model.theta, tensor, position, spare);
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
                free(ours);
                free(twin);
            }
            free(position);
            free(spare);
        }
    specimen_close(&s);
}

static void check_curve(const struct specimen *s, size_t points)
{
    struct pruning p = opened(s, points);
    double *accuracy = calloc(points, sizeof *accuracy), *loss = calloc(points, sizeof *loss);
    double area = ref_pruning(&s->net, s->test, s->n_test, points, accuracy, loss);
    pruning_curve(&p, &s->model, &s->task.test);
    for (size_t i = 0; i < points; i++) {
        const struct pruning_point *q = &p.curve[i];
        if (!ref_close(q->accuracy, accuracy[i], 1e-12, 1) || !ref_close(q->loss, loss[i], 1e-5, 0))
            fail_msg("point %zu of %zu: accuracy %.9g, twin %.9g; loss %.9g, twin %.9g", i, points,
                     q->accuracy, accuracy[i], q->loss, loss[i]);
        assert_true(q->fraction == (double)i / (double)(points - 1));
        assert_string_equal(q->scheme, "layer");
        assert_string_equal(q->layer, "");
    }
    struct compressibility r = pruning_compressibility(p.curve, points);
    assert_true(ref_close(r.area, area, 1e-12, 0));
    assert_true(ref_close(r.c, 1 / (1 - area), 1e-12, 0));
    free(accuracy);
    free(loss);
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
    struct pruning p = opened(&s, 5);
    pruning_curve(&p, &s.model, &s.task.test);
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
    struct pruning p = opened(&s, 3);
    pruning_curve(&p, &s.model, &s.task.test);
    assert_true(p.curve[2].accuracy == (double)hits / (double)s.n_test);
    pruning_close(&p);
    specimen_close(&s);
}

void test_counts_round_half_to_even(void **state)
{
    (void)state;
    assert_int_equal(pruning_count(10, 1, 21), 0); /* 0.5 */
    assert_int_equal(pruning_count(10, 3, 21), 2); /* 1.5 */
    assert_int_equal(pruning_count(10, 5, 21), 2); /* 2.5 */
    assert_int_equal(pruning_count(10, 7, 21), 4); /* 3.5 */
    assert_int_equal(pruning_count(57856, 0, 21), 0);
    assert_int_equal(pruning_count(57856, 20, 21), 57856);
}

static struct compressibility of_accuracies(const double *a, size_t n)
{
    struct pruning_point curve[8];
    for (size_t i = 0; i < n; i++)
        curve[i] = (struct pruning_point){"layer", "", (double)i / (double)(n - 1), a[i], 0};
    return pruning_compressibility(curve, n);
}

void test_compressibility_has_its_known_limits(void **state)
{
    (void)state;
    const double chance = 1.0 / 113, guess[] = {chance, chance, chance}, all[] = {1, 1, 1, 1};
    const double fall[] = {1, 0.5, 0};
    assert_true(ref_close(of_accuracies(guess, 3).c, 1 / (1 - chance), 1e-12, 0)); /* the floor */
    assert_true(of_accuracies(guess, 3).bound == 0);
    assert_true(of_accuracies(all, 4).area == 1);
    assert_true(isnan(of_accuracies(all, 4).c) && isnan(of_accuracies(all, 4).bound));
    assert_true(ref_close(of_accuracies(fall, 3).c, 2, 1e-12, 0));
    /* c^2 = 4, half the sum of 1/2 * 1/2 twice = 1/4 */
    assert_true(ref_close(of_accuracies(fall, 3).bound, 1, 1e-12, 0));
}
