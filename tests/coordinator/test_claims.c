// SPDX-License-Identifier: MIT
/* Tests of the claims: a small world in which each holds, and a change to it that contradicts each.
 * The world is made of the paper's settings with three seeds, written as SQL.
 */
#include "coordinator/claims.h"
#include "coordinator/ctl.h"
#include "tests/coordinator/paper_help.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int claim_named(const char *name)
{
    for (int i = 0; i < claims_count(); i++)
        if (!strcmp(claims_name(i), name)) return i;
    fail_msg("there is no claim %s", name);
    return -1;
}

/* What the world says about a claim (free). */
static struct claims ask(const struct paper *w, const char *name)
{
    struct claims all = {0};
    struct query *q;
    struct err e;
    if (query_open(&q, w->dir, &e) < 0 || claims_ask(&all, q, "world", claim_named(name), &e) < 0)
        fail_msg("%s: %s", name, e.text);
    query_close(&q);
    return all;
}

static const struct claims_answer *answer_of(const struct claims *c, const char *task)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->answer[i].task, task)) return &c->answer[i];
    fail_msg("no answer for %s", task);
    return NULL;
}

/* The line of an answer whose quantity begins so. */
static const struct claims_line *line_of(const struct claims_answer *a, const char *quantity)
{
    for (size_t i = 0; i < a->count; i++)
        if (!strncmp(a->line[i].quantity, quantity, strlen(quantity))) return &a->line[i];
    fail_msg("no line %s", quantity);
    return NULL;
}

static void show(const struct claims_answer *a)
{
    print_message("%s %s: %s\n", claims_name(a->claim), a->task, a->why);
    for (size_t i = 0; i < a->count; i++)
        print_message("  %s: %g +- %g [%g, %g] %s: %d\n", a->line[i].quantity, a->line[i].ours,
                      a->line[i].spread, a->line[i].low, a->line[i].high, a->line[i].rule,
                      a->line[i].holds);
}

static void expect(const struct claims *c, const char *task, enum claims_verdict right,
                   const char *what)
{
    const struct claims_answer *a = answer_of(c, task);
    if (a->verdict == right) return;
    show(a);
    fail_msg("%s: verdict %d, not %d", what, (int)a->verdict, (int)right);
}

void test_there_are_eighteen_claims_in_order(void **state)
{
    (void)state;
    assert_int_equal(claims_count(), 18);
    for (int i = 0; i < claims_count(); i++) {
        char name[32];
        snprintf(name, sizeof name, "C%d", i + 1);
        assert_string_equal(claims_name(i), name);
        assert_true(strlen(claims_title(i)) > 20);
    }
}

#define MODADD "modular_addition"
#define OF(what)                                                                                   \
    "run_id IN (SELECT run_id FROM runs WHERE weight_decay = 3e-5 AND batch_size = 64 AND " what ")"
#define OF_WD(what)    "run_id IN (SELECT run_id FROM runs WHERE weight_decay = 3e-4 AND " what ")"
#define OF_BS(what)    "run_id IN (SELECT run_id FROM runs WHERE batch_size = 200 AND " what ")"
#define OF_ISING(what) "run_id IN (SELECT run_id FROM runs WHERE task = 'ising' AND " what ")"
#define W0             "(SELECT weight_multiplier FROM runs AS r WHERE r.run_id = summaries.run_id)"

