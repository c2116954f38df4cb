// SPDX-License-Identifier: MIT
/* worker_daemon: session, link and slots on one loop. */
#include "worker/worker_daemon.h"

#include "common/log.h"
#include "common/loop.h"
#include "worker/ledger.h"
#include "worker/link.h"
#include "worker/slot.h"

#include <signal.h>
#include <stdlib.h>

struct worker_daemon {
    struct loop *loop;
    struct session *session;
    struct link *link;
    struct ledger *ledger; /* or NULL */
    struct slot **slots;
    bool unsent;     /* a message of this turn did not leave: the session hears it next */
    bool *unstarted; /* slots whose process could not be started: the session hears it next */
    uint32_t slot_count;
    struct timer tick;
    struct session_actions actions;
    int exit_code;
};

static void daemon_end(struct worker_daemon *d, int code)
{
    d->exit_code = code;
    loop_stop(d->loop);
}

/* ---- actions ---- */

/* After one that did not leave, the later ones of the turn would arrive with a gap before them. */
static void do_send(struct worker_daemon *d, const struct session_action *a)
{
    if (!d->unsent) d->unsent = !link_send(d->link, a->bytes, a->size);
}

static void do_start(struct worker_daemon *d, const struct session_action *a)
{
    struct err e;
    if (slot_start(d->slots[a->slot], a->family, &e) == OK) {
        log_debug("slot_started", "slot=%u blas=%s pid=%d", a->slot, a->family,
                  (int)slot_pid(d->slots[a->slot]));
        return;
    }
    log_error("slot_not_started", "slot=%u error=%s", a->slot, e.text);
    d->unstarted[a->slot] = true;
}

static void do_tell(struct worker_daemon *d, const struct session_action *a)
{
    struct err e;
    if (slot_tell(d->slots[a->slot], a->bytes, a->size, &e) < 0)
        log_warn("slot_deaf", "slot=%u error=%s", a->slot, e.text);
}

static void do_note(const struct session_action *a)
{
    enum log_level level = a->warning ? LOG_WARN : LOG_INFO;
    if (a->run)
        log_write(level, a->event, "run=%lld attempt=%lld detail=%s", (long long)a->run,
                  (long long)a->attempt, a->text);
    else
        log_write(level, a->event, "detail=%s", a->text);
}

static void perform(struct worker_daemon *d, const struct session_action *a)
{
    switch (a->kind) {
    case SESSION_ACT_SEND: do_send(d, a); break;
    case SESSION_ACT_START: do_start(d, a); break;
    case SESSION_ACT_TELL: do_tell(d, a); break;
    case SESSION_ACT_KILL: slot_kill(d->slots[a->slot]); break;
    case SESSION_ACT_PAUSE: slot_pause(d->slots[a->slot]); break;
    case SESSION_ACT_RESUME: slot_resume(d->slots[a->slot]); break;
    case SESSION_ACT_NOTE: do_note(a); break;
    case SESSION_ACT_EXIT: daemon_end(d, a->code); break;
    }
}

/* ---- events ---- */

static void one_event(struct worker_daemon *d, const struct session_event *ev)
{
    struct err e;
    int rc = session_on(d->session, ev, loop_now_ms(d->loop), &d->actions, &e);
    if (rc == E_NOMEM) {
        log_error("out_of_memory", "error=%s", e.text);
        daemon_end(d, err_exit_code(rc));
    } else if (rc < 0) {
        log_warn("refused_message", "error=%s", e.text);
    }
    for (size_t i = 0; i < d->actions.count; i++) perform(d, &d->actions.list[i]);
    session_actions_clear(&d->actions);
}

static void on_tick(void *ctx);

static void event(struct worker_daemon *d, const struct session_event *ev)
{
    one_event(d, ev);
    if (d->unsent) {
        d->unsent = false;
        one_event(d, &(struct session_event){.kind = SESSION_EVENT_UNSENT});
    }
    for (uint32_t i = 0; i < d->slot_count; i++) {
        if (!d->unstarted[i]) continue;
        d->unstarted[i] = false;
        one_event(d, &(struct session_event){.kind = SESSION_EVENT_DIED, .slot = i, .status = -1});
    }
    int64_t wait_ms = session_next_ms(d->session) - loop_now_ms(d->loop);
    timer_start(&d->tick, d->loop, wait_ms < 3600000 ? wait_ms : 3600000, 0, on_tick, d);
}

