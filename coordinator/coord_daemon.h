// SPDX-License-Identifier: MIT
/* coord_daemon: router, hub, store and the local worker on one loop. It translates what happens
 * into calls of the hub and decides only when to end.
 */
#ifndef GROKD_COORDINATOR_COORD_DAEMON_H
#define GROKD_COORDINATOR_COORD_DAEMON_H

#include "common/err.h"
#include "common/keys.h"
#include "common/loop.h"
#include "coordinator/coord_local.h"
#include "coordinator/coord_options.h"
#include "coordinator/hub.h"
#include "coordinator/progress.h"
#include "coordinator/router.h"
#include "coordinator/store.h"

#include <stdbool.h>
#include <stdint.h>

struct coord_daemon {
    const struct coord_options *options; /* lent */
    struct loop *loop;
    struct store *store;
    struct watch *stored; /* the store's descriptor */
    struct router *router;
    struct hub hub;
    struct coord_local local;
    struct timer tick, draw;
    struct sock_client *allowed; /* the list of keys as last read, and its names */
    const char **users;
    int64_t stop_ms; /* when we began to end; -1: not yet */
    int64_t look_ms; /* when to look for free descriptors again */
    bool terminal;   /* stderr is one */
    struct progress_speed speed;
    struct progress told; /* at the last milestone */
    int rc;               /* the first error, which ends the loop */
    struct err error;
};

/* Opens store, sockets and loop in DIR, whose lock the caller holds; writes DIR/access; says
 * `listening on` for every endpoint on stdout. coord_daemon_close is due even if it fails. */
int coord_daemon_open(struct coord_daemon *d, const struct coord_options *o, const struct keys *k,
                      struct err *e);

/* Adds a sweep; its answer is printed when it is stored. */
int coord_daemon_submit(struct coord_daemon *d, const char *text, const char *file, struct err *e);

/* Until it is told to end, or everything is done. The exit code, or a negative code. */
int coord_daemon_run(struct coord_daemon *d, struct err *e);

void coord_daemon_close(struct coord_daemon *d);

#endif
