// SPDX-License-Identifier: MIT
/* sim: a world in one thread and virtual time, in which the real deciders of both sides (hub with
 * scheduler and run table, sessions with their outboxes) talk through a bad network, commit to a
 * store that a crash cuts off, and train runs whose values are a chain of hashes.
 *
 * A world is drawn from one seed: its size, its times and which faults it knows. It promises that
 * the same seed gives the same history, event by event; `hash` is the history's.
 *
 *   sim_world.c    the queue of events, the draw, a world's life
 *   sim_mix.c      what a seed draws
 *   sim_net.c      letters between the two sides
 *   sim_coord.c    the coordinator's process around the real hub
 *   sim_store.c    the store behind store.h
 *   sim_apply.c    what a save does to its tables
 *   sim_file.c     checkpoints, whole or in parts
 *   sim_worker.c   worker processes around real sessions
 *   sim_slot.c     their slots: trainers that multiply hashes
 *   sim_fault.c    what goes wrong
 *   sim_hostile.c  peers that lie
 *   sim_oracle.c   what must hold of what is stored, sent and kept
 *   sim_blame.c    what must hold of how attempts end
 *
 * An event is a delivered message, a timer of a process, a report of a slot, a commit, a collected
 * commit or a fault; what finds nobody to handle it (a timer of a process that is gone) is none.
 */
#ifndef GROKD_TESTS_SIM_SIM_H
#define GROKD_TESTS_SIM_SIM_H

#include "common/philox.h"
#include "coordinator/hub.h"
#include "worker/session.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_WORKERS   50
#define SIM_CLONES    4 /* places behind the workers: copies of their processes */
#define SIM_PLACES    (SIM_WORKERS + SIM_CLONES)
#define SIM_HOSTILE   SIM_PLACES /* the place of the peer that lies */
#define SIM_OWNER     255        /* ... and of the owner's endpoint */
#define SIM_RUNS      30
#define SIM_SWEEPS    3
#define SIM_EPOCHS    40 /* most of a run, beside epoch 0 */
#define SIM_SLOTS     3
#define SIM_FILES     6    /* most checkpoints of a run that a worker keeps on their way out */
#define SIM_UNDER_WAY 4000 /* most questions, or messages, of the coordinator that wait */
#define SIM_PART      8    /* bytes of a checkpoint in one message, where they come in parts */

enum sim_fault {
#define FAULT(name) FAULT_##name,
#include "tests/sim/fault.def"
#undef FAULT
    SIM_FAULT_COUNT
};

enum sim_cover {
#define COVER(name) COVER_##name,
#include "tests/sim/cover.def"
#undef COVER
    SIM_COVER_COUNT
};

enum sim_kind {
    EV_UP,      /* a letter reaches the coordinator */
    EV_DOWN,    /* a letter reaches a worker */
    EV_CTICK,   /* the coordinator's tick */
    EV_CSTART,  /* it starts again */
    EV_COMMIT,  /* the store's transaction is durable */
    EV_COLLECT, /* the coordinator hears of it */
    EV_STICK,   /* a session's tick */
    EV_WSTART,  /* a worker starts */
    EV_SLOT,    /* a slot does its next step */
    EV_FAULT
};

/* A message under way, as the bytes that the wire carries. */
struct sim_letter {
    struct sim_letter *next; /* of the free ones */
    uint64_t peer;
    uint8_t *bytes;
    size_t size;
    bool local;    /* for the owner's endpoint */
    bool week_old; /* held back for long */
};

struct sim_event {
    int64_t at_ms;
    uint64_t seq;
    uint32_t generation; /* of whom it is for; another one: nobody */
    uint8_t kind, place, slot;
    struct sim_letter *letter;
};

struct sim_draw {
    struct philox stream;
    uint64_t index;
    uint32_t words[4];
    int left;
};

