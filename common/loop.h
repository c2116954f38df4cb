// SPDX-License-Identifier: MIT
/* loop: the event loop of a daemon. The door of libuv, with loop_child.
 *
 * A turn: timers that are due; the turn callback; sleep until something happens; descriptors and
 * signals; edge sources. All callbacks run in the thread that calls loop_run. Any object may be
 * stopped or closed from any callback, its own included; it calls nothing afterwards.
 */
#ifndef GROKD_COMMON_LOOP_H
#define GROKD_COMMON_LOOP_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

int loop_open(struct loop **out, struct err *e); /* gives */
void loop_run(struct loop *l);                   /* until loop_stop; may be run again */
void loop_stop(struct loop *l);

/* Closes; what was put on the loop must have been closed before it. NULL is fine. */
void loop_close(struct loop **l);

/* The monotonic clock as read when this turn's events arrived: the same for all of them. */
int64_t loop_now_ms(const struct loop *l);

/* Called once a turn, before the loop may sleep: the place to hand over what the turn has decided.
 * One for a loop; NULL takes it away. */
void loop_on_turn(struct loop *l, void (*turn)(void *ctx), void *ctx);

/* Calls on_signal instead of the signal's usual effect, until the loop closes. */
int loop_on_signal(struct loop *l, int signal, void (*on_signal)(void *ctx, int signal), void *ctx,
                   struct err *e);

/* ---- timers ------------------------------------------------------------------------------------
 */

/* The caller's memory; zero it, then leave it to the calls below. It must not move or go while
 * the timer runs. */
struct timer {
    struct loop *loop; /* NULL: not running */
    struct timer *next;
    int64_t due_ms, every_ms;
    void (*on_time)(void *ctx);
    void *ctx;
};

/* Calls on_time after delay_ms (at least 1), then every every_ms (0: once). A running timer is
 * started anew. A timer that missed several times is called once. */
void timer_start(struct timer *t, struct loop *l, int64_t delay_ms, int64_t every_ms,
                 void (*on_time)(void *ctx), void *ctx);
void timer_stop(struct timer *t); /* fine when it is not running */
bool timer_running(const struct timer *t);

/* ---- descriptors -------------------------------------------------------------------------------
 */

struct watch;

/* Calls on_ready as long as fd is readable (level-triggered); gives. The descriptor stays the
 * caller's and must stay open until unwatch. */
int watch_open(struct watch **out, struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx,
               struct err *e);
void watch_close(struct watch **w); /* NULL is fine */

/* ---- edge sources ------------------------------------------------------------------------------
 */

/* Something whose descriptor says only that something may have changed, once (ZeroMQ's ZMQ_FD).
 * Each turn, after the descriptors, drain is called if pending() holds; the loop does not sleep
 * while it holds. drain should do a bounded amount of work and leave the rest to the next turn. */
struct edge_source {
    int fd;
    bool (*pending)(void *ctx);
    void (*drain)(void *ctx);
    void *ctx;
};

struct edge;

int edge_open(struct edge **out, struct loop *l, const struct edge_source *s, struct err *e);
void edge_close(struct edge **edge); /* NULL is fine */

#endif
