// SPDX-License-Identifier: MIT
/* The Gini coefficient: against the mean difference over all pairs, and its known limits. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/gini.h"

#include <math.h>
#include <stdlib.h>

/* Half the mean absolute difference of two of the magnitudes, relative to their mean. */
static double twin(const double *x, size_t n)
{
    double difference = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += fabs(x[i]);
        for (size_t j = 0; j < n; j++) difference += fabs(fabs(x[i]) - fabs(x[j]));
    }
    return difference / (2 * (double)n * sum);
}

static double ours(const struct specimen *s)
{
    uint32_t *word = malloc(2 * s->model.parameters * sizeof *word);
    double gini = gini_of(&s->model, s->model.theta, word);
    free(word);
    return gini;
}

void test_it_equals_the_mean_difference_of_pairs(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 11, 37, 0.7);
    assert_true(ref_close(ours(&s), twin(s.theta, s.model.parameters), 1e-10, 0));
    for (size_t i = 0; i < s.model.parameters; i++) s.theta[i] = round(s.theta[i] * 4) / 4;
    specimen_set(&s, s.theta); /* many equal, many zero */
    assert_true(ref_close(ours(&s), twin(s.theta, s.model.parameters), 1e-10, 0));
    specimen_close(&s);
    specimen_open_ising(&s, 1, 1);
    assert_true(ref_close(ours(&s), twin(s.theta, s.model.parameters), 1e-10, 0));
    specimen_close(&s);
}

void test_it_has_its_known_limits(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 5, 8, 1);
    size_t n = s.model.parameters;
    for (size_t i = 0; i < n; i++) s.theta[i] = i % 2 ? 0.3 : -0.3;
    specimen_set(&s, s.theta);
    assert_true(fabs(ours(&s)) < 1e-12);
    for (size_t i = 0; i < n; i++) s.theta[i] = i == 7 ? -1 : 0;
    specimen_set(&s, s.theta);
    assert_true(ref_close(ours(&s), 1 - 1 / (double)n, 1e-12, 0));
    s.theta[7] = 0;
    specimen_set(&s, s.theta);
    assert_true(isnan(ours(&s)));
    specimen_close(&s);
}
