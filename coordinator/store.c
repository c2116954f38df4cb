// SPDX-License-Identifier: MIT
/* store: the thread that writes. It takes tickets from a queue, carries them out in one transaction
 * while more arrive, commits, and only then shows the answers and rings the bell.
 *
 * A transaction that finds no room is rolled back and its tickets are kept and carried out again,
 * so that a ticket is stored whole or not at all and always in order.
 */
#include "coordinator/store.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/queue.h"
#include "common/thread.h"
#include "coordinator/store_aggregate.h"
#include "coordinator/store_db.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP_ROWS        200
#define GROUP_MS          5
#define RETRY_MS          100
#define IDLE_MS           1000
#define CHECKPOINT_FRAMES 1000       /* pages in the log between checkpoints */
#define PRESS_FRAMES      (64 << 8)  /* 64 MiB in pages of 4 KiB: readers are waited for above */
#define PRESS_MS          200        /* first wait for readers */
#define PRESS_MOST_MS     800        /* longest wait for readers */
#define LOG_FRAMES        (256 << 8) /* 256 MiB: warn above */

struct ticket {
    uint64_t number;
    struct save *saves;
    size_t count;
};

/* Tickets of one transaction and what came of them. */
struct batch {
    struct ticket **tickets;
    size_t count, room;
    struct save_answer *answers;
    size_t answer_count, answer_room;
    size_t rows;
};

struct store {
    struct db db;
    char *path;
    struct queue *queue;
    struct thread *thread;
    struct lock *lock; /* guards the next four */
    struct store_result out;
    size_t out_room;
    int failed; /* 0, or the code after which nothing is stored any more */
    struct err why;
    int bell;
    uint64_t next;       /* ticket; the caller's thread */
    atomic_bool closing; /* a full disk is waited for no longer */
    struct batch batch;  /* from here on: the store's thread */
    int tried_frames, press_frames, warned_frames, press_ms;
    bool cut; /* the log is short, and nothing was written since */
    struct clouds clouds;
    struct aggregate aggregate;
    bool due;              /* some sweep waits for its statistics */
    int64_t not_before_ms; /* ... which were tried in vain, until then */
};

/* ---- memory ---- */

static void *grow(void *array, size_t need, size_t *room, size_t size)
{
    if (need <= *room) return array;
    size_t more = *room ? *room : 16;
    while (more < need) more *= 2;
    void *p = realloc(array, more * size);
    if (p) *room = more;
    return p;
}

static void saves_free(struct save *saves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(saves[i].text);
        wire_free(&saves[i].message);
    }
}

static void ticket_free(struct ticket *t)
{
    if (!t) return;
    saves_free(t->saves, t->count);
    free(t->saves);
    free(t);
}

static void answers_free(struct save_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(answers[i].runs);
        free(answers[i].checkpoint);
    }
}

/* ---- a batch ---- */

static int batch_answer(struct batch *b, const struct save_answer *a, struct err *e)
{
    void *p = grow(b->answers, b->answer_count + 1, &b->answer_room, sizeof *b->answers);
    if (!p) return err_set(e, E_NOMEM, "no memory for answers of the store");
    b->answers = p;
    b->answers[b->answer_count++] = *a;
    return OK;
}

static int batch_apply(struct store *s, const struct ticket *t, struct err *e)
{
    for (size_t i = 0; i < t->count; i++) {
        struct save_answer a;
        bool answered;
        int rc = save_apply(&s->db, &t->saves[i], &a, &answered, &s->batch.rows, e);
        if (rc == OK && answered) rc = batch_answer(&s->batch, &a, e);
        if (rc < 0) {
            free(a.runs);
            free(a.checkpoint);
            return rc;
        }
    }
    return OK;
}

/* Takes the ticket, also when it fails. */
static int batch_add(struct store *s, struct ticket *t, struct err *e)
{
    struct batch *b = &s->batch;
    void *p = grow(b->tickets, b->count + 1, &b->room, sizeof(struct ticket *));
    if (!p) {
        ticket_free(t);
        return err_set(e, E_NOMEM, "no memory for tickets of the store");
    }
    b->tickets = p;
    b->tickets[b->count++] = t;
    return OK;
}

