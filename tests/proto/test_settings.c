// SPDX-License-Identifier: MIT
/* settings: the grokd block, read and written back. */
#include "proto/settings.h"

#include "proto/param.h"

#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void test_defaults_are_those_of_the_format(void **state)
{
    (void)state;
    struct settings s;
    settings_default(&s);
    assert_int_equal(s.measure_every, SETTINGS_OF_TASK);
    assert_int_equal(s.dense_until, 0);
    assert_int_equal(s.curve_epochs.count, 1);
    assert_int_equal(s.curve_epochs.epoch[0], SETTINGS_FINAL);
    assert_int_equal(s.pruning_points, 0);
    assert_int_equal(s.pruning_schemes, 1);
    assert_int_equal(s.fisher_samples, 0);
    assert_int_equal(s.fisher_variants, 15);
    assert_int_equal(s.save_model.count, 0);
    assert_int_equal(s.checkpoint_every_ms, 60000);
    assert_int_equal(s.max_attempts, 3);
    assert_int_equal(s.max_losses, 10);
    assert_true(s.stiff_threshold == 0.1);
    assert_true(isnan(s.stop_test_accuracy));
    assert_string_equal(s.blas, "auto");
    assert_int_equal(s.sample_seed, -1);
}

void test_every_setting_is_assigned_by_its_name(void **state)
{
    (void)state;
    struct settings s;
    struct err e;
    static const char *const good[][2] = {{"measure.every", "2e1"},
                                          {"measure.dense_until", "150"},
                                          {"measure.curve_epochs", "10, 20,final"},
                                          {"measure.pruning.schemes", "global, single,fisher"},
                                          {"measure.pruning.points", "101"},
                                          {"measure.fisher.variants", "classification"},
                                          {"measure.fisher.samples", "16"},
                                          {"save_model", "0,final"},
                                          {"measure.stiff_threshold", "0.01"},
                                          {"stop.test_accuracy", "0.99"},
                                          {"stop.after", "200"},
                                          {"checkpoint_every", "1h 30m"},
                                          {"max_attempts", "5"},
                                          {"max_losses", "1"},
                                          {"blas", "SkylakeX"},
                                          {"sample_seed", "9223372036854775807"}};
    settings_default(&s);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (settings_assign(&s, good[i][0], good[i][1], &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(s.measure_every, 20);
    assert_int_equal(s.dense_until, 150);
    assert_int_equal(s.curve_epochs.count, 3);
    assert_int_equal(s.curve_epochs.epoch[1], 20);
    assert_int_equal(s.curve_epochs.epoch[2], SETTINGS_FINAL);
    assert_int_equal(s.pruning_points, 101);
    assert_int_equal(s.pruning_schemes, 2 + 8 + 16);
    assert_int_equal(s.fisher_samples, 16);
    assert_int_equal(s.fisher_variants, 2);
    assert_int_equal(s.save_model.epoch[0], 0);
    assert_true(s.stiff_threshold == 0.01);
    assert_true(s.stop_test_accuracy == 0.99);
    assert_int_equal(s.stop_after, 200);
    assert_int_equal(s.checkpoint_every_ms, 5400000);
    assert_int_equal(s.max_attempts, 5);
    assert_int_equal(s.max_losses, 1);
    assert_string_equal(s.blas, "SkylakeX");
    assert_int_equal(s.sample_seed, INT64_MAX);
    assert_int_equal(settings_check(&s, &e), OK);
}

void test_bad_settings_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"measure.every", "-1", "expected a whole number from 0"},
        {"measure.every", "1.5", "expected a whole number"},
        {"measure.evry", "1", "did you mean grokd.measure.every?"},
        {"nonsense_of_a_name", "1", "expected one of"},
        {"measure.curve_epochs", "10,,20", "a list of"},
        {"measure.curve_epochs", "10,", "a list of"},
        {"measure.curve_epochs", "last", "a list of"},
        {"measure.pruning.schemes", "globe", "one or more of: layer global"},
        {"measure.pruning.schemes", "", "one or more of"},
        {"measure.pruning.points", "1", "bisect, or a whole number of points from 2"},
        {"measure.fisher.variants", "natural", "some of regression, classification, full"},
        {"measure.fisher.variants", "", "some of regression, classification, full"},
        {"measure.fisher.variants", "regression, ", "some of regression, classification, full"},
        {"measure.fisher.variants", "regression,regression",
         "some of regression, classification, full"},
        {"measure.fisher.samples", "0", "all"},
        {"measure.stiff_threshold", "-0.1", "a number from 0"},
        {"stop.test_accuracy", "1.1", "from 0 to 1"},
        {"checkpoint_every", "60", "a duration"},
        {"blas", "Has well", "kernel family"},
        {"blas", "", "kernel family"},
        {"blas", "abcdefghijklmnopqrstuvwxyzabcdefghijkl", "kernel family"},
        {"max_attempts", "0", "from 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct settings s, before;
        struct err e;
        settings_default(&s);
        before = s;
        assert_int_equal(settings_assign(&s, bad[i][0], bad[i][1], &e), E_USAGE);
        if (!strstr(e.text, bad[i][2])) fail_msg("%s", e.text);
        assert_memory_equal(&s, &before, sizeof s);
    }
}

