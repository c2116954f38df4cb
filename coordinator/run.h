// SPDX-License-Identifier: MIT
/* run: the run table: the runs that are being worked on and the next ones that wait. It never holds
 * all of a sweep (10^6 runs wait in the database), and nothing that is over.
 *
 * Two orders are kept: by number, to find the run a message speaks of, and, of those waiting, by
 * (priority falling, number rising), to find what comes next: a queue for each kind of matrix
 * kernels that runs need, so that those that nobody can take are not in the way of the others.
 */
#ifndef GROKD_COORDINATOR_RUN_H
#define GROKD_COORDINATOR_RUN_H

#include "coordinator/save.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_EVENTS(X)                                                                              \
    X(ASSIGN)                                                                                      \
    X(EPOCHS)                                                                                      \
    X(PART)                                                                                        \
    X(READ)                                                                                        \
    X(STORED)                                                                                      \
    X(FILED)                                                                                       \
    X(DIFFERS)                                                                                     \
    X(FINISH)                                                                                      \
    X(FAIL)                                                                                        \
    X(FAIL_LAST)                                                                                   \
    X(LOSE)                                                                                        \
    X(LOSE_LAST)                                                                                   \
    X(GIVE_BACK)                                                                                   \
    X(CANCEL)

enum run_event {
#define X(name) RUN_ON_##name,
    RUN_EVENTS(X)
#undef X
};

enum run_effect {
    FX_SAVE_ASSIGN = 1 << 0,
    FX_SAVE_EPOCHS = 1 << 1,
    FX_SAVE_PART = 1 << 2,
    FX_SAVE_READ = 1 << 3,
    FX_SAVE_END = 1 << 4,
    FX_SAVE_CANCEL = 1 << 5,
    FX_SEND_WORK = 1 << 6,
    FX_SEND_FILE = 1 << 7, /* Got or a Part, as the store answered */
    FX_SEND_ACK = 1 << 8,
    FX_SEND_REPLY =
        1 << 9, /* what the holder is told: Ack{ended}, Stop, or nothing if it is gone */
    FX_FORGET = 1 << 10
};

#define RUN_GAPS 15 /* epoch times remembered for their median; odd */

/* How far the files of a run's epochs have come; a model goes before the checkpoint beside it. */
struct run_files {
    int64_t epoch; /* -1: none has begun */
    bool checkpoint;
    size_t held; /* bytes */
};

/* What is known of a running run beyond the database. Meaningless while it waits. */
struct run_lease {
    int64_t worker;        /* that holds it; 0: nobody */
    int64_t given_ms;      /* when it was handed out */
    int64_t begun_ms;      /* when a slot became free for it; -1: it is prefetched */
    int64_t heard_ms;      /* when it last brought something new */
    int64_t epoch;         /* last epoch that came in this attempt; -1: none */
    int64_t stored;        /* last epoch of it that is durable; -1: none */
    struct run_files sent; /* by its worker */
    size_t fetched;        /* bytes of its checkpoint that it has asked for, and one */
    int unanswered;        /* messages of epochs and files that the store has not answered */
    int64_t owed_ms;       /* while any is: since when no answer came */
    int gap_count;         /* of gap_ms[], up to RUN_GAPS; the oldest is overwritten */
    int gap_next;
    double gap_ms[RUN_GAPS]; /* time an epoch took */
};

/* How an attempt ended, kept while the store still works on its epochs: one of them may differ. */
struct run_ending {
    enum run_event event; /* FINISH, FAIL, LOSE or GIVE_BACK */
    bool judged;          /* by us; else its worker said so */
    bool tell;            /* judged: its holder is told to stop */
    bool final;
    bool quick; /* failed soon after it began */
    int64_t epoch;
    double seconds;
    char reason[SAVE_REASON];
    char *log; /* owned */
};

struct run {
    struct save_run is; /* as stored, or as it will be when this turn's saves are */
    enum run_state state;
    int64_t since_ms; /* in this state */
    struct run_lease lease;
    struct run_ending *ending; /* NULL: not ended; owned */
    bool explained;            /* that no worker can take it was said */
    char family[SAVE_NAME];    /* of kernels that its sweep asks for; "auto": any */
    size_t queue;              /* while it waits: position in queues[] */
};

/* Runs that wait for the same kernels. */
struct run_queue {
    struct save_blas need; /* no fingerprint: any of this family, or of all if that is "auto" */
    struct run **runs;     /* in the order they are given out */
    size_t count, room;
    bool partly; /* the database may hold more of them, which were left out of a fetch */
};

struct run_table {
    struct run **by_number; /* rising */
    size_t count, room;
    struct run_queue *queues; /* in no order; an empty one is used again for another need */
    size_t queue_count, queue_room;
    size_t waiting; /* runs in all queues */
};

const char *run_state_name(enum run_state s);
const char *run_event_name(enum run_event e);

struct run *run_find(const struct run_table *t, int64_t number);

/* Whether a is given out before b, if both can be. */
bool run_before(const struct run *a, const struct run *b);

/* Adds a run that is WAITING or RUNNING and not yet in the table; the table owns it, *out lends. */
int run_add(struct run_table *t, const struct save_run *is, const char *family,
            enum run_state state, int64_t now_ms, struct run **out, struct err *e);

/* Forgets and frees a run; a running one only to repair (its worker is not told). */
void run_remove(struct run_table *t, struct run *r);

/* Looks the pair up in run.def and moves the run, queue included; gives the effects. A run of which
 * nothing is stored is not bound to the kernels that it had any more. E_STATE: the pair is
 * not listed, nothing changed. E_NOMEM: the run stands in no queue. */
int run_step(struct run_table *t, struct run *r, enum run_event ev, int64_t now_ms,
             unsigned *effects, struct err *e);

/* Notes that epochs up to `last` came now. Those that came before are no sign of life. */
void run_heard(struct run *r, int64_t last, int64_t now_ms);

/* Notes the answer to a part of a file: a part that brings the run's files farther than any before,
 * or reads farther in its checkpoint, is a sign of life, one that is repeated is none. */
void run_filed(struct run *r, const struct save_answer *a, int64_t now_ms);

/* How long the run may go without an epoch: max(least_ms, 20 median epochs). */
int64_t run_patience_ms(const struct run *r, int64_t least_ms);

void run_ending_free(struct run *r);
void run_table_free(struct run_table *t);

/* Whether all orders hold the same runs rightly; text says what is wrong. For tests. */
bool run_table_sound(const struct run_table *t, char text[256]);

#endif