/* A change of the world, the claim that it contradicts, and the task in which it does. */
static const struct {
    const char *claim, *task, *change;
} changes[] = {
    {"C1", MODADD, "UPDATE summaries SET t_grok = 9 WHERE " OF("weight_multiplier = 1")},
    {"C1", MODADD, "UPDATE summaries SET t_grok = 1 WHERE " OF("weight_multiplier = 2")},
    {"C1", MODADD, "UPDATE summaries SET t_grok = 1"},
    {"C1", MODADD, "UPDATE summaries SET t_grok = 9 WHERE " OF("weight_multiplier = 0.2")},
    {"C2", "ising", "UPDATE summaries SET t_grok = 900 WHERE " OF_ISING("weight_multiplier = 2")},
    {"C2", "ising", "UPDATE summaries SET t_grok = 90 WHERE " OF_ISING("weight_multiplier = 4")},
    {"C3", MODADD, "UPDATE summaries SET t_train = 6 WHERE " OF("weight_multiplier = 0.1")},
    {"C3", MODADD, "UPDATE summaries SET t_train = 5 WHERE " OF("weight_multiplier = 10")},
    {"C4", "ising", "UPDATE features SET value = 0.9 WHERE name = 'energy_median'"},
    {"C4", "ising", "UPDATE features SET value = 0.5 WHERE name = 'energy_share'"},
    {"C5", MODADD, "UPDATE epochs SET ipr_output = 0.56 WHERE " OF("weight_multiplier = 10")},
    {"C5", MODADD, "UPDATE epochs SET ipr_output = 0.39 WHERE " OF("weight_multiplier = 0.1")},
    {"C6", MODADD,
     "UPDATE summaries SET compressibility_final = 5 + run_id * 7 % 3 WHERE " OF(
         "weight_multiplier <= 0.4")},
    {"C6", MODADD,
     "UPDATE summaries SET compressibility_final = 1000 * final_train_loss + run_id % 3 * 1e-3 "
     "WHERE " OF("weight_multiplier >= 1")},
    {"C7", MODADD,
     "UPDATE summaries SET final_test_loss = compressibility_final + run_id % 3 * 1e-4 WHERE " OF(
         "weight_multiplier <= 0.4")},
    {"C7", MODADD,
     "UPDATE summaries SET final_test_loss = -compressibility_final WHERE " OF(
         "weight_multiplier >= 1")},
    {"C8", MODADD,
     "UPDATE summaries SET compressibility_final = 1000 * final_train_loss + run_id % 3 * 1e-3 "
     "WHERE " OF_BS("1")},
    {"C9", MODADD,
     "UPDATE epochs SET compressibility = 14 WHERE " OF_WD("weight_multiplier = 0.1")},
    {"C9", MODADD, "UPDATE epochs SET ipr_output = 0.2 WHERE " OF_WD("weight_multiplier = 0.1")},
    {"C9", MODADD, "UPDATE epochs SET weights_for_95 = 0.38 WHERE " OF_WD("weight_multiplier = 2")},
    {"C9", MODADD, "UPDATE epochs SET weights_for_95 = 0.26 WHERE " OF_WD("weight_multiplier = 2")},
    {"C10", "ising", "UPDATE summaries SET compressibility_final = 5 + " W0},
    {"C10", "ising", "UPDATE summaries SET final_train_loss = 1 / compressibility_final"},
    {"C11", MODADD,
     "UPDATE summaries SET compressibility_peak = 1.3 * compressibility_final WHERE " OF(
         "weight_multiplier = 10")},
    {"C11", MODADD,
     "UPDATE summaries SET epoch_peak = t_test + 31 WHERE " OF("weight_multiplier = 0.1")},
    {"C12", MODADD, "UPDATE epochs SET ipr_output = 0.1 + epoch * 7 % 3 * 0.01"},
    {"C12", MODADD, "UPDATE epochs SET ipr_output = 1 - ipr_output"},
    {"C12", "ising", "UPDATE epochs SET corr_energy = 0.4 + epoch * 1e-5"},
    {"C12", "ising", "UPDATE epochs SET corr_energy = 0.5 - epoch * 1e-5"},
    {"C13", "ising", "UPDATE geometry SET cos_previous_fisher = cos_previous_fisher - 0.02"},
    {"C13", "ising",
     "UPDATE geometry SET cos_previous_fisher = 0.995 WHERE " OF_ISING("weight_multiplier = 1")},
    {"C14", "ising",
     "UPDATE geometry SET cos_origin_fisher = 0.4 WHERE " OF_ISING("weight_multiplier = 10")},
    {"C14", "ising",
     "UPDATE geometry SET cos_origin_fisher = 0.1 WHERE " OF_ISING("weight_multiplier = 1")},
    {"C15", MODADD, "UPDATE summaries SET t_step_min = 25 WHERE " OF("1")},
    {"C15", MODADD, "UPDATE summaries SET t_step_max = 37 WHERE " OF("1")},
    {"C15", "ising", "UPDATE summaries SET t_step_min = 1800 WHERE " OF_ISING("1")},
    {"C15", "ising", "UPDATE summaries SET t_step_max = 7600 WHERE " OF_ISING("1")},
    {"C16", MODADD, "UPDATE geometry SET step_fisher_stiff = 3 WHERE " OF("1")},
    {"C16", "ising", "UPDATE geometry SET step_fisher_sloppy = 9 WHERE " OF_ISING("1")},
    {"C17", MODADD, "UPDATE epochs SET gini_fisher = 0.3 WHERE " OF("weight_multiplier = 0.1")},
    {"C17", MODADD,
     "UPDATE epochs SET compressibility_fisher = 6 WHERE " OF("weight_multiplier = 10")},
    {"C17", "ising", "UPDATE epochs SET gini_weights = 0.9 WHERE " OF_ISING("1")},
    {"C18", MODADD,
     "UPDATE summaries SET final_test_accuracy = 0.98 WHERE " OF("weight_multiplier = 4")},
    {"C18", MODADD,
     "UPDATE summaries SET final_test_loss = 0.046 WHERE " OF("weight_multiplier = 2")},
    {"C18", "ising",
     "UPDATE summaries SET final_test_accuracy = 0.8 WHERE " OF_ISING("weight_multiplier = 3")},
    {"C18", "ising", "UPDATE summaries SET final_test_loss = 0.2 WHERE " OF_ISING("1")},
};