void test_a_list_of_more_epochs_than_fit_is_refused(void **state)
{
    (void)state;
    struct settings s;
    struct err e;
    char text[4 * SETTINGS_EPOCHS + 8] = "1";
    settings_default(&s);
    for (int i = 1; i < SETTINGS_EPOCHS; i++) strcat(text, ",10");
    assert_int_equal(settings_assign(&s, "save_model", text, &e), OK);
    strcat(text, ",10");
    assert_int_equal(settings_assign(&s, "save_model", text, &e), E_USAGE);
    assert_int_equal(s.save_model.count, SETTINGS_EPOCHS);
}

void test_a_stop_rule_needs_its_accuracy(void **state)
{
    (void)state;
    struct settings s;
    struct err e;
    settings_default(&s);
    assert_int_equal(settings_assign(&s, "stop.after", "200", &e), OK);
    assert_int_equal(settings_check(&s, &e), E_USAGE);
    assert_int_equal(settings_assign(&s, "stop", "none", &e), OK);
}

/* Reads what settings_text wrote, line by line, into defaults. */
static void read_back(char *text, struct settings *s)
{
    struct err e;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *value = strchr(line, '=');
        assert_non_null(value);
        *value++ = '\0';
        assert_memory_equal(line, "grokd.", 6);
        if (settings_assign(s, line + 6, value, &e) < 0) fail_msg("%s", e.text);
    }
}

void test_the_text_for_a_run_reads_back_to_the_same_settings(void **state)
{
    (void)state;
    struct settings s, twin;
    char text[SETTINGS_TEXT];
    settings_default(&s);
    s.measure_every = 0;
    s.fisher_samples = 16;
    s.fisher_variants = 1;
    s.stop_test_accuracy = 0.1 + 0.2;
    s.stop_after = 100000000;
    s.checkpoint_every_ms = 1500;
    s.save_model.count = s.curve_epochs.count = SETTINGS_EPOCHS;
    for (int i = 0; i < SETTINGS_EPOCHS; i++)
        s.save_model.epoch[i] = s.curve_epochs.epoch[i] = i ? 100000000 - i : SETTINGS_FINAL;
    settings_text(&s, text);
    assert_true(strlen(text) < SETTINGS_TEXT - 1);
    settings_default(&twin);
    read_back(text, &twin);
    assert_memory_equal(&s, &twin, sizeof s);
    settings_default(&s);
    settings_follow(&s, TASK_MODULAR_ADDITION);
    settings_text(&s, text);
    settings_default(&twin);
    twin.measure_every = 7;
    read_back(text, &twin);
    assert_int_equal(twin.measure_every, 1);
    assert_true(isnan(twin.stop_test_accuracy));
}

void test_how_often_is_measured_follows_the_task_unless_it_is_given(void **state)
{
    (void)state;
    struct settings s;
    struct err e;
    settings_default(&s);
    settings_follow(&s, TASK_MODULAR_ADDITION);
    assert_int_equal(s.measure_every, 1);
    settings_default(&s);
    settings_follow(&s, TASK_ISING);
    assert_int_equal(s.measure_every, 200);
    assert_int_equal(settings_assign(&s, "measure.every", "0", &e), OK);
    settings_follow(&s, TASK_ISING);
    assert_int_equal(s.measure_every, 0);
}

void test_measured_epochs_are_the_ends_the_dense_ones_and_the_multiples(void **state)
{
    (void)state;
    struct settings s;
    settings_default(&s);
    s.measure_every = 10;
    s.dense_until = 3;
    static const int64_t measured[] = {0, 1, 2, 3, 10, 20, 25};
    size_t n = 0;
    for (int64_t epoch = 0; epoch <= 25; epoch++)
        if (settings_measured(&s, epoch, 25)) assert_int_equal(epoch, measured[n++]);
    assert_int_equal(n, sizeof measured / sizeof measured[0]);
    s.measure_every = 0;
    for (int64_t epoch = 0; epoch <= 25; epoch++) assert_false(settings_measured(&s, epoch, 25));
}

void test_final_in_a_list_is_the_last_epoch(void **state)
{
    (void)state;
    struct epoch_list l = {2, {5, SETTINGS_FINAL}};
    assert_true(epoch_list_holds(&l, 5, 20));
    assert_true(epoch_list_holds(&l, 20, 20));
    assert_false(epoch_list_holds(&l, 19, 20));
    assert_false(epoch_list_holds(&(struct epoch_list){0}, 0, 0));
}