/* Rolls back what was carried out; the tickets stay. */
static void batch_undo(struct store *s)
{
    db_rollback(&s->db);
    clouds_undo(&s->clouds);
    answers_free(s->batch.answers, s->batch.answer_count);
    s->batch.answer_count = s->batch.rows = 0;
}

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) ticket_free(b->tickets[i]);
    b->count = b->answer_count = b->rows = 0;
}

/* Once more, everything in the batch. */
static int batch_repeat(struct store *s, struct err *e)
{
    int rc = db_begin(&s->db, e);
    for (size_t i = 0; i < s->batch.count && rc == OK; i++)
        rc = batch_apply(s, s->batch.tickets[i], e);
    return rc == OK ? db_commit(&s->db, e) : rc;
}

/* Carries out the first ticket and those that come within the time, up to the rows of a group. */
static int batch_first(struct store *s, struct ticket *first, struct err *e)
{
    int64_t end = clock_now_ms() + GROUP_MS, left = GROUP_MS;
    int rc = batch_add(s, first, e);
    if (rc == OK) rc = db_begin(&s->db, e);
    for (struct ticket *t = first; t && rc == OK;) {
        if ((rc = batch_apply(s, t, e)) < 0) break;
        left = end - clock_now_ms();
        t = left > 0 && s->batch.rows < GROUP_ROWS ? queue_pop(s->queue, left) : NULL;
        if (t) rc = batch_add(s, t, e);
    }
    return rc == OK ? db_commit(&s->db, e) : rc;
}

/* ---- what the caller sees ---- */

/* The store waits, and for what. */
static void publish_full(struct store *s, const struct err *why)
{
    lock_take(s->lock);
    bool changed = !s->out.full || strcmp(s->out.why.text, why->text) != 0;
    s->out.full = true;
    s->out.why = *why;
    lock_leave(s->lock);
    if (changed) bell_ring(s->bell);
}

static void publish_failure(struct store *s, const struct err *e)
{
    log_error("store_failed", "error=%s", e->text);
    lock_take(s->lock);
    s->failed = e->code;
    s->why = *e;
    lock_leave(s->lock);
    bell_ring(s->bell);
}

/* The batch is durable: its answers go out, its tickets are freed. */
static int publish(struct store *s, struct err *e)
{
    struct batch *b = &s->batch;
    clouds_commit(&s->clouds);
    s->due = aggregate_is_due(&s->db);
    lock_take(s->lock);
    s->out.busy = s->due;
    void *p = grow(s->out.answers, s->out.answer_count + b->answer_count, &s->out_room,
                   sizeof *b->answers);
    if (p || b->answer_count == 0) {
        s->out.answers = p;
        if (b->answer_count)
            memcpy(s->out.answers + s->out.answer_count, b->answers,
                   b->answer_count * sizeof *b->answers);
        s->out.answer_count += b->answer_count;
        s->out.ticket = b->tickets[b->count - 1]->number;
        s->out.full = false;
    }
    lock_leave(s->lock);
    if (!p && b->answer_count) return err_set(e, E_NOMEM, "no memory for answers of the store");
    batch_clear(b);
    bell_ring(s->bell);
    return OK;
}

/* ---- the thread ---- */

static int wait_for_room(struct store *s, struct err *e)
{
    int rc = E_FULL;
    log_warn("store_waits", "error=%s", e->text);
    while (rc == E_FULL) {
        batch_undo(s);
        if (atomic_load(&s->closing)) break;
        publish_full(s, e);
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
        rc = batch_repeat(s, e);
    }
    if (rc == OK) log_info("store_continues", "path=%s", s->path);
    return rc;
}

static void press_anew(struct store *s)
{
    s->press_frames = PRESS_FRAMES;
    s->press_ms = PRESS_MS;
}

