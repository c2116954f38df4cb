// SPDX-License-Identifier: MIT
/* hub: one turn: event, decide, save, send. It turns messages into events and actions into saves
 * and messages, and lets every send wait until the saves of its turn (and of those before) are
 * durable. A crash between the two loses a message, never a fact; the lease repairs it.
 *
 * It sees neither socket nor database nor clock: messages go out through a door given at the start,
 * saves through store.h, and every call is told the time. Any error of these calls is final: the
 * process must end and begin again from the database.
 */
#ifndef GROKD_COORDINATOR_HUB_H
#define GROKD_COORDINATOR_HUB_H

#include "common/err.h"
#include "coordinator/sched.h"
#include "coordinator/store.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_SELF 0 /* the peer of the coordinator's own commands: answers go to on_answer */

/* When a call is made: the monotonic clock decides, the wall clock is for the reader. */
struct moment {
    int64_t now_ms, wall_ms;
};

struct hub_door {
    /* Sends at once or not at all; the envelope is lent. A failure is logged: who does not get a
     * message will ask. */
    int (*send)(void *ctx, uint64_t peer, const wire_envelope *m, struct err *e);
    /* What became of a command of our own. */
    void (*on_answer)(void *ctx, int code, const char *text);
    /* Reads anew who may come in, and lends the names until the next call: `users` of EVENT_KEYS.
     */
    int (*keys)(void *ctx, struct event *ev, struct err *e);
    void *ctx;
};

/* A message on its way out. */
struct hub_send {
    uint64_t ticket; /* that must be durable before */
    uint64_t peer;
    wire_envelope *message; /* owned */
};

struct hub {
    struct sched sched;
    struct store *store; /* lent */
    struct hub_door door;
    struct actions actions;
    struct hub_send *queue; /* in order, from `first` */
    size_t first, count, room;
    uint64_t submitted, durable; /* tickets */
    int64_t epochs;              /* reported since the start */
    bool full;                   /* the store waits */
    struct err why;              /* if full: for what to be over */
    bool busy;                   /* the store writes statistics of a sweep that is over */
    bool stop;                   /* somebody asked us to end */
};

/* Begins with what the store knew (lent for this call). hub_close is due even if it fails. */
int hub_open(struct hub *h, struct store *store, const struct store_state *state,
             const struct sched_config *config, const struct hub_door *door, struct moment at,
             struct err *e);
void hub_close(struct hub *h);

/* One message; takes m. `local`: it came in by the owner's endpoint, where commands are welcome and
 * workers are not; elsewhere it is the reverse. */
int hub_message(struct hub *h, uint64_t peer, const char *user, bool local, wire_envelope *m,
                struct moment at, struct err *e);

/* The store has something to collect. */
int hub_collect(struct hub *h, struct moment at, struct err *e);

/* Time passed, and everything that had arrived was handed over before. */
int hub_tick(struct hub *h, struct moment at, struct err *e);

/* Hands out nothing any more. */
int hub_stop(struct hub *h, struct moment at, struct err *e);

/* A sweep file of our own; a bad one is E_FILE, one line, and nothing else happened. */
int hub_submit(struct hub *h, const char *text, const char *file, struct moment at, struct err *e);

/* Whether no save and no send is under way. */
bool hub_quiet(const struct hub *h);

#endif
