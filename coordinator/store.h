// SPDX-License-Identifier: MIT
/* store: the door of SQLite. One thread owns the one read-write connection, does every commit and
 * every checkpoint, and groups what waits: 200 rows or 5 ms, synchronous=FULL.
 *
 * The caller's thread hands over saves and gets a ticket; when `fd` becomes readable it collects
 * answers. A ticket is durable when store_collect returned it. A full disk, no descriptor for a
 * file, another process that writes: the batch is tried again until that is over, store_collect
 * says so. Any other error of the disk: E_STORE from store_collect, and the process must end;
 * memory is never rolled back.
 */
#ifndef GROKD_COORDINATOR_STORE_H
#define GROKD_COORDINATOR_STORE_H

#include "coordinator/save.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* What the database knew when it was opened; freed with store_state_free. */
struct store_state {
    int64_t next_sweep, next_worker;
    struct save_sweep *sweeps; /* active and paused */
    size_t sweep_count;
    struct save_run *running; /* runs that some worker holds */
    size_t running_count;
};

struct store_result {
    uint64_t ticket;             /* everything up to here is durable */
    struct save_answer *answers; /* of the tickets since the last call, in order */
    size_t answer_count;
    bool full;      /* the store waits, and nothing moves meanwhile */
    struct err why; /* if full: for what to be over */
    bool busy;      /* statistics of a sweep are being written, between the tickets */
};

/* Opens or makes the database (gives), starts the thread. A foreign or newer file: E_STORE,
 * untouched. `path` is DIR/results.db; the caller holds DIR's lock. */
int store_open(struct store **out, const char *path, struct store_state *state, struct err *e);

/* Takes the saves' text and message (not the array); returns the ticket of this turn. */
uint64_t store_submit(struct store *s, struct save *saves, size_t count);

/* Descriptor that is readable when there is something to collect (level-triggered, lends). */
int store_fd(const struct store *s);

/* Collects what became durable since the last call; free with store_result_free. */
int store_collect(struct store *s, struct store_result *out, struct err *e);

/* Waits for everything submitted (not for statistics: they go on when it is opened again), closes
 * (journal_mode=DELETE when no sweep is active); NULL is fine. */
void store_close(struct store **s);

void store_state_free(struct store_state *state);
void store_result_free(struct store_result *r);

#endif
