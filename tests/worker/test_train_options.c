// SPDX-License-Identifier: MIT
/* train_options: what a command line of grokd-train means, and what is said of a wrong one. */
#include "worker/train_options.h"

#include "tests/test.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 12

/* Reads a command line of words one space apart. */
static int read_line(struct train_options *o, const char *line, struct err *e)
{
    static char text[512];
    char *argv[MOST + 1] = {(char *)"grokd-train"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *s = strtok(text, " "); s && argc < MOST; s = strtok(NULL, " ")) argv[argc++] = s;
    optind = 0; /* glibc: begin anew */
    return train_options_read(o, argc, argv, e);
}

static void good(struct train_options *o, const char *line)
{
    struct err e;
    if (read_line(o, line, &e) < 0) fail_msg("%s: %s", line, e.text);
}

void test_without_arguments_it_is_the_default_run(void **state)
{
    (void)state;
    struct train_options o;
    good(&o, "");
    assert_int_equal(o.mode, TRAIN_RUN);
    assert_int_equal(o.params.modulus, 113);
    assert_int_equal(o.params.data_seed, 0);
    assert_null(o.out);
}

void test_parameters_and_settings_are_given_as_name_equals_value(void **state)
{
    (void)state;
    struct train_options o;
    good(&o, "weight_multiplier=1e1 seed=7 init_seed=3 grokd.measure.every=0 "
             "grokd.measure.curve_epochs=10,20,final grokd.stop.test_accuracy=0.99");
    assert_true(o.params.weight_multiplier == 10);
    assert_int_equal(o.params.data_seed, 7);
    assert_int_equal(o.params.init_seed, 3);
    assert_int_equal(o.settings.measure_every, 0);
    assert_int_equal(o.settings.curve_epochs.count, 3);
    assert_true(o.settings.stop_test_accuracy == 0.99);
}

static void bad(const char *line, const char *text)
{
    struct train_options o;
    struct err e;
    if (read_line(&o, line, &e) != E_USAGE) fail_msg("%s was taken", line);
    if (!strstr(e.text, text)) fail_msg("%s: %s", line, e.text);
}

void test_defaults_are_those_of_the_task_wherever_it_stands(void **state)
{
    (void)state;
    struct train_options o;
    good(&o, "hidden=50 task=ising");
    assert_int_equal(o.params.hidden, 50);
    assert_int_equal(o.params.glauber_sweeps, 64);
    assert_true(o.params.weight_decay == 0.1);
    assert_int_equal(o.settings.measure_every, 200);
    good(&o, "grokd.measure.every=7 task=ising");
    assert_int_equal(o.settings.measure_every, 7);
    bad("modulus=97 task=ising", "modulus is no parameter of task ising");
    bad("lattice=8", "lattice is no parameter of task modular_addition");
    bad("tests/worker/train_sweep.yaml task=ising", "is of task modular_addition");
}

void test_a_point_of_a_sweep_is_taken_and_written_over(void **state)
{
    (void)state;
    struct train_options o;
    good(&o, "tests/worker/train_sweep.yaml --run 3 epochs=5");
    assert_int_equal(o.params.seed, 8);
    assert_int_equal(o.params.data_seed, 8);
    assert_true(o.params.weight_multiplier == 10);
    assert_int_equal(o.params.epochs, 5);
    assert_int_equal(o.settings.measure_every, 4);
    good(&o, "tests/worker/train_sweep.yaml seed=2");
    assert_int_equal(o.params.data_seed, 2);
    assert_true(o.params.weight_multiplier == 0.1);
}

void test_files_and_modes_are_read(void **state)
{
    (void)state;
    struct train_options o;
    good(&o, "--init a.safetensors:init/ --data b.safetensors --out dir");
    assert_string_equal(o.init_path, "a.safetensors");
    assert_string_equal(o.init_prefix, "init/");
    assert_string_equal(o.data_path, "b.safetensors");
    assert_string_equal(o.out, "dir");
    good(&o, "--init a.safetensors");
    assert_string_equal(o.init_path, "a.safetensors");
    assert_string_equal(o.init_prefix, "");
    good(&o, "--pipe 3");
    assert_int_equal(o.mode, TRAIN_PIPE);
    assert_int_equal(o.pipe_fd, 3);
    good(&o, "--blas");
    assert_int_equal(o.mode, TRAIN_BLAS);
}

void test_wrong_command_lines_are_refused_with_what_would_be_right(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"--resum3 x", "unknown option --resum3; see grokd-train --help"},
        {"-xj 3", "unknown option -x; see"},
        {"--blas=3", "--blas=3: this option takes no value"},
        {"epochs=1 --out", "--out needs a value"},
        {"--run 3", "--run 3 without a sweep file"},
        {"--run x deploy/sweeps/demo.yaml", "--run x: expected a whole number"},
        {"tests/worker/train_sweep.yaml --run 4", "no point 4; expected 0 to 3"},
        {"epochs=1 more.yaml", "more.yaml: expected name=value"},
        {"nosuch.yaml", "nosuch.yaml"},
        {"epoch=1", "did you mean epochs?"},
        {"epochs=x", "epochs: \"x\" does not fit"},
        {"grokd.measure.evry=1", "did you mean grokd.measure.every?"},
        {"grokd.stop.after=10", "without an accuracy"},
        {"train_fraction=1", "leaves none to test on"},
        {"--init :x", "expected FILE or FILE:PREFIX"},
        {"--pipe -1", "expected a whole number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct train_options o;
        struct err e = {0};
        if (read_line(&o, bad[i][0], &e) == OK) fail_msg("%s: taken", bad[i][0]);
        if (!strstr(e.text, bad[i][1])) fail_msg("%s\n  expected %s", e.text, bad[i][1]);
        assert_int_equal(err_exit_code(e.code), 2);
    }
}

void test_arguments_of_a_piece_of_work_start_from_the_defaults(void **state)
{
    (void)state;
    char *arguments[] = {(char *)"seed=4", (char *)"grokd.save_model="};
    struct params p;
    struct settings s;
    struct err e;
    assert_int_equal(train_arguments(&p, &s, 2, arguments, &e), OK);
    assert_int_equal(p.order_seed, 4);
    assert_int_equal(s.save_model.count, 0);
    arguments[1] = (char *)"grokd";
    assert_int_equal(train_arguments(&p, &s, 2, arguments, &e), E_USAGE);
}

void test_help_names_every_parameter_and_every_setting_of_a_run(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    train_help(f);
    fclose(f);
    for (int i = 0; i < PARAM_COUNT; i++) assert_non_null(strstr(text, param_list[i].meaning));
    assert_non_null(strstr(text, "grokd.measure.curve_epochs (final): "));
    assert_non_null(strstr(text, "grokd.blas (auto): "));
    assert_null(strstr(text, "max_losses")); /* the coordinator's */
    free(text);
}