static void say_log_grows(struct store *s, int frames)
{
    char reader[DB_READER];
    s->warned_frames = frames;
    db_reader(&s->db, reader);
    log_warn("log_grows", "path=%s-wal pages=%d reader=%s reason=%s", s->path, frames, reader,
             "it keeps a transaction open (a sqlite3 shell after BEGIN?)");
}

/* Readers that come one after the other never leave a log alone: when it is long, they are waited
 * for. In vain: again when it has grown a little, and longer; who outstays that as well is waited
 * for seldom, since nothing is stored meanwhile. */
static int move_log(struct store *s, int frames, struct err *e)
{
    if (frames < s->press_frames) return db_checkpoint(&s->db, DB_LOG_MOVE, 0, e);
    int rc = db_checkpoint(&s->db, DB_LOG_BEGIN, s->press_ms, e);
    if (s->db.wal_frames == 0)
        press_anew(s);
    else if (s->press_ms < PRESS_MOST_MS) {
        s->press_ms *= 2;
        s->press_frames = frames + frames / 8;
    } else
        s->press_frames = frames + frames / 2;
    return rc;
}

/* Moves the log into the file now and then; a reader that keeps an old view open prevents it. */
static int keep_log_short(struct store *s, struct err *e)
{
    int frames = s->db.wal_frames;
    if (frames < s->tried_frames) {
        s->tried_frames = 0;
        press_anew(s);
    }
    if (frames - s->tried_frames < CHECKPOINT_FRAMES) return OK;
    s->tried_frames = frames;
    int rc = move_log(s, frames, e);
    if (s->db.wal_frames == 0)
        s->warned_frames = 0;
    else if (frames > LOG_FRAMES && frames > 2 * s->warned_frames)
        say_log_grows(s, frames);
    return rc;
}

/* A part of the statistics that are due. They can wait for room; nobody waits for them. */
static int aggregate(struct store *s, struct err *e)
{
    int rc = aggregate_step(&s->aggregate, &s->db, e);
    if (rc == E_FULL || rc == E_NOMEM) {
        log_warn("statistics_wait", "error=%s", e->text);
        s->not_before_ms = clock_now_ms() + IDLE_MS;
        return OK;
    }
    s->due = aggregate_is_due(&s->db);
    if (rc < 0 || s->due) return rc;
    lock_take(s->lock);
    s->out.busy = false;
    lock_leave(s->lock);
    bell_ring(s->bell);
    return OK;
}

/* Nothing came for a while: the log can be short. In vain: a reader has an old view, or there is no
 * room; it is tried again after as long. */
static int cut_log(struct store *s, struct err *e)
{
    int rc = db_checkpoint(&s->db, DB_LOG_CUT, 0, e);
    s->cut = s->db.wal_frames == 0;
    if (!s->cut) return rc;
    s->tried_frames = s->warned_frames = 0;
    press_anew(s);
    return rc;
}

/* The next ticket. NULL: there is none now. */
static int next_ticket(struct store *s, struct ticket **t, struct err *e)
{
    int64_t wait = s->due ? s->not_before_ms - clock_now_ms() : IDLE_MS;
    *t = queue_pop(s->queue, s->cut ? -1 : wait > 0 ? wait : 0);
    if (*t || s->due) s->cut = false;
    return *t || s->due || queue_ended(s->queue) ? OK : cut_log(s, e);
}

/* Carries out a ticket and those that follow it at once. */
static int carry_out(struct store *s, struct ticket *t, struct err *e)
{
    int rc = batch_first(s, t, e);
    if (rc == E_FULL) rc = wait_for_room(s, e);
    if (rc == OK) rc = publish(s, e);
    if (rc < 0) batch_undo(s);
    return rc;
}

static void run(void *ctx)
{
    struct store *s = ctx;
    struct err e;
    int rc = OK;
    while (rc == OK) {
        struct ticket *t;
        rc = next_ticket(s, &t, &e);
        if (t)
            rc = carry_out(s, t, &e);
        else if (rc == OK && queue_ended(s->queue))
            return;
        if (rc == OK && s->due && clock_now_ms() >= s->not_before_ms) rc = aggregate(s, &e);
        if (rc == OK) rc = keep_log_short(s, &e);
    }
    publish_failure(s, &e);
}

