// SPDX-License-Identifier: MIT
/* session_state: what a session remembers, shared by the session*.c files and nobody else.
 *
 *   session.c       the table, the talk with the coordinator, the clock
 *   session_run.c   the runs held: Work, Ack, Stop, reports and their way out
 *   session_slot.c  the slots: which process runs, what it says, which run it gets
 *   session_file.c  files that are too large for a message, both ways
 *   session_say.c   actions and messages
 */
#ifndef GROKD_WORKER_SESSION_STATE_H
#define GROKD_WORKER_SESSION_STATE_H

#include "worker/outbox.h"
#include "worker/session.h"

enum session_state {
#define SESSION_STATE(state, name) state,
#include "worker/session.def"
};

enum slot_state {
#define SLOT_STATE(state, name) state,
#include "worker/session.def"
};

#define SESSION_NO_SLOT (-1)
#define SESSION_NEVER   INT64_MAX

/* A checkpoint that comes in parts. */
struct session_fetch {
    uint8_t *data; /* NULL: there is none */
    size_t size, filled;
    int64_t epoch;
    int64_t asked_ms; /* for the next part; -1: not yet */
};

/* A run that the coordinator gave us and whose end it has not acknowledged. */
struct session_run {
    struct session_run *next; /* in the order of arrival */
    int64_t run, attempt;
    int64_t epoch; /* last one trained; -1: none yet */
    int slot;      /* that trains it; SESSION_NO_SLOT: it waits for one, or has ended */
    bool ended;    /* its Ended is in the outbox */
    char family[SESSION_FAMILY];
    uint8_t *work; /* the packed Work, for the slot */
    size_t work_size;
    struct session_fetch fetch; /* what the slot gets after it */
    struct outbox box;
};

struct session_slot {
    enum slot_state state;
    char family[SESSION_FAMILY]; /* of the process that is here or comes next */
    struct session_run *run;     /* BUSY: what it trains */
    int64_t since_ms;            /* start of the process */
    int64_t due_ms;              /* EMPTY: start one; STOPPING: kill it */
    int deaths;                  /* soon after a start, one after the other */
    bool paused;                 /* we do not read what it says */
    bool claimed;                /* while runs are handed out: will serve one that waits */
};

struct session {
    struct session_settings set;
    enum session_state state;
    int64_t state_ms; /* since when */
    int64_t worker;   /* our number, from Welcome */
    bool greeted;     /* Welcome came after our last Hello */
    int hellos;       /* since the last Welcome */
    uint64_t said;    /* Hellos of this process, the number of the last one */
    int64_t hello_ms; /* next Hello, while not greeted */
    int64_t heard_ms; /* last message of the coordinator */
    int64_t beat_ms;  /* next heartbeat, when greeted */
    int64_t idle_ms;  /* since when nothing is held; SESSION_NEVER: something is */
    int64_t leave_ms; /* the time limit; SESSION_NEVER: none */
    int64_t drain_ms; /* DRAINING: the end of patience */
    uint64_t random;  /* state of the jitter */
    struct session_run *runs;
    struct session_slot *slots; /* set.slots of them */
};

/* One call of session_on. */
struct session_turn {
    const struct session_event *event;
    int64_t now_ms;
    struct session_actions *out;
    struct err *e;
};

/* ---- session_say.c ---- */

int session_say_note(struct session_turn *t, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int session_say_warning(struct session_turn *t, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int session_say_run_note(struct session_turn *t, const char *event, const struct session_run *r,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
int session_say_exit(struct session_turn *t, int code);
int session_say_slot(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                     const char *family);
/* Takes the bytes, also when it fails. */
int session_say_bytes(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                      uint8_t *bytes, size_t size);
int session_say_message(struct session_turn *t, enum session_action_kind kind, uint32_t slot,
                        wire_envelope *m);
int session_say_hello(struct session *s, struct session_turn *t);
int session_say_heartbeat(struct session *s, struct session_turn *t);
int session_say_goodbye(struct session_turn *t);
int session_say_stop(struct session_turn *t, uint32_t slot, const struct session_run *r);

/* ---- session_run.c ---- */

struct session_run *session_run_find(struct session *s, int64_t run);
int session_run_work(struct session *s, struct session_turn *t);
int session_run_ack(struct session *s, struct session_turn *t);
int session_run_stop(struct session *s, struct session_turn *t);
/* Its Ended goes to the outbox; it leaves its slot. */
int session_run_end(struct session *s, struct session_turn *t, struct session_run *r,
                    const Grokd__Ended *ended);
int session_run_end_as(struct session *s, struct session_turn *t, struct session_run *r,
                       Grokd__Outcome outcome, const char *reason, const char *log);
/* Ends every run that waits, all or those for one family. */
int session_run_end_waiting(struct session *s, struct session_turn *t, const char *family,
                            Grokd__Outcome outcome, const char *reason);
int session_run_send(struct session *s, struct session_turn *t, struct session_run *r);
int session_run_send_all_again(struct session *s, struct session_turn *t);
int64_t session_run_oldest_ms(const struct session *s);
void session_run_forget(struct session *s, struct session_run *r);
/* Bytes of one run above which its slot is paused. */
size_t session_run_share(const struct session *s);

/* ---- session_file.c ---- */

int session_file_got(struct session *s, struct session_turn *t);
int session_file_part(struct session *s, struct session_turn *t);
/* Asks for the first part of the checkpoint that the Work names, if it does. */
int session_file_begin(struct session *s, struct session_turn *t, struct session_run *r);
bool session_file_awaited(const struct session_run *r);
/* Asks for the next part, if one is awaited. */
int session_file_fetch(struct session *s, struct session_turn *t, struct session_run *r);
int session_file_tell(struct session *s, struct session_turn *t, uint32_t slot,
                      struct session_run *r);
void session_file_forget(struct session_run *r);

/* ---- session_slot.c ---- */

int session_slot_on(struct session *s, struct session_turn *t);
int session_slot_tick(struct session *s, struct session_turn *t);
int session_slot_hand_out(struct session *s, struct session_turn *t);
int session_slot_stop(struct session *s, struct session_turn *t,
                      uint32_t slot); /* its run is forgotten */
int session_slot_kill(struct session *s, struct session_turn *t, uint32_t slot);
int session_slot_drain(struct session *s, struct session_turn *t);
int session_slot_resume_if_small(struct session *s, struct session_turn *t, struct session_run *r);
int64_t session_slot_due_ms(const struct session *s);

#endif