/* What a seed draws. Chances are per 2^32. */
struct sim_mix {
    bool on[SIM_FAULT_COUNT];
    int workers, runs, sweeps;
    int64_t epochs, epoch_ms, start_ms, checkpoint_every;
    int64_t lease_ms, heartbeat_ms, hung_ms, quick_ms, tick_ms, ack_ms;
    int64_t delay_ms, commit_ms, collect_ms, fault_ms;
    uint32_t loss, duplicate, week_old, unsent, run_fail;
    size_t window, keep, outbox_bytes;
    int64_t max_attempts, max_losses;
    uint64_t storm_events;
    bool parts; /* checkpoints are too large for a message */
};

/* ---- the store's tables ---- */

struct sim_checkpoint {
    int64_t epoch;
    uint64_t chain;
    bool torn;
};

/* The file of a checkpoint. */
struct sim_file {
    uint64_t run, epoch, chain;
};

/* One that comes in parts: in memory, a crash forgets it. */
struct sim_upload {
    int64_t attempt, epoch; /* attempt 0: none */
    size_t held;
    struct sim_file file;
};

struct sim_run {
    int64_t sweep;
    enum run_state state;
    int64_t attempt, worker, epochs_done, failures, losses;
    int64_t differed; /* attempt, of which nothing is believed any more */
    struct save_blas blas;
    double value[SIM_EPOCHS + 1];
    struct sim_checkpoint checkpoint[2]; /* newest first */
    int checkpoints;
};

struct sim_sweep {
    int64_t priority;
    enum sweep_state state;
};

/* What one store_submit handed over. */
struct sim_ticket {
    struct save *saves;
    size_t count;
};

struct store {
    struct sim *sim;
    struct sim_run runs[SIM_RUNS + 1];
    struct sim_upload uploads[SIM_RUNS + 1];
    struct sim_sweep sweeps[SIM_SWEEPS + 1];
    int *worker_uuid; /* number -> serial of the process */
    int64_t worker_count, worker_room;
    struct sim_ticket *queue; /* from `first`; the first `committing` of them are being written */
    size_t first, count, room, committing;
    uint64_t submitted, committed;
    struct save_answer *answers; /* of what is committed and not collected */
    size_t answer_count, answer_room;
    int64_t full_until_ms, slow_until_ms;
    bool full;          /* what is being written found no room */
    bool fails, failed; /* the next sync; the store is dead */
    bool collect_due;   /* an event is on its way */
};

/* ---- processes ---- */

struct sim_coord {
    bool up;
    uint32_t generation, ticks;
    struct hub hub;
    int64_t offset_ms, awake_ms; /* paused until then */
    int64_t fresh_ms;            /* own clock at the end of the last long absence */
    int64_t started_ms;          /* own clock */
    int64_t ticked_ms;           /* ... of the last tick */
    int64_t renewed_ms;  /* ... at the end of the last absence or full disk: leases begin anew */
    uint64_t boot_peers; /* connections up to here are of an earlier process */
    size_t most_needed;  /* workers at once that could not be forgotten */
    size_t came_back;    /* runs, since no more waited than the window has room for */
};

struct sim_slot {
    bool alive, ready, paused, stop, hung, bad, waits;
    uint32_t generation;
    int64_t run, attempt, next; /* run 0: idle */
    uint64_t chain;
    struct sim_file file; /* the checkpoint that comes in parts */
    size_t file_left;     /* bytes of it that are still to come */
    char family[SESSION_FAMILY];
};

/* One direction of a connection. */
struct sim_way {
    int64_t cut_until_ms, frozen_until_ms, last_ms;
};

struct sim_worker {
    bool up;
    uint32_t generation, timer;
    int serial; /* of the process, and its uuid */
    char uuid[SAVE_NAME];
    uint64_t known_peer; /* that it said Hello from, to this coordinator */
    uint64_t said;       /* number of that Hello */
    bool copied;         /* another process has its uuid, or had it */
    struct session *session;
    uint64_t peer;
    int64_t offset_ms, awake_ms, timer_ms;
    struct sim_slot slots[SIM_SLOTS];
    uint32_t slot_count;
    bool zen, bad;
    struct sim_way up_way, down_way;
    int64_t told[SIM_RUNS + 1];    /* newest epoch that it knows to be stored, by run */
    int64_t attempt[SIM_RUNS + 1]; /* newest that it was given */
    bool asks[SIM_RUNS + 1];       /* since its last Welcome it has to ask for a part of it */
    bool again[SIM_RUNS + 1];      /* since its last Welcome it has reported nothing of the run */
    int64_t heard_ms;              /* coordinator's clock: a message of it was handed to the hub */
};

