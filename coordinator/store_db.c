// SPDX-License-Identifier: MIT
/* store_db: the connection of the store and its statements.
 *
 * The one read-write connection of grokd: several that write or checkpoint can corrupt a database
 * (SQLite before 3.51.3, "WAL-reset bug"). What else opens the file opens it read-only.
 */
#include "coordinator/store_db.h"

#include "common/log.h"
#include "coordinator/store_keep.h"
#include "coordinator/store_upload.h"
#include "proto/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_TIMEOUT_MS 5000

static const struct {
    const char *name, *text;
} sql_list[SQL_COUNT] = {
#define SQL(name, text) {#name, text},
#include "coordinator/store_sql.def"
#undef SQL
};

/* Set once on the connection. The file's own schema is not trusted with functions or views that
 * could do more than read. */
static const char settings_sql[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA secure_delete = OFF;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA cache_size = -8000;"
                                   "PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA journal_size_limit = 16777216;";

/* ---- errors ---- */

/* SQLite calls only ENOSPC full; a quota that is used up, and a log index that cannot grow, are
 * the same to us: there may be room later. */
static bool may_pass(sqlite3 *handle)
{
    int code = sqlite3_extended_errcode(handle), number = sqlite3_system_errno(handle);
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY: return true;
    case SQLITE_IOERR: return code == SQLITE_IOERR_SHMSIZE || number == ENOSPC || number == EDQUOT;
    default: return false;
    }
}

int db_fail(struct db *d, struct err *e, const char *what)
{
    return err_set(e, may_pass(d->handle) ? E_FULL : E_STORE, "%s: %s: %s (SQLite code %d)",
                   d->path, what, sqlite3_errmsg(d->handle), sqlite3_extended_errcode(d->handle));
}

/* ---- statements ---- */

static int bind_one(sqlite3_stmt *s, int at, char type, va_list *args)
{
    int64_t i;
    const char *t;
    double x;
    const float *y;
    switch (type) {
    case 'i': return sqlite3_bind_int64(s, at, va_arg(*args, int64_t));
    case 'n':
        i = va_arg(*args, int64_t);
        return i == INT64_MIN ? sqlite3_bind_null(s, at) : sqlite3_bind_int64(s, at, i);
    case 't':
        t = va_arg(*args, const char *);
        return t ? sqlite3_bind_text(s, at, t, -1, SQLITE_STATIC) : sqlite3_bind_null(s, at);
    case 'd':
        x = va_arg(*args, double);
        return isnan(x) ? sqlite3_bind_null(s, at) : sqlite3_bind_double(s, at, x);
    case 'b':
        t = va_arg(*args, const void *);
        return sqlite3_bind_blob64(s, at, t, va_arg(*args, size_t), SQLITE_STATIC);
    case 's':
        y = va_arg(*args, const float *);
        return y ? sqlite3_bind_blob(s, at, y, SKETCH_ROWS * sizeof *y, SQLITE_STATIC)
                 : sqlite3_bind_null(s, at);
    default: return SQLITE_MISUSE;
    }
}

static sqlite3_stmt *bind_all(struct db *d, enum sql which, struct err *e, const char *types,
                              va_list *args)
{
    sqlite3_stmt *s = d->statement[which];
    for (int at = 1; types[at - 1]; at++) {
        int code = bind_one(s, at, types[at - 1], args);
        if (code == SQLITE_OK) continue;
        err_set(e, E_STORE, "%s: %s: parameter %d: %s", d->path, sql_list[which].name, at,
                sqlite3_errstr(code));
        db_done(s);
        return NULL;
    }
    return s;
}

sqlite3_stmt *db_bind(struct db *d, enum sql which, struct err *e, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = bind_all(d, which, e, types, &args);
    va_end(args);
    return s;
}

static const char *name_of(const struct db *d, const sqlite3_stmt *s)
{
    for (int i = 0; i < SQL_COUNT; i++)
        if (d->statement[i] == s) return sql_list[i].name;
    return "statement";
}

