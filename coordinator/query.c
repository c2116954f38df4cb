// SPDX-License-Identifier: MIT
/* query: questions to results.db through a connection that can only read. */
#include "coordinator/query.h"

#include "coordinator/save.h"

#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000

struct query {
    char *path;
    sqlite3 *handle;
    sqlite3_stmt *statement;
    char *hex; /* of the last blob */
};

/* What a mistaken statement says; the rest is trouble with the file. */
static int fail(struct query *q, struct err *e)
{
    int code = sqlite3_errcode(q->handle);
    const char *hint = code == SQLITE_CANTOPEN ? "; without a running coordinator its folder must "
                                                 "be writable, or the file at rest"
                                               : "";
    int is_usage = code == SQLITE_ERROR || code == SQLITE_READONLY || code == SQLITE_AUTH;
    return err_set(e, is_usage ? E_USAGE : E_STORE, "%s: %s%s", q->path, sqlite3_errmsg(q->handle),
                   hint);
}

static int ask_integer(struct query *q, const char *sql, int64_t *out, struct err *e)
{
    int rc = query_ask(q, sql, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    *out = rc ? query_integer(q, 0) : 0;
    return OK;
}

static int check(struct query *q, struct err *e)
{
    int64_t id, version;
    int rc = ask_integer(q, "PRAGMA application_id", &id, e);
    if (rc == OK) rc = ask_integer(q, "PRAGMA user_version", &version, e);
    if (rc < 0) return rc;
    if (id != SAVE_APPLICATION_ID)
        return err_set(e, E_STORE, "%s: is no database of grokd", q->path);
    /* What is asked here has been there from the first version on. */
    if (version >= 1 && version <= SAVE_VERSION) return OK;
    return err_set(e, E_STORE, "%s: its tables have version %lld, this program knows %d; %s",
                   q->path, (long long)version, SAVE_VERSION,
                   version > SAVE_VERSION ? "use a newer grokd" : "no such version was released");
}

int query_open(struct query **out, const char *dir, struct err *e)
{
    int rc = OK;
    struct query *q = calloc(1, sizeof *q);
    if (!q || asprintf(&q->path, "%s/results.db", dir) < 0) {
        free(q);
        return err_set(e, E_NOMEM, "%s: no memory", dir);
    }
    if (access(q->path, F_OK) < 0) {
        rc = err_set(e, E_USAGE, "%s: there is no such database; name its folder with --dir",
                     q->path);
        goto fail;
    }
    if (sqlite3_open_v2(q->path, &q->handle, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        rc = fail(q, e);
        goto fail;
    }
    sqlite3_busy_timeout(q->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(q->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(q->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if ((rc = check(q, e)) < 0) goto fail;
    *out = q;
    return OK;
fail:
    query_close(&q);
    return rc;
}

void query_close(struct query **query)
{
    struct query *q = *query;
    if (!q) return;
    *query = NULL;
    sqlite3_finalize(q->statement);
    sqlite3_close(q->handle);
    sqlite3_free(q->hex);
    free(q->path);
    free(q);
}

int query_ask(struct query *q, const char *sql, struct err *e)
{
    const char *tail = NULL;
    sqlite3_finalize(q->statement);
    q->statement = NULL;
    if (sqlite3_prepare_v2(q->handle, sql, -1, &q->statement, &tail) != SQLITE_OK)
        return fail(q, e);
    while (isspace((unsigned char)*tail) || *tail == ';') tail++;
    if (*tail)
        return err_set(e, E_USAGE, "one statement at a time; after the first stands: %.60s", tail);
    if (!q->statement) return err_set(e, E_USAGE, "there is no statement in it");
    return OK;
}

int query_ask_about(struct query *q, const char *sql, int64_t about, struct err *e)
{
    int rc = query_ask(q, sql, e);
    if (rc < 0) return rc;
    for (int i = 1; i <= sqlite3_bind_parameter_count(q->statement); i++)
        if (sqlite3_bind_int64(q->statement, i, about) != SQLITE_OK) return fail(q, e);
    return OK;
}

int query_next(struct query *q, struct err *e)
{
    switch (sqlite3_step(q->statement)) {
    case SQLITE_ROW: return 1;
    case SQLITE_DONE: return 0;
    default: return fail(q, e);
    }
}

int query_columns(const struct query *q)
{
    return sqlite3_column_count(q->statement);
}

const char *query_name(const struct query *q, int column)
{
    const char *name = sqlite3_column_name(q->statement, column);
    return name ? name : "";
}

enum query_type query_type(const struct query *q, int column)
{
    switch (sqlite3_column_type(q->statement, column)) {
    case SQLITE_NULL: return QUERY_NULL;
    case SQLITE_INTEGER: return QUERY_INTEGER;
    case SQLITE_FLOAT: return QUERY_REAL;
    default: return QUERY_TEXT;
    }
}

int64_t query_integer(const struct query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

double query_real(const struct query *q, int column)
{
    return sqlite3_column_double(q->statement, column);
}

static const char *blob_text(struct query *q, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(q->statement, column);
    int n = sqlite3_column_bytes(q->statement, column);
    sqlite3_free(q->hex);
    q->hex = sqlite3_malloc64(2 * (sqlite3_uint64)n + 1);
    if (!q->hex) return "";
    for (int i = 0; i < n; i++) sprintf(q->hex + 2 * i, "%02x", bytes[i]);
    q->hex[2 * n] = '\0';
    return q->hex;
}

const char *query_text(struct query *q, int column)
{
    if (sqlite3_column_type(q->statement, column) == SQLITE_BLOB) return blob_text(q, column);
    const unsigned char *text = sqlite3_column_text(q->statement, column);
    return text ? (const char *)text : "";
}
