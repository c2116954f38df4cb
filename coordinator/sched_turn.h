// SPDX-License-Identifier: MIT
/* sched_turn: what the files of the scheduler share, and nobody else sees: one turn, and who does
 * which part of it.
 */
#ifndef GROKD_COORDINATOR_SCHED_TURN_H
#define GROKD_COORDINATOR_SCHED_TURN_H

#include "coordinator/sched.h"

/* One call of sched_on. */
struct turn {
    struct sched *s;
    const struct event *ev;
    int64_t now_ms;
    struct actions *out;
    struct err *e;
};

/* How a run's attempt ends, and what its holder is told. */
struct change {
    enum run_event event;
    const char *outcome; /* of the attempt, as stored */
    const char *reason, *log;
    double seconds;
    const struct save_answer *file; /* FILED */
    bool tell;                      /* the holder, if it is connected */
    enum send_kind with;            /* SEND_ACK (ended) or SEND_STOP */
};

/* sched.c: one row of events, a sentence for a person, an answer to wait for. */
void turn_say(struct turn *t, const char *kind, int64_t run, int64_t worker, const char *format,
              ...) __attribute__((format(printf, 5, 6)));
void turn_refuse(struct turn *t, const char *reason);
void turn_stop(struct turn *t, int64_t run, int64_t attempt, const char *reason);
int turn_ask(struct turn *t, enum save_kind kind, int64_t sweep, int64_t run, int64_t command);

/* sched_run.c: the life of a run. */
int turn_change(struct turn *t, struct run *r, const struct change *c);
int turn_fail(struct turn *t, struct run *r, const struct change *c, bool final, bool quick);
int turn_lose(struct turn *t, struct run *r, const struct change *c);
int turn_judge(struct turn *t, struct run *r,
               const struct change *c); /* FAIL, LOSE, GIVE_BACK; no outcome */
int turn_epochs(struct turn *t, struct worker *w);
int turn_file(struct turn *t, struct worker *w, enum run_event ev); /* PART or READ */
int turn_ended(struct turn *t, struct worker *w);
int turn_epochs_answer(struct turn *t, const struct save_answer *a);
int turn_file_answer(struct turn *t, const struct save_answer *a);
void turn_forget(struct turn *t, struct run *r); /* the run, without a word */

/* sched_assign.c: who gets what, and what is fetched next. */
int turn_assign(struct turn *t);
int turn_fetch(struct turn *t);
int turn_fetched(struct turn *t, const struct save_answer *a);
void turn_explain(struct turn *t);

/* sched_worker.c: the workers and their leases. */
struct worker *worker_find(const struct sched *s, int64_t number);
struct worker *worker_of_peer(const struct sched *s, uint64_t peer);
struct worker *worker_recall(struct turn *t, const struct save_run *is); /* its holder, or NULL */
void worker_release(struct turn *t, struct run *r); /* its holder has one run less */
void worker_blame(struct turn *t, struct worker *w, const struct run *r, bool lost);
int turn_hello(struct turn *t);
int turn_heartbeat(struct turn *t, struct worker *w);
int turn_goodbye(struct turn *t, struct worker *w);
int turn_leases(struct turn *t);
void turn_full(struct turn *t);
int turn_keys(struct turn *t);

/* sched_sweep.c: sweeps and the commands of people. */
struct save_sweep *sweep_find(const struct sched *s, int64_t number);
int sweep_add(struct turn *t, const struct save_sweep *is);
void sweep_move(struct turn *t, int64_t sweep, enum run_state from, enum run_state to);
int turn_command(struct turn *t);
int turn_answer(struct turn *t);
int turn_done(struct turn *t); /* sweeps whose last run is over */

#endif
