// SPDX-License-Identifier: MIT
/* metric: the list is sound, and a cleared row measures nothing. */
#include "proto/metric.h"

#include "tests/test.h"

#include <math.h>
#include <string.h>

void test_ids_and_names_are_unique(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_COUNT; i++) {
        assert_int_equal(metric_find(metric_list[i].id), i);
        assert_true(metric_list[i].id > 0 && strlen(metric_list[i].meaning) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(metric_list[i].name, metric_list[j].name);
    }
    assert_int_equal(metric_find(0), -1);
    assert_int_equal(metric_find(4000000000u), -1);
}

void test_a_cleared_row_holds_nothing(void **state)
{
    (void)state;
    struct row r;
    memset(&r, 0x55, sizeof r);
    row_clear(&r, 12);
    assert_int_equal(r.epoch, 12);
    for (int i = 0; i < METRIC_COUNT; i++) assert_true(isnan(r.value[i]));
    assert_int_equal(r.pruning_count, 0);
    assert_null(r.pruning);
    assert_int_equal(r.feature_count, 0);
    assert_null(r.features);
}
