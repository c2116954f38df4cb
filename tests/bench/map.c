// SPDX-License-Identifier: MIT
/* map: how long the joint map of a sweep takes, from a database that holds its sketches and nothing
 * else: reading, moments, axes, placing, writing. On one core; the promise is 10 s for 100,000.
 *
 *     map [SKETCHES]
 */
#include "common/clock.h"
#include "coordinator/store.h"
#include "proto/sketch.h"

#include <math.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PER_RUN    1000
#define MOST_MS    10000
#define PROMISE_OF 100000

static int fail(const char *what)
{
    fprintf(stderr, "map: %s\n", what);
    return 1;
}

/* Tables of one sweep whose runs have PER_RUN sketches each, not far from a sphere of dimension 20.
 */
static int fill(const char *path, int sketches)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    float y[SKETCH_ROWS];
    const char *rows = "INSERT INTO geometry (run_id, epoch, sketch) VALUES (?, ?, ?)";
    char *tables = sqlite3_mprintf(
        "BEGIN; UPDATE sweeps SET state = 'done'; INSERT INTO evaluations VALUES (1, 'x', "
        "'modular_addition', 1, 113, 256, zeroblob(1024), x'0000803f%02040d'); "
        "UPDATE runs SET evaluation_id = 1",
        0); /* truth: 1, 0, 0, ... */
    int ok = sqlite3_open(path, &db) == SQLITE_OK &&
             sqlite3_exec(db, tables, NULL, NULL, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(db, rows, -1, &s, NULL) == SQLITE_OK;
    for (int i = 0; i < sketches && ok; i++) {
        for (int k = 0; k < SKETCH_ROWS; k++)
            y[k] = (float)(sin(0.01 * i * (k % 20 + 1) + k) / sqrt(SKETCH_ROWS));
        sqlite3_bind_int(s, 1, 1 + i / PER_RUN);
        sqlite3_bind_int(s, 2, i % PER_RUN);
        sqlite3_bind_blob(s, 3, y, sizeof y, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
    }
    ok = ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok) fail(sqlite3_errmsg(db));
    sqlite3_finalize(s);
    sqlite3_free(tables);
    sqlite3_close(db);
    return ok ? 0 : 1;
}

/* Hands over one save and waits until it is durable and nothing is due. */
static int carry_out(const char *path, struct save s)
{
    struct store *store = NULL;
    struct store_state state;
    struct store_result r = {0};
    struct err e = {0};
    int rc = store_open(&store, path, &state, &e);
    uint64_t ticket = rc == OK ? store_submit(store, &s, 1) : 0;
    while (rc == OK && (r.ticket < ticket || r.busy)) {
        struct pollfd p = {.fd = store_fd(store), .events = POLLIN};
        poll(&p, 1, -1);
        rc = store_collect(store, &r, &e);
        store_result_free(&r);
    }
    if (rc < 0) fail(e.text);
    store_close(&store);
    store_state_free(&state);
    return rc < 0;
}

static int measure(const char *path, int sketches)
{
    struct rusage used;
    char spec[128];
    snprintf(spec, sizeof spec, "name: map\nmethod: grid\nparameters:\n  seed: {min: 0, max: %d}\n",
             (sketches + PER_RUN - 1) / PER_RUN);
    if (carry_out(path, (struct save){.kind = SAVE_SWEEP, .sweep = 1, .text = strdup(spec)}) ||
        fill(path, sketches))
        return 1;
    int64_t start = clock_now_ms();
    if (carry_out(path, (struct save){.kind = SAVE_AGGREGATE, .sweep = 1, .count = 1})) return 1;
    int64_t ms = clock_now_ms() - start;
    getrusage(RUSAGE_SELF, &used);
    printf("map of %d sketches: %.2f s, %ld MiB (promised: %d in 10 s)\n", sketches,
           (double)ms / 1e3, used.ru_maxrss / 1024, PROMISE_OF);
    return sketches >= PROMISE_OF && ms > MOST_MS;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/grokd-map-XXXXXX", path[64], command[64];
    int sketches = argc > 1 ? atoi(argv[1]) : PROMISE_OF;
    if (sketches < 1 || !mkdtemp(dir)) return fail("usage: map [SKETCHES]");
    snprintf(path, sizeof path, "%s/results.db", dir);
    int rc = measure(path, sketches);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) || rc;
}
