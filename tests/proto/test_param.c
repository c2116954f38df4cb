// SPDX-License-Identifier: MIT
/* param: types, bounds, canonical text and the hash of a configuration. */
#include "proto/param.h"

#include "common/hash.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int assign(struct params *p, const char *name, const char *text, struct err *e)
{
    int index = param_find(name);
    assert_true(index >= 0);
    return param_assign(p, index, text, e);
}

void test_defaults_are_the_paper_s(void **state)
{
    (void)state;
    struct params p;
    params_default(&p);
    assert_int_equal(p.modulus, 113);
    assert_int_equal(p.hidden, 512);
    assert_true(p.learning_rate == 5e-3);
    assert_true(p.weight_decay == 3e-5);
    assert_int_equal(p.batch_size, 64);
    assert_int_equal(p.data_seed, SEED_FOLLOWS);
    assert_false(p.shuffle);
}

void test_defaults_depend_on_the_task(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_of_task(&p, TASK_ISING);
    assert_int_equal(p.task, TASK_ISING);
    assert_int_equal(p.hidden, 100);
    assert_true(p.learning_rate == 1e-4);
    assert_true(p.weight_decay == 0.1);
    assert_int_equal(p.batch_size, 0);
    assert_int_equal(p.epochs, 100000);
    assert_int_equal(p.train_size, 300);
    assert_int_equal(p.test_size, 1000);
    assert_true(p.balance);
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.glauber_sweeps, 64);
    params_of_task(&p, TASK_ISING);
    assert_int_equal(assign(&p, "glauber_update", "random_site", &e), OK);
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.glauber_sweeps, 128);
    p.glauber_sweeps = 32;
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.glauber_sweeps, 32);
}

void test_a_lattice_that_cannot_be_pooled_twice_is_refused(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_of_task(&p, TASK_ISING);
    p.lattice = 18;
    assert_int_equal(params_resolve(&p, &e), E_USAGE);
    assert_non_null(strstr(e.text, "multiple of 4"));
}

void test_a_parameter_of_another_task_is_told_from_its_own(void **state)
{
    (void)state;
    struct err e;
    assert_true(param_belongs(PARAM_modulus, TASK_MODULAR_ADDITION));
    assert_false(param_belongs(PARAM_modulus, TASK_ISING));
    assert_true(param_belongs(PARAM_data_seed, TASK_ISING));
    assert_int_equal(param_expect(PARAM_lattice, TASK_ISING, &e), OK);
    assert_int_equal(param_expect(PARAM_lattice, TASK_MODULAR_ADDITION, &e), E_USAGE);
    assert_string_equal(e.text, "lattice is no parameter of task modular_addition");
}

void test_the_hash_covers_the_parameters_of_the_task_only(void **state)
{
    (void)state;
    struct params p, q;
    struct err e;
    char one[65], two[65];
    params_default(&p);
    assert_int_equal(params_resolve(&p, &e), OK);
    q = p;
    q.lattice = 32, q.balance = false, q.temperature_halfwidth = 0.5;
    params_hash(&p, one), params_hash(&q, two);
    assert_string_equal(one, two);
    params_of_task(&p, TASK_ISING);
    assert_int_equal(params_resolve(&p, &e), OK);
    q = p;
    q.modulus = 97;
    params_hash(&p, one), params_hash(&q, two);
    assert_string_equal(one, two);
    q.lattice = 32;
    params_hash(&q, two);
    assert_string_not_equal(one, two);
}

void test_every_default_lies_within_its_bounds_and_reads_back(void **state)
{
    (void)state;
    struct params p, q;
    params_default(&p);
    params_default(&q);
    for (int i = 0; i < PARAM_COUNT; i++) {
        char text[PARAM_TEXT_SIZE];
        struct err e;
        assert_int_equal(param_find(param_list[i].name), i);
        assert_int_equal(param_assign(&q, i, param_text(&p, i, text), &e), OK);
        assert_true(strlen(text) > 0 && strlen(param_list[i].meaning) > 0);
    }
    assert_memory_equal(&p, &q, sizeof p);
}

