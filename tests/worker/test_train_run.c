// SPDX-License-Identifier: MIT
/* train_run: every epoch is told once and in order, and the stop rule moves the final one. */
#include "worker/train_run.h"

#include "tests/test.h"
#include "worker/train_bar.h"
#include "worker/train_options.h"

#include <math.h>
#include <string.h>

struct seen {
    int64_t rows, epochs_at_end, stop_at;
    bool final, curve;
    double norm_at_end, test_loss_at_end;
};

static int see(void *ctx, const struct train_epoch *now, struct err *e)
{
    struct seen *s = ctx;
    (void)e;
    assert_int_equal(now->row->epoch, s->rows++);
    assert_false(s->final);
    s->final = now->final;
    s->epochs_at_end = now->epochs;
    s->curve = now->row->pruning_count > 0;
    s->norm_at_end = now->row->value[METRIC_weight_norm];
    s->test_loss_at_end = now->row->value[METRIC_test_loss];
    return s->stop_at && now->row->epoch == s->stop_at ? TRAIN_STOP : TRAIN_ON;
}

/* A small run that is right on nearly all test pairs after a few epochs. */
static int train(struct seen *seen, const char *const *more, size_t count, struct err *e)
{
    char *arguments[16] = {(char *)"modulus=11", (char *)"hidden=32", (char *)"batch_size=16",
                           (char *)"epochs=6"};
    struct params p;
    struct settings s;
    for (size_t i = 0; i < count; i++) arguments[4 + i] = (char *)more[i];
    if (train_arguments(&p, &s, 4 + count, arguments, e) < 0) fail_msg("%s", e->text);
    return train_run(&p, &s, NULL, NULL, NULL, &(struct train_listener){see, seen, NULL}, e);
}

void test_a_run_of_e_epochs_has_e_plus_one_rows(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct err e;
    assert_int_equal(train(&seen, NULL, 0, &e), OK);
    assert_int_equal(seen.rows, 7);
    assert_true(seen.final && seen.curve);
    assert_true(seen.norm_at_end > 0);
}

void test_a_run_of_no_epochs_has_one_row(void **state)
{
    (void)state;
    static const char *const more[] = {"epochs=0"};
    struct seen seen = {0};
    struct err e;
    assert_int_equal(train(&seen, more, 1, &e), OK);
    assert_int_equal(seen.rows, 1);
    assert_true(seen.final && seen.curve);
}

void test_the_stop_rule_ends_a_run_and_makes_that_epoch_final(void **state)
{
    (void)state;
    static const char *const more[] = {"grokd.stop.test_accuracy=0", "grokd.stop.after=2",
                                       "grokd.measure.every=5"};
    struct seen seen = {0};
    struct err e;
    assert_int_equal(train(&seen, more, 3, &e), OK);
    assert_int_equal(seen.rows, 3);
    assert_int_equal(seen.epochs_at_end, 2);
    assert_true(seen.final && seen.curve);
    assert_true(seen.norm_at_end > 0);
}

void test_a_stop_rule_beyond_the_last_epoch_changes_nothing(void **state)
{
    (void)state;
    static const char *const more[] = {"grokd.stop.test_accuracy=0", "grokd.stop.after=100"};
    struct seen seen = {0};
    struct err e;
    assert_int_equal(train(&seen, more, 2, &e), OK);
    assert_int_equal(seen.rows, 7);
}

void test_measuring_changes_no_loss(void **state)
{
    (void)state;
    static const char *const none[] = {"grokd.measure.every=0"};
    struct seen all = {0}, bare = {0};
    struct err e;
    assert_int_equal(train(&all, NULL, 0, &e), OK);
    assert_int_equal(train(&bare, none, 1, &e), OK);
    assert_true(isnan(bare.norm_at_end) && !bare.curve);
    assert_true(all.test_loss_at_end == bare.test_loss_at_end);
}

void test_the_listener_can_stop_a_run(void **state)
{
    (void)state;
    struct seen seen = {.stop_at = 3};
    struct err e;
    assert_int_equal(train(&seen, NULL, 0, &e), TRAIN_STOP);
    assert_int_equal(seen.rows, 4);
}

/* Adam without second moment and epsilon divides by the smallest number where an input is out of
 * the batch that was in the one before. */
void test_a_run_that_diverges_is_failed_with_its_epoch(void **state)
{
    (void)state;
    static const char *const more[] = {"beta2=0", "epsilon=0", "weight_decay=0"};
    struct seen seen = {0};
    struct err e = {0};
    assert_int_equal(train(&seen, more, 3, &e), E_RUN);
    assert_string_equal(e.text, "diverged at epoch 1");
    assert_int_equal(seen.rows, 1);
}

void test_the_bar_says_where_the_run_is(void **state)
{
    (void)state;
    struct row r;
    struct train_epoch now = {&r, NULL, NULL, 100, false};
    char line[256];
    row_clear(&r, 50);
    r.value[METRIC_train_loss] = 0.25;
    r.value[METRIC_test_loss] = 1.5;
    r.value[METRIC_test_accuracy] = 0.5;
    train_bar_text(&now, 10000, line, sizeof line);
    assert_string_equal(line, "50/100 ############............ train 0.25 test 1.5 right 50.0% "
                              "5 epochs/s 10 s left");
    row_clear(&r, 0);
    now.epochs = 0;
    train_bar_text(&now, 0, line, sizeof line);
    assert_memory_equal(line, "0/0 ########################", 28);
}
