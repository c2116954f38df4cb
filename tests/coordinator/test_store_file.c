// SPDX-License-Identifier: MIT
/* Tests of what the store does before it opens a file: refuses what is not its own, untouched. */
#include "common/file.h"
#include "common/hash.h"
#include "coordinator/store_db.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder with whatever `command` makes of $DB. */
static void prepare(struct help *h, const char *command)
{
    char line[1024];
    *h = (struct help){0};
    snprintf(h->dir, sizeof h->dir, "/tmp/grokd-store-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->path, sizeof h->path, "%s/results.db", h->dir);
    snprintf(line, sizeof line, "DB=%s; %s", h->path, command);
    assert_int_equal(system(line), 0);
}

static void fingerprint(const struct help *h, char hex[HASH_HEX])
{
    char *data;
    size_t size;
    struct err e;
    if (file_read(h->path, 1 << 26, &data, &size, &e) < 0) fail_msg("%s", e.text);
    hash_sha256_hex(data, size, hex);
    free(data);
}

static void refused_untouched(const char *command, const char *why)
{
    struct help h;
    struct err e = {0};
    char before[HASH_HEX], after[HASH_HEX];
    prepare(&h, command);
    fingerprint(&h, before);
    assert_int_equal(store_open(&h.store, h.path, &h.state, &e), E_STORE);
    if (!strstr(e.text, why)) fail_msg("no '%s' in: %s", why, e.text);
    fingerprint(&h, after);
    assert_string_equal(before, after);
    help_close(&h);
}

void test_a_database_of_another_program_is_left_as_it_is(void **state)
{
    (void)state;
    refused_untouched("sqlite3 $DB 'PRAGMA application_id = 77; CREATE TABLE t (x)'",
                      "another program");
    refused_untouched("sqlite3 $DB 'CREATE TABLE t (x)'", "another program");
    refused_untouched("sqlite3 $DB 'PRAGMA journal_mode = WAL; CREATE TABLE t (x)' >/dev/null",
                      "another program");
}

void test_a_file_that_is_no_database_is_left_as_it_is(void **state)
{
    (void)state;
    refused_untouched("echo 'my notes' > $DB", "no SQLite database");
    refused_untouched("head -c 8192 /dev/zero > $DB", "no SQLite database");
}

void test_a_newer_database_is_left_as_it_is(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command,
             "sqlite3 $DB 'PRAGMA application_id = %d; PRAGMA user_version = %d; "
             "CREATE TABLE t (x)'",
             SAVE_APPLICATION_ID, SAVE_VERSION + 1);
    refused_untouched(command, "use a newer grokd");
}

/* The raised version stands in the log alone: a copy of file and log while a writer is at it. */
void test_a_newer_version_in_the_log_is_seen(void **state)
{
    (void)state;
    refused_untouched("sqlite3 $DB.a 'PRAGMA application_id = 0x47524b44; PRAGMA user_version = 1; "
                      "CREATE TABLE t (x)'; "
                      "sqlite3 $DB.a 'PRAGMA journal_mode = WAL' 'PRAGMA user_version = 9' "
                      "'.shell cp '$DB'.a '$DB' && cp '$DB'.a-wal '$DB'-wal' >/dev/null",
                      "version 9");
}

void test_a_log_without_its_file_is_not_mixed_with_a_new_one(void **state)
{
    (void)state;
    struct help h;
    struct err e = {0};
    prepare(&h, "echo 'a log' > $DB-wal");
    assert_int_equal(store_open(&h.store, h.path, &h.state, &e), E_STORE);
    assert_non_null(strstr(e.text, "is missing, but its log"));
    assert_int_equal(access(h.path, F_OK), -1);
    help_close(&h);
}

/* A link stands for a file that is out of reach; what it was must be there afterwards. */
static void refused_for_a_link(const char *to, const char *why)
{
    struct help h;
    struct err e = {0};
    char line[512];
    snprintf(line, sizeof line, "ln -s %s $DB", to);
    prepare(&h, line);
    assert_int_equal(store_open(&h.store, h.path, &h.state, &e), E_STORE);
    if (!strstr(e.text, why)) fail_msg("no '%s' in: %s", why, e.text);
    snprintf(line, sizeof line, "test \"$(readlink %s)\" = %s && ! ls %s | grep -v '^results.db$'",
             h.path, to, h.dir);
    assert_int_equal(system(line), 0);
    help_close(&h);
}

void test_a_file_that_cannot_be_looked_at_is_not_taken_for_one_that_is_missing(void **state)
{
    (void)state;
    refused_for_a_link("results.db", "results.db: cannot be looked at: ");
}

void test_a_link_to_a_disk_that_is_not_there_is_not_replaced(void **state)
{
    (void)state;
    refused_for_a_link("/not/mounted/results.db", "results.db: a new database cannot be given this "
                                                  "name: File exists");
}

