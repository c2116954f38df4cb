// SPDX-License-Identifier: MIT
/* yaml: the tree has every value and its place; what is odd is refused with its place. */
#include "proto/yaml.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct yaml *parse(const char *text)
{
    struct yaml *root;
    struct err e;
    if (yaml_parse(&root, text, strlen(text), "f.yaml", &e) < 0) fail_msg("%s", e.text);
    return root;
}

static void at(const struct yaml *node, const char *text, int line, int column)
{
    assert_non_null(node);
    assert_int_equal(node->kind, YAML_SCALAR);
    assert_string_equal(node->text, text);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

void test_every_value_knows_its_place(void **state)
{
    (void)state;
    struct yaml *root = parse("# a comment\n"
                              "a: {b: [1, 2.0, \"x y\"], c: }\n"
                              "d:\n"
                              "  - 1e-4\n"
                              "  -\n"
                              "    q: 'it''s'\n"
                              "e:\n"
                              "f: |\n"
                              "  two\n"
                              "  lines\n");
    const struct yaml *a = yaml_get(root, "a"), *b = yaml_get(a, "b"), *d = yaml_get(root, "d");
    assert_int_equal(root->count, 4);
    assert_int_equal(b->kind, YAML_LIST);
    assert_int_equal(b->column, 8);
    at(b->item[0], "1", 2, 9);
    at(b->item[1], "2.0", 2, 12);
    at(b->item[2], "x y", 2, 17);
    assert_false(b->item[1]->quoted);
    assert_true(b->item[2]->quoted);
    at(yaml_get(a, "c"), "", 2, 25);
    assert_string_equal(yaml_what(yaml_get(a, "c")), "nothing");
    at(d->item[0], "1e-4", 4, 5);
    at(yaml_get(d->item[1], "q"), "it's", 6, 8);
    at(yaml_get(root, "e"), "", 7, 1);
    assert_string_equal(yaml_get(root, "f")->text, "two\nlines\n");
    assert_null(yaml_get(root, "g"));
    assert_null(yaml_get(b, "g"));
    yaml_free(&root);
    assert_null(root);
    yaml_free(&root);
}

void test_line_ends_and_marks_of_other_systems_are_fine(void **state)
{
    (void)state;
    struct yaml *root = parse("\xef\xbb\xbf"
                              "a: 1\r\nb: \xc3\xa4\r\n");
    at(yaml_get(root, "a"), "1", 1, 4);
    at(yaml_get(root, "b"), "\xc3\xa4", 2, 4);
    yaml_free(&root);
}

static void refused(const char *text, size_t size, const char *right)
{
    struct yaml *root;
    struct err e;
    assert_int_equal(yaml_parse(&root, text, size, "f.yaml", &e), E_FILE);
    assert_null(root);
    if (strncmp(e.text, right, strlen(right)) != 0) fail_msg("%s; expected %s", e.text, right);
    assert_null(strchr(e.text, '\n'));
}

void test_what_is_odd_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate key \"a\"; it already stands in line 1"},
        {"x:\n  a: 1\n  \"a\": 3\n", "f.yaml:3:3: duplicate key \"a\""},
        {"a: [1, 2\nb: 3\n", "f.yaml:3:1: not YAML: "},
        {"a: b: c\n", "f.yaml:1:5: not YAML: "},
        {"a:\n\t- x\n", "f.yaml:2:1: not YAML: "},
        {"a: \"abc\n", "f.yaml:1:5: not YAML: "},
        {"a: &x 1\nb: *x\n", "f.yaml:2:5: an alias"},
        {"a: !!str 1\n", "f.yaml:1:10: a tag"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document"},
        {"\n# only this\n", "f.yaml:1:1: nothing in it"},
        {"", "f.yaml:1:1: nothing in it"},
        {"? [a]\n: b\n", "f.yaml:1:3: a key that is no text"},
        {"a: 1\nb: \xff\xfe c\n", "f.yaml:2:4: bytes that are no UTF-8"},
        {"a: \xc3", "f.yaml:1:4: bytes that are no UTF-8"},
        {"a: \xc0\xaf", "f.yaml:1:4: bytes that are no UTF-8"},
        {"a: \xed\xa0\x80", "f.yaml:1:4: bytes that are no UTF-8"},
        {"a: x\x1b[31m", "f.yaml:1:5: a control character"},
        {"x: \"a\\0b\"\n", "f.yaml:1:4: text with an escaped zero byte"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i][0], strlen(bad[i][0]), bad[i][1]);
    refused("a: 1\0\nb: 2\n", 11, "f.yaml:1:5: a control character");
}

void test_depth_and_keys_are_bounded(void **state)
{
    (void)state;
    char text[20000];
    for (int i = 0; i < 5000; i++) text[i] = '[';
    text[5000] = '\0';
    refused(text, 5000, "f.yaml:1:33: nested too deeply");
    size_t n = 0;
    for (int i = 0; i <= YAML_KEYS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "k%d: %d\n", i, i);
    refused(text, n, "f.yaml:1001:1: too many keys");
}

void test_a_text_may_end_anywhere_in_a_block_scalar(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: |\n    ", "a: |", "a: >\n", "a: |\n  x\n   "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct yaml *root = parse(texts[i]);
        assert_int_equal(yaml_get(root, "a")->kind, YAML_SCALAR);
        yaml_free(&root);
    }
}

/* Cuts and changed bytes of a good file: any answer will do, but it must be one. */
void test_damaged_text_is_never_more_than_refused(void **state)
{
    (void)state;
    static const char good[] = "name: x\nmethod: grid\nparameters:\n  seed: {min: 0, max: 9}\n"
                               "  loss: {values: [cross_entropy, \"a\"]}\ngrokd:\n  measure:\n"
                               "    - {every: 1}\n    - |\n      text\n";
    uint32_t random = 1;
    for (int i = 0; i < 3000; i++) {
        char text[sizeof good];
        struct yaml *root;
        struct err e;
        memcpy(text, good, sizeof good);
        size_t size = sizeof good - 1;
        for (int k = 0; k <= i % 4; k++) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 8) % size] = "{}[]:-\n\t\"'&*!|>#%@ x0\x80\xff"[(random >> 3) % 23];
        }
        if (i % 5 == 0) size = (random >> 8) % size;
        text[size] = '\0';
        int rc = yaml_parse(&root, text, size, "f.yaml", &e);
        assert_true(rc == OK ? root != NULL : rc == E_FILE && root == NULL && e.text[0]);
        yaml_free(&root);
    }
}
