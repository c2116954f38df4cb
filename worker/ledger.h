// SPDX-License-Identifier: MIT
/* ledger: a file of every acknowledgement that this worker received, each line on the disk before
 * the worker acts on it. With it "what was acknowledged is stored" can be checked from outside, by
 * comparing the lines with the database:
 *
 *   RUN ATTEMPT EPOCH ENDED     numbers; ENDED is 1 if the end of the attempt was acknowledged too
 *
 * Lines are appended whole: workers of one machine may share a file. */
#ifndef GROKD_WORKER_LEDGER_H
#define GROKD_WORKER_LEDGER_H

#include "common/err.h"
#include "proto/wire.h"

struct ledger;

/* Gives. An empty or missing path is no ledger: *out is NULL, and all below are fine with it. */
int ledger_open(struct ledger **out, const char *path, struct err *e);

/* Writes the line of an Ack, durably; other messages have none. E_IO, E_FULL. */
int ledger_note(struct ledger *l, const wire_envelope *m, struct err *e);

void ledger_close(struct ledger **l);

#endif
