// SPDX-License-Identifier: MIT
/* hub_rig: a hub on a real database in a folder of its own, and a door that keeps what is sent.
 * Messages go in and out through their bytes, as they would over the network.
 */
#ifndef GROKD_TESTS_COORDINATOR_HUB_RIG_H
#define GROKD_TESTS_COORDINATOR_HUB_RIG_H

#include "tests/test.h"

#include "coordinator/hub.h"
#include "tests/coordinator/store_help.h"

#define SENT 256
#define GONE 666 /* a peer to whom nothing can be sent */

struct rig {
    struct help base;
    struct hub hub;
    wire_envelope *sent[SENT];
    uint64_t to[SENT];
    size_t sent_count;
    int code; /* of the last answer to ourselves */
    char answer[512];
    const char *const *users; /* who may come in; NULL: the list cannot be read */
    size_t user_count;
    int64_t now;
};

/* With one sweep of so many runs (of 3 epochs each), or none. */
void rig_open(struct rig *r, int seeds);
void rig_close(struct rig *r);

/* A crash and a new start: what was in memory is gone. */
void rig_restart(struct rig *r);

struct moment rig_at(const struct rig *r);
void rig_settle(struct rig *r); /* collects until nothing is under way */
void rig_forget(struct rig *r); /* what was sent */

/* Messages. `run` 0: the worker holds nothing. `wrong`: the first training loss is another. */
wire_envelope rig_envelope(int body);
void rig_give(struct rig *r, uint64_t peer, bool local, const wire_envelope *m);
void rig_hello(struct rig *r, uint64_t peer, int64_t run, int64_t attempt);
void rig_epochs(struct rig *r, uint64_t peer, int64_t run, int64_t attempt, int64_t first,
                int64_t last, bool wrong);
void rig_ended(struct rig *r, uint64_t peer, int64_t run, int64_t attempt, int outcome,
               int64_t epoch);

/* Says a command and gives the answer's text (lends); its code is in r->code. */
const char *rig_command(struct rig *r, const char *verb, const char *a, const char *b,
                        const char *text);

/* The last message of this kind that was sent. */
const wire_envelope *rig_last(const struct rig *r, int body);

#endif
