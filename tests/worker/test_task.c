// SPDX-License-Identifier: MIT
/* The data of modular addition: sizes, labels, splits, and files that hold them. */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void open_task(struct task *t, const char *const settings[])
{
    struct err e;
    struct params p = scene_params(settings);
    if (task_open(t, &p, NULL, &e) < 0) fail_msg("%s", e.text);
}

void test_the_papers_split_has_8939_and_3830_pairs(void **state)
{
    (void)state;
    struct task t;
    open_task(&t, (const char *const[]){NULL});
    assert_int_equal(t.train.count, 8939);
    assert_int_equal(t.test.count, 3830);
    task_close(&t);
}

void test_the_split_floors_the_test_set_in_spite_of_rounding(void **state)
{
    (void)state;
    assert_int_equal(task_train_count(12769, 0.7), 8939);
    assert_int_equal(task_train_count(1849, 0.8), 1480);
    assert_int_equal(task_train_count(10, 0.7), 7);
    assert_int_equal(task_train_count(100, 0.9), 90);
    assert_int_equal(task_train_count(9, 1), 9);
    assert_int_equal(task_train_count(9, 1e-6), 1);
    for (size_t n = 1; n < 3000; n++)
        for (size_t percent = 1; percent <= 100; percent++)
            assert_int_equal(task_train_count(n, (double)percent / 100),
                             n - n * (100 - percent) / 100);
}

void test_every_pair_is_in_one_set_once_with_its_sum(void **state)
{
    (void)state;
    struct task t;
    uint8_t seen[31 * 31] = {0};
    open_task(&t, (const char *const[]){"modulus=31", "train_fraction=0.4", "seed=8", NULL});
    const struct dataset *sets[] = {&t.train, &t.test};
    for (int k = 0; k < 2; k++)
        for (size_t s = 0; s < sets[k]->count; s++) {
            int a = sets[k]->pair[s][0], b = sets[k]->pair[s][1] - 31;
            assert_in_range(a, 0, 30);
            assert_in_range(b, 0, 30);
            assert_int_equal(sets[k]->label[s], (a + b) % 31);
            assert_int_equal(seen[a * 31 + b]++, 0);
        }
    assert_int_equal(t.train.count + t.test.count, 31 * 31);
    task_close(&t);
}

void test_only_the_data_seed_chooses_the_split(void **state)
{
    (void)state;
    struct task t[3];
    open_task(&t[0], (const char *const[]){"seed=1", "data_seed=5", NULL});
    open_task(&t[1], (const char *const[]){"seed=2", "data_seed=5", "hidden=8", NULL});
    open_task(&t[2], (const char *const[]){"seed=1", NULL});
    size_t bytes = t[0].train.count * sizeof *t[0].train.pair;
    assert_memory_equal(t[0].train.pair, t[1].train.pair, bytes);
    assert_memory_not_equal(t[0].train.pair, t[2].train.pair, bytes);
    for (int i = 0; i < 3; i++) task_close(&t[i]);
}

void test_chunks_walk_a_set_once(void **state)
{
    (void)state;
    struct task t;
    size_t seen = 0;
    open_task(&t, (const char *const[]){"modulus=13", NULL});
    for (size_t from = 0; from < t.train.count; from += VEC_LANES) {
        struct batch b = dataset_chunk(&t.train, from);
        assert_ptr_equal(b.pair, t.train.pair + from);
        seen += b.count;
    }
    assert_int_equal(seen, t.train.count);
    task_close(&t);
}

/* A file in a folder of its own. */
struct place {
    char dir[32], path[64];
};

static void place_open(struct place *at)
{
    snprintf(at->dir, sizeof at->dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(at->dir));
    snprintf(at->path, sizeof at->path, "%s/data.safetensors", at->dir);
}

static void place_close(const struct place *at)
{
    unlink(at->path);
    rmdir(at->dir);
}

void test_a_saved_task_comes_back_in_the_same_order(void **state)
{
    (void)state;
    struct place at;
    struct err e;
    struct safetensors s = {0};
    struct task t, back;
    struct params p = scene_params((const char *const[]){"modulus=13", NULL});
    place_open(&at);
    open_task(&t, (const char *const[]){"modulus=13", NULL});
    assert_int_equal(task_save(&t, &s, &e), OK);
    assert_int_equal(safetensors_write(&s, at.path, &e), OK);
    assert_int_equal(task_open(&back, &p, at.path, &e), OK);
    assert_int_equal(back.train.count, t.train.count);
    assert_memory_equal(back.train.pair, t.train.pair, t.train.count * sizeof *t.train.pair);
    assert_memory_equal(back.test.label, t.test.label, t.test.count * sizeof *t.test.label);
    safetensors_close(&s);
    task_close(&t), task_close(&back);
    place_close(&at);
}

/* Opens a file with these training pairs; returns the code. */
static int open_pairs(const int32_t *pairs, size_t count, size_t width, struct err *e)
{
    struct place at;
    struct safetensors s = {0};
    struct task t;
    struct params p = scene_params((const char *const[]){"modulus=13", NULL});
    place_open(&at);
    assert_int_equal(
        safetensors_add(&s, "train_pairs", ST_I32, 2, (size_t[]){count, width}, pairs, e), OK);
    assert_int_equal(safetensors_add(&s, "test_pairs", ST_I32, 2, (size_t[]){0, 2}, NULL, e), OK);
    assert_int_equal(safetensors_write(&s, at.path, e), OK);
    safetensors_close(&s);
    int rc = task_open(&t, &p, at.path, e);
    task_close(&t);
    place_close(&at);
    return rc;
}

void test_files_with_pairs_outside_the_modulus_are_refused(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(open_pairs((int32_t[]){12, 0, 3, 12}, 2, 2, &e), OK);
    assert_int_equal(open_pairs((int32_t[]){1, 2, 3, 13}, 2, 2, &e), E_FILE);
    assert_non_null(strstr(e.text, "train_pairs[1] is (3, 13): expected numbers from 0 to 12"));
    assert_int_equal(open_pairs((int32_t[]){-1, 2}, 1, 2, &e), E_FILE);
    assert_int_equal(open_pairs((int32_t[]){1, 2, 3}, 1, 3, &e), E_FILE);
    assert_int_equal(open_pairs(NULL, 0, 2, &e), E_FILE);
    assert_non_null(strstr(e.text, "empty"));
}

void test_the_score_of_a_set_is_the_mean_over_its_samples(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, (const char *const[]){"modulus=17", "hidden=8", NULL});
    memset(s.model.theta, 0, s.model.size * sizeof *s.model.theta);
    size_t zeros = 0;
    for (size_t i = 0; i < s.task.train.count; i++) zeros += s.task.train.label[i] == 0;
    struct score score = dataset_score(&s.task.train, &s.model, &s.work);
    assert_true(fabs(score.loss - log(17)) < 1e-6);
    assert_true(score.accuracy == (double)zeros / (double)s.task.train.count);
    scene_close(&s);
}
