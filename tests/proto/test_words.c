// SPDX-License-Identifier: MIT
/* words: lists of words, and the word that a mistyped one was meant to be. */
#include "proto/words.h"

#include "tests/test.h"

#include <string.h>

static const char list[] = "learning_rate weight_decay beta1 beta2 seed epochs";

void test_words_are_found_whole(void **state)
{
    (void)state;
    assert_int_equal(words_find(list, "learning_rate"), 0);
    assert_int_equal(words_find(list, "epochs"), 5);
    assert_int_equal(words_find(list, "beta"), -1);
    assert_int_equal(words_find(list, ""), -1);
    assert_int_equal(words_find("", "x"), -1);
}

void test_words_are_counted_from_zero(void **state)
{
    (void)state;
    char out[WORDS_SIZE];
    assert_string_equal(words_at(list, 2, out), "beta1");
    assert_string_equal(words_at(list, 6, out), "");
}

void test_the_nearest_word_is_proposed_when_it_is_near(void **state)
{
    (void)state;
    char out[WORDS_SIZE];
    assert_string_equal(words_nearest(list, "learning_rat", out), "learning_rate");
    assert_string_equal(words_nearest(list, "lerning_rate", out), "learning_rate");
    assert_string_equal(words_nearest(list, "wieght_decay", out), "weight_decay");
    assert_string_equal(words_nearest(list, "epoch", out), "epochs");
    assert_string_equal(words_nearest(list, "sede", out), "seed");
    assert_null(words_nearest(list, "dropout_probability", out));
    assert_null(words_nearest(list, "", out));
    char endless[500];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_null(words_nearest(list, endless, out));
}
