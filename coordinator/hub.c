// SPDX-License-Identifier: MIT
/* hub: one turn: event, decide, save, send. */
#include "coordinator/hub.h"

#include "common/log.h"
#include "coordinator/hub_command.h"
#include "coordinator/hub_wire.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sends that wait ---------------------------------------------------------------------------
 */

static int queue_room(struct hub *h, struct err *e)
{
    if (h->first && h->first + h->count == h->room) {
        memmove(h->queue, h->queue + h->first, h->count * sizeof *h->queue);
        h->first = 0;
    }
    if (h->first + h->count < h->room) return OK;
    size_t room = h->room ? 2 * h->room : 64;
    struct hub_send *queue = realloc(h->queue, room * sizeof *queue);
    if (!queue) return err_set(e, E_NOMEM, "hub: no memory for %zu messages", room);
    h->queue = queue;
    h->room = room;
    return OK;
}

static void send_now(struct hub *h, uint64_t peer, const wire_envelope *m)
{
    struct err why = {0};
    int rc = h->door.send(h->door.ctx, peer, m, &why);
    if (rc < 0) log_warn("not_sent", "peer=%llu reason=%s", (unsigned long long)peer, why.text);
}

/* Sends what is durable, in order: a send never overtakes one that was decided before it. */
static void release(struct hub *h)
{
    while (h->count && h->queue[h->first].ticket <= h->durable) {
        struct hub_send *x = &h->queue[h->first++];
        h->count--;
        send_now(h, x->peer, x->message);
        wire_free(&x->message);
    }
    if (!h->count) h->first = 0;
}

/* What says nothing of what is stored leaves at once: a life sign, and an answer without a ticket,
 * which may be the one that says what the store waits for. */
static int put(struct hub *h, const struct send *s, uint64_t ticket, struct err *e)
{
    if (s->kind == SEND_ANSWER && s->peer == HUB_SELF) {
        h->door.on_answer(h->door.ctx, s->code, s->text);
        return OK;
    }
    wire_envelope *m = hub_envelope(s);
    if (!m) return err_set(e, E_NOMEM, "hub: no memory for a message");
    if (s->kind == SEND_HEARTBEAT || (s->kind == SEND_ANSWER && !ticket)) {
        send_now(h, s->peer, m);
        wire_free(&m);
        return OK;
    }
    int rc = queue_room(h, e);
    if (rc < 0) {
        wire_free(&m);
        return rc;
    }
    /* What ended the attempt may be of an earlier turn. */
    if (s->kind == SEND_STOP && !ticket) ticket = h->submitted;
    h->queue[h->first + h->count++] = (struct hub_send){ticket, s->peer, m};
    return OK;
}

/* ---- a turn ------------------------------------------------------------------------------------
 */

static void tell_log(const struct note *n)
{
    bool begins = !strcmp(n->to, "running"); /* one line a run: its end */
    if (n->run)
        log_write(begins ? LOG_DEBUG : LOG_INFO, "run",
                  "run=%lld attempt=%lld worker=%lld from=%s to=%s after_s=%.1f reason=%s",
                  (long long)n->run, (long long)n->attempt, (long long)n->worker, n->from, n->to,
                  (double)n->after_ms / 1e3, n->text);
    else if (n->worker)
        log_info("worker", "worker=%lld from=%s to=%s after_s=%.1f text=%s", (long long)n->worker,
                 n->from, n->to, (double)n->after_ms / 1e3, n->text);
    else
        log_info("sweep", "to=%s text=%s", n->to, n->text);
}

/* All saves of the turn, as one ticket; *m goes to the save that takes the message. */
static int hand_saves(struct hub *h, wire_envelope **m, int64_t wall_ms, struct err *e)
{
    struct actions *a = &h->actions;
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) count += a->items[i].kind == ACTION_SAVE;
    if (!count) return OK;
    struct save *saves = calloc(count, sizeof *saves);
    if (!saves) return err_set(e, E_NOMEM, "hub: no memory for %zu saves", count);
    count = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].kind != ACTION_SAVE) continue;
        struct save *s = &a->items[i].u.save;
        s->at_ms = wall_ms;
        if (a->items[i].with_message) {
            s->message = *m;
            *m = NULL;
        }
        saves[count++] = *s;
        s->text = NULL; /* the store's now */
    }
    h->submitted = store_submit(h->store, saves, count);
    free(saves);
    return OK;
}

/* Decides about one event and carries it out. m: the message it came from, taken; NULL: none. */
static int turn(struct hub *h, const struct event *ev, wire_envelope *m, struct moment at,
                struct err *e)
{
    actions_clear(&h->actions);
    int rc = sched_on(&h->sched, ev, at.now_ms, &h->actions, e);
    uint64_t before = h->submitted;
    if (rc == OK) rc = hand_saves(h, &m, at.wall_ms, e);
    uint64_t ticket = h->submitted != before ? h->submitted : 0;
    for (size_t i = 0; i < h->actions.count && rc == OK; i++) {
        const struct action *a = &h->actions.items[i];
        if (a->kind == ACTION_SEND) rc = put(h, &a->u.send, ticket, e);
        if (a->kind == ACTION_NOTE) tell_log(&a->u.note);
    }
    if (rc == OK) release(h);
    wire_free(&m);
    return rc;
}

