// SPDX-License-Identifier: MIT
/* Features of an epoch in a real database: stored by layer and name, and compared when they come
 * again. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

/* Sweep 1 with run 1, assigned to worker 1. */
static void open_with_run(struct help *h)
{
    help_open(h);
    help_one(h, help_sweep(1, help_spec("demo", 1, 0)));
    help_one(h, help_worker(1));
    help_one(h, help_assign(1, 1, 1));
}

static struct save_answer send_row(struct help *h, struct row *r)
{
    return help_one(h, help_epochs(1, help_int(h, "SELECT attempt FROM runs"), r, 1));
}

void test_features_are_stored_by_layer_and_name_and_nan_is_left_out(void **state)
{
    (void)state;
    struct help h;
    open_with_run(&h);
    struct feature features[] = {
        {"fc1", "energy_mean", 0.75}, {"conv1", "energy_mean", 0.25}, {"fc1", "energy_share", NAN}};
    struct row r = help_row(1, 0);
    r.features = features;
    r.feature_count = 3;
    assert_int_equal(send_row(&h, &r).verdict, VERDICT_STORED);
    assert_string_equal(help_text(&h, "SELECT group_concat(layer || '/' || name || '/' || value) "
                                      "FROM features WHERE run_id = 1 AND epoch = 0"),
                        "conv1/energy_mean/0.25,fc1/energy_mean/0.75");
    assert_int_equal(send_row(&h, &r).verdict, VERDICT_STORED);
    help_close(&h);
}

void test_features_are_compared_one_by_one(void **state)
{
    (void)state;
    struct help h;
    open_with_run(&h);
    struct feature features[] = {{"fc1", "energy_mean", 0.75}, {"fc1", "energy_share", 1}};
    struct row r = help_row(1, 0);
    r.features = features;
    r.feature_count = 2;
    send_row(&h, &r);
    assert_int_equal(send_row(&h, &r).verdict, VERDICT_STORED);
    features[0].value = nextafter(0.75, 1);
    struct save_answer a = send_row(&h, &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_string_equal(
        a.reason,
        "not reproducible: epoch 0: feature energy_mean of fc1 was stored as 0.75 and is now "
        "0.75000000000000011");
    features[0].value = 0.75;
    features[1].layer = "conv1";
    help_again(&h, 1);
    a = send_row(&h, &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "feature energy_share of conv1 was stored as nothing"));
    r.feature_count = 1;
    help_again(&h, 1);
    a = send_row(&h, &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "stored as 2 features and is now 1 features"));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM features"), 2);
    help_close(&h);
}
