// SPDX-License-Identifier: MIT
/* store_db: the connection of the store and its statements; private to store*.c.
 *
 * Every function that asks SQLite for something returns OK, E_FULL (no room, or another process
 * writes just now: the transaction must be rolled back and may be tried again) or E_STORE.
 */
#ifndef GROKD_COORDINATOR_STORE_DB_H
#define GROKD_COORDINATOR_STORE_DB_H

#include "common/err.h"
#include "coordinator/clouds.h"
#include "coordinator/save.h"
#include "coordinator/store.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sql {
#define SQL(name, text) SQL_##name,
#include "coordinator/store_sql.def"
#undef SQL
    SQL_COUNT
};

#define KEEP_NAME 128 /* bytes of a path within the folder of the database */

/* The file, its log and the log's index; number 0: not seen yet. */
#define DB_FILES 3
struct db_file {
    dev_t device;
    ino_t number;
};

struct db {
    sqlite3 *handle;
    const char *path; /* lent */
    sqlite3_stmt *statement[SQL_COUNT];
    int wal_frames; /* of the last commit */
    struct db_file file[DB_FILES];
    struct clouds *clouds;     /* that new sketches go to, lent; NULL: none */
    char (*doomed)[KEEP_NAME]; /* files that go with the next commit (store_keep) */
    size_t doomed_count;
    struct upload *uploads; /* files that come in parts (store_upload) */
    size_t upload_count;
};

/* Checks the folder and the file, makes the file if there is none, opens it, prepares all
 * statements. Close it with db_close in any case. */
int db_open(struct db *d, const char *path, struct err *e);

/* Closes; `at_rest`: leaves the file in journal_mode=DELETE, so that it can be read from a place
 * that cannot be written. */
void db_close(struct db *d, bool at_rest);

int db_begin(struct db *d, struct err *e);
int db_commit(struct db *d, struct err *e); /* E_STORE too when the file is gone from its name */
void db_rollback(struct db *d);

/* Moves what it can from the write-ahead log to the file, without waiting; DB_LOG_BEGIN: waits so
 * long for readers of the log that the next commit can write over its beginning; DB_LOG_CUT: and
 * makes it short at once. What cannot be had, for readers or for want of room, is left for later:
 * wal_frames is then not 0. E_STORE. */
enum db_log { DB_LOG_MOVE, DB_LOG_BEGIN, DB_LOG_CUT };
int db_checkpoint(struct db *d, enum db_log how, int wait_ms, struct err *e);

/* Binds the parameters of a statement in order, one letter each:
 *   i int64_t   n int64_t (INT64_MIN: NULL)   t const char * (NULL: NULL)   d double (NaN: NULL)
 *   s const float *: a sketch (NULL: NULL)   b const void *, size_t: bytes
 * Texts and sketches are lent until the statement is done. Gives NULL and fills e on failure. */
sqlite3_stmt *db_bind(struct db *d, enum sql which, struct err *e, const char *types, ...);

/* 1: a row is there; 0: no more, the statement is done; negative: failed, the statement is done. */
int db_step(struct db *d, sqlite3_stmt *s, struct err *e);

/* Ends a statement that may have more rows. */
void db_done(sqlite3_stmt *s);

/* Binds and runs a statement without rows. */
int db_do(struct db *d, enum sql which, struct err *e, const char *types, ...);

/* One integer: the first column of the first row; `absent` when there is none. */
int db_integer(struct db *d, int64_t *out, int64_t absent, enum sql which, struct err *e,
               const char *types, ...);

/* Fills e with what SQLite says happened to `what`, and returns E_FULL or E_STORE. */
int db_fail(struct db *d, struct err *e, const char *what);

/* Copies a text column, cut to size; NULL gives "". */
void db_text(sqlite3_stmt *s, int column, char *out, size_t size);

/* ---- store_migrate.c ---- */

/* Brings older tables up to SAVE_VERSION, after a copy of the file. */
int db_migrate(struct db *d, struct err *e);

/* ---- store_file.c ---- */

/* Checks folder and file, makes the file if there is none; *unclean: it was not closed properly. */
int db_file_check(const char *path, bool *unclean, struct err *e);

/* Whether the names still lead to the files that were there when this was first asked: E_STORE if
 * one was removed or replaced, since what is written then goes where nobody will find it. Asked
 * after a commit: SQLite makes the log with the first one. */
int db_file_still_there(struct db *d, struct err *e);

/* Who keeps an old view of the database open: "process 4711 (sqlite3)", or "a process" if that is
 * not to be found out. */
#define DB_READER 128
void db_reader(const struct db *d, char out[DB_READER]);

/* ---- store_schema.c ---- */

/* Whether runs of one setting may differ in a hyperparameter. */
bool schema_is_seed(int param);

/* The text of the tables, with every column written out (gives, free); NULL: no memory. */
char *schema_sql(void);

/* A statement with @hyperparameters, @epochs, @geometry (names, commas between) and the same with ?
 * at the end (as many question marks) written out (gives, free). */
char *schema_expand(const char *text);

/* ---- store_save.c, store_sweep.c, store_epochs.c, store_notes.c, store_end.c, store_load.c: what
 * saves do ----
 */

/* Carries out one save within the open transaction; *answered says whether *a is an answer. Rows
 * written are added to *rows. */
int save_apply(struct db *d, const struct save *s, struct save_answer *a, bool *answered,
               size_t *rows, struct err *e);

int save_sweep(struct db *d, const struct save *s, struct save_answer *a, size_t *rows,
               struct err *e);
int save_sweep_state(struct db *d, const struct save *s, struct save_answer *a, struct err *e);
int save_retry(struct db *d, const struct save *s, struct save_answer *a, struct err *e);
int save_epochs(struct db *d, const struct save *s, struct save_answer *a, size_t *rows,
                struct err *e);
int save_end(struct db *d, const struct save *s, struct save_answer *a, struct err *e);
int save_stiff(struct db *d, const struct save *s, size_t *rows, struct err *e);
int save_fetch(struct db *d, const struct save *s, struct save_answer *a, struct err *e);

/* A sweep whose runs are all over is done, one that has some again is active. */
int save_sweep_settle(struct db *d, int64_t sweep, struct err *e);

/* Words of enum run_state and enum sweep_state, as stored. */
const char *save_run_word(enum run_state s);
const char *save_sweep_word(enum sweep_state s);

/* Events about values of a new row that should not be as they are: one for each run and matter. */
int save_notes(struct db *d, const struct save *s, const struct row *r, struct err *e);

/* A row of events about the run and worker of a save. */
int save_event(struct db *d, const struct save *s, const char *kind, const char *text,
               struct err *e);

/* Empty texts are NULL in the tables. */
const char *save_text_or_null(const char *text);

/* Rows of SQL_RUNS_TO_SERVE or SQL_RUNS_HELD, added to *runs (gives). */
int load_runs(struct db *d, sqlite3_stmt *s, struct save_run **runs, size_t *count, struct err *e);

/* Counts and settings of a sweep: 1; 0: there is none of that number. */
int load_sweep(struct db *d, int64_t sweep, struct save_sweep *out, struct err *e);
int load_state(struct db *d, struct store_state *out, struct err *e);

/* One hyperparameter to and from a column of its own type. */
int db_bind_param(sqlite3_stmt *s, int position, const struct params *p, int index);
int db_param(sqlite3_stmt *s, int column, struct params *p, int index, struct err *e);

#endif
