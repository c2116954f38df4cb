// SPDX-License-Identifier: MIT
/* save: what the hub hands to the store, and what the store says back. The two rooms share this
 * page and nothing else. Saves of one turn get one ticket and are carried out in order; the answers
 * of a ticket arrive together, after its transaction is durable.
 *
 * Identifiers of sweeps, workers and attempts are chosen by the scheduler (counters that the store
 * reads out at start), those of runs by the store.
 */
#ifndef GROKD_COORDINATOR_SAVE_H
#define GROKD_COORDINATOR_SAVE_H

#include "proto/param.h"
#include "proto/settings.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* Marks of results.db: "GRKD" in its header, and the version of its tables. */
#define SAVE_APPLICATION_ID 0x47524b44
#define SAVE_VERSION        2

#define SAVE_NAME   64 /* family names, states */
#define SAVE_REASON 256

/* States as stored in runs.state and sweeps.state. */
enum run_state { RUN_WAITING, RUN_RUNNING, RUN_FINISHED, RUN_FAILED, RUN_CANCELLED };
enum sweep_state { SWEEP_ACTIVE, SWEEP_PAUSED, SWEEP_CANCELLED, SWEEP_DONE };

/* What one save does. `text` and `message` are taken: the store frees them. */
#define SAVE_LIST(X)                                                                               \
    X(SAVE_SWEEP)       /* sweep; text = spec file; its points become waiting runs */              \
    X(SAVE_SWEEP_STATE) /* sweep, sweep_state; cancelled: waiting runs become cancelled */         \
    X(SAVE_RETRY)       /* sweep, revive, fresh: failed runs wait again, failures and losses 0 */  \
    X(SAVE_WORKER)      /* worker, key; message = the Hello: insert or refresh, state connected */ \
    X(SAVE_WORKER_SEEN) /* worker: it was heard just now */                                        \
    X(SAVE_WORKER_GONE) /* worker, reason: "left", "lost" or "quarantined" */                      \
    X(SAVE_ASSIGN)      /* run, attempt, worker, blas: state running, a row in attempts */         \
    X(SAVE_EPOCHS) /* run, attempt; message = the Epochs: inserted if the attempt is current */    \
    X(SAVE_PART)   /* run, attempt; message = the Part: a piece of a file that Epochs will name */ \
    X(SAVE_READ)   /* no save: run, attempt, count = offset: a piece of the newest checkpoint */   \
    X(SAVE_END)    /* run, attempt, outcome, run_state, failures, losses, reason, seconds,         \
                      text = log tail: closes the attempt; FINISHED computes summaries */          \
    X(SAVE_FORGIVE)   /* run, failures, losses: counts so many less, unless it is over */          \
    X(SAVE_CANCEL)    /* run, reason: run and its open attempt end as cancelled */                 \
    X(SAVE_AGGREGATE) /* sweep..count (INT64_MIN: the newest) get their seed_stats and so on */    \
    X(SAVE_STIFF)     /* run; text = lines of stiff.h: in the place of those from their first      \
                         epoch on, if the run is finished */                                       \
    X(SAVE_EVENT)     /* run, worker (0: none), blas.family = kind, text = sentence */             \
    X(SAVE_FETCH)     /* no save: answers with up to `count` waiting runs of active sweeps,        \
                         priority first, then run_id; text = what is left out, lines with a line   \
                         end before the first: "kernels FAMILY FINGERPRINT" are the runs that are  \
                         bound to them, having an epoch, "sweep N" those of it that have none */

enum save_kind {
#define X(name) name,
    SAVE_LIST(X)
#undef X
};

struct save_blas {
    char family[SAVE_NAME];
    char fingerprint[65];
};

struct save {
    enum save_kind kind;
    int64_t sweep, run, attempt, worker;
    int64_t at_ms; /* wall clock, milliseconds since 1970, for the reader; decides nothing */
    struct save_blas blas;
    char outcome[SAVE_NAME]; /* of an attempt: finished, failed, lost, returned, cancelled, stale */
    enum run_state run_state;
    enum sweep_state sweep_state;
    int64_t failures, losses, count;
    bool revive; /* RETRY: a cancelled sweep too, which is then active again */
    bool fresh;  /* RETRY: what the runs reported is deleted first */
    double seconds;
    char key[SAVE_NAME]; /* WORKER: name of the key that it came in with */
    char reason[SAVE_REASON];
    char *text;
    wire_envelope *message;
};

/* A run as the scheduler needs it. */
struct save_run {
    int64_t run, sweep, priority;
    int64_t attempt;            /* the last one given out; 0: none yet */
    int64_t worker;             /* that holds it, if running */
    char holder[SAVE_NAME];     /* its uuid; empty in answers to FETCH */
    char holder_key[SAVE_NAME]; /* name of its key; empty: not known */
    int64_t epochs_done;        /* last stored epoch; -1: none */
    int64_t failures, losses;
    struct save_blas blas; /* of its first attempt; empty: none yet */
    struct params params;  /* resolved */
};

/* A sweep as the scheduler needs it. */
struct save_sweep {
    int64_t sweep, priority;
    enum sweep_state state;
    int64_t waiting, running, finished, failed, cancelled; /* runs */
    struct settings settings;
};

/* What came of a save. Only those that need an answer have one: SWEEP, RETRY, SWEEP_STATE (counts),
 * EPOCHS, PART, READ, END, FETCH, ASSIGN (if there is a checkpoint), CANCEL (sweep; STALE: the run
 * is over or unknown). */
enum save_verdict {
    VERDICT_STORED,
    VERDICT_STALE, /* EPOCHS, PART, READ, END: the attempt is not the run's current one, or the run
                      is over */
    VERDICT_DIFFERS, /* EPOCHS: a replayed epoch is not bit-equal; the run has failed with that,
                        reason says where */
    VERDICT_GAP,     /* EPOCHS: an epoch or file before these never came; PART: what is before it */
    VERDICT_REFUSED  /* SWEEP: reason says why */
};

struct save_answer {
    enum save_kind kind;
    enum save_verdict verdict;
    int64_t sweep, run, attempt;
    /* EPOCHS: last stored of this attempt's message; ASSIGN, PART, READ: the file's. */
    int64_t epoch;
    struct save_sweep totals; /* SWEEP, SWEEP_STATE, RETRY */
    int64_t added;            /* SWEEP: runs that are new; RETRY: runs that wait again */
    struct save_run *runs;    /* FETCH: the store's until the answers are freed (lends) */
    size_t run_count;
    /* ASSIGN: where the run can go on; READ: a part of that. The store's unless taken (set to
     * NULL).
     */
    uint8_t *checkpoint;
    size_t checkpoint_size;
    Grokd__FileKind file_kind; /* PART */
    size_t held;               /* PART: bytes of the file that are here; READ: offset of the part */
    size_t file_size;          /* ASSIGN: of a checkpoint too large for a message, READ; else 0 */
    char reason[SAVE_REASON];
};

#endif