/* ---- calls -------------------------------------------------------------------------------------
 */

int hub_open(struct hub *h, struct store *store, const struct store_state *state,
             const struct sched_config *config, const struct hub_door *door, struct moment at,
             struct err *e)
{
    const struct event ev = {.kind = EVENT_START,
                             .next_sweep = state->next_sweep,
                             .next_worker = state->next_worker,
                             .sweeps = state->sweeps,
                             .sweep_count = state->sweep_count,
                             .runs = state->running,
                             .run_count = state->running_count};
    memset(h, 0, sizeof *h);
    sched_init(&h->sched, config);
    h->store = store;
    h->door = *door;
    return turn(h, &ev, NULL, at, e);
}

void hub_close(struct hub *h)
{
    for (size_t i = 0; i < h->count; i++) wire_free(&h->queue[h->first + i].message);
    free(h->queue);
    actions_free(&h->actions);
    sched_free(&h->sched);
    memset(h, 0, sizeof *h);
}

/* Answers at once, without a turn: nothing was decided. */
static int reply(struct hub *h, uint64_t peer, enum send_kind kind, int code, const char *text,
                 struct err *e)
{
    struct send s = {.kind = kind, .peer = peer, .code = code};
    snprintf(s.text, sizeof s.text, "%s", text);
    int rc = put(h, &s, 0, e);
    if (rc == OK) release(h);
    return rc;
}

/* Statistics of sweeps are the store's affair: nothing is decided, the answer waits as any other.
 */
static int aggregate(struct hub *h, uint64_t peer, const struct hub_command *x, struct moment at,
                     struct err *e)
{
    struct save saves[COMMAND_RANGES] = {0};
    struct send answer = {
        .kind = SEND_ANSWER, .peer = peer, .text = "statistics are being written"};
    hub_command_aggregate(x, at.wall_ms, saves);
    h->submitted = store_submit(h->store, saves, x->event.range_count);
    return put(h, &answer, h->submitted, e);
}

/* So are the parts of a run's steps. */
static int stiff(struct hub *h, uint64_t peer, const struct hub_command *x, struct moment at,
                 struct err *e)
{
    struct save save = {.kind = SAVE_STIFF, .run = x->event.run, .at_ms = at.wall_ms};
    struct send answer = {.kind = SEND_ANSWER, .peer = peer, .text = "written"};
    save.text = strdup(x->event.text);
    if (!save.text) return err_set(e, E_NOMEM, "hub: no memory for a text");
    h->submitted = store_submit(h->store, &save, 1);
    return put(h, &answer, h->submitted, e);
}

/* Who we are, and behind a colon what keeps us from going on. */
static int greet(struct hub *h, uint64_t peer, struct err *e)
{
    char text[sizeof h->why.text + 128] = "grokd-coord " GROKD_VERSION;
    if (h->full)
        snprintf(text, sizeof text, "grokd-coord %s: nothing is handed out or acknowledged: %s",
                 GROKD_VERSION, h->why.text);
    return reply(h, peer, SEND_ANSWER, 0, text, e);
}

/* A list that cannot be read changes nothing. One that can is in force at once, whatever becomes of
 * the runs of who is shut out. */
static int read_keys(struct hub *h, uint64_t peer, struct moment at, struct err *e)
{
    struct event ev = {.kind = EVENT_KEYS};
    struct err why = {0};
    char text[64];
    int rc = h->door.keys(h->door.ctx, &ev, &why);
    if (rc < 0) return reply(h, peer, SEND_ANSWER, err_exit_code(rc), why.text, e);
    log_info("keys", "allowed=%zu", ev.user_count);
    rc = turn(h, &ev, NULL, at, e);
    if (rc < 0) return rc;
    snprintf(text, sizeof text, "%zu key%s may come in", ev.user_count,
             ev.user_count == 1 ? "" : "s");
    return reply(h, peer, SEND_ANSWER, 0, text, e);
}

static int command(struct hub *h, uint64_t peer, const Grokd__Command *m, struct moment at,
                   struct err *e)
{
    struct hub_command x;
    struct err why = {0};
    int rc = hub_command_read(&x, m, &why);
    if (rc < 0) return reply(h, peer, SEND_ANSWER, err_exit_code(rc), why.text, e);
    if (x.kind == COMMAND_PING) return greet(h, peer, e);
    if (x.kind == COMMAND_STOP) {
        h->stop = true;
        return reply(h, peer, SEND_ANSWER, 0, "stopping", e);
    }
    if (x.kind == COMMAND_KEYS) return read_keys(h, peer, at, e);
    if (x.kind == COMMAND_AGGREGATE) return aggregate(h, peer, &x, at, e);
    if (x.kind == COMMAND_STIFF) return stiff(h, peer, &x, at, e);
    x.event.peer = peer;
    return turn(h, &x.event, NULL, at, e);
}

