// SPDX-License-Identifier: MIT
/* spec: what a sweep file means, and what is said of one that means nothing. */
#include "proto/spec.h"

#include "common/hash.h"
#include "proto/grid.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct spec *parse(const char *text)
{
    struct spec *s;
    struct err e;
    if (spec_parse(&s, text, strlen(text), "dir/f.yaml", &e) < 0) fail_msg("%s", e.text);
    return s;
}

static const struct axis *axis_of(const struct spec *s, const char *name)
{
    for (int i = 0; i < s->axis_count; i++)
        if (!strcmp(param_list[s->axis[i].param].name, name)) return &s->axis[i];
    fail_msg("no axis %s", name);
    return NULL;
}

void test_a_whole_file_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "name: modadd-compressive\n"
        "description: two regimes\n"
        "method: grid\n"
        "parameters:\n"
        "  task: {value: modular_addition}\n"
        "  weight_multiplier: {values: [0.1, 0.4, 1, 2, 4, 10]}\n"
        "  seed: {min: 0, max: 9}\n"
        "  epochs: {value: 1e3}\n"
        "grokd:\n"
        "  priority: 5\n"
        "  measure: {every: 1, dense_until: 0, curve_epochs: [final, 10],\n"
        "            pruning: {schemes: [layer], points: 21}, fisher: {samples: all}}\n"
        "  save_model: []\n"
        "  checkpoint_every: 60s\n"
        "  max_attempts: 3\n"
        "  stop: {test_accuracy: 0.99, after: 200}\n"
        "  blas: Haswell\n";
    struct spec *s = parse(text);
    char hex[65];
    hash_sha256_hex(text, strlen(text), hex);
    assert_string_equal(s->hash, hex);
    assert_string_equal(s->text, text);
    assert_string_equal(s->name, "modadd-compressive");
    assert_string_equal(s->description, "two regimes");
    assert_int_equal(s->priority, 5);
    assert_int_equal(s->axis_count, 4);
    assert_int_equal(s->axis[0].param, PARAM_epochs);
    assert_int_equal(s->axis[1].param, PARAM_seed);
    assert_int_equal(s->axis[2].param, PARAM_task);
    assert_int_equal(s->axis[3].param, PARAM_weight_multiplier);
    assert_int_equal(s->axis[1].line, 7);
    assert_int_equal(s->axis[1].column, 3);
    assert_int_equal(grid_count(s), 60);
    assert_int_equal(s->settings.curve_epochs.count, 2);
    assert_int_equal(s->settings.curve_epochs.epoch[1], 10);
    assert_int_equal(s->settings.save_model.count, 0);
    assert_int_equal(s->settings.stop_after, 200);
    assert_string_equal(s->settings.blas, "Haswell");
    assert_int_equal(s->warning_count, 0);
    spec_free(&s);
    assert_null(s);
    spec_free(&s);
}

void test_the_file_s_name_stands_in_when_there_is_none(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters: {}\n");
    assert_string_equal(s->name, "f");
    assert_int_equal(grid_count(s), 1);
    spec_free(&s);
}

void test_equal_values_of_an_axis_count_once_where_the_first_stands(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nparameters:\n"
                           "  epochs: {values: [3000000, 1, 1.0, 2, 3e6]}\n"
                           "  weight_multiplier: {values: [0.1, 1e-1, 10, .10]}\n"
                           "  data_seed: {values: [seed, 3, \"seed\"]}\n");
    const struct axis *a = axis_of(s, "epochs");
    assert_int_equal(a->count, 3);
    assert_int_equal(a->value[0].integer, 3000000);
    assert_int_equal(a->value[1].integer, 1);
    assert_int_equal(a->value[2].integer, 2);
    assert_int_equal(axis_of(s, "weight_multiplier")->count, 2);
    assert_int_equal(axis_of(s, "data_seed")->count, 2);
    assert_int_equal(axis_of(s, "data_seed")->value[0].integer, SEED_FOLLOWS);
    spec_free(&s);
}

void test_keys_that_launch_runs_give_one_warning_each(void **state)
{
    (void)state;
    struct spec *s = parse("program: train.py\nmethod: grid\nproject: p\nentity: e\n"
                           "command: [python, x]\nmetric: {name: loss, goal: minimize}\n"
                           "early_terminate: {type: hyperband, min_iter: 3}\n"
                           "parameters: {seed: {value: 1}}\n");
    assert_int_equal(s->warning_count, 6);
    assert_string_equal(s->warning[0], "dir/f.yaml:1:1: program is ignored: grokd does not use it");
    assert_non_null(strstr(s->warning[5], "dir/f.yaml:7:1: early_terminate"));
    spec_free(&s);
}

