// SPDX-License-Identifier: MIT
/* slot: one place where runs are trained: a child process `grokd-train --pipe 3`, pinned to one
 * processor, one thread, serving runs one after another.
 *
 * It carries messages and reports deaths; what they mean is the session's to decide. What the child
 * writes to stderr goes to nobody's disk: the last SLOT_LOG bytes of each run are kept and lent
 * with every message and with the death. The child ends with this process, however it ends.
 */
#ifndef GROKD_WORKER_SLOT_H
#define GROKD_WORKER_SLOT_H

#include "common/err.h"
#include "common/loop.h"
#include "proto/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOT_LOG 4096

struct slot;

struct slot_config {
    struct loop *loop;
    const char *program; /* path of grokd-train; must live as long as the slot */
    uint32_t index;      /* handed back in the calls below */
    int cpu;             /* the one it may run on; -1: any of ours */

    /* A checked message; message and log are lent. */
    void (*on_message)(void *ctx, uint32_t index, const wire_envelope *m, const char *log);

    /* The process is gone and all it said was handed over; slot_start may be called from here.
     * signal: that killed it, else 0 and status is its exit status. */
    void (*on_died)(void *ctx, uint32_t index, int status, int signal, const char *log);
    void *ctx;
};

/* Gives a slot without a process. */
int slot_open(struct slot **out, const struct slot_config *c, struct err *e);

/* Starts a process with the kernels `family`; there must be none. */
int slot_start(struct slot *s, const char *family, struct err *e);

/* Sends one packed envelope; a Work begins a new log. E_IO when the process is gone: its death is
 * reported in any case. */
int slot_tell(struct slot *s, const uint8_t *bytes, size_t size, struct err *e);

/* Reads nothing from it, so that it must wait; goes on. Fine without a process. */
void slot_pause(struct slot *s);
void slot_resume(struct slot *s);

void slot_kill(struct slot *s); /* the death is reported as any other */

/* The process number, 0: none. */
pid_t slot_pid(const struct slot *s);

/* Ends the process, calls nothing any more. NULL is fine. */
void slot_close(struct slot **s);

#endif
