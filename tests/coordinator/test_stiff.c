// SPDX-License-Identifier: MIT
/* stiff: parts of steps on their way to the store: lines there and back, what is refused, and what
 * takes whose place in a real database. */
#include "coordinator/stiff.h"

#include "tests/coordinator/hub_rig.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define TWO "1 stiff step_fisher 0.5\n1 sloppy step_fisher 0.25\n"

void test_what_is_written_is_read_back_to_the_bit(void **state)
{
    (void)state;
    const struct stiff_value is[] = {{0, "stiff", "step_fisher", 0.1},
                                     {7, "sloppy", "cos_previous_fisher", -1.0 / 3},
                                     {900000000000, "stiff", "parameters", 5e-324}};
    char *text = NULL;
    size_t size;
    struct stiff_value v;
    struct err e;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    for (size_t i = 0; i < 3; i++) stiff_write(to, &is[i]);
    fclose(to);
    assert_int_equal(stiff_check(text, &e), OK);
    const char *at = text;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stiff_next(&at, &v, &e), 1);
        assert_int_equal(v.epoch, is[i].epoch);
        assert_string_equal(v.layer, is[i].layer);
        assert_string_equal(v.name, is[i].name);
        assert_true(v.value == is[i].value);
    }
    assert_int_equal(stiff_next(&at, &v, &e), 0);
    free(text);
}

void test_other_lines_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "stiff step_fisher 1\n",
        "-1 stiff step_fisher 1\n",
        "1 fc1 step_fisher 1\n",
        "1 stiff energy_mean 1\n",
        "1 stiff step_fisher nan\n",
        "1 stiff step_fisher inf\n",
        "1 stiff step_fisher 1e999\n",
        "1 stiff step_fisher 1 \n",
        "1 stiff step_fisher 1",
        "1 stiff step_fisher \n",
        "1  stiff step_fisher 1\n",
        "9999999999999999999 stiff step_fisher 1\n",
        "\n",
        TWO TWO,
        "2 stiff step_fisher 1\n1 stiff step_fisher 1\n",
    };
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (stiff_check(bad[i], &e) != E_USAGE) fail_msg("'%s' is taken", bad[i]);
    assert_int_equal(stiff_check(TWO "2 stiff step_fisher 1\n", &e), OK);
}

void test_values_are_found_among_the_features_of_a_row(void **state)
{
    (void)state;
    const char *at =
        "{\"epoch\": 3, \"features\": [{\"layer\": \"W\", \"name\": \"ipr\", \"value\": 1}, "
        "{\"layer\": \"stiff\", \"name\": \"step_fisher\", \"value\": 0.75}, "
        "{\"layer\": \"stiff\", \"name\": \"other\", \"value\": 1}, "
        "{\"layer\": \"sloppy\", \"name\": \"cos_origin_fisher\", \"value\": -2e-05}]}";
    struct stiff_value v = {.epoch = 3};
    assert_int_equal(stiff_of_json(&at, &v), 1);
    assert_string_equal(v.layer, "stiff");
    assert_true(v.value == 0.75);
    assert_int_equal(stiff_of_json(&at, &v), 1);
    assert_string_equal(v.name, "cos_origin_fisher");
    assert_true(v.value == -2e-05 && v.epoch == 3);
    assert_int_equal(stiff_of_json(&at, &v), 0);
}

/* Parts of run 1. */
static void write_parts(struct help *h, const char *text)
{
    struct save s = {.kind = SAVE_STIFF, .run = 1, .at_ms = HELP_AT, .text = strdup(text)};
    struct store_result r = help_store(h, &s, 1);
    assert_int_equal(r.answer_count, 0);
    store_result_free(&r);
}

static const char *parts(struct help *h)
{
    return help_text(h, "SELECT group_concat(epoch || layer || value, ' ') FROM (SELECT * FROM "
                        "features WHERE run_id = 1 ORDER BY epoch, layer, name)");
}

/* Run 1 with two epochs and a feature of its own. */
static void open_parts(struct help *h, bool finished)
{
    struct feature own = {"fc1", "energy_mean", 0.125};
    struct row rows[] = {help_row(1, 0), help_row(1, 1)};
    help_open_run(h, 1);
    rows[1].features = &own;
    rows[1].feature_count = 1;
    assert_int_equal(help_one(h, help_epochs(1, 1, rows, 2)).verdict, VERDICT_STORED);
    if (finished)
        assert_int_equal(help_one(h, help_end(1, 1, "finished", RUN_FINISHED)).verdict,
                         VERDICT_STORED);
}

void test_parts_take_the_place_of_earlier_ones_and_leave_features_of_the_run(void **state)
{
    (void)state;
    struct help h;
    open_parts(&h, true);
    write_parts(&h, "0 stiff parameters 1\n" TWO "2 stiff step_fisher 2\n");
    assert_string_equal(parts(&h), "0stiff1.0 1fc10.125 1sloppy0.25 1stiff0.5 2stiff2.0");
    write_parts(&h, "1 stiff step_fisher 4\n");
    assert_string_equal(parts(&h), "0stiff1.0 1fc10.125 1stiff4.0");
    help_close(&h);
}

void test_a_run_that_is_not_finished_gets_none(void **state)
{
    (void)state;
    struct help h;
    open_parts(&h, false);
    write_parts(&h, TWO);
    assert_string_equal(parts(&h), "1fc10.125");
    help_close(&h);
}

/* Parts of a run that goes on all the same are no features that it should report again. */
void test_a_replayed_epoch_is_compared_without_the_parts(void **state)
{
    (void)state;
    struct help h;
    struct feature own = {"fc1", "energy_mean", 0.125};
    struct row row = help_row(1, 1);
    open_parts(&h, false);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(h.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO features VALUES (1, 1, 'stiff', 'step_fisher', 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    row.features = &own;
    row.feature_count = 1;
    assert_int_equal(help_one(&h, help_epochs(1, 1, &row, 1)).verdict, VERDICT_STORED);
    help_close(&h);
}

void test_the_coordinator_writes_them_and_refuses_what_is_none(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    rig_command(&r, "stiff", "1", NULL, "1 fc1 energy_mean 1\n");
    assert_int_equal(r.code, 2);
    rig_command(&r, "stiff", "x", NULL, TWO);
    assert_int_equal(r.code, 2);
    rig_command(&r, "stiff", "1", NULL, NULL);
    assert_int_equal(r.code, 2);
    assert_string_equal(rig_command(&r, "stiff", "1", NULL, TWO), "written");
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM features"), 0); /* it waits */
    rig_hello(&r, 7, 0, 0);
    rig_settle(&r);
    rig_epochs(&r, 7, 1, 1, 0, 3, false);
    rig_settle(&r);
    rig_ended(&r, 7, 1, 1, GROKD__OUTCOME__FINISHED, 3);
    rig_settle(&r);
    assert_string_equal(help_text(&r.base, "SELECT state FROM runs"), "finished");
    rig_command(&r, "stiff", "1", NULL, TWO);
    assert_int_equal(help_int(&r.base, "SELECT count(*) FROM features"), 2);
    rig_close(&r);
}
