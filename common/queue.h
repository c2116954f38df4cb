// SPDX-License-Identifier: MIT
/* queue: pointers from many threads to one, first in, first out. */
#ifndef GROKD_COMMON_QUEUE_H
#define GROKD_COMMON_QUEUE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

int queue_open(struct queue **out, struct err *e); /* gives */

/* Takes item (not NULL). E_STATE after queue_end, E_NOMEM: then the item is still the caller's. */
int queue_push(struct queue *q, void *item);

/* Gives the oldest item, after waiting for one up to timeout_ms (0: not at all, negative: for as
 * long as it takes). NULL: none in time, or the queue has ended and is empty. */
void *queue_pop(struct queue *q, int64_t timeout_ms);

/* No more pushes; what is queued can still be popped. Wakes whoever waits. */
void queue_end(struct queue *q);
bool queue_ended(struct queue *q); /* ended and empty: nothing will ever come */

size_t queue_count(struct queue *q);

/* Frees; items left in it are not freed. NULL is fine. */
void queue_close(struct queue **q);

#endif
