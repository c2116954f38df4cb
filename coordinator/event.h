// SPDX-License-Identifier: MIT
/* event: what happened, as the scheduler is told. One struct for all kinds; the comment at a kind
 * says which fields it reads. Everything is lent for the length of one sched_on.
 */
#ifndef GROKD_COORDINATOR_EVENT_H
#define GROKD_COORDINATOR_EVENT_H

#include "coordinator/save.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_LIST(X)                                                                              \
    X(EVENT_START)     /* first of all: next_sweep, next_worker, sweeps, runs (those running) */   \
    X(EVENT_TICK)      /* time passed; what had arrived has been handed over before */             \
    X(EVENT_FULL)      /* full: whether the store waits; it has changed */                         \
    X(EVENT_HELLO)     /* peer, user, uuid, number, slots, offers, holdings, welcoming; the        \
                          message is saved */                                                      \
    X(EVENT_HEARTBEAT) /* peer, holdings */                                                        \
    X(EVENT_EPOCHS)    /* peer, run, attempt, first, last; the message is saved */                 \
    X(EVENT_PART)      /* peer, run, attempt: of a file of an epoch; the message is saved */       \
    X(EVENT_READ)      /* peer, run, attempt, offset: a part of the run's checkpoint is wanted */  \
    X(EVENT_ENDED)     /* peer, run, attempt, epoch, outcome, final, seconds, reason, log */       \
    X(EVENT_GOODBYE)   /* peer */                                                                  \
    X(EVENT_ANSWER)    /* answer: what came of an earlier save */                                  \
    X(EVENT_SUBMIT)    /* peer (of the local endpoint), text: the sweep file */                    \
    X(EVENT_PAUSE)     /* peer, ranges of sweeps: running runs go on, no more are handed out */    \
    X(EVENT_RESUME)    /* peer, ranges of sweeps */                                                \
    X(EVENT_CANCEL)    /* peer, ranges of sweeps: running runs are stopped */                      \
    X(EVENT_CANCEL_RUNS) /* peer, ranges of runs */                                                \
    X(EVENT_RETRY)       /* peer, ranges of sweeps, fresh: failed runs wait again */               \
    X(EVENT_KEYS)        /* users: of the keys that are allowed now; other workers are gone */     \
    X(EVENT_STOP)        /* the coordinator is about to end: nothing more is handed out */

enum event_kind {
#define X(name) name,
    EVENT_LIST(X)
#undef X
};

enum event_outcome { OUTCOME_FINISHED, OUTCOME_FAILED, OUTCOME_LOST, OUTCOME_RETURNED };

/* A run that a worker says it holds. */
struct event_holding {
    int64_t run, attempt;
};

/* Numbers from..to, both included. RANGE_LAST in `from` is the newest sweep, RANGE_ALL every one.
 */
#define RANGE_LAST (-1)
#define RANGE_ALL  (-2)
struct event_range {
    int64_t from, to;
};

struct event {
    enum event_kind kind;
    uint64_t peer;    /* that a reply goes to */
    const char *user; /* whose key the peer used */

    const char *uuid; /* of a worker process */
    uint64_t number;  /* of its Hello; 0: it does not count them */
    uint32_t slots;
    const struct save_blas *offers; /* best first */
    size_t offer_count;
    const struct event_holding *holdings;
    size_t holding_count;
    bool welcoming; /* a Welcome to this peer still waits for the store */

    bool full; /* the store waits for room, or for another writer to end */

    int64_t run, attempt;
    int64_t first, last; /* epochs of the message */
    int64_t offset;      /* in a file */
    int64_t epoch;       /* last one the worker reported before the end; -1: none */
    enum event_outcome outcome;
    bool final; /* a failure that would repeat */
    double seconds;
    const char *reason, *log; /* may be NULL */

    const struct save_answer *answer;

    const char *const *users;
    size_t user_count;

    const char *text;
    const struct event_range *ranges;
    size_t range_count;
    bool fresh;

    int64_t next_sweep, next_worker;
    const struct save_sweep *sweeps;
    size_t sweep_count;
    const struct save_run *runs;
    size_t run_count;
};

#endif
