// SPDX-License-Identifier: MIT
/* Random numbers: golden words, the shapes of what is made of them, and permutations. */
#include "tests/test.h"

#include "common/philox.h"

#include <math.h>
#include <string.h>

static void check_words(const struct philox *p, uint64_t index, const uint32_t right[4])
{
    uint32_t words[4];
    philox_words(p, index, words);
    for (int i = 0; i < 4; i++) assert_int_equal(words[i], right[i]);
}

/* The known answers that come with Random123 for philox4x32 and 10 rounds. */
void test_words_are_those_of_the_published_generator(void **state)
{
    (void)state;
    const struct philox zero = {0};
    const struct philox ones = {UINT64_MAX, UINT32_MAX, UINT32_MAX};
    const struct philox digits = {0x299f31d0a4093822, 0x13198a2e, 0x03707344};
    check_words(&zero, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_words(&ones, UINT64_MAX, (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_words(&digits, 0x85a308d3243f6a88,
                (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

void test_uniform_takes_the_high_24_bits(void **state)
{
    (void)state;
    const struct philox p = {0};
    assert_true(philox_uniform(&p, 0) == (float)0x6627e8 / 16777216.0f);
}

void test_normal_numbers_are_those_of_box_and_muller(void **state)
{
    (void)state;
    const struct philox p = {42, 7, PHILOX_INIT};
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t w[4];
        philox_words(&p, i / 2, w);
        double u = 1 - (double)(((uint64_t)w[0] << 32 | w[1]) >> 11) * 0x1p-53;
        double v = 2 * M_PI * ((double)(((uint64_t)w[2] << 32 | w[3]) >> 11) * 0x1p-53);
        double right = sqrt(-2 * log(u)) * (i % 2 ? sin(v) : cos(v));
        assert_true(fabs(philox_normal(&p, i) - right) < 4e-15);
    }
}

void test_normal_numbers_have_the_moments_of_the_normal_distribution(void **state)
{
    (void)state;
    const struct philox p = {1, 0, PHILOX_INIT};
    const int n = 200000;
    double sum[5] = {0};
    for (int i = 0; i < n; i++) {
        double x = philox_normal(&p, (uint64_t)i), y = x;
        for (int k = 1; k <= 4; k++, y *= x) sum[k] += y / n;
    }
    /* five standard errors: 1, sqrt 2, sqrt 15 and sqrt 96 over sqrt n */
    assert_true(fabs(sum[1]) < 5 * 1 / sqrt(n));
    assert_true(fabs(sum[2] - 1) < 5 * 1.42 / sqrt(n));
    assert_true(fabs(sum[3]) < 5 * 3.88 / sqrt(n));
    assert_true(fabs(sum[4] - 3) < 5 * 9.8 / sqrt(n));
}

void test_a_permutation_holds_every_number_once(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 2, 7, 12769};
    static uint32_t order[12769];
    static uint8_t seen[12769];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const struct philox p = {k, 3, PHILOX_ORDER};
        philox_permutation(&p, order, sizes[k]);
        memset(seen, 0, sizeof seen);
        for (uint32_t i = 0; i < sizes[k]; i++) {
            assert_in_range(order[i], 0, sizes[k] - 1);
            assert_int_equal(seen[order[i]]++, 0);
        }
    }
}

/* Every number in every place: 60000 permutations of 5, 12000 expected, deviation 98. */
void test_permutations_favour_no_place(void **state)
{
    (void)state;
    int count[5][5] = {0};
    for (uint32_t e = 0; e < 60000; e++) {
        const struct philox p = {9, e, PHILOX_ORDER};
        uint32_t order[5];
        philox_permutation(&p, order, 5);
        for (int i = 0; i < 5; i++) count[i][order[i]]++;
    }
    for (int i = 0; i < 25; i++) assert_in_range(count[i / 5][i % 5], 11500, 12500);
}

void test_seed_epoch_and_purpose_each_change_the_order(void **state)
{
    (void)state;
    const struct philox p[] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {1, 1, 2}, {1ull << 40, 1, 1}};
    uint32_t order[5][50];
    for (int i = 0; i < 5; i++) philox_permutation(&p[i], order[i], 50);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(order[i], order[j], sizeof order[i]);
}
