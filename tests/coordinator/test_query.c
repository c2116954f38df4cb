// SPDX-License-Identifier: MIT
/* Tests of reading: with and without a writer, nothing but reading, and rows as text. */
#include "coordinator/export.h"
#include "coordinator/query.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static void open_query(const struct help *h, struct query **q)
{
    struct err e;
    if (query_open(q, h->dir, &e) < 0) fail_msg("%s", e.text);
}

/* The rows of a statement as text (gives). */
static char *rows_of(struct query *q, const char *sql, enum export_format format)
{
    struct err e;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (query_ask(q, sql, &e) < 0 || export_rows(q, format, out, NULL, &e) < 0)
        fail_msg("%s", e.text);
    fclose(out);
    return text;
}

static void is_text(struct query *q, const char *sql, enum export_format format, const char *right)
{
    char *text = rows_of(q, sql, format);
    assert_string_equal(text, right);
    free(text);
}

void test_it_reads_while_the_store_writes_and_after_it_is_closed(void **state)
{
    (void)state;
    struct help h;
    struct query *q;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 3, 0)));
    open_query(&h, &q);
    is_text(q, "SELECT count(*) FROM runs", EXPORT_FIRST, "3\n");
    help_one(&h, help_worker(1));
    is_text(q, "SELECT count(*) FROM workers", EXPORT_FIRST, "1\n");
    query_close(&q);
    assert_null(q);
    store_close(&h.store);
    open_query(&h, &q);
    is_text(q, "SELECT count(*) FROM runs", EXPORT_FIRST, "3\n");
    query_close(&q);
    help_close(&h);
}

static void mark(const struct help *h, int version)
{
    char command[192];
    snprintf(command, sizeof command, "sqlite3 %s 'PRAGMA user_version = %d'", h->path, version);
    assert_int_equal(system(command), 0);
}

void test_it_reads_what_no_coordinator_has_brought_up_to_date_yet_but_nothing_newer(void **state)
{
    (void)state;
    struct help h;
    struct query *q;
    struct err e;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 3, 0)));
    store_close(&h.store);
    mark(&h, 1);
    open_query(&h, &q);
    is_text(q, "SELECT count(*) FROM runs", EXPORT_FIRST, "3\n");
    query_close(&q);
    mark(&h, SAVE_VERSION + 1);
    assert_int_equal(query_open(&q, h.dir, &e), E_STORE);
    char why[96];
    snprintf(why, sizeof why, "version %d, this program knows %d; use a newer grokd",
             SAVE_VERSION + 1, SAVE_VERSION);
    assert_non_null(strstr(e.text, why));
    mark(&h, 0);
    assert_int_equal(query_open(&q, h.dir, &e), E_STORE);
    help_close(&h);
}

void test_it_can_only_read(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "DELETE FROM runs",        "UPDATE runs SET state = 'failed'",
        "DROP TABLE runs",         "CREATE TABLE t (x)",
        "PRAGMA user_version = 5", "INSERT INTO events VALUES (1,'','',1,1,'')"};
    struct help h;
    struct query *q;
    struct err e;
    help_open(&h);
    open_query(&h, &q);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        int rc = query_ask(q, statements[i], &e);
        if (rc == OK) rc = query_next(q, &e);
        if (rc != E_USAGE) fail_msg("%s gave %d: %s", statements[i], rc, e.text);
    }
    assert_int_equal(query_ask(q, "SELECT 1; SELECT 2", &e), E_USAGE);
    assert_int_equal(query_ask(q, " ", &e), E_USAGE);
    assert_int_equal(query_ask(q, "SELEKT", &e), E_USAGE);
    assert_non_null(strstr(e.text, "SELEKT"));
    query_close(&q);
    help_close(&h);
}

void test_a_folder_without_our_database_is_refused(void **state)
{
    (void)state;
    struct query *q;
    struct err e;
    char dir[] = "/tmp/grokd-query-XXXXXX", command[128];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(query_open(&q, dir, &e), E_USAGE);
    assert_non_null(strstr(e.text, "--dir"));
    snprintf(command, sizeof command, "sqlite3 %s/results.db 'CREATE TABLE t (x)'", dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(query_open(&q, dir, &e), E_STORE);
    assert_non_null(strstr(e.text, "no database of grokd"));
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

void test_rows_become_csv_and_json_that_read_back(void **state)
{
    (void)state;
    static const char sql[] =
        "SELECT 1 AS a, 0.1 AS b, NULL AS c, 'x,\"y\"' AS d, '' AS e UNION ALL "
        "SELECT -9223372036854775808, 9e999, 'é', char(10) || char(1) || '\\', x'00ff'";
    struct help h;
    struct query *q;
    help_open(&h);
    open_query(&h, &q);
    is_text(
        q, sql, EXPORT_CSV,
        "a,b,c,d,e\n1,0.1,,\"x,\"\"y\"\"\",\"\"\n-9223372036854775808,inf,é,\"\n\x01\\\",00ff\n");
    is_text(q, sql, EXPORT_JSONL,
            "{\"a\": 1, \"b\": 0.1, \"c\": null, \"d\": \"x,\\\"y\\\"\", \"e\": \"\"}\n"
            "{\"a\": -9223372036854775808, \"b\": null, \"c\": \"é\", \"d\": \"\\n\\u0001\\\\\", "
            "\"e\": "
            "\"00ff\"}\n");
    is_text(q, "SELECT 0.1 + 0.2 AS x UNION ALL SELECT 1e15", EXPORT_JSON,
            "[{\"x\": 0.30000000000000004},\n {\"x\": 1e15}]");
    is_text(q, "SELECT 1 AS x WHERE 0", EXPORT_JSON, "[]");
    query_close(&q);
    help_close(&h);
}

void test_tables_align_and_keep_every_row(void **state)
{
    (void)state;
    struct help h;
    struct query *q;
    help_open(&h);
    open_query(&h, &q);
    is_text(q, "SELECT 1 AS id, 'long name' AS name, 1.0 / 3 AS x UNION ALL SELECT 200, NULL, 2",
            EXPORT_TABLE, "id   name       x\n1    long name  0.333333\n200  -          2\n");
    char *text = rows_of(q,
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                         "2500) SELECT i, i AS again FROM n",
                         EXPORT_TABLE);
    int lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 2501);
    free(text);
    query_close(&q);
    help_close(&h);
}
