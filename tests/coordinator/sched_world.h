// SPDX-License-Identifier: MIT
/* sched_world: a scheduler, and a database that is an array. Every event goes in with world_on,
 * which checks the scheduler's tables afterwards, carries the saves out, insists on what the real
 * store would refuse (an attempt that does not rise, work for a run that does not wait, two holders
 * of one run), and writes what was decided as lines:
 *
 *   save assign 1/1 worker 1 Haswell        -> 7 work 1/1 Haswell
 *   save end 1/1 failed waiting f1 l0       -> 7 ack 1/1 4 ended
 *
 * Answers wait until world_answers hands them over, as they would while the disk is busy.
 */
#ifndef GROKD_TESTS_SCHED_WORLD_H
#define GROKD_TESTS_SCHED_WORLD_H

#include "tests/test.h"

#include "coordinator/sched.h"

#define WORLD_RUNS    20000
#define WORLD_EPOCHS  9 /* of every run */
#define WORLD_ANSWERS 20000
#define WORLD_SWEEPS  16
#define WORLD_TEXT    (1 << 20)

struct world_run {
    int64_t sweep, attempt, worker, epochs_done, failures, losses;
    enum run_state state;
    struct save_blas blas;
    int held_by; /* workers that were sent the current attempt: never two */
};

struct world {
    struct sched s;
    struct actions out;
    int64_t now;
    struct world_run *runs; /* [1..run_count] */
    int64_t run_count;
    char (*uuids)[SAVE_NAME];               /* of workers, by number; WORLD_RUNS at most */
    char (*keys)[SAVE_NAME];                /* that they came in with */
    struct save_sweep sweeps[WORLD_SWEEPS]; /* [1..] */
    int64_t sweep_count;
    struct save_answer *answers; /* that wait, WORLD_ANSWERS at most */
    size_t answer_count;
    enum save_verdict verdict; /* of the next EPOCHS, when not STORED */
    char *text;                /* lines of the last events */
    size_t size;
};

/* A coordinator that starts on sweep 1 with so many runs waiting; window: 0 is the default. */
void world_open(struct world *w, int64_t runs, size_t window);
void world_close(struct world *w);

/* Forgets the scheduler, not the database, and starts again. */
void world_restart(struct world *w);

/* Starts again on a sweep 1 that asks for these kernels. */
void world_family(struct world *w, const char *family);

void world_on(struct world *w, const struct event *ev);
void world_answers(struct world *w); /* hands over what waits, and what that leads to */

/* Compares the lines since the last call with these. */
void world_expect(struct world *w, const char *lines);
void world_forget(struct world *w); /* the lines */

/* Common events; each hands over the answers too. A worker's peer is also its uuid "u<peer>" unless
 * said otherwise, its key "key"; it offers Haswell (fingerprint "aa") and Prescott ("bb"). */
void world_hello(struct world *w, uint64_t peer, uint32_t slots);
void world_hello_as(struct world *w, uint64_t peer, const char *uuid, uint32_t slots,
                    const struct event_holding *holdings, size_t count);
void world_epochs(struct world *w, uint64_t peer, int64_t run, int64_t attempt, int64_t first,
                  int64_t last);

/* FINISHED: after the epochs that are still missing, of which no line is written. */
void world_ended(struct world *w, uint64_t peer, int64_t run, int64_t attempt,
                 enum event_outcome outcome);
void world_beat(struct world *w, uint64_t peer, const struct event_holding *holdings, size_t count);
void world_tick(struct world *w, int64_t ms); /* later */
void world_command(struct world *w, enum event_kind kind, int64_t from, int64_t to);
void world_submit(struct world *w, const char *runs);

const struct run *world_find(const struct world *w, int64_t run);

#endif
