// SPDX-License-Identifier: MIT
/* Tests of a store that opens a database of an older version. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLES                                                                                     \
    "SELECT group_concat(x, ';') FROM (SELECT m.name || '.' || p.name || ' ' || p.type || ' ' || " \
    "p.\"notnull\" || ' ' || p.pk || ' ' || coalesce(p.dflt_value, '') AS x FROM sqlite_schema "   \
    "AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table' ORDER BY m.name, p.cid)"
#define REST                                                                                       \
    "SELECT group_concat(x, ';') FROM (SELECT name || sql AS x FROM sqlite_schema "                \
    "WHERE type <> 'table' ORDER BY name)"
#define WORKERS "SELECT sql FROM sqlite_schema WHERE name = 'workers'"

/* The database that tests/golden/results-v1.sql makes, and what `command` does beside it. */
static void prepare(struct help *h, const char *command)
{
    char line[512];
    *h = (struct help){0};
    snprintf(h->dir, sizeof h->dir, "/tmp/grokd-store-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->path, sizeof h->path, "%s/results.db", h->dir);
    snprintf(line, sizeof line, "DB=%s; sqlite3 $DB < tests/golden/results-v1.sql && %s", h->path,
             command);
    assert_int_equal(system(line), 0);
}

static int opened(struct help *h, struct err *e)
{
    *e = (struct err){0};
    return store_open(&h->store, h->path, &h->state, e);
}

/* A look at a file beside the database. */
static int64_t beside(const struct help *h, const char *suffix, const char *sql)
{
    struct help other = *h;
    snprintf(other.path, sizeof other.path, "%.80s%s", h->path, suffix);
    return help_int(&other, sql);
}

void test_a_database_of_the_first_version_keeps_all_it_has(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    prepare(&h, "true");
    if (opened(&h, &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(help_int(&h, "PRAGMA user_version"), SAVE_VERSION);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs"), 2);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE run_id = 1"), 3);
    assert_int_equal(h.state.sweep_count, 1);
    assert_int_equal(h.state.running_count, 1);
    assert_int_equal(h.state.running[0].run, 1);
    assert_int_equal(h.state.running[0].epochs_done, 2);
    assert_string_equal(h.state.running[0].holder, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
    assert_string_equal(h.state.running[0].holder_key, ""); /* nobody knows */
    struct save_answer a = help_rows(&h, 1, 1, 3, 3);
    assert_int_equal(a.verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE run_id = 1"), 4);
    assert_int_equal(beside(&h, "-v1", "PRAGMA user_version"), 1);
    assert_int_equal(beside(&h, "-v1", "SELECT count(*) FROM epochs"), 3);
    help_reopen(&h); /* once is enough */
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE run_id = 1"), 4);
    char second[128];
    snprintf(second, sizeof second, "%s-v1.2", h.path);
    assert_int_equal(access(second, F_OK), -1);
    help_close(&h);
}

void test_old_tables_become_those_of_a_new_database(void **state)
{
    (void)state;
    struct help old, fresh;
    struct err e;
    prepare(&old, "true");
    if (opened(&old, &e) < 0) fail_msg("%s", e.text);
    help_open(&fresh);
    char *tables = strdup(help_text(&fresh, TABLES)), *rest = strdup(help_text(&fresh, REST));
    assert_non_null(strstr(tables, "workers.key_name TEXT"));
    assert_non_null(strstr(rest, "run_summary")); /* the text is whole */
    assert_string_equal(help_text(&old, TABLES), tables);
    assert_string_equal(help_text(&old, REST), rest);
    free(tables);
    free(rest);
    help_close(&old);
    help_close(&fresh);
}

/* What the tables say of themselves is what a person finds there. */
void test_a_column_that_was_added_is_explained_as_in_a_new_database(void **state)
{
    (void)state;
    struct help old, fresh;
    struct err e;
    prepare(&old, "true");
    if (opened(&old, &e) < 0) fail_msg("%s", e.text);
    help_open(&fresh);
    char *table = strdup(help_text(&fresh, WORKERS)), *column = strstr(table, "key_name");
    assert_non_null(column);
    char *comment = strstr(column, "-- ");
    assert_non_null(comment);
    comment[strcspn(comment, "\n")] = '\0';
    const char *migrated = help_text(&old, WORKERS);
    if (!strstr(migrated, comment + 3)) fail_msg("'%s' is not in %s", comment + 3, migrated);
    free(table);
    help_close(&old);
    help_close(&fresh);
}

void test_tables_that_could_not_be_changed_are_left_and_so_is_no_copy(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    prepare(&h, "sqlite3 $DB 'ALTER TABLE workers ADD COLUMN key_name TEXT'");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(opened(&h, &e), E_STORE);
        if (!strstr(e.text, "changing its tables: duplicate column")) fail_msg("%s", e.text);
        assert_int_equal(help_int(&h, "PRAGMA user_version"), 1);
        char copy[128];
        snprintf(copy, sizeof copy, "%s-v1", h.path);
        assert_int_equal(access(copy, F_OK), -1);
    }
    help_close(&h);
}

void test_a_copy_of_before_is_not_overwritten(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    prepare(&h, "cp $DB $DB-v1 && sqlite3 $DB-v1 'DELETE FROM epochs'");
    if (opened(&h, &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(beside(&h, "-v1", "SELECT count(*) FROM epochs"), 0);
    assert_int_equal(beside(&h, "-v1.2", "SELECT count(*) FROM epochs"), 3);
    help_close(&h);
}

void test_without_a_copy_nothing_is_changed(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    prepare(&h, "mkdir $DB-v1-new"); /* in its way */
    assert_int_equal(opened(&h, &e), E_STORE);
    if (!strstr(e.text, "copying")) fail_msg("%s", e.text);
    assert_int_equal(help_int(&h, "PRAGMA user_version"), 1);
    assert_int_equal(
        help_int(&h, "SELECT count(*) FROM pragma_table_info('workers') WHERE name = 'key_name'"),
        0);
    help_close(&h);
}

void test_the_key_of_a_worker_is_stored_with_it(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct save s = help_worker(1);
    snprintf(s.key, sizeof s.key, "gpu1");
    struct store_result r = help_store(&h, &s, 1);
    store_result_free(&r);
    assert_string_equal(help_text(&h, "SELECT key_name FROM workers"), "gpu1");
    help_reopen(&h);
    assert_string_equal(h.state.running[0].holder_key, "gpu1");
    help_close(&h);
}
