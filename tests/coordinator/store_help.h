// SPDX-License-Identifier: MIT
/* store_help: a store in a folder of its own, and the saves that tests hand to it. */
#ifndef GROKD_TESTS_COORDINATOR_STORE_HELP_H
#define GROKD_TESTS_COORDINATOR_STORE_HELP_H

#include "coordinator/store.h"

#include <sqlite3.h>

#define HELP_AT 1769860800000 /* 2026-01-31T12:00:00.000Z */

/* A store and its folder; `state` is what it knew when it was opened. */
struct help {
    char dir[64], path[96];
    struct store *store;
    struct store_state state;
};

void help_open(struct help *h);   /* a new folder */
void help_reopen(struct help *h); /* closes, opens again */
void help_close(struct help *h);  /* and removes the folder */

/* Hands over saves and waits until they are durable; the answers are the caller's to free. */
struct store_result help_store(struct help *h, struct save *saves, size_t count);

/* One save, and its one answer (whose runs are copied nowhere: use help_store for FETCH). */
struct save_answer help_one(struct help *h, struct save s);

/* A sweep of one axis, `seeds` runs of 3 epochs: its file (gives). */
char *help_spec(const char *name, int seeds, int priority);

/* Saves. */
struct save help_sweep(int64_t sweep, char *spec);
struct save help_worker(int64_t worker);
struct save help_assign(int64_t run, int64_t attempt, int64_t worker);
struct save help_epochs(int64_t run, int64_t attempt, const struct row *rows, size_t count);
struct save help_end(int64_t run, int64_t attempt, const char *outcome, enum run_state state);

/* A new folder with sweep 1 of `seeds` runs and worker 1, which has run 1. */
void help_open_run(struct help *h, int seeds);

/* The attempt of a run is lost, and the next one begins: its number. After a difference nothing of
 * the old one is believed. */
int64_t help_again(struct help *h, int64_t run);

/* Epochs from..to of an attempt (16 at most), as help_row makes them, in one message. */
struct save_answer help_rows(struct help *h, int64_t run, int64_t attempt, int64_t from,
                             int64_t to);

/* A row whose every value is a function of run and epoch; no pruning. */
struct row help_row(int64_t run, int64_t epoch);

/* The database through a connection of its own, read-only: first column of the first row; texts
 * last until the next call. */
int64_t help_int(const struct help *h, const char *sql);
double help_real(const struct help *h, const char *sql);
const char *help_text(const struct help *h, const char *sql);

#endif