/* ---- the door ---- */

int store_open(struct store **out, const char *path, struct store_state *state, struct err *e)
{
    *state = (struct store_state){0};
    struct store *s = calloc(1, sizeof *s);
    if (!s) return err_set(e, E_NOMEM, "%s: no memory for the store", path);
    s->bell = -1;
    s->next = 1;
    press_anew(s);
    atomic_init(&s->closing, false);
    int rc = (s->path = strdup(path)) ? OK : err_set(e, E_NOMEM, "%s: no memory", path);
    if (rc == OK) rc = db_open(&s->db, s->path, e);
    s->db.clouds = &s->clouds;
    if (rc == OK) rc = load_state(&s->db, state, e);
    if (rc == OK) s->out.busy = s->due = aggregate_is_due(&s->db);
    if (rc == OK) rc = lock_open(&s->lock, e);
    if (rc == OK) rc = queue_open(&s->queue, e);
    if (rc == OK && (s->bell = bell_open(e)) < 0) rc = s->bell;
    if (rc == OK) rc = thread_start(&s->thread, "store", run, s, e);
    if (rc < 0) {
        store_state_free(state);
        store_close(&s);
        return rc;
    }
    *out = s;
    return OK;
}

uint64_t store_submit(struct store *s, struct save *saves, size_t count)
{
    struct err e = {0};
    uint64_t number = s->next++;
    struct ticket *t = calloc(1, sizeof *t);
    if (t && (t->saves = malloc((count + 1) * sizeof *saves))) {
        memcpy(t->saves, saves, count * sizeof *saves);
        t->number = number;
        t->count = count;
        if (queue_push(s->queue, t) == OK) return number;
        t->count = 0;
    }
    ticket_free(t);
    saves_free(saves, count);
    err_set(&e, E_NOMEM, "no memory for a ticket of the store");
    publish_failure(s, &e);
    return number;
}

int store_fd(const struct store *s)
{
    return s->bell;
}

int store_collect(struct store *s, struct store_result *out, struct err *e)
{
    bell_quiet(s->bell);
    lock_take(s->lock);
    int rc = s->failed;
    *out = (struct store_result){.ticket = s->out.ticket, .busy = s->out.busy};
    if (rc == OK) {
        *out = s->out;
        s->out.answers = NULL;
        s->out.answer_count = s->out_room = 0;
    } else if (e)
        *e = s->why;
    lock_leave(s->lock);
    return rc;
}

/* At rest: all is stored and no sweep goes on, so that nothing will be written for a while. */
static bool at_rest(struct store *s)
{
    int64_t active = 1;
    return s->failed == OK && s->db.handle &&
           db_integer(&s->db, &active, 0, SQL_SWEEPS_ACTIVE, NULL, "") == OK && active == 0;
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (!s) return;
    *store = NULL;
    atomic_store(&s->closing, true);
    if (s->queue) queue_end(s->queue);
    bool started = s->thread != NULL;
    thread_join(&s->thread);
    for (struct ticket *t; s->queue && (t = queue_pop(s->queue, 0));) ticket_free(t);
    queue_close(&s->queue);
    aggregate_drop(&s->aggregate);
    clouds_close(&s->clouds);
    db_close(&s->db, started && at_rest(s));
    batch_clear(&s->batch);
    free(s->batch.tickets);
    free(s->batch.answers);
    store_result_free(&s->out);
    lock_close(&s->lock);
    if (s->bell >= 0) close(s->bell);
    free(s->path);
    free(s);
}

void store_state_free(struct store_state *state)
{
    free(state->sweeps);
    free(state->running);
    *state = (struct store_state){0};
}

void store_result_free(struct store_result *r)
{
    answers_free(r->answers, r->answer_count);
    free(r->answers);
    r->answers = NULL;
    r->answer_count = 0;
}
