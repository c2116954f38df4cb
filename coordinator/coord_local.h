// SPDX-License-Identifier: MIT
/* coord_local: the worker of --local: grokd-worker as a child process, from the folder of this
 * program. It lives as long as the coordinator, however that ends. One that was killed is started
 * again; one that gave up is an error, since nobody else may be there to do the work.
 */
#ifndef GROKD_COORDINATOR_COORD_LOCAL_H
#define GROKD_COORDINATOR_COORD_LOCAL_H

#include "common/err.h"
#include "common/loop.h"
#include "common/loop_child.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct coord_local {
    struct loop *loop;
    struct child *child; /* NULL: none runs */
    struct timer again;
    char program[PATH_MAX], access[PATH_MAX], endpoint[512], log[PATH_MAX], slots[24];
    int log_fd;
    bool ending; /* it was told to leave */
    /* It gave up, for the reason in e, or left after coord_local_end (e is OK). */
    void (*on_end)(void *ctx, const struct err *e);
    void *ctx;
};

/* Starts it; the fields on_end and ctx are set before. `endpoint` as bound, `dir` holds the access
 * file; its log goes to DIR/logs/worker.log. coord_local_close is due even if this fails. */
int coord_local_open(struct coord_local *w, struct loop *l, const char *dir, const char *endpoint,
                     int64_t slots, struct err *e);

/* Tells it to leave: checkpoints, hands its runs back; on_end follows. */
void coord_local_end(struct coord_local *w);

/* Whether it runs. */
bool coord_local_runs(const struct coord_local *w);

/* Kills what still runs. */
void coord_local_close(struct coord_local *w);

#endif
