// SPDX-License-Identifier: MIT
/* loop_private: what loop, loop_child and loop_spawn share and nobody else sees. */
#ifndef GROKD_COMMON_LOOP_PRIVATE_H
#define GROKD_COMMON_LOOP_PRIVATE_H

#include "common/loop.h"

#include <sys/types.h>
#include <uv.h>

struct child_config;

uv_loop_t *loop_uv(struct loop *l);

/* Starts the program of c with stream_fd as its CHILD_FD; everything is closed in it but that and
 * 0, 1, 2. */
int loop_spawn(pid_t *pid, const struct child_config *c, int stream_fd, struct err *e);

#endif