int db_step(struct db *d, sqlite3_stmt *s, struct err *e)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) return 1;
    int rc = code == SQLITE_DONE ? OK : db_fail(d, e, name_of(d, s));
    db_done(s);
    return rc;
}

void db_done(sqlite3_stmt *s)
{
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

int db_do(struct db *d, enum sql which, struct err *e, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = bind_all(d, which, e, types, &args);
    va_end(args);
    return s ? db_step(d, s, e) : E_STORE;
}

int db_integer(struct db *d, int64_t *out, int64_t absent, enum sql which, struct err *e,
               const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = bind_all(d, which, e, types, &args);
    va_end(args);
    if (!s) return E_STORE;
    int rc = db_step(d, s, e);
    if (rc < 0) return rc;
    *out = rc ? sqlite3_column_int64(s, 0) : absent;
    if (rc) db_done(s);
    return OK;
}

void db_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    snprintf(out, size, "%s", text ? (const char *)text : "");
}

int db_bind_param(sqlite3_stmt *s, int position, const struct params *p, int index)
{
    const struct param_info *info = &param_list[index];
    const char *at = (const char *)p + info->offset;
    char text[PARAM_TEXT_SIZE];
    if (!param_belongs(index, p->task)) return sqlite3_bind_null(s, position);
    switch (info->kind) {
    case PARAM_REAL: return sqlite3_bind_double(s, position, *(const double *)(const void *)at);
    case PARAM_BOOL: return sqlite3_bind_int(s, position, *(const bool *)(const void *)at);
    case PARAM_INT:
    case PARAM_SEED: return sqlite3_bind_int64(s, position, *(const int64_t *)(const void *)at);
    case PARAM_CHOICE: break;
    }
    return sqlite3_bind_text(s, position, param_text(p, index, text), -1, SQLITE_TRANSIENT);
}

int db_param(sqlite3_stmt *s, int column, struct params *p, int index, struct err *e)
{
    const struct param_info *info = &param_list[index];
    char *at = (char *)p + info->offset;
    if (sqlite3_column_type(s, column) == SQLITE_NULL) return OK;
    switch (info->kind) {
    case PARAM_REAL: *(double *)(void *)at = sqlite3_column_double(s, column); return OK;
    case PARAM_BOOL: *(bool *)(void *)at = sqlite3_column_int(s, column) != 0; return OK;
    case PARAM_INT:
    case PARAM_SEED: *(int64_t *)(void *)at = sqlite3_column_int64(s, column); return OK;
    case PARAM_CHOICE: break;
    }
    char word[PARAM_TEXT_SIZE];
    db_text(s, column, word, sizeof word);
    return param_assign(p, index, word, e);
}

/* ---- transactions ---- */

int db_begin(struct db *d, struct err *e)
{
    return db_do(d, SQL_BEGIN, e, "");
}

int db_commit(struct db *d, struct err *e)
{
    int rc = db_do(d, SQL_COMMIT, e, "");
    if (rc == OK) rc = db_file_still_there(d, e);
    if (rc == OK) keep_settle(d, true);
    return rc;
}

void db_rollback(struct db *d)
{
    struct err e;
    for (int i = 0; i < SQL_COUNT; i++) db_done(d->statement[i]);
    if (!sqlite3_get_autocommit(d->handle) && db_do(d, SQL_ROLLBACK, &e, "") < 0)
        log_error("rollback_failed", "error=%s", e.text);
    keep_settle(d, false);
}

