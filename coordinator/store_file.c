// SPDX-License-Identifier: MIT
/* store_file: what must be true of results.db and its folder before the store opens it.
 *
 * A file that is not ours, or newer than this program, is left as it is: its first page is read
 * before SQLite ever sees it. A new file is made under another name and renamed when it is whole,
 * so that a half-made one never stands there; and only where there is certainly none.
 */
#include "coordinator/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* PATH and what SQLite puts beside it. */
static int beside(char out[PATH_SIZE], const char *path, const char *suffix, struct err *e)
{
    int n = snprintf(out, PATH_SIZE, "%s%s", path, suffix);
    return n < PATH_SIZE ? OK : err_set(e, E_STORE, "%s: the path is too long", path);
}

/* Bytes of PATH with the suffix; -1: there is no such file. A file that cannot be looked at may
 * well be there: that is an error. */
static int size_beside(const char *path, const char *suffix, int64_t *bytes, struct err *e)
{
    char name[PATH_SIZE];
    struct stat st;
    int rc = beside(name, path, suffix, e);
    *bytes = -1;
    if (rc < 0) return rc;
    if (stat(name, &st) == 0)
        *bytes = st.st_size;
    else if (errno != ENOENT)
        return err_errno(e, E_STORE, "%s: cannot be looked at", name);
    return OK;
}

static void remove_all(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_SIZE];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (beside(name, path, suffixes[i], NULL) == OK) unlink(name);
}

static void folder_of(const char *path, char out[PATH_SIZE])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(out, PATH_SIZE, ".");
    else
        snprintf(out, PATH_SIZE, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* ---- the folder ---- */

/* Writes through one connection and reads through another, as readers will. */
static int probe_pair(const char *path, sqlite3 **writer, sqlite3 **reader, struct err *e)
{
    static const char write_sql[] = "PRAGMA journal_mode = WAL; CREATE TABLE t (x); "
                                    "INSERT INTO t VALUES (1)";
    int rw = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int64_t log;
    if (sqlite3_open_v2(path, writer, rw, NULL) != SQLITE_OK ||
        sqlite3_exec(*writer, write_sql, NULL, NULL, NULL) != SQLITE_OK)
        return err_set(e, E_STORE, "%s: a trial database cannot be written: %s", path,
                       sqlite3_errmsg(*writer));
    int rc = size_beside(path, "-wal", &log, e);
    if (rc < 0) return rc;
    if (log <= 0)
        return err_set(e, E_STORE,
                       "%s: this file system cannot hold a write-ahead log; use a local disk",
                       path);
    if (sqlite3_open_v2(path, reader, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_exec(*reader, "SELECT x FROM t", NULL, NULL, NULL) != SQLITE_OK)
        return err_set(e, E_STORE, "%s: a trial database cannot be read while it is written: %s",
                       path, sqlite3_errmsg(*reader));
    return OK;
}

static int probe(const char *folder, struct err *e)
{
    char path[PATH_SIZE];
    sqlite3 *writer = NULL, *reader = NULL;
    int n = snprintf(path, sizeof path, "%s/.wal-probe-%ld", folder, (long)getpid());
    if (n >= (int)sizeof path) return err_set(e, E_STORE, "%s: the path is too long", folder);
    remove_all(path);
    int rc = probe_pair(path, &writer, &reader, e);
    sqlite3_close(reader);
    sqlite3_close(writer);
    remove_all(path);
    return rc;
}

static int check_folder(const char *path, struct err *e)
{
    char folder[PATH_SIZE];
    folder_of(path, folder);
    return probe(folder, e);
}

/* ---- the file ---- */

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int check_version(const char *path, uint32_t version, struct err *e)
{
    if (version >= 1 && version <= SAVE_VERSION) return OK;
    return err_set(e, E_STORE, "%s: its tables have version %u, this program knows %d; %s", path,
                   version, SAVE_VERSION,
                   version > SAVE_VERSION ? "use a newer grokd" : "no such version was released");
}

/* First page of a database (sqlite.org/fileformat2.html, section 1.3). */
static int check_header(const char *path, struct err *e)
{
    unsigned char head[100] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, E_STORE, "%s: cannot be read", path);
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    if (n != sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
        return err_set(e, E_STORE, "%s: is no SQLite database; it was left as it is", path);
    if (big_endian(head + 68) != SAVE_APPLICATION_ID)
        return err_set(e, E_STORE, "%s: is a database of another program; it was left as it is",
                       path);
    return check_version(path, big_endian(head + 60), e);
}

/* A version that was raised may still stand in the log alone. */
static int check_log(const char *path, struct err *e)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int rc = OK;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW)
        rc = err_set(e, E_STORE, "%s: cannot be read: %s", path, sqlite3_errmsg(db));
    else
        rc = check_version(path, (uint32_t)sqlite3_column_int64(s, 0), e);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return rc;
}

