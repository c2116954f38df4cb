// SPDX-License-Identifier: MIT
/* worker_daemon: session, link and slots on one loop. It translates: what link and slots report
 * becomes an event, the actions of the session become calls. It decides nothing. */
#ifndef GROKD_WORKER_WORKER_DAEMON_H
#define GROKD_WORKER_WORKER_DAEMON_H

#include "common/err.h"
#include "common/keys.h"
#include "worker/session.h"
#include "worker/worker_machine.h"

struct worker_daemon;

struct worker_config {
    const char *program;          /* grokd-train; must live as long as the daemon */
    const struct access *access;  /* how to reach the coordinator */
    struct session_settings *set; /* copied */
    struct worker_cpus *cpus;     /* for the slots */
    const char *ledger;           /* its file, lent, or NULL: none (ledger.h) */
};

/* Gives; starts nothing but the connection. */
int worker_daemon_open(struct worker_daemon **out, const struct worker_config *c, struct err *e);

/* Until the session ends; returns the exit code. */
int worker_daemon_run(struct worker_daemon *d);

/* Ends every slot. NULL is fine. */
void worker_daemon_close(struct worker_daemon **d);

#endif