static void on_tick(void *ctx)
{
    event(ctx, &(struct session_event){.kind = SESSION_EVENT_TICK});
}

static void on_link(void *ctx, const wire_envelope *m)
{
    struct worker_daemon *d = ctx;
    struct err e;
    int rc = ledger_note(d->ledger, m, &e);
    if (rc < 0) { /* nobody may act on what the ledger does not hold */
        log_error("ledger_failed", "error=%s", e.text);
        return daemon_end(d, err_exit_code(rc));
    }
    event(d, &(struct session_event){.kind = SESSION_EVENT_LINK, .message = m});
}

static void on_slot(void *ctx, uint32_t slot, const wire_envelope *m, const char *log)
{
    event(ctx, &(struct session_event){
                   .kind = SESSION_EVENT_SLOT, .slot = slot, .message = m, .log = log});
}

static void on_died(void *ctx, uint32_t slot, int status, int signal, const char *log)
{
    event(ctx, &(struct session_event){.kind = SESSION_EVENT_DIED,
                                       .slot = slot,
                                       .status = status,
                                       .signal = signal,
                                       .log = log});
}

static void on_terminate(void *ctx, int signal)
{
    log_info("told_to_leave", "signal=%d", signal);
    event(ctx, &(struct session_event){.kind = SESSION_EVENT_TERMINATE});
}

/* ---- beginning and end ---- */

static int open_slots(struct worker_daemon *d, const struct worker_config *c, struct err *e)
{
    uint32_t n = c->set->slots;
    d->slots = calloc(n, sizeof *d->slots);
    d->unstarted = calloc(n, sizeof *d->unstarted);
    if (!d->slots || !d->unstarted) return err_set(e, E_NOMEM, "no memory for %u slots", n);
    d->slot_count = n;
    for (uint32_t i = 0; i < n; i++) {
        struct slot_config slot = {.loop = d->loop,
                                   .program = c->program,
                                   .index = i,
                                   .cpu = worker_cpus_claim(c->cpus, i),
                                   .on_message = on_slot,
                                   .on_died = on_died,
                                   .ctx = d};
        int rc = slot_open(&d->slots[i], &slot, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int open_link(struct worker_daemon *d, const struct access *a, struct err *e)
{
    struct link_config link = {.loop = d->loop,
                               .endpoint = a->endpoint,
                               .server_key = a->server_key,
                               .public_key = a->client.public_key,
                               .secret_key = a->client.secret_key,
                               .on_message = on_link,
                               .ctx = d};
    return link_open(&d->link, &link, e);
}

static int open_parts(struct worker_daemon *d, const struct worker_config *c, struct err *e)
{
    int rc = loop_open(&d->loop, e);
    if (rc == OK) rc = ledger_open(&d->ledger, c->ledger, e);
    if (rc == OK) rc = loop_on_signal(d->loop, SIGTERM, on_terminate, d, e);
    if (rc == OK) rc = loop_on_signal(d->loop, SIGINT, on_terminate, d, e);
    if (rc == OK) rc = session_open(&d->session, c->set, loop_now_ms(d->loop), e);
    if (rc == OK) rc = open_slots(d, c, e);
    return rc < 0 ? rc : open_link(d, c->access, e);
}

int worker_daemon_open(struct worker_daemon **out, const struct worker_config *c, struct err *e)
{
    struct worker_daemon *d = calloc(1, sizeof *d);
    *out = d;
    if (!d) return err_set(e, E_NOMEM, "no memory for a worker");
    int rc = open_parts(d, c, e);
    if (rc < 0) worker_daemon_close(out);
    return rc;
}

int worker_daemon_run(struct worker_daemon *d)
{
    event(d, &(struct session_event){.kind = SESSION_EVENT_START});
    loop_run(d->loop);
    return d->exit_code;
}

void worker_daemon_close(struct worker_daemon **out)
{
    struct worker_daemon *d = *out;
    if (!d) return;
    *out = NULL;
    timer_stop(&d->tick);
    for (uint32_t i = 0; i < d->slot_count; i++) slot_close(&d->slots[i]);
    link_close(&d->link);
    ledger_close(&d->ledger);
    session_close(&d->session);
    loop_close(&d->loop);
    session_actions_free(&d->actions);
    free(d->slots);
    free(d->unstarted);
    free(d);
}
