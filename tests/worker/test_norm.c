// SPDX-License-Identifier: MIT
/* The norm of all parameters, biases included, whatever lies between them in memory. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/gauge.h"

#include <math.h>

static double norm_of(const struct specimen *s)
{
    struct row row;
    struct view view = {.params = &s->params, .model = &s->model};
    row_clear(&row, 0);
    assert_int_equal(gauge_norm.read(NULL, &view, &row, NULL), OK);
    return row.value[METRIC_weight_norm];
}

void test_norm_equals_the_root_of_the_sum_of_squares(void **state)
{
    (void)state;
    static const int64_t hidden[] = {1, 16, 37, 100};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        struct specimen s;
        double sum = 0;
        specimen_open(&s, 13, hidden[i], 0.6);
        for (size_t j = 0; j < s.model.parameters; j++) sum += s.theta[j] * s.theta[j];
        if (!ref_close(norm_of(&s), sqrt(sum), 1e-12, 0))
            fail_msg("hidden %d: %.17g, twin %.17g", (int)hidden[i], norm_of(&s), sqrt(sum));
        specimen_close(&s);
    }
}

void test_norm_is_summed_in_double(void **state)
{
    (void)state;
    struct specimen s;
    specimen_open(&s, 101, 500, 1);
    for (size_t j = 0; j < s.model.parameters; j++) s.theta[j] = j ? 1e-4 : 1;
    specimen_set(&s, s.theta);
    double small = (double)(float)1e-4, rest = (double)(s.model.parameters - 1) * small * small;
    assert_true(ref_close(norm_of(&s), sqrt(1 + rest), 1e-12, 0));
    specimen_close(&s);
}