void test_distributions_are_implied_by_what_is_given(void **state)
{
    (void)state;
    struct spec *s =
        parse("method: random\nrun_cap: 10\ngrokd: {sample_seed: 1}\nparameters:\n"
              "  hidden: {min: 64, max: 512}\n"
              "  learning_rate: {min: 0.0, max: 1}\n"
              "  weight_decay: {min: 0, max: 1e-3}\n"
              "  beta1: {distribution: q_uniform, min: 0, max: 0.9, q: 0.1}\n"
              "  batch_size: {values: [64, 128, 64], probabilities: [0.5, 0.25, .25]}\n"
              "  epochs: {min: 1, max: 3.0}\n"
              "  weight_multiplier: {min: 0, max: 3}\n");
    assert_int_equal(axis_of(s, "hidden")->distribution, SPEC_INT_UNIFORM);
    assert_int_equal(axis_of(s, "learning_rate")->distribution, SPEC_UNIFORM);
    assert_int_equal(axis_of(s, "weight_decay")->distribution, SPEC_UNIFORM);
    assert_int_equal(axis_of(s, "beta1")->distribution, SPEC_Q_UNIFORM);
    assert_int_equal(axis_of(s, "batch_size")->distribution, SPEC_CATEGORICAL);
    assert_int_equal(axis_of(s, "batch_size")->count, 3);
    assert_true(axis_of(s, "batch_size")->probability[1] == 0.25);
    assert_int_equal(axis_of(s, "epochs")->distribution, SPEC_INT_UNIFORM);
    assert_int_equal(axis_of(s, "weight_multiplier")->distribution, SPEC_INT_UNIFORM);
    assert_int_equal(s->warning_count, 1);
    assert_non_null(strstr(s->warning[0], "weight_multiplier: whole min and max"));
    spec_free(&s);
}

/* {parameters block, where and what}; the block begins in line 3, column 3. */
static const char *const bad_axes[][2] = {
    {"learning_rat: {value: 1}",
     "3:3: unknown parameter \"learning_rat\"; did you mean learning_rate?"},
    {"dropout_of_units: {value: 1}",
     "3:3: unknown parameter \"dropout_of_units\"; grokd-train --help"},
    {"lattice: {value: 8}", "3:3: lattice is no parameter of task modular_addition"},
    {"task: {value: ising}\n  modulus: {value: 97}", "4:3: modulus is no parameter of task ising"},
    {"seed: {value: 1.5}", "3:17: seed: \"1.5\" does not fit; expected a whole number"},
    {"seed: {value: \"1\"}", "3:17: seed: \"1\" is text; expected it without quotes"},
    {"seed: {value: null}", "3:17: seed is nothing"},
    {"seed: {value: [1]}", "3:17: seed is a list; expected a single value"},
    {"seed: 3", "3:9: seed is text; expected a map such as {value: 0}"},
    {"seed: [1, 2]", "3:9: seed is a list; expected a map"},
    {"seed:", "3:3: seed is nothing; expected a map"},
    {"seed: {}", "3:9: seed: nothing in it"},
    {"seed: {values: []}", "3:18: seed: no values; expected at least one"},
    {"seed: {values: 3}", "3:18: seed: values is text; expected a list"},
    {"seed: {values: [1, x]}", "3:22: seed: \"x\" does not fit"},
    {"seed: {value: 1, values: [2]}", "3:20: seed: constant has no values"},
    {"seed: {valeu: 1}", "3:10: unknown key \"valeu\"; did you mean value?"},
    {"seed: {min: 3, max: 3}", "3:15: seed: min 3 is not below max 3"},
    {"seed: {min: 3, max: 1}", "3:15: seed: min 3 is not below max 1"},
    {"seed: {min: 3}", "3:9: seed: expected both min and max"},
    {"seed: {min: -3, max: 3}", "3:9: seed: \"-3\" does not fit"},
    {"seed: {min: 0, max: x}", "3:23: seed: max: \"x\" does not fit; expected a number"},
    {"seed: {min: 0, max: 9, mu: 3}", "3:26: seed: int_uniform has no mu"},
    {"seed: {min: 0, max: 9, q: 3}", "3:26: seed: int_uniform has no q"},
    {"hidden: {min: 1, max: 65537}", "3:11: hidden: \"65537\" does not fit; expected"},
    {"beta1: {min: 0.1, max: 0.9}", "3:10: beta1: uniform cannot be walked by a grid"},
    {"beta1: {distribution: normal}", "3:10: beta1: normal cannot be walked by a grid"},
    {"beta1: {distribution: beta}", "3:25: beta1: distribution beta is not supported"},
    {"beta1: {distribution: unifrom}", "3:25: beta1: unknown distribution \"unifrom\""},
    {"seed: {distribution: int_uniform, min: 0.5, max: 3}",
     "3:9: seed: int_uniform; expected whole"},
    {"beta1: {distribution: q_uniform, min: 0, max: 1, q: 0}", "3:55: beta1: q is 0"},
    {"hidden: {distribution: q_uniform, min: 1, max: 9, q: 0.5}", "3:11: hidden: \"8.5\" does not"},
    {"hidden: {distribution: q_uniform, min: 1, max: 9.5, q: 0.25}", "3:11: hidden: \"9.25\" does"},
    {"hidden: {distribution: q_uniform, min: 1, max: 2.5, q: .5}",
     "3:11: hidden: \"1.5\" does not"},
    {"task: {min: 0, max: 1}", "3:9: task: int_uniform draws numbers; expected values: modular"},
    {"seed: {values: [1, 2], probabilities: [0.5, 0.5]}", "3:41: seed: probabilities need method"},
    {"a: {parameters: {seed: {value: 1}}}",
     "3:20: unknown parameter \"a.seed\"; did you mean seed?"},
    {"seed: {value: 1}\n  seed: {value: 2}",
     "4:3: duplicate key \"seed\"; it already stands in line 3"},
    {"seed: {min: 0, max: 1e7}", "3:9: seed: 1e+07 values; expected at most 10000000"},
    {"seed: {min: 0, max: 9999}\n  epochs: {min: 0, max: 1000}",
     "3:3: a sweep of 1.001e+07 points"},
};