int db_checkpoint(struct db *d, enum db_log how, int wait_ms, struct err *e)
{
    static const int modes[] = {[DB_LOG_MOVE] = SQLITE_CHECKPOINT_PASSIVE,
                                [DB_LOG_BEGIN] = SQLITE_CHECKPOINT_RESTART,
                                [DB_LOG_CUT] = SQLITE_CHECKPOINT_TRUNCATE};
    int in_log = 0, moved = 0;
    sqlite3_busy_timeout(d->handle, wait_ms);
    int code = sqlite3_wal_checkpoint_v2(d->handle, NULL, modes[how], &in_log, &moved);
    int rc = code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED
                 ? OK
                 : db_fail(d, e, "moving the log into the file");
    sqlite3_busy_timeout(d->handle, BUSY_TIMEOUT_MS);
    int left = in_log > 1 ? in_log : 1;
    if (code == SQLITE_OK && in_log == moved)
        d->wal_frames = 0;
    else if (d->wal_frames < left) /* moved before, perhaps, and not cut now */
        d->wal_frames = left;
    if (rc != E_FULL) return rc;
    log_warn("checkpoint_failed", "error=%s", e->text);
    return OK;
}

/* ---- opening and closing ---- */

static int on_wal(void *ctx, sqlite3 *handle, const char *name, int frames)
{
    struct db *d = ctx;
    (void)handle, (void)name;
    d->wal_frames = frames;
    return SQLITE_OK;
}

static int prepare_all(struct db *d, struct err *e)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        char *text = schema_expand(sql_list[i].text);
        if (!text) return err_set(e, E_NOMEM, "%s: no memory for statements", d->path);
        int code = sqlite3_prepare_v3(d->handle, text, -1, SQLITE_PREPARE_PERSISTENT,
                                      &d->statement[i], NULL);
        free(text);
        if (code != SQLITE_OK) return db_fail(d, e, sql_list[i].name);
    }
    return OK;
}

static int pragma_is(struct db *d, const char *pragma, const char *right, struct err *e)
{
    sqlite3_stmt *s = NULL;
    char found[128] = "nothing";
    if (sqlite3_prepare_v2(d->handle, pragma, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        db_text(s, 0, found, sizeof found);
    sqlite3_finalize(s);
    if (strcmp(found, right) == 0) return OK;
    return err_set(e, E_STORE, "%s: %s says %s, not %s", d->path, pragma, found, right);
}

int db_open(struct db *d, const char *path, struct err *e)
{
    bool unclean;
    *d = (struct db){.path = path};
    /* Nobody asks how much memory SQLite uses: uncounted, each block costs no lock. Taken only
     * before its first use in this process, which does no harm. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int rc = db_file_check(path, &unclean, e);
    if (rc < 0) return rc;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &d->handle, flags, NULL) != SQLITE_OK) {
        rc = err_set(e, E_STORE, "%s: %s", path, sqlite3_errmsg(d->handle));
        goto fail;
    }
    sqlite3_extended_result_codes(d->handle, 1);
    sqlite3_busy_timeout(d->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_exec(d->handle, settings_sql, NULL, NULL, NULL) != SQLITE_OK) {
        rc = db_fail(d, e, "opening");
        goto fail;
    }
    sqlite3_wal_hook(d->handle, on_wal, d);
    if ((rc = pragma_is(d, "PRAGMA journal_mode", "wal", e)) < 0) goto fail;
    if (unclean && (rc = pragma_is(d, "PRAGMA quick_check(1)", "ok", e)) < 0) goto fail;
    if ((rc = db_migrate(d, e)) < 0) goto fail;
    if ((rc = prepare_all(d, e)) < 0 || (rc = keep_clean(d, e)) < 0) goto fail;
    return OK;
fail:
    db_close(d, false);
    return rc;
}

void db_close(struct db *d, bool at_rest)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(d->statement[i]);
        d->statement[i] = NULL;
    }
    if (d->handle && at_rest) {
        sqlite3_busy_timeout(d->handle, 0);
        if (sqlite3_exec(d->handle, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
            log_info("left_in_wal_mode", "path=%s reason=%s", d->path, sqlite3_errmsg(d->handle));
    }
    sqlite3_close_v2(d->handle);
    d->handle = NULL;
    keep_settle(d, false);
    upload_free(d);
}
