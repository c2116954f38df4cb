// SPDX-License-Identifier: MIT
/* action: what the scheduler decided, in the order in which it was decided. The hub hands all saves
 * of a turn to the store and lets the sends wait until these are durable.
 */
#ifndef GROKD_COORDINATOR_ACTION_H
#define GROKD_COORDINATOR_ACTION_H

#include "coordinator/save.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEND_LIST(X)                                                                               \
    X(SEND_WELCOME)   /* worker, heartbeat_ms, lease_ms */                                         \
    X(SEND_REFUSE)    /* text; "hello" asks the peer to introduce itself (again) */                \
    X(SEND_HEARTBEAT) /* says nothing but that we live: waits for no save */                       \
    X(SEND_WORK)      /* run, attempt, blas, params, settings */                                   \
    X(SEND_ACK)       /* run, attempt, epoch, ended */                                             \
    X(SEND_GOT)       /* file: of a worker's file so many bytes are held */                        \
    X(SEND_PART)      /* file: a part of a checkpoint */                                           \
    X(SEND_STOP)      /* run, attempt, text */                                                     \
    X(SEND_ANSWER)    /* code, text: to the local endpoint */

enum send_kind {
#define X(name) name,
    SEND_LIST(X)
#undef X
};

struct send {
    enum send_kind kind;
    uint64_t peer;
    int64_t run, attempt, epoch;
    bool ended;
    int64_t worker, heartbeat_ms, lease_ms;
    struct save_blas blas;
    const struct params *params;     /* lent until the next sched_on */
    const struct settings *settings; /* lent until the next sched_on */
    const struct save_answer *file;  /* lent by the event */
    int code;                        /* exit code of grokctl */
    char text[512];
};

/* A change of state, for the log: run and states, or a worker's. */
struct note {
    int64_t run, attempt, worker; /* 0: not about one */
    const char *from, *to;        /* names of states, constants */
    int64_t after_ms;             /* time spent in `from` */
    char text[SAVE_REASON];
};

enum action_kind { ACTION_SAVE, ACTION_SEND, ACTION_NOTE };

struct action {
    enum action_kind kind;
    bool with_message; /* SAVE: the store takes the message that made this event */
    union {
        struct save save; /* at_ms is the hub's to fill; text is owned by the action */
        struct send send;
        struct note note;
    } u;
};

/* A list that grows. After a failed growth it only remembers that it failed: the turn as a whole
 * is E_NOMEM, and what it decided must not be carried out. */
struct actions {
    struct action *items;
    size_t count, room;
    bool failed;
};

/* The next action, all zero but its kind; a scrap to be written and forgotten after a failure. */
struct save *actions_save(struct actions *a, enum save_kind kind);
struct send *actions_send(struct actions *a, enum send_kind kind, uint64_t peer);
struct note *actions_note(struct actions *a);

/* Marks the last action, a save, as the taker of the event's message. */
void actions_with_message(struct actions *a);

/* Empties the list for the next turn (frees texts that nobody took); `free` gives the memory back.
 */
void actions_clear(struct actions *a);
void actions_free(struct actions *a);

#endif
