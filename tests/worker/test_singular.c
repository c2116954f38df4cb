// SPDX-License-Identifier: MIT
/* Ranks against singular values found by Jacobi's rotations in double, and where they are known. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/singular.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 40 };

/* Twin: turns pairs of columns of w [rows][cols] until all are orthogonal; their lengths remain. */
static void twin_values(double *w, size_t rows, size_t cols, double *value)
{
    for (int sweep = 0; sweep < 40; sweep++)
        for (size_t p = 0; p < cols; p++)
            for (size_t q = p + 1; q < cols; q++) {
                double pp = 0, qq = 0, pq = 0;
                for (size_t i = 0; i < rows; i++) {
                    double x = w[i * cols + p], y = w[i * cols + q];
                    pp += x * x, qq += y * y, pq += x * y;
                }
                double angle = 0.5 * atan2(2 * pq, pp - qq), c = cos(angle), s = sin(angle);
                for (size_t i = 0; i < rows; i++) {
                    double x = w[i * cols + p], y = w[i * cols + q];
                    w[i * cols + p] = c * x + s * y;
                    w[i * cols + q] = c * y - s * x;
                }
            }
    for (size_t p = 0; p < cols; p++) {
        value[p] = 0;
        for (size_t i = 0; i < rows; i++) value[p] += w[i * cols + p] * w[i * cols + p];
        value[p] = sqrt(value[p]);
    }
}

static void check_tensor(const struct specimen *s, const char *name)
{
    const struct tensor *t = &s->model.tensor[model_find(&s->model, name)];
    static double w[MOST * MOST], value[MOST];
    struct singular found;
    struct err e;
    double most = 0, squares = 0, sum = 0, entropy = 0;
    for (size_t i = 0; i < t->rows * t->cols; i++) w[i] = s->theta[t->first + i];
    twin_values(w, t->rows, t->cols, value);
    for (size_t i = 0; i < t->cols; i++)
        most = fmax(most, value[i]), squares += value[i] * value[i], sum += value[i];
    for (size_t i = 0; i < t->cols; i++)
        if (value[i] > 1e-9 * most) entropy -= value[i] / sum * log(value[i] / sum);
    assert_int_equal(singular_open(&found, &s->model, &e), OK);
    double stable = singular_stable_rank(&found, &s->model, t);
    double effective = singular_effective_rank(&found);
    if (!ref_close(stable, squares / (most * most), 1e-4, 0) ||
        !ref_close(effective, exp(entropy), 1e-3, 0))
        fail_msg("%s: %.9g and %.9g, twin %.9g and %.9g", name, stable, effective,
                 squares / (most * most), exp(entropy));
    singular_close(&found);
}

void test_ranks_equal_those_of_rotated_columns(void **state)
{
    (void)state;
    static const int64_t hidden[] = {1, 7, 22, 37};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        for (uint64_t seed = 1; seed < 4; seed++) {
            struct specimen s;
            specimen_open(&s, 11, hidden[i], 0.5);
            specimen_shake(&s, seed, 0.5);
            check_tensor(&s, "model.0.weight");
            check_tensor(&s, "model.2.weight");
            specimen_close(&s);
        }
}

static void fill(struct specimen *s, size_t rank, double last)
{
    struct ref_layout at = ref_net_layout(11, 16);
    for (size_t i = 0; i < s->model.parameters; i++) s->theta[i] = 0;
    for (size_t i = 0; i < rank; i++) s->theta[at.w2 + i * 16 + 15 - i] = i + 1 == rank ? last : 2;
    specimen_set(s, s->theta);
}

void test_equal_values_count_one_each_and_nearly_equal_ones_nearly(void **state)
{
    (void)state;
    struct specimen s;
    struct singular found;
    struct err e;
    specimen_open(&s, 11, 16, 0.5);
    const struct tensor *t = &s.model.tensor[model_find(&s.model, "model.2.weight")];
    assert_int_equal(singular_open(&found, &s.model, &e), OK);
    for (size_t rank = 1; rank <= 11; rank++) {
        fill(&s, rank, 2);
        assert_true(ref_close(singular_stable_rank(&found, &s.model, t), (double)rank, 1e-5, 0));
        assert_true(ref_close(singular_effective_rank(&found), (double)rank, 1e-5, 0));
    }
    for (double last = 1.99; last < 2.02; last += 1e-4) {
        fill(&s, 11, last);
        double most = fmax(4, last * last), is = singular_stable_rank(&found, &s.model, t);
        if (!ref_close(is, (40 + last * last) / most, 5e-4, 0))
            fail_msg("last %g: %.9g, not %.9g", last, is, (40 + last * last) / most);
    }
    fill(&s, 0, 0);
    assert_true(isnan(singular_stable_rank(&found, &s.model, t)));
    assert_true(isnan(singular_effective_rank(&found)));
    singular_close(&found);
    specimen_close(&s);
}