void test_a_folder_that_is_missing_or_closed_is_named(void **state)
{
    (void)state;
    struct store *s;
    struct store_state known;
    struct err e = {0};
    assert_int_equal(store_open(&s, "/nowhere/at/all/results.db", &known, &e), E_STORE);
    assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

void test_a_half_made_file_of_a_crash_is_made_again(void **state)
{
    (void)state;
    struct help h;
    struct err e = {0};
    prepare(&h, "echo half > $DB-new; : > $DB");
    if (store_open(&h.store, h.path, &h.state, &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM runs"), 0);
    char left[128];
    snprintf(left, sizeof left, "%s-new", h.path);
    assert_int_equal(access(left, F_OK), -1);
    help_close(&h);
}

void test_the_probe_leaves_nothing_behind(void **state)
{
    (void)state;
    struct help h;
    char command[128];
    help_open(&h);
    snprintf(command, sizeof command, "! ls -A %s | grep -v '^results.db'", h.dir);
    assert_int_equal(system(command), 0);
    help_close(&h);
}

void test_without_active_sweeps_the_file_can_be_read_where_nothing_can_be_written(void **state)
{
    (void)state;
    struct help h;
    char wal[128];
    help_open(&h);
    snprintf(wal, sizeof wal, "%s-wal", h.path);
    help_one(&h, help_worker(1));
    assert_int_equal(access(wal, F_OK), 0);
    help_reopen(&h);
    help_one(&h, help_sweep(1, help_spec("demo", 2, 0)));
    assert_string_equal(help_text(&h, "PRAGMA journal_mode"), "wal");
    store_close(&h.store);
    assert_string_equal(help_text(&h, "PRAGMA journal_mode"), "wal");
    help_reopen(&h);
    help_one(&h,
             (struct save){.kind = SAVE_SWEEP_STATE, .sweep = 1, .sweep_state = SWEEP_CANCELLED});
    store_close(&h.store);
    assert_string_equal(help_text(&h, "PRAGMA journal_mode"), "delete");
    assert_int_equal(access(wal, F_OK), -1);
    help_close(&h);
}

/* Removes a file of the open database, or puts a copy in its place; then one more save. */
static void missed(const char *command, const char *why)
{
    struct help h;
    struct err e = {0};
    struct store_result r;
    char line[1024];
    help_open_run(&h, 2);
    assert_int_equal(help_rows(&h, 1, 1, 0, 3).verdict, VERDICT_STORED);
    snprintf(line, sizeof line, "cd %s && %s", h.dir, command);
    assert_int_equal(system(line), 0);
    struct save s = help_worker(2);
    store_submit(h.store, &s, 1);
    struct pollfd p = {.fd = store_fd(h.store), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(store_collect(h.store, &r, &e), E_STORE);
    if (!strstr(e.text, why)) fail_msg("no '%s' in: %s", why, e.text);
    store_close(&h.store);
    help_close(&h);
}

void test_a_file_that_goes_from_its_name_under_way_stops_the_store(void **state)
{
    (void)state;
    missed("mv results.db away", "results.db: was removed while it was in use");
    missed("rm results.db-wal", "results.db-wal: was removed");
    missed("rm results.db-shm", "results.db-shm: was removed");
    missed("cp results.db copy && mv copy results.db", "results.db: was replaced");
    missed("cp results.db-wal copy && mv copy results.db-wal", "results.db-wal: was replaced");
}

/* The log that another file brought along stays as it is when the store closes. */
void test_what_took_the_place_of_the_file_is_left_as_it_is(void **state)
{
    (void)state;
    struct help h;
    struct save s = help_worker(2);
    struct err e;
    struct store_result r;
    char line[1024];
    help_open_run(&h, 2);
    snprintf(line, sizeof line, "cd %s && mkdir away && mv results.db* away && cp away/* .", h.dir);
    assert_int_equal(system(line), 0);
    store_submit(h.store, &s, 1);
    struct pollfd p = {.fd = store_fd(h.store), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(store_collect(h.store, &r, &e), E_STORE);
    store_close(&h.store);
    snprintf(line, sizeof line, "cd %s && test -s results.db-wal && test -s away/results.db-wal",
             h.dir);
    assert_int_equal(system(line), 0);
    help_reopen(&h);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM workers"), 1);
    help_close(&h);
}

/* A reader is another process with a transaction open; before and after there is none. */
void test_who_keeps_an_old_view_open_is_named(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    struct db db = {0};
    char line[512], who[DB_READER], right[DB_READER], byte;
    int ready[2], done[2];
    help_open_run(&h, 2);
    db.path = h.path;
    if (db_file_still_there(&db, &e) < 0) fail_msg("%s", e.text);
    db_reader(&db, who);
    assert_string_equal(who, "a process");
    assert_int_equal(pipe(ready) | pipe(done), 0);
    snprintf(line, sizeof line,
             "exec sqlite3 %s BEGIN 'SELECT count(*) FROM runs' '.shell echo >&%d' "
             "'.shell head -c1 <&%d' >/dev/null",
             h.path, ready[1], done[0]);
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    db_reader(&db, who);
    snprintf(right, sizeof right, "process %ld (sqlite3)", (long)child);
    assert_string_equal(who, right);
    assert_int_equal(write(done[1], "x", 1), 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    db_reader(&db, who);
    assert_string_equal(who, "a process");
    for (int i = 0; i < 2; i++) close(ready[i]), close(done[i]);
    help_close(&h);
}
