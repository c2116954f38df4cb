// SPDX-License-Identifier: MIT
/* store_migrate: brings the tables of an older database up to this program's: first a copy of it
 * beside it, then every step in one transaction. A crash leaves the old file or the new one.
 */
#include "common/file.h"
#include "common/log.h"
#include "coordinator/store_db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What leads from a version to the next one. SQLite keeps the comment of a new column, up to the
 * end of the statement. */
static const char *const steps[] = {
    [1] = "ALTER TABLE workers ADD COLUMN key_name TEXT"
          " /* of the key that it came in with, and must come back with */;",
};
_Static_assert(sizeof steps / sizeof *steps == SAVE_VERSION, "a step leads to every version");

static int version_of(struct db *d, int *version, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(d->handle, "PRAGMA user_version", -1, &s, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(s);
    *version = rc == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? OK : db_fail(d, e, "reading the version of its tables");
}

/* A name for the copy that nothing has: PATH-v1, PATH-v1.2 and so on. */
static int name_copy(const struct db *d, int version, char name[PATH_MAX], struct err *e)
{
    struct stat st;
    for (int i = 1; i < 100; i++) {
        int n = i == 1 ? snprintf(name, PATH_MAX, "%s-v%d", d->path, version)
                       : snprintf(name, PATH_MAX, "%s-v%d.%d", d->path, version, i);
        if (n >= PATH_MAX) return err_set(e, E_STORE, "%s: the path is too long", d->path);
        if (stat(name, &st) == 0) continue;
        return errno == ENOENT ? OK : err_errno(e, E_STORE, "%s: cannot be looked at", name);
    }
    return err_set(e, E_STORE, "%s: too many copies of version %d; move some away", d->path,
                   version);
}

static int copy(struct db *d, const char *name, struct err *e)
{
    char half[PATH_MAX + 8];
    snprintf(half, sizeof half, "%s-new", name);
    unlink(half);
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", half);
    if (!sql) return err_set(e, E_NOMEM, "%s: no memory to copy it", d->path);
    int rc = OK;
    if (sqlite3_exec(d->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        rc = db_fail(d, e, "copying it before its tables are changed");
    sqlite3_free(sql);
    if (rc == OK) rc = file_place(half, name, e);
    if (rc < 0) unlink(half);
    return rc;
}

static int give_up(struct db *d, struct err *e)
{
    int rc = db_fail(d, e, "changing its tables");
    sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* All but the commit; after an error all is as it was. */
static int change(struct db *d, int version, struct err *e)
{
    char mark[64];
    snprintf(mark, sizeof mark, "PRAGMA user_version = %d", SAVE_VERSION);
    int rc = sqlite3_exec(d->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (; rc == SQLITE_OK && version < SAVE_VERSION; version++)
        rc = sqlite3_exec(d->handle, steps[version], NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(d->handle, mark, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : give_up(d, e);
}

/* After an error nobody knows what is on the disk. */
static int commit(struct db *d, struct err *e)
{
    return sqlite3_exec(d->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? OK : give_up(d, e);
}

int db_migrate(struct db *d, struct err *e)
{
    char name[PATH_MAX];
    int version;
    int rc = version_of(d, &version, e);
    if (rc < 0 || version == SAVE_VERSION) return rc;
    rc = name_copy(d, version, name, e);
    if (rc == OK) rc = copy(d, name, e);
    if (rc == OK && (rc = change(d, version, e)) < 0) unlink(name); /* or each start makes one */
    if (rc == OK) rc = commit(d, e);
    if (rc == OK)
        log_info("migrated", "path=%s from=%d to=%d copy=%s", d->path, version, SAVE_VERSION, name);
    return rc;
}