static bool is_contradicted(const char *claim, const char *task)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (!strcmp(changes[i].claim, claim) && !strcmp(changes[i].task, task)) return true;
    return false;
}

/* ... and each of them, in each of its tasks, is among those that the changes contradict. */
void test_a_world_that_is_as_the_paper_says_confirms_every_claim(void **state)
{
    (void)state;
    struct paper w;
    size_t answers = 0;
    paper_open(&w);
    for (int i = 0; i < claims_count(); i++) {
        struct claims all = ask(&w, claims_name(i));
        answers += all.count;
        for (size_t k = 0; k < all.count; k++) {
            expect(&all, all.answer[k].task, CLAIMS_CONFIRMED, claims_name(i));
            assert_true(is_contradicted(claims_name(i), all.answer[k].task));
            assert_string_equal(all.answer[k].why, "");
            assert_int_equal(all.answer[k].seeds, 3);
            assert_int_equal(all.answer[k].epochs, all.answer[k].paper_epochs);
        }
        claims_free(&all);
    }
    assert_int_equal(answers, 23);
    paper_close(&w);
}

void test_every_rule_of_every_claim_can_be_contradicted(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        paper_change(&w, changes[i].change);
        struct claims all = ask(&w, changes[i].claim);
        expect(&all, changes[i].task, CLAIMS_CONTRADICTED, changes[i].change);
        claims_free(&all);
        paper_restore(&w);
    }
    paper_close(&w);
}

void test_without_runs_nothing_is_tested_and_the_need_is_said(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    paper_change(&w, "UPDATE runs SET state = 'running'");
    for (int i = 0; i < claims_count(); i++) {
        struct claims all = ask(&w, claims_name(i));
        assert_true(all.count > 0);
        for (size_t k = 0; k < all.count; k++) {
            expect(&all, all.answer[k].task, CLAIMS_NOT_TESTED, claims_name(i));
            if (strncmp(all.answer[k].why, "needs ", 6) != 0)
                fail_msg("%s: '%s'", claims_name(i), all.answer[k].why);
            assert_int_equal(all.answer[k].seeds, 0);
        }
        claims_free(&all);
    }
    paper_close(&w);
}

