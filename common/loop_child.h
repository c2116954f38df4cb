// SPDX-License-Identifier: MIT
/* loop_child: a child process on the loop, with a stream socket to it.
 *
 * The child gets: standard input from /dev/null, standard output and error to log_fd, its end of
 * the socket as descriptor CHILD_FD (blocking), no other descriptor at all; its own process group
 * (so that Ctrl-C reaches the parent alone); default signals; and SIGKILL when the thread that
 * started it dies, however it dies.
 */
#ifndef GROKD_COMMON_LOOP_CHILD_H
#define GROKD_COMMON_LOOP_CHILD_H

#include "common/err.h"
#include "common/loop.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_FD 3

struct child;

struct child_config {
    const char *const *arguments;   /* of the program, ends with NULL; [0] is its path */
    const char *const *environment; /* NAME=VALUE added to ours or replacing it, ends with NULL */
    int cpu;                        /* the one it may run on; -1: ours */
    int log_fd;                     /* stays the caller's; -1: /dev/null */

    /* Bytes from the child (lends). */
    void (*on_bytes)(void *ctx, const uint8_t *bytes, size_t size);

    /* The child is gone and everything it wrote was handed over (so not while reading is paused).
     * signal: that killed it, else 0 and status is its exit status. child_close is still due. */
    void (*on_exit)(void *ctx, int status, int signal);
    void *ctx;
};

/* Starts it (gives). A program that cannot be executed or pinned is an error here. */
int child_open(struct child **out, struct loop *l, const struct child_config *c, struct err *e);

/* Queues a copy of the bytes; never waits. E_IO once the child's end is closed. */
int child_write(struct child *c, const void *bytes, size_t size, struct err *e);

/* Bytes that the child has not taken yet. */
size_t child_queued(const struct child *c);

/* Stops and goes on handing over what the child writes. While paused the child's writes fill the
 * socket and then block: nothing is lost. A batch already read is still handed over. */
void child_pause(struct child *c);
void child_resume(struct child *c);

/* Closes our writing side: the child reads the end of the stream. */
void child_end(struct child *c);

void child_kill(struct child *c, int signal); /* fine when it is gone */
pid_t child_pid(const struct child *c);

/* Kills it with SIGKILL if it still runs, reaps, frees, calls nothing any more. NULL is fine. */
void child_close(struct child **c);

#endif
