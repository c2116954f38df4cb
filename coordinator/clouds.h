// SPDX-License-Identifier: MIT
/* clouds: the moments of the sketches of sweeps, kept as epochs arrive: one cloud a sweep and
 * evaluation table. Pure.
 *
 * Sketches of a transaction are staged, and go to their clouds when it is durable or are forgotten.
 * A cloud that is not whole is being read from the database in the order of (run, epoch): what
 * comes at or before the place of reading is added, what comes behind it will be read. A cloud that
 * is not kept, after a restart or for want of room, is read when somebody asks for a map.
 *
 * Memory: 0.66 MiB a cloud, CLOUDS_MOST of them; the one that was used longest ago makes room.
 */
#ifndef GROKD_COORDINATOR_CLOUDS_H
#define GROKD_COORDINATOR_CLOUDS_H

#include "coordinator/moments.h"
#include "proto/sketch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOUDS_MOST 8

struct cloud {
    int64_t sweep, evaluation; /* sweep 0: the place is free */
    bool whole;
    int64_t run, epoch; /* not whole: the last one read */
    uint64_t used;
    struct moments moments;
};

struct clouds_staged {
    int64_t sweep, evaluation, run, epoch;
    bool first; /* there is no other sketch of this cloud in the database */
    float sketch[SKETCH_ROWS];
};

/* All zero is empty. */
struct clouds {
    struct cloud place[CLOUDS_MOST];
    uint64_t uses;
    struct clouds_staged *staged;
    size_t count, room;
};

void clouds_close(struct clouds *c);

/* The cloud of a sweep and evaluation, or NULL (lends, until the next call of clouds_make). */
struct cloud *clouds_find(struct clouds *c, int64_t sweep, int64_t evaluation);

/* Makes an empty one, not whole, of which nothing was read; there must be none (lends). E_NOMEM. */
int clouds_make(struct clouds *c, int64_t sweep, int64_t evaluation, struct cloud **out,
                struct err *e);
void clouds_drop(struct cloud *x); /* NULL is fine */

/* Takes a copy; E_NOMEM. */
int clouds_stage(struct clouds *c, const struct clouds_staged *x, struct err *e);
void clouds_commit(struct clouds *c); /* what is staged is durable */
void clouds_undo(struct clouds *c);   /* what is staged was rolled back */

#endif
