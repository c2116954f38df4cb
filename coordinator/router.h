// SPDX-License-Identifier: MIT
/* router: the coordinator's network door: a CURVE socket for workers on any number of tcp
 * endpoints, and a plain one on an ipc endpoint for the owner's grokctl. What arrives is checked by
 * wire_unpack before anybody sees it; bytes that are no message are counted, logged, dropped, and
 * answered with what is wrong with them.
 */
#ifndef GROKD_COORDINATOR_ROUTER_H
#define GROKD_COORDINATOR_ROUTER_H

#include "common/err.h"
#include "common/loop.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct router;

struct router_config {
    const char *const *endpoints; /* tcp, port 0 picks one */
    size_t endpoint_count;
    const char *secret_key; /* of the server; who may come in is said with sock_allow */
    const char *public_key;
    const char *control; /* ipc://PATH, or NULL: none */
};

/* One message. `user` is the key's name on the allowed list ("" from grokctl; lends); the callback
 * takes m and frees it with wire_free. */
typedef void router_on_message(void *ctx, uint64_t peer, const char *user, wire_envelope *m);

/* Binds, proves that a stranger's key is refused on every tcp endpoint, and puts itself on the
 * loop; gives. Call between sock_start and sock_finish. */
int router_open(struct router **out, struct loop *l, const struct router_config *c,
                router_on_message *on_message, void *ctx, struct err *e);
void router_close(struct router **r); /* NULL is fine; not from its own callback */

/* The i-th tcp endpoint with its real port (lends). */
const char *router_endpoint(const struct router *r, size_t i);

/* Whether a peer came in by the ipc endpoint. Peers are numbers that are not used again soon; a
 * worker that reconnects is a new peer. */
bool router_is_control(uint64_t peer);

/* Sends, never waits: OK, E_NET (the peer is gone), E_STATE (too much waits for it already),
 * E_NOMEM. OK is no proof of arrival. */
int router_send(struct router *r, uint64_t peer, const wire_envelope *m, struct err *e);

/* Hands over everything that has arrived by now, before leases are judged. A peer that sends
 * without end cannot hold it for ever: it stops after a second. Not from the callback. */
void router_drain_all(struct router *r);

/* Messages dropped since the start because they were none. */
uint64_t router_bad_count(const struct router *r);

#endif
