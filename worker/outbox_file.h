// SPDX-License-Identifier: MIT
/* outbox_file: files that leave in parts; for outbox.c and nobody else. */
#ifndef GROKD_WORKER_OUTBOX_FILE_H
#define GROKD_WORKER_OUTBOX_FILE_H

#include "worker/outbox.h"

/* A part from the slot, kept. A model counts in b->bytes: it must leave. */
int outbox_file_part(struct outbox *b, const Grokd__Part *m, struct err *e);

/* The first file of these epochs that is not held by the other side; NULL: none. */
struct outbox_file *outbox_file_before(const struct outbox *b, int64_t first, int64_t last);

/* Its next part, packed (gives), if fewer than `window` are out; else *bytes is NULL. */
int outbox_file_next(struct outbox_file *f, size_t window, int64_t now_ms, uint8_t **bytes,
                     size_t *size, struct err *e);

/* Checkpoints that have not begun to leave are dropped, and not named any more. */
void outbox_file_drop_waiting(struct outbox *b);
void outbox_file_forget_dropped(const struct outbox *b, Grokd__Epochs *m);

void outbox_file_ack(struct outbox *b, int64_t epoch);
void outbox_file_rewind(struct outbox *b);
int64_t outbox_file_oldest_ms(const struct outbox *b); /* -1: nothing is out */
void outbox_file_free(struct outbox *b);

#endif