/* No run of another setting is pooled with the paper's, whatever the hyperparameter. */
void test_runs_of_other_settings_answer_no_claim(void **state)
{
    (void)state;
    static const int free_ones[] = {PARAM_task,   PARAM_weight_multiplier, PARAM_weight_decay,
                                    PARAM_epochs, PARAM_batch_size,        PARAM_seed};
    struct paper w;
    paper_open(&w);
    assert_true(help_int(&w.help, "SELECT count(*) FROM paper_runs") > 0);
    for (int i = 0; i < PARAM_COUNT; i++) {
        const char *x = param_list[i].name;
        char sql[256];
        bool free_one = false;
        for (size_t k = 0; k < sizeof free_ones / sizeof *free_ones; k++)
            free_one = free_one || free_ones[k] == i;
        if (free_one) continue;
        snprintf(sql, sizeof sql, "UPDATE runs SET %s = iif(typeof(%s) = 'text', 'other', %s + 1)",
                 x, x, x);
        paper_change(&w, sql);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM paper_runs JOIN runs USING (run_id) WHERE %s IS NOT NULL",
                 x);
        if (help_int(&w.help, sql)) fail_msg("runs with another %s count", x);
        paper_restore(&w);
    }
    paper_close(&w);
}

/* A measure that was not taken is no evidence, for or against. */
void test_without_its_measures_a_claim_is_not_tested(void **state)
{
    (void)state;
    static const char *const measured[] = {"C4",  "C5",  "C9",  "C11", "C12",
                                           "C13", "C14", "C15", "C16", "C17"};
    struct paper w;
    paper_open(&w);
    paper_change(&w, "DELETE FROM epochs; DELETE FROM geometry; DELETE FROM features; "
                     "UPDATE summaries SET t_step_min = NULL, t_step_max = NULL");
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++) {
        struct claims all = ask(&w, measured[i]);
        for (size_t k = 0; k < all.count; k++)
            expect(&all, all.answer[k].task, CLAIMS_NOT_TESTED, measured[i]);
        claims_free(&all);
    }
    paper_close(&w);
}

void test_a_column_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    paper_change(&w, "ALTER TABLE epochs RENAME COLUMN weights_for_95 TO other");
    struct claims all = ask(&w, "C9");
    assert_int_equal(all.count, 1);
    assert_int_equal(all.answer[0].verdict, CLAIMS_NOT_TESTED);
    assert_non_null(strstr(all.answer[0].why, "no such column: e.weights_for_95"));
    claims_free(&all);
    paper_close(&w);
}

void test_means_and_spreads_are_over_seeds_and_effort_is_the_least(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    paper_change(&w, "UPDATE epochs SET ipr_output = 0.42 + (SELECT seed FROM runs AS r WHERE "
                     "r.run_id = epochs.run_id) * 0.01 WHERE " OF("weight_multiplier = 0.1"));
    paper_change(&w, "UPDATE runs SET state = 'failed' WHERE weight_multiplier = 10 AND seed = 2");
    paper_change(&w, "UPDATE summaries SET last_epoch = 150 WHERE " OF("weight_multiplier = 10"));
    struct claims all = ask(&w, "C5");
    const struct claims_answer *a = answer_of(&all, MODADD);
    const struct claims_line *l = line_of(a, "IPR of the output weights at weight multiplier 0.1");
    assert_float_equal(l->ours, 0.43, 1e-12);
    assert_float_equal(l->spread, 0.01, 1e-9);
    assert_int_equal(l->seeds, 3);
    assert_int_equal(line_of(a, "IPR of the output weights at weight multiplier 10")->seeds, 2);
    assert_int_equal(a->seeds, 2);
    assert_int_equal(a->epochs, 150);
    assert_int_equal(a->paper_epochs, 1000);
    claims_free(&all);
    paper_close(&w);
}

