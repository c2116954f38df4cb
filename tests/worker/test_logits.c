// SPDX-License-Identifier: MIT
/* The shared logits: those of a pass of one's own, of both sets, kept or made again. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/findings.h"
#include "worker/measure/logits.h"

#include <stdlib.h>
#include <string.h>

static void check_chunk(const struct specimen *s, struct logits *l, int set, size_t from)
{
    struct workspace w;
    struct err e;
    struct batch b = dataset_chunk(l->set[set], from);
    assert_int_equal(workspace_open(&w, &s->model, &e), OK);
    model_forward(&s->model, &b, &w);
    const float *mine = w.value[s->model.layer_count].x, *theirs = logits_chunk(l, set, from);
    for (size_t c = 0; c < s->model.classes; c++)
        assert_memory_equal(mine + c * VEC_LANES, theirs + c * VEC_LANES, b.count * sizeof *mine);
    workspace_close(&w);
}

static void check_sets(struct specimen *s, bool forget)
{
    struct logits l;
    struct err e;
    assert_int_equal(logits_open(&l, &s->model, &s->task, &e), OK);
    for (int i = 0; i < LOGITS_SETS && forget; i++) {
        free(l.kept[i]);
        l.kept[i] = NULL;
    }
    logits_take(&l, &s->model);
    for (int i = 0; i < LOGITS_SETS; i++) {
        struct score score = dataset_score(l.set[i], &s->model, &l.workspace);
        assert_true(score.loss == l.score[i].loss && score.accuracy == l.score[i].accuracy);
        for (size_t from = 0; from < l.set[i]->count; from += VEC_LANES)
            check_chunk(s, &l, i, from);
    }
    logits_close(&l);
}

void test_both_sets_have_the_bits_of_a_pass_of_their_own_kept_or_not(void **state)
{
    (void)state;
    for (int forget = 0; forget < 2; forget++) {
        struct specimen s;
        specimen_open(&s, 13, 24, 0.5);
        check_sets(&s, forget);
        specimen_close(&s);
        specimen_open_ising(&s, 70, 1);
        check_sets(&s, forget);
        specimen_close(&s);
    }
}

void test_logits_of_huge_sets_are_not_kept(void **state)
{
    (void)state;
    struct specimen s;
    struct logits l;
    struct err e;
    specimen_open(&s, 13, 24, 0.5);
    size_t count = s.task.train.count;
    s.task.train.count = LOGITS_KEPT / sizeof(float) / 13 + VEC_LANES;
    assert_int_equal(logits_open(&l, &s.model, &s.task, &e), OK);
    assert_null(l.kept[LOGITS_TRAIN]);
    assert_null(l.kept[LOGITS_TEST]);
    logits_close(&l);
    s.task.train.count = count;
    specimen_close(&s);
}

void test_findings_keep_their_order_however_many_there_are(void **state)
{
    (void)state;
    struct findings f = {.count = 0};
    struct err e;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(findings_add(&f, "layer", i % 2 ? "odd" : "even", i, &e), OK);
    assert_int_equal(f.count, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(f.at[i].value == i);
        assert_string_equal(f.at[i].name, i % 2 ? "odd" : "even");
    }
    findings_close(&f);
}
