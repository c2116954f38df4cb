// SPDX-License-Identifier: MIT
/* sched: decides who works on what. It is pure: what happened and the time come in, saves and
 * messages go out; it knows no clock, socket, database or log, so that a test can be any history.
 *
 * What it promises:
 *   - a worker is believed only about runs it holds: (run, attempt) must be the current one and
 *     handed to this worker, else it is told Stop; a peer that has not introduced itself is told
 *     Refuse "hello" and says Hello again, with what it holds;
 *   - the attempt rises and is saved before the work is sent; an epoch is acknowledged only after
 *     the store has answered for it; an end is judged only after all epochs before it;
 *   - order is priority, then run number; a worker gets as many runs as it has slots, and one more
 *     prefetched while more runs wait than all workers have slots (at the end of a sweep a
 *     prefetched run would idle beside free slots);
 *   - failures of a run and losses of its worker are counted apart; a worker whose last three runs
 *     all failed, or were lost as it says itself, within a minute gets no more, and what they count
 *     for that is taken back, except of a run that was allowed no other; to diverge is a run's own
 *     failure, however soon;
 *   - a run that ended so rests before the same worker gets it again, and the last attempt that it
 *     is allowed is kept for another worker while there is one;
 *   - a worker that hands a run back is leaving: it gets nothing until it says Hello again;
 *   - after a pause of the coordinator, or its start, every lease runs anew;
 *   - while the store waits nothing is handed out, and nothing that waits to be sent is missed.
 *
 * On any error memory is spoiled: carry nothing out, end the process, begin from the database.
 */
#ifndef GROKD_COORDINATOR_SCHED_H
#define GROKD_COORDINATOR_SCHED_H

#include "common/err.h"
#include "coordinator/action.h"
#include "coordinator/event.h"
#include "coordinator/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_OFFERS 16   /* kernel families of a worker */
#define SCHED_SLOTS  4096 /* most slots of a worker */
#define SCHED_QUICK  3    /* quick failures in a row that quarantine a worker */

struct sched_config {
    int64_t heartbeat_ms, lease_ms;
    int64_t hung_ms;  /* least time without an epoch before a run is hung */
    int64_t quick_ms; /* a failure within this time speaks against the worker */
    size_t window; /* waiting runs fetched at once; at most 8 times as many of one need are held */
    size_t keep;   /* workers beyond which those that are gone are forgotten */
};

#define SCHED_DEFAULTS                                                                             \
    {                                                                                              \
        .heartbeat_ms = 10000, .lease_ms = 60000, .hung_ms = 600000, .quick_ms = 60000,            \
        .window = 2048, .keep = 1024                                                               \
    }

/* A run that ended quickly on a worker, with what it counted for that. */
struct worker_quick {
    int64_t run, failures, losses;
};

enum worker_state { WORKER_CONNECTED, WORKER_QUARANTINED, WORKER_GONE };

struct worker {
    int64_t number;
    enum worker_state state;
    uint64_t peer; /* of its connection; 0 while gone */
    char uuid[SAVE_NAME], user[SAVE_NAME];
    uint64_t hello; /* number of its last Hello; 0: it does not count them */
    uint32_t slots;
    size_t held; /* runs it holds, prefetched ones too */
    struct save_blas offers[SCHED_OFFERS];
    size_t offer_count;
    int64_t heard_ms; /* any message of it */
    int64_t seen_ms;  /* when that was last stored, for the reader */
    int64_t since_ms; /* in this state */
    bool quarantine;  /* outlives a reconnect */
    bool leaving;     /* it hands its runs back: no more until its next Hello */
    struct worker_quick quick[SCHED_QUICK]; /* all different, in a row */
    size_t quick_count;
};

/* A save that will be answered; answers come in the order of the saves. */
struct sched_ask {
    enum save_kind kind;
    int64_t sweep, run;
    int64_t command; /* whose; 0: our own */
};

/* A person's command whose saves are not all answered. */
struct sched_command {
    int64_t number;
    enum event_kind kind;
    uint64_t peer;
    size_t open;           /* answers to come */
    int64_t done, refused; /* sweeps or runs */
    int64_t runs;          /* runs that wait again */
    int code;
    char text[512];
};

struct sched {
    struct sched_config config;
    struct run_table runs;
    struct worker *workers;
    size_t worker_count, worker_room;
    struct save_sweep *sweeps; /* known since the start: active, paused, over */
    size_t sweep_count, sweep_room;
    struct sched_ask *asks; /* in order */
    size_t ask_count, ask_room;
    struct sched_command *commands;
    size_t command_count, command_room;
    int64_t next_sweep, next_worker, next_command;
    int64_t tick_ms; /* time of the last tick, or of the start */
    int64_t full_ms; /* since when the store waits, if it does */
    bool started, stopping;
    bool fetching; /* an answer to a FETCH is on its way */
    bool stale;    /* that answer must not be used */
    bool more;     /* the database may hold waiting runs that the table does not */
    bool look;     /* and they may come before those in the table */
    bool full;     /* the store waits: what is decided reaches nobody */
    bool idle;     /* some worker has a free slot and found nothing for it */
    bool dirty;    /* something was freed or added: hand out work */
    bool resting;  /* a run waits only because it has just ended on the worker that is free */
    size_t turn;   /* worker that is served first; moves on so that none is favoured */
};

/* Counts of all sweeps known, for people. */
struct sched_totals {
    int64_t waiting, running, finished, failed, cancelled;
    size_t workers, slots; /* connected */
    size_t sweeps_open;    /* with runs that are not over */
    size_t questions;      /* commands and saves that are still unanswered */
};

void sched_init(struct sched *s, const struct sched_config *c);
void sched_free(struct sched *s);

/* Decides. Appends to `out` (which the caller has emptied). */
int sched_on(struct sched *s, const struct event *ev, int64_t now_ms, struct actions *out,
             struct err *e);

void sched_totals(const struct sched *s, struct sched_totals *out);

/* Epochs that are still to be trained in all: those of the runs in the table, and for the others as
 * many as these have on average. */
int64_t sched_epochs_left(const struct sched *s);

/* Whether every rule about the tables holds; text says which does not. For tests. */
bool sched_sound(const struct sched *s, char text[256]);

#endif
