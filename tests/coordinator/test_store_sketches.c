// SPDX-License-Identifier: MIT
/* Sketches and the evaluation they belong to in a real database: stored as they came, and compared
 * when they come again. */
#include "proto/sketch.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const float ignorance[SKETCH_ROWS] = {1, 2}, truth[SKETCH_ROWS] = {3, -4};

static struct save_answer send_row(struct help *h, int64_t run, struct row *r)
{
    int64_t attempt = run == 1 ? help_int(h, "SELECT attempt FROM runs WHERE run_id = 1") : 1;
    return help_one(h, help_epochs(run, attempt, r, 1));
}

/* An epoch of nothing but a sketch. */
static struct row sketched(int64_t epoch, const float *sketch)
{
    struct row r;
    row_clear(&r, epoch);
    r.sketch = sketch;
    return r;
}

void test_a_sketch_is_stored_as_it_came(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    float sketch[SKETCH_ROWS] = {0.25F, -0.0F};
    struct row r = sketched(0, sketch), none = help_row(1, 1);
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT length(sketch) FROM geometry WHERE run_id = 1"), 1024);
    assert_string_equal(help_text(&h, "SELECT hex(substr(sketch, 1, 12)) FROM geometry"),
                        "0000803E0000008000000000");
    assert_int_equal(help_int(&h, "SELECT evaluation_id IS NULL FROM runs WHERE run_id = 1"), 1);
    send_row(&h, 1, &none);
    assert_int_equal(help_int(&h, "SELECT sketch IS NULL FROM geometry WHERE epoch = 1"), 1);
    help_close(&h);
}

void test_a_sketch_that_comes_again_must_be_the_same_to_the_bit(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    float sketch[SKETCH_ROWS] = {0.25F}, other[SKETCH_ROWS] = {0.25F};
    struct row r = sketched(0, sketch), is = sketched(0, other), none = sketched(0, NULL);
    send_row(&h, 1, &r);
    assert_int_equal(send_row(&h, 1, &is).verdict, VERDICT_STORED);
    other[255] = nextafterf(0, 1);
    struct save_answer a = send_row(&h, 1, &is);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "epoch 0: sketch was stored as other numbers"));
    help_again(&h, 1);
    a = send_row(&h, 1, &none);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "and is now nothing"));
    none.epoch = is.epoch = 1;
    help_again(&h, 1);
    assert_int_equal(send_row(&h, 1, &none).verdict, VERDICT_STORED);
    a = send_row(&h, 1, &is);
    assert_non_null(strstr(a.reason, "epoch 1: sketch was stored as nothing and is now these"));
    help_close(&h);
}

void test_runs_of_one_evaluation_share_its_row(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 2);
    help_one(&h, help_assign(2, 1, 1));
    struct row r = sketched(0, truth);
    r.evaluation = (struct evaluation){HASH_A, 12769, 113, ignorance, truth};
    send_row(&h, 1, &r);
    send_row(&h, 2, &r);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs JOIN evaluations USING "
                                  "(evaluation_id) WHERE hash = '" HASH_A
                                  "' AND evaluations.task = 'modular_addition' AND samples = 12769 "
                                  "AND classes = 113 AND sketch_rows = 256"),
                     2);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM evaluations"), 1);
    assert_string_equal(help_text(&h,
                                  "SELECT hex(substr(ignorance, 1, 8)) || hex(substr(truth, 1, 8)) "
                                  "FROM evaluations WHERE length(ignorance) = 1024"),
                        "0000803F0000004000004040000080C0");
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    r.evaluation.hash = HASH_B;
    struct save_answer a = send_row(&h, 1, &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "evaluation was stored as " HASH_A " and is now bbbb"));
    help_close(&h);
}

void test_a_sketch_that_is_far_off_is_an_event(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct row r = sketched(0, truth);
    r.value[METRIC_sketch_error] = -0.3;
    send_row(&h, 1, &r);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'sketch'"), 0);
    r = sketched(1, truth);
    r.value[METRIC_sketch_error] = -0.4;
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    assert_string_equal(
        help_text(&h, "SELECT text FROM events WHERE kind = 'sketch' AND run_id = 1"),
        "epoch 1: the squared distance of the sketch from truth is off by -0.4 of "
        "it; expected at most 0.354; later epochs with that have no event");
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    r.epoch = 2;
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'sketch'"), 1);
    help_close(&h);
}

void test_predictions_are_stored_and_compared(void **state)
{
    (void)state;
    static const int32_t inputs[2] = {5, 9}, labels[2] = {1, 0};
    uint16_t roots[6] = {0x3c00, 0, 0, 0, 0x3800, 7};
    struct help h;
    help_open_run(&h, 1);
    struct row r = sketched(0, truth), none = sketched(0, truth);
    r.predictions = (struct row_predictions){2, 3, inputs, labels, roots};
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    assert_string_equal(help_text(&h,
                                  "SELECT classes || hex(inputs) || hex(roots) FROM predictions "
                                  "WHERE run_id = 1 AND epoch = 0 AND length(labels) = 8"),
                        "30500000009000000003C00000000000000380700");
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_STORED);
    roots[5] = 8;
    struct save_answer a = send_row(&h, 1, &r);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "predictions was stored as other numbers and is now these"));
    help_again(&h, 1);
    a = send_row(&h, 1, &none);
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "and is now nothing"));
    none.epoch = r.epoch = 1;
    help_again(&h, 1);
    assert_int_equal(send_row(&h, 1, &none).verdict, VERDICT_STORED);
    assert_int_equal(send_row(&h, 1, &r).verdict, VERDICT_DIFFERS);
    help_close(&h);
}

void test_a_fresh_retry_forgets_predictions(void **state)
{
    (void)state;
    static const int32_t one[1] = {0};
    static const uint16_t root[1] = {0x3c00};
    struct help h;
    help_open_run(&h, 1);
    struct row r = sketched(0, truth);
    r.predictions = (struct row_predictions){1, 1, one, one, root};
    send_row(&h, 1, &r);
    help_one(&h, help_end(1, 1, "failed", RUN_FAILED));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM predictions"), 1);
    help_one(&h, (struct save){.kind = SAVE_RETRY, .sweep = 1, .fresh = true, .at_ms = HELP_AT});
    assert_int_equal(help_int(&h, "SELECT count(*) FROM predictions"), 0);
    help_close(&h);
}