void test_bad_parameters_are_refused_with_place_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_axes / sizeof bad_axes[0]; i++) {
        char text[512], right[256];
        struct spec *s;
        struct err e;
        snprintf(text, sizeof text, "method: grid\nparameters:\n  %s\n", bad_axes[i][0]);
        snprintf(right, sizeof right, "f.yaml:%s", bad_axes[i][1]);
        if (spec_parse(&s, text, strlen(text), "f.yaml", &e) == OK) fail_msg("%s: taken", text);
        assert_int_equal(e.code, E_FILE);
        assert_null(s);
        if (strncmp(e.text, right, strlen(right)) != 0)
            fail_msg("%s\n  expected %s", e.text, right);
    }
}

static const char *const bad_files[][2] = {
    {"parameters: {}", "1:1: no method"},
    {"method: bayes\nparameters: {}", "1:9: method bayes is not supported; use grid or random"},
    {"method: grid", "1:1: no parameters"},
    {"method: grid\nparameters: [1]", "2:13: parameters is a list"},
    {"method: grid\nparameters:", "2:1: parameters is nothing"},
    {"- method: grid", "1:1: the file is a list"},
    {"just text", "1:1: the file is text"},
    {"method: grid\nparameter: {}\nparameters: {}",
     "2:1: unknown key \"parameter\"; did you mean parameters?"},
    {"method: grid\nlaunch_the_thing: 3\nparameters: {}", "2:1: unknown key \"launch_the_thing\""},
    {"method: grid\nparameters: {}\nrun_cap: 0", "3:10: run_cap: \"0\" does not fit"},
    {"method: grid\nparameters: {}\ngrokd: 3", "3:8: grokd is text; expected a map"},
    {"method: grid\nparameters: {}\ngrokd: {mesure: {every: 1}}",
     "3:18: unknown setting grokd.mesure.every; did you mean grokd.measure.every?"},
    {"method: grid\nparameters: {}\ngrokd: {measure: {every: -1}}",
     "3:26: grokd.measure.every: \"-1\""},
    {"method: grid\nparameters: {}\ngrokd: {measure: {every: }}", "3:19: measure.every is nothing"},
    {"method: grid\nparameters: {}\ngrokd: {stop: {after: 3}}", "3:8: grokd.stop.after: 3 without"},
    {"method: grid\nparameters: {}\ngrokd: {checkpoint_every: 60}", "3:27: grokd.checkpoint_every"},
    {"method: grid\nparameters: {}\ngrokd: {save_model: [[1]]}", "3:22: save_model is a list"},
    {"method: grid\nparameters: {}\nname: \"\"", "3:7: name does not fit"},
    {"method: random\nparameters: {}\ngrokd: {sample_seed: 1}",
     "1:1: method random without run_cap"},
    {"method: random\nparameters: {}\nrun_cap: 3", "1:1: method random without grokd.sample_seed"},
    {"method: random\nparameters: {}\nrun_cap: 10000001\ngrokd: {sample_seed: 1}",
     "2:13: a sweep of 1e+07 points; expected at most"},
    {"method: random\nparameters: {beta1: {values: [0, 0.1], probabilities: [0.5, 0.4]}}",
     "2:55: beta1: probabilities with sum 0.9; expected 1"},
    {"method: random\nparameters: {beta1: {values: [0, 0.1], probabilities: [1]}}",
     "2:55: beta1: expected 2 probabilities"},
    {"method: random\nparameters: {beta1: {values: [0, 0.1], probabilities: [2, -1]}}",
     "2:59: beta1: expected a probability"},
    {"method: random\nparameters: {learning_rate: {distribution: log_uniform_values, min: 0, max: "
     "1}}",
     "2:69: learning_rate: min 0; expected more than 0"},
    {"method: random\nparameters: {beta1: {min: 0.0, max: 2}}", "2:21: beta1: \"2\" does not fit"},
    {"method: random\nparameters: {beta1: {distribution: log_uniform, min: 0, max: 2}}",
     "2:21: beta1: \"1\" does not fit"},
    {"method: random\nparameters: {hidden: {min: 0.5, max: 2}}",
     "2:22: hidden: uniform draws fractions; expected int_uniform"},
    {"method: random\nparameters: {beta1: {distribution: normal, sigma: -1}}",
     "2:51: beta1: sigma"},
    {"method: random\nparameters: {loss: {distribution: normal}}",
     "2:20: loss: normal draws numbers"},
};