/* The line, its interval and r^2 of C6 against sums made here. */
void test_the_line_of_the_trade_off_is_the_one_of_least_squares(void **state)
{
    (void)state;
    struct paper w;
    struct point p[64];
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    paper_open(&w);
    size_t n = paper_points(&w,
                            "SELECT final_train_loss, compressibility_final FROM paper_runs WHERE "
                            "weight_decay = 3e-5 AND batch_size = 64 AND weight_multiplier <= 0.4",
                            p, 64);
    assert_int_equal(n, 9);
    for (size_t i = 0; i < n; i++) x += p[i].x / 9, y += p[i].y / 9;
    for (size_t i = 0; i < n; i++) {
        xx += (p[i].x - x) * (p[i].x - x);
        xy += (p[i].x - x) * (p[i].y - y);
        yy += (p[i].y - y) * (p[i].y - y);
    }
    double slope = xy / xx, rest = yy - slope * xy;
    double half = 2.365 * sqrt(rest / 7 / xx); /* Student's t of 7 degrees of freedom */
    struct claims all = ask(&w, "C6");
    const struct claims_answer *a = answer_of(&all, MODADD);
    assert_float_equal(line_of(a, "r^2")->ours, slope * xy / yy, 1e-9);
    assert_float_equal(line_of(a, "slope, low")->ours / slope, 1, 1e-9);
    assert_float_equal(line_of(a, "slope, low")->low / (slope - half), 1, 1e-7);
    assert_float_equal(line_of(a, "slope, low")->high / (slope + half), 1, 1e-7);
    assert_int_equal(line_of(a, "slope, low")->seeds, 3);
    claims_free(&all);
    paper_close(&w);
}

/* Of (1, 2), (2, 1), (3, 3), (4, 5), (5, 4), (6, 6): 1 - 6 sum d^2 / (n (n^2 - 1)) = 1 - 24 / 210;
 * equal values share a rank. */
void test_rho_is_spearmans(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    paper_change(&w, "UPDATE runs SET state = 'failed' WHERE weight_multiplier < 2 OR seed = 2 OR "
                     "weight_multiplier = 3");
    paper_change(&w, "UPDATE summaries SET final_test_loss = "
                     "(SELECT seed * 3 + CASE weight_multiplier WHEN 2 THEN 1 WHEN 4 THEN 2 ELSE 3 "
                     "END FROM runs AS r WHERE r.run_id = summaries.run_id)");
    paper_change(&w, "UPDATE summaries SET compressibility_final = CASE final_test_loss WHEN 1 "
                     "THEN 2 WHEN 2 THEN 1 WHEN 4 THEN 5 WHEN 5 THEN 4 ELSE final_test_loss END");
    struct claims all = ask(&w, "C7");
    const struct claims_line *l = line_of(answer_of(&all, MODADD), "rho of c and test loss, high");
    assert_float_equal(l->ours, 1 - 24.0 / 210, 1e-12);
    claims_free(&all);
    paper_change(&w, "UPDATE summaries SET compressibility_final = 7");
    all = ask(&w, "C7");
    l = line_of(answer_of(&all, MODADD), "rho of c and test loss, high");
    assert_true(isnan(l->ours)); /* of a constant there is none */
    assert_int_equal(l->holds, -1);
    claims_free(&all);
    paper_close(&w);
}

/* ---- several databases ---- */

static void add(struct claims *all, const struct paper *w, const char *source)
{
    struct query *q;
    struct err e;
    if (query_open(&q, w->dir, &e) < 0) fail_msg("%s", e.text);
    for (int i = 0; i < claims_count(); i++)
        if (claims_ask(all, q, source, i, &e) < 0) fail_msg("%s", e.text);
    query_close(&q);
}