/* What the oracle remembers of a run, beside the store. */
struct sim_ledger {
    uint64_t chain[SIM_EPOCHS + 1];
    int64_t acked;            /* most that was ever acknowledged; -1: none */
    int64_t sent_attempt;     /* of the newest Work that was sent */
    int64_t named_attempt;    /* of the newest assignment handed to the store */
    int64_t cut;              /* failures that happened */
    int64_t boot_done;        /* epochs stored when the coordinator started last */
    bool tainted;             /* a bad trainer reported on it */
    int64_t boot_attempt;     /* that was running when the coordinator started last */
    int64_t lost_ack;         /* attempt whose acknowledgement was lost last */
    int64_t wiped_attempt;    /* attempts up to here were deleted with their rows */
    int64_t told_ms;          /* coordinator's clock: last assignment or new epochs */
    int64_t told_epoch;       /* newest of this attempt; -1: none */
    int64_t failures, losses; /* of the newest end handed to the store */
    int64_t ended_attempt;    /* whose worker said its end, and had to be believed */
    int64_t hung_attempt;     /* that was called so at the last tick and has not ended */
    int64_t differs_attempt;  /* of which the coordinator knows that a replay differs */
};

struct sim {
    uint64_t seed, hash, events, limit;
    int64_t now_ms;
    int at_once; /* events of this millisecond */
    struct sim_draw draw;
    struct sim_mix mix;
    struct sim_event *heap;
    size_t heap_count, heap_room;
    uint64_t seq, serial, peers;
    struct sim_letter *letters; /* free ones */
    bool storm;
    bool forgiven;   /* a quarantine took failures back */
    int64_t calm_ms; /* since when there are no faults */
    struct store store;
    struct sim_coord coord;
    struct sim_worker worker[SIM_PLACES];
    struct sim_ledger ledger[SIM_RUNS + 1];
    struct session_actions actions;
    struct settings settings;
    struct params params;
    uint64_t *cover; /* SIM_COVER_COUNT of all worlds; lent */
    FILE *trace;     /* NULL: none */
    bool wrong;
    char why[512];
};

/* sim_world.c */
uint32_t sim_u32(struct sim *w);
int64_t sim_below(struct sim *w, int64_t n);                  /* 0..n-1 */
int64_t sim_log_between(struct sim *w, int64_t a, int64_t b); /* each order of size alike */
bool sim_chance(struct sim *w, uint32_t share);               /* of 2^32; only in a storm */
uint64_t sim_mix64(uint64_t x);
void sim_at(struct sim *w, int64_t at_ms, enum sim_kind kind, int place, int slot,
            uint32_t generation, struct sim_letter *letter);