void test_bad_files_are_refused_with_place_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        char right[256];
        struct spec *s;
        struct err e;
        snprintf(right, sizeof right, "f.yaml:%s", bad_files[i][1]);
        if (spec_parse(&s, bad_files[i][0], strlen(bad_files[i][0]), "f.yaml", &e) == OK)
            fail_msg("%s: taken", bad_files[i][0]);
        assert_int_equal(e.code, E_FILE);
        if (strncmp(e.text, right, strlen(right)) != 0)
            fail_msg("%s\n  expected %s", e.text, right);
    }
}

void test_run_cap_makes_a_large_grid_small_enough(void **state)
{
    (void)state;
    struct spec *s = parse("method: grid\nrun_cap: 5\nparameters:\n  seed: {min: 0, max: 999999}\n"
                           "  epochs: {min: 0, max: 999999}\n  hidden: {min: 1, max: 60000}\n");
    assert_int_equal(grid_count(s), 5);
    spec_free(&s);
}

void test_a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct spec *s;
    struct err e;
    assert_int_equal(spec_read(&s, "/nonexistent/sweep.yaml", &e), E_FILE);
    assert_non_null(strstr(e.text, "/nonexistent/sweep.yaml"));
    assert_null(s);
    assert_int_equal(spec_read(&s, "deploy/sweeps/demo.yaml", &e), OK);
    assert_string_equal(s->file, "deploy/sweeps/demo.yaml");
    assert_int_equal(grid_check(s, &e), OK);
    spec_free(&s);
}

void test_a_file_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct spec *s;
    struct err e;
    char *text = calloc(1, SPEC_BYTES + 2);
    memset(text, '#', SPEC_BYTES + 1);
    assert_int_equal(spec_parse(&s, text, SPEC_BYTES + 1, "f.yaml", &e), E_FILE);
    assert_non_null(strstr(e.text, "expected at most 1048576"));
    free(text);
}

void test_damaged_files_are_refused_with_one_line(void **state)
{
    (void)state;
    static const char good[] = "method: random\nrun_cap: 9\nparameters:\n  seed: {min: 0, max: 9}\n"
                               "  beta1: {distribution: q_uniform, min: 0, max: 0.9, q: 0.1}\n"
                               "  loss: {values: [cross_entropy], probabilities: [1]}\n"
                               "grokd: {sample_seed: 3, measure: {every: 1, curve_epochs: [1]}}\n";
    uint32_t random = 7;
    for (int i = 0; i < 4000; i++) {
        char text[sizeof good];
        struct spec *s;
        struct err e = {0};
        memcpy(text, good, sizeof good);
        for (int k = 0; k <= i % 3; k++) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 8) % (sizeof good - 1)] = "{}[]:,-\n e.019x\"~"[(random >> 3) % 17];
        }
        int rc = spec_parse(&s, text, sizeof good - 1, "f.yaml", &e);
        if (rc == OK)
            (void)grid_check(s, &e);
        else
            assert_true(rc == E_FILE && !strncmp(e.text, "f.yaml:", 7) && !strchr(e.text, '\n'));
        spec_free(&s);
    }
}