void test_a_claim_is_answered_by_the_databases_that_test_it(void **state)
{
    (void)state;
    struct paper modular, ising;
    struct claims all = {0};
    paper_open(&modular);
    paper_open(&ising);
    paper_change(&modular, "UPDATE runs SET state = 'running' WHERE task = 'ising'");
    paper_change(&ising, "UPDATE runs SET state = 'running' WHERE task <> 'ising' AND NOT "
                         "(batch_size = 200)");
    add(&all, &modular, "one");
    add(&all, &ising, "two");
    claims_merge(&all);
    assert_int_equal(all.count, 24); /* C8 twice */
    for (size_t i = 0; i < all.count; i++) {
        const struct claims_answer *a = &all.answer[i];
        const char *right = strcmp(a->task, "ising") ? "one" : "two";
        expect(&all, a->task, CLAIMS_CONFIRMED, claims_name(a->claim));
        assert_int_equal(a->verdict, CLAIMS_CONFIRMED);
        if (strcmp(claims_name(a->claim), "C8") != 0) assert_string_equal(a->source, right);
        assert_true(i == 0 || all.answer[i - 1].claim <= a->claim);
    }
    claims_free(&all);
    paper_close(&modular);
    paper_close(&ising);
}

void test_what_no_database_tests_is_said_once(void **state)
{
    (void)state;
    struct paper w;
    struct claims all = {0};
    paper_open(&w);
    paper_change(&w, "UPDATE runs SET state = 'running'");
    add(&all, &w, "one");
    paper_change(&w, "ALTER TABLE epochs RENAME COLUMN weights_for_95 TO other");
    add(&all, &w, "two");
    claims_merge(&all);
    assert_int_equal(all.count, 23);
    for (size_t i = 0; i < all.count; i++) {
        assert_string_equal(all.answer[i].source, "one");
        assert_int_equal(all.answer[i].verdict, CLAIMS_NOT_TESTED);
    }
    claims_free(&all);
    paper_close(&w);
}

/* ---- grokctl claims ---- */

static char *ctl_says(const char *output, const char *dir, const char *other)
{
    char *argv[] = {strdup("grokctl"), strdup("--output"), strdup(output),
                    strdup("claims"),  strdup(dir),        other ? strdup(other) : NULL};
    int argc = other ? 6 : 5;
    char *text = NULL;
    size_t size;
    struct err e;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    int code = ctl_run(argc, argv, out, &e);
    fclose(out);
    for (int i = 0; i < argc; i++) free(argv[i]);
    if (code != 0) fail_msg("%s", e.text);
    return text;
}

static void says(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

void test_grokctl_says_verdicts_numbers_and_effort(void **state)
{
    (void)state;
    struct paper w;
    paper_open(&w);
    paper_change(&w, "UPDATE runs SET state = 'failed' WHERE task = 'ising'");
    char *text = ctl_says("human", w.dir, NULL);
    says(text, "\nC1   Modular addition groks");
    says(text, "     confirmed, modular addition, 3 of 10 seeds, 1,000 epochs\n");
    says(text, "     not tested, ising: needs runs with weight multipliers 2 and 4\n");
    says(text, "\n13 confirmed, 0 contradicted, 10 not tested by these sweeps\n");
    free(text);
    text = ctl_says("quiet", w.dir, w.dir);
    assert_memory_equal(text, "C1 modular_addition confirmed\n", 30);
    says(text, "\nC2 ising not tested\n");
    free(text);
    text = ctl_says("json", w.dir, NULL);
    assert_memory_equal(text, "[{\"claim\": \"C1\", \"title\": \"", 27);
    says(text, "\"verdict\": \"confirmed\", \"why\": \"\", \"seeds\": 3, \"epochs\": 1000");
    says(text, "\"ours\": null");
    free(text);
    paper_close(&w);
}