void sim_note(struct sim *w, const char *what, int place, int64_t a, int64_t b, int64_t c);
void sim_wrong(struct sim *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_cover(struct sim *w, enum sim_cover what);
/* One world from its seed to its end; false: something that must hold did not (w->why). */
bool sim_live(struct sim *w, uint64_t seed, uint64_t limit);
void sim_free(struct sim *w);

/* sim_mix.c */
void sim_mix_draw(struct sim *w);
void sim_mix_print(const struct sim *w, FILE *out);

/* sim_net.c */
void sim_up(struct sim *w, int place, const uint8_t *bytes, size_t size);
void sim_up_message(struct sim *w, uint64_t peer, bool local, wire_envelope *m, int64_t delay_ms);
int sim_down(struct sim *w, uint64_t peer, const wire_envelope *m, struct err *e);
void sim_letter_free(struct sim *w, struct sim_letter *l);
int sim_place(uint64_t peer);
uint64_t sim_peer_new(struct sim *w, int place);

/* sim_coord.c */
void sim_coord_start(struct sim *w);
void sim_coord_kill(struct sim *w, bool restart);
void sim_coord_pause(struct sim *w, int64_t for_ms, bool clock_stops);
void sim_coord_letter(struct sim *w, struct sim_event *ev);
void sim_coord_tick(struct sim *w, struct sim_event *ev);
void sim_coord_collect(struct sim *w, struct sim_event *ev);
int64_t sim_coord_now(const struct sim *w);

/* sim_store.c, sim_apply.c */
void sim_store_open(struct sim *w);
void sim_store_commit(struct sim *w);
void sim_store_crash(struct sim *w);
void sim_store_state(struct sim *w, struct store_state *out);
void sim_store_free(struct sim *w);
void sim_apply(struct store *s, const struct save *x);
struct save_answer *sim_answer(struct store *s, const struct save *x);
struct save_sweep sim_sweep_totals(const struct store *s, int64_t sweep);
struct save_run sim_run_stored(const struct store *s, int64_t run);
void sim_uuid(int serial, char out[SAVE_NAME]);
int sim_serial(const char *uuid);
const char *sim_user(int serial); /* name of the process's key */

/* sim_file.c */
void sim_file_find(struct store *s, struct save_answer *a);
void sim_file_keep(struct store *s, int64_t run, int64_t attempt, const Grokd__Epoch *m);
void sim_file_part(struct store *s, const struct save *x);
void sim_file_read(struct store *s, const struct save *x);

/* sim_worker.c, sim_slot.c */
void sim_worker_start(struct sim *w, int place, int serial);
void sim_worker_kill(struct sim *w, int place, int64_t back_ms); /* back_ms < 0: never */
void sim_worker_on(struct sim *w, int place, const struct session_event *ev);
void sim_worker_letter(struct sim *w, struct sim_event *ev);
void sim_worker_tick(struct sim *w, struct sim_event *ev);
void sim_slot_act(struct sim *w, int place, const struct session_action *a);
void sim_slot_step(struct sim *w, struct sim_event *ev);
void sim_slot_die(struct sim *w, int place, uint32_t slot, int signal);

/* sim_fault.c, sim_hostile.c */
void sim_fault(struct sim *w);
void sim_command(struct sim *w, const char *verb, const char *a, const char *b);
void sim_hostile(struct sim *w);
/* Whether a lie names a worker that was forgotten while it was on its way. */
bool sim_pointless(const struct sim *w, int place, const wire_envelope *m);
void sim_calm(struct sim *w); /* every fault ends */
void sim_tend(struct sim *w); /* now and then in the calm: what an owner does */

/* sim_oracle.c */
bool oracle_begins(const char *text, const char *with);
/* The one process with this number; NULL: none, or a copy has its uuid too. */
const struct sim_worker *oracle_process(const struct sim *w, int64_t number);
void oracle_open(struct sim *w);
void oracle_submit(struct sim *w, const struct save *x);
void oracle_sent(struct sim *w, uint64_t peer, const wire_envelope *m);
void oracle_insert(struct sim *w, int64_t run, int64_t epoch, double value);
void oracle_changed(struct sim *w, const struct save *x, int64_t run, enum run_state before);
void oracle_worker(struct sim *w, int place);
void oracle_heard(struct sim *w, int place, const wire_envelope *m);
void oracle_said(struct sim *w, int place, const uint8_t *bytes, size_t size);
void oracle_introduced(struct sim *w); /* the coordinator started, or heard a Hello */
void oracle_all(struct sim *w);
void oracle_settled(struct sim *w); /* the world is at its end */
bool oracle_over(const struct sim *w);
double oracle_value(uint64_t chain);

/* sim_blame.c */
void oracle_lost(struct sim *w, const struct save *x);  /* a worker */
void oracle_ended(struct sim *w, const struct save *x); /* an attempt */
void oracle_differs(struct sim *w, int64_t run);
void oracle_forgives(struct sim *w);
void oracle_end_heard(struct sim *w, int place, uint64_t peer, const Grokd__Ended *m);
void oracle_ticked(struct sim *w);

#endif
