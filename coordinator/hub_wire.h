// SPDX-License-Identifier: MIT
/* hub_wire: envelopes to events, and what is to be sent to envelopes. */
#ifndef GROKD_COORDINATOR_HUB_WIRE_H
#define GROKD_COORDINATOR_HUB_WIRE_H

#include "common/err.h"
#include "coordinator/action.h"
#include "coordinator/event.h"
#include "proto/wire.h"

/* The event of a worker's message, and the arrays it lends from. */
struct hub_event {
    struct event event;
    struct event_holding *holdings;
    struct save_blas *offers;
};

/* Fills x (free with hub_event_free); texts are lent from m. E_PROTO: no worker says this. */
int hub_event_of(struct hub_event *x, const wire_envelope *m, struct err *e);
void hub_event_free(struct hub_event *x);

/* The envelope of a send; NULL: no memory (gives, wire_free). */
wire_envelope *hub_envelope(const struct send *s);

#endif
