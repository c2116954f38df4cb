// SPDX-License-Identifier: MIT
/* session: the worker's half of the talk with the coordinator, decided without socket, clock, child
 * process or log: an event and the time go in, a list of actions comes out.
 *
 * It promises: what a slot reported is sent in order, again after every reconnection, until the
 * coordinator acknowledges it; nothing is dropped, a run whose unacknowledged reports grow too
 * large is paused instead. A run is never trained here twice at once, an older attempt never
 * displaces a newer one. Hello is repeated for ever, with backoff and jitter. It refuses messages
 * that a coordinator or a slot has no business to send (session.def lists what is expected when).
 */
#ifndef GROKD_WORKER_SESSION_H
#define GROKD_WORKER_SESSION_H

#include "common/err.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_BLAS   16 /* most families that a worker offers */
#define SESSION_FAMILY 32 /* bytes of a family's name with its NUL */
#define SESSION_WINDOW 4  /* messages of one run that wait for their Ack */

/* A family of matrix kernels that works here, and its fingerprint. */
struct session_blas {
    char family[SESSION_FAMILY];
    char fingerprint[65];
};

/* What the session is told once. Text is copied. Times in milliseconds. */
struct session_settings {
    char uuid[64]; /* of this process */
    char host[WIRE_NAME], cpu[WIRE_NAME];
    uint32_t slots;
    struct session_blas blas[SESSION_BLAS]; /* best first */
    size_t blas_count;
    uint64_t seed;        /* of the jitter */
    size_t outbox_bytes;  /* of all unacknowledged reports together */
    size_t part_bytes;    /* of a file in one message */
    int64_t hello_ms;     /* first pause between two Hellos; doubles ... */
    int64_t hello_max_ms; /* ... up to here; each pause is shortened by a random part of its half */
    int64_t heartbeat_ms, lease_ms; /* until Welcome says others */
    int64_t ack_ms;   /* an Ack overdue for so long: the message was lost, say Hello again */
    int64_t stop_ms;  /* a slot that was told to stop is killed after this */
    int64_t drain_ms; /* between SIGTERM and leaving at the latest */
    int64_t idle_ms;  /* leave after so long without work; 0: never */
    int64_t limit_ms; /* leave so long after the start, with drain_ms in it; 0: never */
};

/* Sets all but uuid, host, cpu, slots, blas and seed. */
void session_settings_default(struct session_settings *set);

enum session_event_kind {
    SESSION_EVENT_START,
    SESSION_EVENT_LINK,   /* message: from the coordinator */
    SESSION_EVENT_SLOT,   /* slot, message, log: from a slot */
    SESSION_EVENT_DIED,   /* slot, status, signal, log: the process ended or could not be started */
    SESSION_EVENT_UNSENT, /* a SEND could not be carried out; those after it neither, please */
    SESSION_EVENT_TICK,
    SESSION_EVENT_TERMINATE
};

struct session_event {
    enum session_event_kind kind;
    uint32_t slot;
    const wire_envelope *message; /* lent, as is the log */
    int status;                   /* exit status; -1: it could not be started */
    int signal;                   /* that ended it, or 0 */
    const char *log;              /* tail of what the run wrote to stderr; may be NULL */
};

enum session_action_kind {
    SESSION_ACT_SEND,   /* bytes to the coordinator */
    SESSION_ACT_START,  /* slot: start a process with the kernels `family` */
    SESSION_ACT_TELL,   /* slot: bytes to it (Work or Stop) */
    SESSION_ACT_KILL,   /* slot: end the process; DIED follows */
    SESSION_ACT_PAUSE,  /* slot: read nothing from it until RESUME */
    SESSION_ACT_RESUME, /* slot */
    SESSION_ACT_NOTE,   /* event, run, slot, text: a line for the log */
    SESSION_ACT_EXIT    /* code: the worker ends, all slots with it */
};

struct session_action {
    enum session_action_kind kind;
    uint32_t slot;
    uint8_t *bytes; /* one packed envelope, freed with the actions */
    size_t size;
    char family[SESSION_FAMILY];
    const char *event;          /* NOTE: what happened, a constant */
    bool warning;               /* NOTE: it should not happen */
    int64_t run, attempt;       /* NOTE: of whom; 0: of no run */
    char text[WIRE_NAME + 128]; /* NOTE: the facts */
    int code;
};

/* Begin with all zero; session_on appends. */
struct session_actions {
    struct session_action *list;
    size_t count, capacity;
};

/* Empties the list for the next turn; session_actions_free also frees the memory. */
void session_actions_clear(struct session_actions *a);
void session_actions_free(struct session_actions *a);

struct session;

/* Gives a session that has done nothing yet. E_USAGE without slots or kernels. */
int session_open(struct session **out, const struct session_settings *set, int64_t now_ms,
                 struct err *e);
void session_close(struct session **s); /* NULL is fine */

/* One event. now_ms is monotonic: not negative, and it never falls. E_PROTO: the message was
 * refused and changed nothing; the caller logs it and goes on. E_NOMEM: the caller must end. */
int session_on(struct session *s, const struct session_event *ev, int64_t now_ms,
               struct session_actions *out, struct err *e);

/* When the session wants its next tick; earlier ones do no harm. */
int64_t session_next_ms(const struct session *s);

/* For tests and the log: name of the state, runs held, bytes that wait for an Ack. */
const char *session_state_name(const struct session *s);
size_t session_held(const struct session *s);
size_t session_outbox_bytes(const struct session *s);

#endif
