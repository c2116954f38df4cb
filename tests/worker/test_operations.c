// SPDX-License-Identifier: MIT
/* The tables that label pairs, by what defines each operation. */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/train/task.h"

#include <stdlib.h>
#include <string.h>

#define P 13

static int32_t *table_of(int64_t operation, size_t order)
{
    int32_t *label = calloc(order * order, sizeof *label);
    task_labels(operation, order, label);
    return label;
}

void test_numbers_are_combined_modulo_p(void **state)
{
    (void)state;
    int32_t *add = table_of(OPERATION_ADDITION, P), *sub = table_of(OPERATION_SUBTRACTION, P);
    int32_t *mul = table_of(OPERATION_MULTIPLICATION, P), *div = table_of(OPERATION_DIVISION, P);
    int32_t *squares = table_of(OPERATION_X2_PLUS_Y2, P);
    for (int a = 0; a < P; a++)
        for (int b = 0; b < P; b++) {
            int at = a * P + b;
            assert_int_equal(add[at], (a + b) % P);
            assert_int_equal((sub[at] + b) % P, a);
            assert_int_equal(mul[at], a * b % P);
            assert_int_equal(squares[at], (a * a + b * b) % P);
            if (b == 0)
                assert_int_equal(div[at], -1);
            else
                assert_int_equal(div[at] * b % P, a);
            assert_in_range(sub[at], 0, P - 1);
            assert_in_range(div[at] + 1, b > 0, P);
        }
    free(add), free(sub), free(mul), free(div), free(squares);
}

/* Rows and columns of a group's table hold every element once; it has a neutral one, here number 0,
 * and brackets do not matter; it is not commutative, and no element has an order above 6. */
void test_s5_is_the_group_of_120_permutations(void **state)
{
    (void)state;
    int32_t *s5 = table_of(OPERATION_S5, 120);
    int apart = 0;
    for (int a = 0; a < 120; a++) {
        uint8_t row[120] = {0}, column[120] = {0};
        assert_int_equal(s5[a], a);
        assert_int_equal(s5[a * 120], a);
        int power = a, order = 1;
        for (; power != 0; order++) power = s5[power * 120 + a];
        assert_in_range(order, 1, 6);
        for (int b = 0; b < 120; b++) {
            assert_in_range(s5[a * 120 + b], 0, 119);
            assert_int_equal(row[s5[a * 120 + b]]++, 0);
            assert_int_equal(column[s5[b * 120 + a]]++, 0);
            apart += s5[a * 120 + b] != s5[b * 120 + a];
            for (int c = 0; c < 120; c += 7)
                assert_int_equal(s5[s5[a * 120 + b] * 120 + c], s5[a * 120 + s5[b * 120 + c]]);
        }
    }
    /* pairs that commute: classes times elements, 7 * 120 */
    assert_int_equal(apart, 120 * 120 - 7 * 120);
    free(s5);
}

/* 1 exchanges the last two of five, 24 the first two: 24 after 1 sends 0 1 2 3 4 to 1 0 2 4 3. */
void test_s5_numbers_permutations_in_alphabetical_order(void **state)
{
    (void)state;
    int32_t *s5 = table_of(OPERATION_S5, 120);
    assert_int_equal(s5[1 * 120 + 1], 0);
    assert_int_equal(s5[24 * 120 + 24], 0);
    assert_int_equal(s5[24 * 120 + 1], 25);
    assert_int_equal(s5[1 * 120 + 24], 25);
    assert_int_equal(s5[119 * 120 + 119], 0); /* turned round twice */
    /* 0 2 1 3 4 after 1 0 2 3 4 is 2 0 1 3 4 */
    assert_int_equal(s5[6 * 120 + 24], 48);
    free(s5);
}

static void check_sets(const char *const settings[], size_t pairs)
{
    struct scene s;
    scene_open(&s, settings);
    size_t order = s.task.modulus;
    int32_t *label = table_of(s.p.operation, order);
    uint8_t *seen = calloc(order * order, 1);
    const struct dataset *sets[] = {&s.task.train, &s.task.test};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sets[k]->count; i++) {
            size_t at = (size_t)sets[k]->pair[i][0] * order + (size_t)sets[k]->pair[i][1] - order;
            assert_int_equal(sets[k]->label[i], label[at]);
            assert_int_equal(seen[at]++, 0);
        }
    assert_int_equal(s.task.train.count + s.task.test.count, pairs);
    assert_int_equal(s.task.train.count, task_train_count(pairs, s.p.train_fraction));
    assert_int_equal(s.task.classes, order);
    free(label), free(seen);
    scene_close(&s);
}

void test_every_pair_with_a_label_is_in_one_set_once(void **state)
{
    (void)state;
    check_sets((const char *const[]){"modulus=13", "operation=division", "hidden=4", NULL}, 156);
    check_sets((const char *const[]){"modulus=12", "operation=subtraction", "hidden=4", NULL}, 144);
    check_sets((const char *const[]){"operation=s5", "hidden=4", NULL}, 14400);
}
