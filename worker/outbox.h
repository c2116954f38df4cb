// SPDX-License-Identifier: MIT
/* outbox: what one run reported and the coordinator has not yet acknowledged, in order.
 *
 * Messages leave through a window: as long as earlier ones wait for their Ack, new epochs gather in
 * one message (up to OUTBOX_BATCH bytes), so a fast run costs few messages and a slow one no delay.
 * Of checkpoints only the newest is kept and sent with its epoch: an older one is of no use to
 * anybody. It does not count in `bytes`, so that a run need not wait for its way out.
 * An Ack is cumulative. After a reconnection everything is sent again in the same order.
 */
#ifndef GROKD_WORKER_OUTBOX_H
#define GROKD_WORKER_OUTBOX_H

#include "common/err.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_BATCH (32u << 10) /* bytes up to which epochs share a message */

/* One message: the body of an Epochs or of the Ended. Two Epochs bodies put behind each other are
 * the body of both, by the rules of protocol buffers (the epochs are appended). */
struct outbox_item {
    struct outbox_item *next;
    uint8_t *body;
    size_t size;
    int64_t first;   /* epoch in it; of an Ended meaningless */
    int64_t last;    /* epoch that acknowledges it; an Ended has the run's last */
    int64_t sent_ms; /* -1: not sent yet */
    bool ended;
};

/* Begin with all zero. */
struct outbox {
    struct outbox_item *first, *tail;
    size_t bytes;        /* of all bodies */
    size_t in_flight;    /* items sent and not acknowledged; they are the first ones */
    uint8_t *checkpoint; /* NULL: none */
    size_t checkpoint_size;
    int64_t checkpoint_epoch;
};

/* Appends a copy. E_STATE after an Ended. outbox_epochs takes the checkpoints out of the message.
 */
int outbox_epochs(struct outbox *b, const Grokd__Epochs *m, struct err *e);
int outbox_ended(struct outbox *b, const Grokd__Ended *m, struct err *e);

/* The next message to send, packed (gives), if fewer than `window` are in flight; otherwise *bytes
 * is NULL. */
int outbox_next(struct outbox *b, size_t window, int64_t now_ms, uint8_t **bytes, size_t *size,
                struct err *e);

/* Everything up to this epoch is durable; `ended`: and the Ended too. */
void outbox_ack(struct outbox *b, int64_t epoch, bool ended);

/* Nothing counts as sent any more: outbox_next begins again with the oldest. */
void outbox_rewind(struct outbox *b);

/* When the oldest message in flight was sent, or -1. */
int64_t outbox_oldest_ms(const struct outbox *b);

void outbox_free(struct outbox *b);

#endif
