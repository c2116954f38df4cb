// SPDX-License-Identifier: MIT
/* store_help: a store in a folder of its own, and the saves that tests hand to it. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int rc, const struct err *e)
{
    if (rc < 0) fail_msg("%s", e->text);
}

void help_open(struct help *h)
{
    struct err e;
    *h = (struct help){0};
    snprintf(h->dir, sizeof h->dir, "/tmp/grokd-store-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->path, sizeof h->path, "%s/results.db", h->dir);
    must(store_open(&h->store, h->path, &h->state, &e), &e);
}

void help_reopen(struct help *h)
{
    struct err e;
    store_close(&h->store);
    store_state_free(&h->state);
    must(store_open(&h->store, h->path, &h->state, &e), &e);
}

void help_close(struct help *h)
{
    char command[128];
    store_close(&h->store);
    store_state_free(&h->state);
    snprintf(command, sizeof command, "rm -rf '%s'", h->dir);
    assert_int_equal(system(command), 0);
}

static void append(struct store_result *to, struct store_result *from)
{
    size_t count = to->answer_count + from->answer_count;
    struct save_answer *all = realloc(to->answers, (count + 1) * sizeof *all);
    assert_non_null(all);
    if (from->answer_count)
        memcpy(all + to->answer_count, from->answers, from->answer_count * sizeof *all);
    free(from->answers);
    *to = *from;
    to->answers = all;
    to->answer_count = count;
}

struct store_result help_store(struct help *h, struct save *saves, size_t count)
{
    struct err e;
    struct store_result all = {0}, part;
    uint64_t ticket = store_submit(h->store, saves, count);
    struct pollfd p = {.fd = store_fd(h->store), .events = POLLIN};
    do {
        assert_int_equal(poll(&p, 1, 60000), 1);
        must(store_collect(h->store, &part, &e), &e);
        append(&all, &part);
    } while (all.ticket < ticket);
    return all;
}

struct save_answer help_one(struct help *h, struct save s)
{
    struct save_answer a = {0};
    struct store_result r = help_store(h, &s, 1);
    if (r.answer_count) a = r.answers[0];
    a.runs = NULL;
    a.checkpoint = NULL;
    store_result_free(&r);
    return a;
}

char *help_spec(const char *name, int seeds, int priority)
{
    char *text = NULL, axis[64];
    if (seeds > 1)
        snprintf(axis, sizeof axis, "{min: 0, max: %d}", seeds - 1);
    else
        snprintf(axis, sizeof axis, "{value: 0}");
    assert_true(asprintf(&text,
                         "name: %s\nmethod: grid\nparameters:\n  seed: %s\n  epochs: {value: 3}\n"
                         "grokd:\n  priority: %d\n  max_attempts: 5\n",
                         name, axis, priority) > 0);
    return text;
}

static wire_envelope *own(wire_envelope *m)
{
    struct err e;
    uint8_t *bytes;
    size_t size;
    wire_envelope *copy;
    must(wire_pack(m, &bytes, &size, &e), &e);
    must(wire_unpack(&copy, bytes, size, &e), &e);
    free(bytes);
    return copy;
}

struct save help_sweep(int64_t sweep, char *spec)
{
    return (struct save){.kind = SAVE_SWEEP, .sweep = sweep, .at_ms = HELP_AT, .text = spec};
}

struct save help_worker(int64_t worker)
{
    Grokd__Hello hello = GROKD__HELLO__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    hello.uuid = (char *)"f81d4fae-7dec-41d0-a765-00a0c91e6bf6";
    hello.host = (char *)"node7";
    hello.cpu = (char *)"Some Processor";
    hello.slots = 8;
    hello.version = (char *)"0.1.0";
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_HELLO;
    m.hello = &hello;
    return (struct save){
        .kind = SAVE_WORKER, .worker = worker, .at_ms = HELP_AT, .message = own(&m)};
}

struct save help_assign(int64_t run, int64_t attempt, int64_t worker)
{
    struct save s = {
        .kind = SAVE_ASSIGN, .run = run, .attempt = attempt, .worker = worker, .at_ms = HELP_AT};
    snprintf(s.blas.family, sizeof s.blas.family, "Haswell");
    snprintf(s.blas.fingerprint, sizeof s.blas.fingerprint, "%064d", 7);
    return s;
}

struct save help_epochs(int64_t run, int64_t attempt, const struct row *rows, size_t count)
{
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epoch **list = calloc(count + 1, sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < count; i++) list[i] = wire_epoch(&rows[i]);
    epochs.run = run;
    epochs.attempt = attempt;
    epochs.n_epochs = count;
    epochs.epochs = list;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    m.epochs = &epochs;
    struct save s = {
        .kind = SAVE_EPOCHS, .run = run, .attempt = attempt, .at_ms = HELP_AT, .message = own(&m)};
    for (size_t i = 0; i < count; i++) grokd__epoch__free_unpacked(list[i], NULL);
    free(list);
    return s;
}

struct save help_end(int64_t run, int64_t attempt, const char *outcome, enum run_state state)
{
    struct save s = {.kind = SAVE_END,
                     .run = run,
                     .attempt = attempt,
                     .at_ms = HELP_AT + 60000,
                     .run_state = state,
                     .seconds = 1.5};
    snprintf(s.outcome, sizeof s.outcome, "%s", outcome);
    return s;
}

struct row help_row(int64_t run, int64_t epoch)
{
    struct row r;
    row_clear(&r, epoch);
    for (int i = 0; i < METRIC_COUNT; i++)
        r.value[i] = 1.0 / (double)(run * 1000 + epoch * 50 + i + 3);
    r.value[METRIC_compressibility_rule] = 21;
    return r;
}

void help_open_run(struct help *h, int seeds)
{
    help_open(h);
    struct save saves[] = {help_sweep(1, help_spec("demo", seeds, 0)), help_worker(1),
                           help_assign(1, 1, 1)};
    struct store_result r = help_store(h, saves, sizeof saves / sizeof *saves);
    store_result_free(&r);
}

struct save_answer help_rows(struct help *h, int64_t run, int64_t attempt, int64_t from, int64_t to)
{
    struct row rows[16];
    size_t n = 0;
    for (int64_t e = from; e <= to; e++) rows[n++] = help_row(run, e);
    return help_one(h, help_epochs(run, attempt, rows, n));
}

static sqlite3_stmt *ask(const struct help *h, const char *sql, sqlite3 **db)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open_v2(h->path, db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(*db, 5000);
    if (sqlite3_prepare_v2(*db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) == SQLITE_ERROR)
        fail_msg("%s: %s", sql, sqlite3_errmsg(*db));
    return s;
}

int64_t help_int(const struct help *h, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s = ask(h, sql, &db);
    int64_t value = sqlite3_data_count(s) && sqlite3_column_type(s, 0) != SQLITE_NULL
                        ? sqlite3_column_int64(s, 0)
                        : INT64_MIN;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

double help_real(const struct help *h, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s = ask(h, sql, &db);
    double value = sqlite3_column_double(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

const char *help_text(const struct help *h, const char *sql)
{
    static char text[1 << 17];
    sqlite3 *db;
    sqlite3_stmt *s = ask(h, sql, &db);
    const unsigned char *found = sqlite3_data_count(s) ? sqlite3_column_text(s, 0) : NULL;
    snprintf(text, sizeof text, "%s", found ? (const char *)found : "NULL");
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

int64_t help_again(struct help *h, int64_t run)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT attempt FROM runs WHERE run_id = %lld", (long long)run);
    int64_t attempt = help_int(h, sql);
    struct save saves[] = {help_end(run, attempt, "lost", RUN_WAITING),
                           {.kind = SAVE_RETRY, .sweep = 1, .at_ms = HELP_AT},
                           help_assign(run, attempt + 1, 1)};
    struct store_result r = help_store(h, saves, 3);
    store_result_free(&r);
    return attempt + 1;
}
