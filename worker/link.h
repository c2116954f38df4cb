// SPDX-License-Identifier: MIT
/* link: the worker's connection to the coordinator.
 *
 * It reconnects for ever: after a loss ZeroMQ does so by itself; a key that is refused, or an
 * answer by somebody who is not our coordinator, is said in the log and tried again with growing
 * pauses. Sending is no proof of arrival: the session repeats what is not acknowledged.
 */
#ifndef GROKD_WORKER_LINK_H
#define GROKD_WORKER_LINK_H

#include "common/err.h"
#include "common/loop.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;

struct link_config {
    struct loop *loop;
    const char *endpoint, *server_key, *public_key, *secret_key; /* copied */
    void (*on_message)(void *ctx, const wire_envelope *m);       /* a checked one (lends) */
    void *ctx;
};

/* Begins to connect (gives). sock_start must have been called. */
int link_open(struct link **out, const struct link_config *c, struct err *e);

/* Queues a copy; false: too much waits already, or there is no connection. */
bool link_send(struct link *l, const uint8_t *bytes, size_t size);

/* What is queued has a moment to leave. NULL is fine. */
void link_close(struct link **l);

#endif
