// SPDX-License-Identifier: MIT
/* store_aggregate: what is said of a sweep as a whole, written by the store's thread between its
 * commits: seed_stats, tradeoff, and the map of its sketches. Private to store*.c.
 *
 * Which sweeps are due stands in the database (sweeps.aggregate_due), so nothing is forgotten by a
 * restart. A step takes about AGGREGATE_MS and is a transaction of its own; a sweep whose steps are
 * broken off begins anew, which does no harm: every part deletes what it is about to write.
 */
#ifndef GROKD_COORDINATOR_STORE_AGGREGATE_H
#define GROKD_COORDINATOR_STORE_AGGREGATE_H

#include "common/err.h"
#include "coordinator/map.h"
#include "coordinator/regression.h"
#include "coordinator/store_db.h"
#include "proto/param.h"

#include <stdbool.h>
#include <stdint.h>

#define AGGREGATE_MS     25
#define AGGREGATE_TASK   32
#define AGGREGATE_TRADES 1000 /* most lines of one sweep and regime */

/* Mean and sum of squares about it, of one measure at one epoch. */
struct aggregate_mean {
    int64_t count;
    double mean, squares;
};

/* Runs of one task and setting: final training loss and compressibility in the two regimes. */
struct aggregate_trade {
    char task[AGGREGATE_TASK];
    char *varied; /* what the setting has of the hyperparameters that vary */
    struct regression low, high;
};

struct aggregate_trades {
    bool begun, too_many;
    int varied[PARAM_COUNT]; /* hyperparameters that vary beside task, multiplier and seeds */
    int varied_count;
    struct aggregate_trade *at; /* [count], in order of task and setting */
    size_t count, room;
};

/* The sweep in work and how far it is. */
struct aggregate {
    int64_t sweep; /* 0: none */
    int stage;
    int64_t setting, seeds, epoch, last_epoch; /* where seed_stats is: the next epoch */
    struct aggregate_mean *means;              /* [AGGREGATE_EPOCHS, METRIC_COUNT] */
    int64_t run;                               /* where the summaries are */
    struct aggregate_trades trades;
    int64_t evaluation; /* whose map is made; 0: the first is to come */
    bool evaluation_done, again;
    struct map map;           /* without axes: not made yet */
    int64_t at_run, at_epoch; /* the last sketch placed */
    int64_t placed;
};

/* Whether some sweep is due; 0 also when the database does not say. */
int aggregate_is_due(struct db *d);

/* Does a part of what is due, in a transaction of its own. After an error it is rolled back, and
 * the sweep begins anew with the next step. */
int aggregate_step(struct aggregate *a, struct db *d, struct err *e);

/* Forgets the sweep in work, which stays due. */
void aggregate_drop(struct aggregate *a);

/* store_trade.c: a part of the trade-off of the sweep in work; 1 and 0 as below. */
int aggregate_trades(struct aggregate *a, struct db *d, struct err *e);
void aggregate_trades_free(struct aggregate_trades *t);

/* store_map.c: a part of the maps of the sweep in work. 1: there is more to do; 0: all is done. */
int aggregate_map(struct aggregate *a, struct db *d, struct err *e);

#endif