static int from_owner(struct hub *h, uint64_t peer, const wire_envelope *m, struct moment at,
                      struct err *e)
{
    if (m->body_case == GROKD__ENVELOPE__BODY_COMMAND) return command(h, peer, m->command, at, e);
    return reply(h, peer, SEND_ANSWER, 2, "this endpoint takes commands only", e);
}

/* Whether a Welcome to the peer waits for the store. */
static bool is_welcoming(const struct hub *h, uint64_t peer)
{
    for (size_t i = h->first; i < h->first + h->count; i++)
        if (h->queue[i].peer == peer &&
            h->queue[i].message->body_case == GROKD__ENVELOPE__BODY_WELCOME)
            return true;
    return false;
}

int hub_message(struct hub *h, uint64_t peer, const char *user, bool local, wire_envelope *m,
                struct moment at, struct err *e)
{
    struct hub_event x;
    struct err why = {0};
    int rc;
    if (local) {
        rc = from_owner(h, peer, m, at, e);
        wire_free(&m);
        return rc;
    }
    rc = hub_event_of(&x, m, &why);
    if (rc == E_PROTO) {
        log_warn("refused", "peer=%llu user=%s reason=%s", (unsigned long long)peer, user,
                 why.text);
        rc = reply(h, peer, SEND_REFUSE, 0, why.text, e);
        wire_free(&m);
    } else if (rc < 0) {
        rc = err_set(e, rc, "%s", why.text);
        wire_free(&m);
    } else {
        x.event.peer = peer;
        x.event.user = user;
        x.event.welcoming = x.event.kind == EVENT_HELLO && is_welcoming(h, peer);
        if (x.event.kind == EVENT_EPOCHS) h->epochs += x.event.last - x.event.first + 1;
        rc = turn(h, &x.event, m, at, e);
    }
    hub_event_free(&x);
    return rc;
}

/* The work that waits for the store goes out with the checkpoint that the store found for it, or
 * with its size. */
static void add_checkpoint(struct hub *h, struct save_answer *a)
{
    for (size_t i = 0; i < h->count; i++) {
        wire_envelope *m = h->queue[h->first + i].message;
        if (m->body_case != GROKD__ENVELOPE__BODY_WORK || m->work->run != a->run ||
            m->work->attempt != a->attempt)
            continue;
        m->work->has_checkpoint = a->checkpoint != NULL;
        m->work->checkpoint = (ProtobufCBinaryData){a->checkpoint_size, a->checkpoint};
        m->work->has_checkpoint_size = a->file_size > 0;
        m->work->checkpoint_size = a->file_size;
        a->checkpoint = NULL;
        return;
    }
}

/* The store begins to wait, or ends it. */
static int note_full(struct hub *h, bool full, struct moment at, struct err *e)
{
    const struct event ev = {.kind = EVENT_FULL, .full = full};
    if (h->full == full) return OK;
    h->full = full;
    return turn(h, &ev, NULL, at, e);
}

int hub_collect(struct hub *h, struct moment at, struct err *e)
{
    struct store_result r = {0};
    int rc = store_collect(h->store, &r, e);
    for (size_t i = 0; i < r.answer_count && rc == OK; i++) {
        const struct event ev = {.kind = EVENT_ANSWER, .answer = &r.answers[i]};
        if (r.answers[i].kind == SAVE_ASSIGN) {
            add_checkpoint(h, &r.answers[i]);
            continue;
        }
        rc = turn(h, &ev, NULL, at, e);
    }
    if (rc == OK) {
        h->busy = r.busy;
        if (r.ticket > h->durable) h->durable = r.ticket;
        release(h);
        h->why = r.why;
        rc = note_full(h, r.full, at, e);
    }
    store_result_free(&r);
    return rc;
}

int hub_tick(struct hub *h, struct moment at, struct err *e)
{
    const struct event ev = {.kind = EVENT_TICK};
    return turn(h, &ev, NULL, at, e);
}

int hub_stop(struct hub *h, struct moment at, struct err *e)
{
    const struct event ev = {.kind = EVENT_STOP};
    return turn(h, &ev, NULL, at, e);
}

int hub_submit(struct hub *h, const char *text, const char *file, struct moment at, struct err *e)
{
    const struct event ev = {.kind = EVENT_SUBMIT, .peer = HUB_SELF, .text = text};
    int rc = hub_command_check(text, file, e);
    return rc < 0 ? rc : turn(h, &ev, NULL, at, e);
}

bool hub_quiet(const struct hub *h)
{
    return !h->count && h->durable >= h->submitted;
}