static int fill(const char *path, struct err *e)
{
    sqlite3 *db = NULL;
    char *tables = schema_sql();
    char *text = tables ? sqlite3_mprintf("PRAGMA synchronous = FULL; BEGIN; %s; "
                                          "PRAGMA application_id = %d; PRAGMA user_version = %d; "
                                          "COMMIT;",
                                          tables, SAVE_APPLICATION_ID, SAVE_VERSION)
                        : NULL;
    int rc = OK;
    if (!text)
        rc = err_set(e, E_NOMEM, "%s: no memory for the tables", path);
    else if (sqlite3_open(path, &db) != SQLITE_OK ||
             sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        rc = err_set(e, E_STORE, "%s: the tables cannot be made: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    sqlite3_free(text);
    free(tables);
    return rc;
}

static int sync_folder(const char *path, struct err *e)
{
    char folder[PATH_SIZE];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? err_errno(e, E_STORE, "%s: cannot be synced", folder) : OK;
    if (fd >= 0) close(fd);
    return rc;
}

/* A log belongs to one file only: with another it would be played into the wrong pages. */
static int check_no_log(const char *path, struct err *e)
{
    static const char *const suffixes[] = {"-wal", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        int64_t bytes;
        int rc = size_beside(path, suffixes[i], &bytes, e);
        if (rc < 0) return rc;
        if (bytes > 0)
            return err_set(e, E_STORE,
                           "%s: is missing, but its log (-wal or -journal) is there; put the file "
                           "back or move the log away",
                           path);
    }
    return OK;
}

/* Never in the place of something: a link whose disk is not mounted, or a file that was not seen.
 * NFS knows no such rename, but links. */
static int give_name(const char *fresh, const char *path)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    return link(fresh, path) < 0 ? -1 : unlink(fresh);
}

/* `empty`: a file without a byte has the name already. */
static int make(const char *path, bool empty, struct err *e)
{
    char fresh[PATH_SIZE];
    int rc = check_no_log(path, e);
    if (rc == OK) rc = beside(fresh, path, "-new", e);
    if (rc < 0) return rc;
    remove_all(fresh);
    rc = fill(fresh, e);
    if (rc == OK && empty && unlink(path) < 0)
        rc = err_errno(e, E_STORE, "%s: is empty and cannot be removed", path);
    if (rc == OK && give_name(fresh, path) < 0)
        rc = err_errno(e, E_STORE, "%s: a new database cannot be given this name", path);
    if (rc < 0) {
        remove_all(fresh);
        return rc;
    }
    return sync_folder(path, e);
}

/* ---- while it is open ---- */

static const char *const open_suffix[DB_FILES] = {"", "-wal", "-shm"};

/* Closing would move the log into a file without a name and remove the log by its name: what stands
 * there may be somebody's copy. */
int db_file_still_there(struct db *d, struct err *e)
{
    for (int i = 0; i < DB_FILES; i++) {
        char name[PATH_SIZE];
        struct stat st;
        int rc = beside(name, d->path, open_suffix[i], e);
        if (rc < 0) return rc;
        bool there = stat(name, &st) == 0, first = d->file[i].number == 0;
        if (there && first) d->file[i] = (struct db_file){st.st_dev, st.st_ino};
        if (there && st.st_dev == d->file[i].device && st.st_ino == d->file[i].number) continue;
        sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return err_set(e, E_STORE,
                       "%s: was %s while it was in use: put the right file back and start again",
                       name, there ? "replaced" : "removed");
    }
    return OK;
}

/* Read marks of a log are shared locks of these bytes of its index (sqlite.org/walformat.html,
 * section 2.3.1). Its index is never opened for that: closing it would let go of our own locks. */
#define MARK_FIRST 123
#define MARK_LAST  127

static bool holds_mark(const char *line, ino_t index, long *pid)
{
    char mode[16];
    unsigned long long number, from, to;
    return sscanf(line, "%*d: POSIX %*s %15s %ld %*x:%*x:%llu %llu %llu", mode, pid, &number, &from,
                  &to) == 5 &&
           strcmp(mode, "READ") == 0 && *pid != (long)getpid() && number == index &&
           from >= MARK_FIRST && to <= MARK_LAST;
}

void db_reader(const struct db *d, char out[DB_READER])
{
    char line[256], path[64], name[64] = "";
    long pid = 0;
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && !found && fgets(line, sizeof line, locks))
        found = holds_mark(line, d->file[DB_FILES - 1].number, &pid);
    if (locks) fclose(locks);
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *comm = found ? fopen(path, "re") : NULL;
    if (comm && fgets(name, sizeof name, comm)) name[strcspn(name, "\n")] = '\0';
    if (comm) fclose(comm);
    if (found)
        snprintf(out, DB_READER, "process %ld (%s)", pid, *name ? name : "of another user");
    else
        snprintf(out, DB_READER, "a process");
}

int db_file_check(const char *path, bool *unclean, struct err *e)
{
    int64_t bytes = 0, log = 0;
    *unclean = false;
    int rc = check_folder(path, e);
    if (rc == OK) rc = size_beside(path, "", &bytes, e);
    if (rc < 0) return rc;
    if (bytes <= 0) return make(path, bytes == 0, e);
    rc = check_header(path, e);
    if (rc == OK) rc = size_beside(path, "-wal", &log, e);
    if (rc < 0) return rc;
    *unclean = log > 0;
    return *unclean ? check_log(path, e) : OK;
}