void test_names_are_listed_in_alphabetical_order(void **state)
{
    (void)state;
    const int *order = param_order();
    for (int i = 1; i < PARAM_COUNT; i++)
        assert_true(strcmp(param_list[order[i - 1]].name, param_list[order[i]].name) < 0);
}

void test_an_integral_real_is_an_integer(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    char text[PARAM_TEXT_SIZE];
    params_default(&p);
    assert_int_equal(assign(&p, "epochs", "3e6", &e), OK);
    assert_int_equal(p.epochs, 3000000);
    assert_string_equal(param_text(&p, PARAM_epochs, text), "3000000");
    assert_int_equal(assign(&p, "seed", "9223372036854775807", &e), OK);
    assert_int_equal(p.seed, INT64_MAX);
    assert_int_equal(assign(&p, "learning_rate", "1e-4", &e), OK);
    assert_true(p.learning_rate == 1e-4);
    assert_string_equal(param_text(&p, PARAM_learning_rate, text), "0.0001");
}

void test_values_that_do_not_fit_are_refused_with_what_would(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"epochs", "1.5", "whole number from 0 to 100000000"},
        {"epochs", "-1", "whole number"},
        {"epochs", "many", "whole number"},
        {"hidden", "0", "from 1 to 65536"},
        {"modulus", "1022", "from 3 to 1021"},
        {"seed", "9223372036854775808", "below 2^63"},
        {"seed", "9.3e18", "below 2^63"},
        {"seed", "-1", "whole number"},
        {"data_seed", "-1", "or seed"},
        {"learning_rate", "nan", "a number from 0 to 1000"},
        {"learning_rate", "1001", "a number from 0 to 1000"},
        {"train_fraction", "0", "from 1e-6 to 1"},
        {"optimizer", "sgdd", "one of: adam"},
        {"task", "", "one of: modular_addition"},
        {"shuffle", "yes", "true or false"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct params p, before;
        struct err e;
        params_default(&p);
        before = p;
        assert_int_equal(assign(&p, bad[i][0], bad[i][1], &e), E_USAGE);
        assert_non_null(strstr(e.text, bad[i][0]));
        if (!strstr(e.text, bad[i][2])) fail_msg("%s", e.text);
        assert_memory_equal(&p, &before, sizeof p);
    }
}

void test_seeds_follow_unless_they_are_given(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_default(&p);
    assert_int_equal(assign(&p, "seed", "7", &e), OK);
    assert_int_equal(assign(&p, "init_seed", "3", &e), OK);
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.data_seed, 7);
    assert_int_equal(p.init_seed, 3);
    assert_int_equal(p.order_seed, 7);
}

void test_a_split_without_test_pairs_is_refused(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_default(&p);
    p.train_fraction = 1;
    assert_int_equal(params_resolve(&p, &e), E_USAGE);
    assert_non_null(strstr(e.text, "train_fraction"));
}

void test_division_needs_a_prime_and_leaves_out_what_has_no_label(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_default(&p);
    assert_int_equal(assign(&p, "operation", "division", &e), OK);
    assert_int_equal(params_resolve(&p, &e), OK);
    p.modulus = 91;
    assert_int_equal(params_resolve(&p, &e), E_USAGE);
    assert_string_equal(e.text, "modulus: 91 does not fit; expected a prime for division");
    p.modulus = 3; /* 6 pairs, of which 0.9 leave no whole one */
    p.train_fraction = 0.85;
    assert_int_equal(params_resolve(&p, &e), E_USAGE);
    assert_non_null(strstr(e.text, "of 6 pairs"));
}

