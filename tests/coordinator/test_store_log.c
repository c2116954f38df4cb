// SPDX-License-Identifier: MIT
/* The write-ahead log of the store: short though readers follow one another, and moved into the
 * file or else nothing is stored any more. */
#include "common/clock.h"
#include "common/thread.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     1048576
#define READERS 3
#define WRITES  144

/* Fills 257 pages of the log. */
static struct save large(void)
{
    struct save s = {.kind = SAVE_EVENT, .at_ms = HELP_AT, .text = malloc(MIB + 1)};
    assert_non_null(s.text);
    memset(s.text, 'x', MIB);
    s.text[MIB] = '\0';
    snprintf(s.blas.family, sizeof s.blas.family, "large");
    return s;
}

static int64_t log_bytes(const struct help *h)
{
    char name[128];
    struct stat st;
    snprintf(name, sizeof name, "%s-wal", h->path);
    return stat(name, &st) == 0 ? st.st_size : 0;
}

struct reader {
    const char *path;
    struct thread *thread;
};

static atomic_bool reading;

/* One view after the other, each open while a count goes on. */
static void read_on(void *ctx)
{
    static const char sql[] =
        "BEGIN; SELECT count(*) FROM sweeps; WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL "
        "SELECT x + 1 FROM c LIMIT 20000) SELECT count(*) FROM c; COMMIT";
    const struct reader *r = ctx;
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
        while (atomic_load(&reading)) sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
}

void test_readers_that_follow_one_another_do_not_make_the_log_grow_for_ever(void **state)
{
    (void)state;
    struct help h;
    struct err e;
    struct reader readers[READERS];
    int64_t most = 0;
    if (test_short()) skip(); /* a view of a hundredfold time outlasts all patience */
    help_open_run(&h, 1);
    atomic_store(&reading, true);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.path = h.path};
        if (thread_start(&readers[i].thread, "reader", read_on, &readers[i], &e) < 0)
            fail_msg("%s", e.text);
    }
    for (int i = 0; i < WRITES; i++) {
        help_one(&h, large());
        if (log_bytes(&h) > most) most = log_bytes(&h);
    }
    atomic_store(&reading, false);
    for (int i = 0; i < READERS; i++) thread_join(&readers[i].thread);
    print_message("%d MiB written, the log had at most %lld MiB\n", WRITES,
                  (long long)(most / MIB));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'large'"), WRITES);
    assert_true(most < 112 * MIB);
    help_close(&h);
}

/* ---- a view that outlasts the last ticket ---- */

static int64_t file_bytes(const struct help *h)
{
    struct stat st;
    return stat(h->path, &st) == 0 ? st.st_size : 0;
}

/* A view that reads from the log, of which what comes later cannot be moved while it lasts. */
static sqlite3 *begin_view(struct help *h)
{
    sqlite3 *view = NULL;
    assert_int_equal(sqlite3_open_v2(h->path, &view, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (int64_t log = 0; log == 0;) { /* a slow machine may have cut it in between */
        help_one(h, large());
        sqlite3_exec(view, "ROLLBACK", NULL, NULL, NULL);
        assert_int_equal(sqlite3_exec(view, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL),
                         SQLITE_OK);
        log = log_bytes(h);
    }
    return view;
}

void test_the_log_is_cut_when_the_last_view_ends_though_nothing_more_comes(void **state)
{
    (void)state;
    struct help h;
    int64_t end = clock_now_ms() + 30000;
    help_open_run(&h, 1);
    sqlite3 *view = begin_view(&h);
    help_one(&h, large());
    while (file_bytes(&h) < MIB && clock_now_ms() < end) poll(NULL, 0, 10);
    assert_true(file_bytes(&h) >= MIB); /* it was tried, and must fail */
    assert_true(log_bytes(&h) > MIB);
    assert_int_equal(sqlite3_close(view), SQLITE_OK);
    while (log_bytes(&h) > 0 && clock_now_ms() < end) poll(NULL, 0, 10);
    assert_int_equal(log_bytes(&h), 0);
    help_close(&h);
}

/* ---- a file that cannot be written ---- */

static atomic_bool fails;

/* Only of the file itself; its log can be written. */
static ssize_t no_write(int fd, const void *bytes, size_t size, off_t at)
{
    char link[64], name[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (!atomic_load(&fails) || n < 3 || strcmp(name + n - 3, ".db") != 0)
        return pwrite(fd, bytes, size, at);
    errno = EIO;
    return -1;
}

/* Until the store says that it has failed; the saves that it answered before. */
static void ends_with_an_error(struct help *h)
{
    struct store_result r;
    struct err e = {0};
    struct pollfd p = {.fd = store_fd(h->store), .events = POLLIN};
    int rc = OK;
    while (rc == OK) {
        assert_int_equal(poll(&p, 1, 10000), 1);
        rc = store_collect(h->store, &r, &e);
        store_result_free(&r);
    }
    assert_int_equal(rc, E_STORE);
    assert_non_null(strstr(e.text, "moving the log into the file: disk I/O error"));
}

static void cannot_be_written(int saves)
{
    struct help h;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr call = (sqlite3_syscall_ptr)no_write;
    help_open_run(&h, 1);
    assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite", call), SQLITE_OK);
    assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", call), SQLITE_OK);
    atomic_store(&fails, true);
    for (int i = 0; i < saves; i++) {
        struct save s = large();
        store_submit(h.store, &s, 1);
    }
    ends_with_an_error(&h);
    store_close(&h.store);
    atomic_store(&fails, false);
    assert_int_equal(vfs->xSetSystemCall(vfs, NULL, NULL), SQLITE_OK);
    help_reopen(&h);
    assert_int_equal(h.state.running_count, 1);
    assert_true(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'large'") >= saves);
    assert_string_equal(help_text(&h, "PRAGMA integrity_check"), "ok");
    help_close(&h);
}

void test_a_file_that_cannot_be_written_stops_the_store_under_way(void **state)
{
    (void)state;
    cannot_be_written(4);
}

void test_a_file_that_cannot_be_written_stops_the_store_at_rest(void **state)
{
    (void)state;
    cannot_be_written(1);
}
