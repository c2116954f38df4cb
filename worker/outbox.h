// SPDX-License-Identifier: MIT
/* outbox: what one run reported and the coordinator has not yet acknowledged, in order.
 *
 * Messages leave through a window: as long as earlier ones wait for their Ack, new epochs gather in
 * one message (up to OUTBOX_BATCH bytes), so a fast run costs few messages and a slow one no delay.
 * Of checkpoints only the newest is kept and sent with its epoch: an older one is of no use to
 * anybody. It does not count in `bytes`, so that a run need not wait for its way out.
 * A file too large for a message leaves in parts before the message that names it; of those the
 * other side says how much it holds. A checkpoint that has begun to leave stays until it has left.
 * An Ack is cumulative. After a reconnection everything is sent again in the same order; of a file
 * that was under way first one part, whose answer says where to go on.
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
    bool files; /* it names files that went before it: no epochs are added */
};

/* A file that leaves in parts. */
struct outbox_file {
    struct outbox_file *next; /* in the order in which they came */
    Grokd__FileKind kind;
    int64_t run, attempt, epoch;
    uint8_t *data;
    size_t size;
    size_t part_bytes;
    size_t filled;   /* bytes that came from the slot */
    size_t sent;     /* bytes in parts that left */
    size_t got;      /* bytes that the other side holds */
    bool asking;     /* one part is out to learn how much that is */
    int64_t sent_ms; /* last part that left or answer that came; -1: nothing is out */
};

/* Begin with all zero. */
struct outbox {
    struct outbox_item *first, *tail;
    size_t bytes;        /* of all bodies */
    size_t in_flight;    /* items sent and not acknowledged; they are the first ones */
    uint8_t *checkpoint; /* NULL: none */
    size_t checkpoint_size;
    int64_t checkpoint_epoch;
    struct outbox_file *files;
    size_t part_bytes; /* of a file in one message; 0: WIRE_PART */
};

/* Appends a copy. E_STATE after an Ended. outbox_epochs takes the checkpoints out of the message.
 */
int outbox_epochs(struct outbox *b, const Grokd__Epochs *m, struct err *e);
int outbox_ended(struct outbox *b, const Grokd__Ended *m, struct err *e);

/* A part of a file of a later message. E_PROTO: it does not follow the one before, or is of a file
 * of no bytes. */
int outbox_part(struct outbox *b, const Grokd__Part *m, struct err *e);

/* Whether every file that the message names has come. */
bool outbox_files_came(const struct outbox *b, const Grokd__Epochs *m);

/* The other side holds so much of a file. */
void outbox_got(struct outbox *b, const Grokd__Got *m, int64_t now_ms);

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