void test_the_modulus_of_s5_is_its_order(void **state)
{
    (void)state;
    struct params p;
    struct err e;
    params_default(&p);
    assert_int_equal(assign(&p, "operation", "s5", &e), OK);
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.modulus, 120);
    assert_int_equal(params_resolve(&p, &e), OK);
    assert_int_equal(p.modulus, 120);
    p.modulus = 97;
    assert_int_equal(params_resolve(&p, &e), E_USAGE);
    assert_string_equal(e.text, "modulus: 97 does not fit; s5 has 120 elements: leave it out");
}

/* The hash is what sha256sum says of the lines, written here by hand. */
void test_config_hash_covers_every_parameter_sorted_by_name(void **state)
{
    (void)state;
    static const char lines[] =
        "activation=relu\nbatch_size=64\nbeta1=0.9\nbeta2=0.999\ndata_seed=4\nepochs=1000\n"
        "epsilon=1e-8\ngradient_filter=none\ngrokfast_alpha=0.98\ngrokfast_lambda=0\ngrokfast_"
        "window=100\nhidden=512\ninit_seed=4\nlearning_rate=0.005\nloss=cross_entropy\n"
        "modulus=113\nmomentum=0\noperation=addition\noptimizer=adam\norder_seed=4\northogonal_"
        "gradient=false\nseed="
        "4\nshuffle=false\n"
        "task=modular_addition\ntrain_fraction=0.7\nweight_decay=3e-5\nweight_multiplier=10\n";
    struct params p;
    struct err e;
    char hex[65], twin[65];
    params_default(&p);
    assert_int_equal(assign(&p, "seed", "4", &e), OK);
    assert_int_equal(assign(&p, "weight_multiplier", "1e1", &e), OK);
    assert_int_equal(params_resolve(&p, &e), OK);
    params_hash(&p, hex);
    hash_sha256_hex(lines, strlen(lines), twin);
    assert_string_equal(hex, twin);
}

/* Whatever changes from one configuration to the next, the hash is that of the whole. */
void test_a_hash_that_goes_on_from_the_last_one_is_the_same(void **state)
{
    (void)state;
    static const char *const changes[][2] = {{"seed", "4"},
                                             {"weight_multiplier", "10"},
                                             {"weight_multiplier", "0.1"},
                                             {"activation", "relu"},
                                             {"shuffle", "true"},
                                             {"learning_rate", "1e-300"},
                                             {"seed", "123456789"},
                                             {"activation", "relu"},
                                             {"epochs", "1"},
                                             {"data_seed", "9"},
                                             {"shuffle", "false"},
                                             {"weight_multiplier", "1000000"},
                                             {"task", "ising"},
                                             {"lattice", "8"},
                                             {"task", "modular_addition"},
                                             {"seed", "5"}};
    struct params_lines lines = {0};
    struct params p;
    struct err e;
    params_default(&p);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char hex[65], twin[65];
        assert_int_equal(assign(&p, changes[i][0], changes[i][1], &e), OK);
        struct params whole = p;
        assert_int_equal(params_resolve(&whole, &e), OK);
        params_hash_next(&lines, &whole, hex);
        params_hash(&whole, twin);
        assert_string_equal(hex, twin);
    }
}

void test_numbers_are_checked_against_type_and_bounds(void **state)
{
    (void)state;
    union param_value v;
    struct err e;
    assert_int_equal(param_number(PARAM_epochs, 12, &v, &e), OK);
    assert_int_equal(v.integer, 12);
    assert_int_equal(param_number(PARAM_epochs, 12.5, &v, &e), E_USAGE);
    assert_int_equal(param_number(PARAM_learning_rate, NAN, &v, &e), E_USAGE);
    assert_int_equal(param_number(PARAM_learning_rate, -0.0, &v, &e), OK);
    assert_false(signbit(v.real));
    assert_int_equal(param_number(PARAM_seed, 0x1p63, &v, &e), E_USAGE);
    assert_int_equal(param_number(PARAM_optimizer, 0, &v, &e), E_USAGE);
}
