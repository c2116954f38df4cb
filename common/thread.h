// SPDX-License-Identifier: MIT
/* thread: a thread, a lock, and a bell (eventfd) that one thread rings to wake another's loop.
 * The door of pthread, with queue.
 */
#ifndef GROKD_COMMON_THREAD_H
#define GROKD_COMMON_THREAD_H

#include "common/err.h"

struct thread;
struct lock;

/* Starts run(ctx) in a thread that gets no signals (gives; end with thread_join). `name` shows in
 * ps and top, 15 characters. */
int thread_start(struct thread **out, const char *name, void (*run)(void *ctx), void *ctx,
                 struct err *e);

/* Waits for its end, frees, sets to NULL; NULL is fine. */
void thread_join(struct thread **t);

int lock_open(struct lock **out, struct err *e); /* gives */
void lock_close(struct lock **l);                /* NULL is fine */
void lock_take(struct lock *l);
void lock_leave(struct lock *l);

/* A non-blocking, close-on-exec eventfd, or a negative code. Readable from bell_ring until
 * bell_quiet; close(2) it. Ringing is safe from any thread. */
int bell_open(struct err *e);
void bell_ring(int fd);
void bell_quiet(int fd);

#endif
