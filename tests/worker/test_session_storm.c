// SPDX-License-Identifier: MIT
/* A session in bad weather: connections that break and take what was under way with them, a
 * coordinator that forgets its workers, acknowledgements that never come, slots that are killed.
 *
 * The world around it is the simplest that can be true: a coordinator that keeps what it was told
 * in an array and refuses gaps, slots that train by counting. Whatever the weather, every epoch of
 * every run arrives, in order, and when the weather clears every run finishes. */
#include "tests/test.h"

#include "worker/session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS   12
#define SLOTS  3
#define EPOCHS 40 /* of every run, numbered from 0 */
#define QUEUE  4096
#define SHARE  60 /* bytes of one run's outbox before its slot is paused */

struct letter {
    uint8_t *bytes;
    size_t size;
};

struct queue {
    struct letter list[QUEUE];
    size_t first, end;
};

/* What the coordinator knows of a run. */
struct fact {
    int64_t attempt;
    int64_t stored; /* last epoch; -1: none */
    bool given, done;
};

/* A slot: a process that counts. */
struct toy {
    bool alive, ready, paused, dying;
    int64_t run, attempt, next; /* run 0: idle */
    bool told_to_stop;
    char family[SESSION_FAMILY];
};

struct world {
    struct session *s;
    int64_t now_ms;
    uint64_t random;
    bool storm;
    struct queue up, down; /* to the coordinator, from it */
    bool known;            /* the coordinator has our Hello */
    struct fact facts[RUNS + 1];
    struct toy toys[SLOTS];
    bool exited;
    struct {
        unsigned hellos, cuts, kills, resent, pauses;
    } seen;
};

static uint32_t draw(struct world *w, uint32_t n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((w->random >> 33) % n);
}

/* One time in n, as long as the storm lasts. */
static bool chance(struct world *w, uint32_t n)
{
    return w->storm && draw(w, n) == 0;
}

/* ---- letters ---- */

static void queue_push(struct queue *q, const uint8_t *bytes, size_t size)
{
    struct letter *l = &q->list[q->end % QUEUE];
    assert_true(q->end - q->first < QUEUE);
    l->bytes = malloc(size);
    l->size = size;
    memcpy(l->bytes, bytes, size);
    q->end++;
}

static wire_envelope *queue_pop(struct queue *q)
{
    struct letter *l = &q->list[q->first++ % QUEUE];
    wire_envelope *m;
    struct err e;
    if (wire_unpack(&m, l->bytes, l->size, &e) < 0) fail_msg("%s", e.text);
    free(l->bytes);
    return m;
}

static void queue_clear(struct queue *q)
{
    while (q->first < q->end) free(q->list[q->first++ % QUEUE].bytes);
}

static void say(struct world *w, wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    struct err e;
    m->major = WIRE_MAJOR;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    queue_push(&w->down, bytes, size);
    free(bytes);
}

/* ---- the coordinator ---- */

static void say_stop(struct world *w, int64_t run, int64_t attempt)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Stop stop = GROKD__STOP__INIT;
    stop.run = run;
    stop.attempt = attempt;
    m.body_case = GROKD__ENVELOPE__BODY_STOP;
    m.stop = &stop;
    say(w, &m);
}

static void say_ack(struct world *w, int64_t run, bool ended)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ack ack = GROKD__ACK__INIT;
    if (chance(w, 10)) return; /* lost */
    ack.run = run;
    ack.attempt = w->facts[run].attempt;
    ack.epoch = w->facts[run].stored;
    ack.has_ended = ack.ended = ended;
    m.body_case = GROKD__ENVELOPE__BODY_ACK;
    m.ack = &ack;
    say(w, &m);
}

static void hand_out(struct world *w)
{
    size_t given = 0;
    for (int64_t run = 1; run <= RUNS; run++) given += w->facts[run].given;
    for (int64_t run = 1; run <= RUNS && given <= SLOTS && w->known; run++) {
        static char families[2][8] = {"Haswell", "Zen"}, prints[2][8] = {"aa", "bb"};
        struct fact *f = &w->facts[run];
        if (f->given || f->done) continue;
        wire_envelope m = GROKD__ENVELOPE__INIT;
        Grokd__Work work = GROKD__WORK__INIT;
        Grokd__Blas blas = GROKD__BLAS__INIT;
        blas.family = families[run % 2];
        blas.fingerprint = prints[run % 2];
        work.run = run;
        work.attempt = ++f->attempt;
        work.blas = &blas;
        m.body_case = GROKD__ENVELOPE__BODY_WORK;
        m.work = &work;
        say(w, &m);
        f->given = true;
        f->stored = -1; /* every attempt trains anew; epochs stored before are compared, not kept */
        given++;
    }
}

static void on_hello(struct world *w, const Grokd__Hello *h)
{
    bool held[RUNS + 1] = {false};
    w->seen.hellos++;
    w->known = true;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Welcome welcome = GROKD__WELCOME__INIT;
    welcome.worker = 1;
    welcome.heartbeat_ms = 1000;
    welcome.lease_ms = 6000;
    m.body_case = GROKD__ENVELOPE__BODY_WELCOME;
    m.welcome = &welcome;
    say(w, &m);
    for (size_t i = 0; i < h->n_holdings; i++) {
        int64_t run = h->holdings[i]->run;
        if (w->facts[run].given && w->facts[run].attempt == h->holdings[i]->attempt)
            held[run] = true;
        else
            say_stop(w, run, h->holdings[i]->attempt);
    }
    for (int64_t run = 1; run <= RUNS; run++)
        if (!held[run]) w->facts[run].given = false;
}

static struct fact *current(struct world *w, int64_t run, int64_t attempt)
{
    struct fact *f = &w->facts[run];
    if (f->given && f->attempt == attempt) return f;
    say_stop(w, run, attempt);
    return NULL;
}

static void on_epochs(struct world *w, const Grokd__Epochs *m)
{
    struct fact *f = current(w, m->run, m->attempt);
    if (!f) return;
    int64_t first = m->epochs[0]->epoch, last = m->epochs[m->n_epochs - 1]->epoch;
    if (first > f->stored + 1)
        fail_msg("run %ld: epochs %ld.. after %ld: a gap", (long)m->run, (long)first,
                 (long)f->stored);
    if (first <= f->stored) w->seen.resent++;
    if (last > f->stored) f->stored = last;
    say_ack(w, m->run, false);
}

static void on_ended(struct world *w, const Grokd__Ended *m)
{
    struct fact *f = current(w, m->run, m->attempt);
    if (!f) return;
    assert_int_equal(m->epoch, f->stored); /* nothing of what it reported is missing */
    if (m->outcome == GROKD__OUTCOME__FINISHED) {
        assert_int_equal(f->stored, EPOCHS - 1);
        f->done = true;
    }
    say_ack(w, m->run, true);
    f->given = false;
}

static void refuse_hello(struct world *w)
{
    static char hello[] = "hello";
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Refuse refuse = GROKD__REFUSE__INIT;
    refuse.reason = hello;
    m.body_case = GROKD__ENVELOPE__BODY_REFUSE;
    m.refuse = &refuse;
    say(w, &m);
}

static void coordinator_reads(struct world *w)
{
    wire_envelope *m = queue_pop(&w->up);
    wire_envelope beat = GROKD__ENVELOPE__INIT;
    Grokd__Heartbeat heartbeat = GROKD__HEARTBEAT__INIT;
    if (m->body_case == GROKD__ENVELOPE__BODY_HELLO) {
        on_hello(w, m->hello);
    } else if (!w->known) {
        refuse_hello(w);
    } else if (m->body_case == GROKD__ENVELOPE__BODY_EPOCHS) {
        on_epochs(w, m->epochs);
    } else if (m->body_case == GROKD__ENVELOPE__BODY_ENDED) {
        on_ended(w, m->ended);
    } else if (m->body_case == GROKD__ENVELOPE__BODY_HEARTBEAT) {
        beat.body_case = GROKD__ENVELOPE__BODY_HEARTBEAT;
        beat.heartbeat = &heartbeat;
        say(w, &beat);
    }
    wire_free(&m);
    hand_out(w);
}

/* The connection breaks: what was under way is lost, and the coordinator sees a new peer. */
static void cut(struct world *w)
{
    queue_clear(&w->up);
    queue_clear(&w->down);
    w->known = false;
    w->seen.cuts++;
}

/* ---- the session and its slots ---- */

static void slot_told(struct world *w, const struct session_action *a)
{
    struct toy *toy = &w->toys[a->slot];
    struct err e;
    wire_envelope *m;
    assert_true(toy->alive);
    assert_int_equal(wire_unpack(&m, a->bytes, a->size, &e), OK);
    if (m->body_case == GROKD__ENVELOPE__BODY_WORK) {
        assert_true(toy->ready && toy->run == 0);
        for (int k = 0; k < SLOTS; k++) /* the same attempt never runs twice at once */
            assert_false(w->toys[k].run == m->work->run && w->toys[k].attempt == m->work->attempt);
        assert_string_equal(toy->family, m->work->blas->family);
        toy->run = m->work->run;
        toy->attempt = m->work->attempt;
        toy->next = 0;
    } else if (toy->run == m->stop->run) {
        toy->told_to_stop = true;
    }
    wire_free(&m);
}

static void carry_out(struct world *w, const struct session_action *a)
{
    struct toy *toy = &w->toys[a->slot];
    switch (a->kind) {
    case SESSION_ACT_SEND: queue_push(&w->up, a->bytes, a->size); break;
    case SESSION_ACT_START:
        assert_false(toy->alive);
        *toy = (struct toy){.alive = true};
        snprintf(toy->family, sizeof toy->family, "%s", a->family);
        break;
    case SESSION_ACT_TELL: slot_told(w, a); break;
    case SESSION_ACT_KILL:
        assert_true(toy->alive);
        toy->dying = true;
        break;
    case SESSION_ACT_PAUSE:
        toy->paused = true;
        w->seen.pauses++;
        break;
    case SESSION_ACT_RESUME: toy->paused = false; break;
    case SESSION_ACT_NOTE: break;
    case SESSION_ACT_EXIT:
        assert_int_equal(a->code, 0);
        w->exited = true;
        break;
    }
}

static void happen(struct world *w, const struct session_event *ev)
{
    struct session_actions out = {0};
    struct err e;
    if (session_on(w->s, ev, w->now_ms, &out, &e) < 0) fail_msg("%s", e.text);
    for (size_t i = 0; i < out.count; i++) carry_out(w, &out.list[i]);
    session_actions_free(&out);
    /* The share of each held run, and what was said before it could be paused. */
    assert_in_range(session_outbox_bytes(w->s), 0, session_held(w->s) * (SHARE + 128));
}

static void slot_says(struct world *w, uint32_t i, wire_envelope *m)
{
    m->major = WIRE_MAJOR;
    happen(w, &(struct session_event){.kind = SESSION_EVENT_SLOT, .slot = i, .message = m});
}

static void slot_ready(struct world *w, uint32_t i)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ready ready = GROKD__READY__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    blas.family = blas.fingerprint = w->toys[i].family;
    ready.blas = &blas;
    m.body_case = GROKD__ENVELOPE__BODY_READY;
    m.ready = &ready;
    w->toys[i].ready = true;
    slot_says(w, i, &m);
}

static void slot_trains(struct world *w, uint32_t i)
{
    struct toy *toy = &w->toys[i];
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epoch epoch = GROKD__EPOCH__INIT, *list[] = {&epoch};
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    Grokd__Ended ended = GROKD__ENDED__INIT;
    if (toy->next < EPOCHS && !toy->told_to_stop) {
        epochs.run = toy->run;
        epochs.attempt = toy->attempt;
        epoch.epoch = toy->next++;
        epochs.n_epochs = 1;
        epochs.epochs = list;
        m.body_case = GROKD__ENVELOPE__BODY_EPOCHS;
        m.epochs = &epochs;
    } else {
        ended.run = toy->run;
        ended.attempt = toy->attempt;
        ended.epoch = toy->next - 1;
        ended.outcome = toy->next == EPOCHS ? GROKD__OUTCOME__FINISHED : GROKD__OUTCOME__RETURNED;
        m.body_case = GROKD__ENVELOPE__BODY_ENDED;
        m.ended = &ended;
        toy->run = 0;
        toy->told_to_stop = false;
    }
    slot_says(w, i, &m);
}

static void slot_turn(struct world *w, uint32_t i)
{
    struct toy *toy = &w->toys[i];
    if (!toy->alive) return;
    if (toy->dying || chance(w, 200)) {
        w->seen.kills += !toy->dying;
        *toy = (struct toy){0};
        happen(w,
               &(struct session_event){.kind = SESSION_EVENT_DIED, .slot = i, .signal = SIGKILL});
    } else if (!toy->ready) {
        slot_ready(w, i);
    } else if (toy->run && !toy->paused) {
        slot_trains(w, i);
    }
}

static void one_step(struct world *w)
{
    uint32_t what = draw(w, 8);
    w->now_ms += draw(w, w->storm ? 200 : 20);
    if (chance(w, 150)) cut(w);
    if (chance(w, 300)) w->known = false; /* it restarted and kept the connection's address */
    if (what < 2 && w->up.first < w->up.end) coordinator_reads(w);
    if (what >= 2 && what < 4 && w->down.first < w->down.end) {
        wire_envelope *m = queue_pop(&w->down);
        happen(w, &(struct session_event){.kind = SESSION_EVENT_LINK, .message = m});
        wire_free(&m);
    }
    if (what >= 4 && what < 7) slot_turn(w, draw(w, SLOTS));
    if (chance(w, 400)) happen(w, &(struct session_event){.kind = SESSION_EVENT_UNSENT});
    if (!w->exited && w->now_ms >= session_next_ms(w->s))
        happen(w, &(struct session_event){.kind = SESSION_EVENT_TICK});
}

/* ---- the proof ---- */

static bool all_done(const struct world *w)
{
    for (int64_t run = 1; run <= RUNS; run++)
        if (!w->facts[run].done) return false;
    return true;
}

static void world_open(struct world *w, uint64_t seed)
{
    struct session_settings set;
    struct err e;
    memset(w, 0, sizeof *w);
    w->random = seed * 2 + 1;
    session_settings_default(&set);
    snprintf(set.uuid, sizeof set.uuid, "storm");
    snprintf(set.host, sizeof set.host, "here");
    snprintf(set.cpu, sizeof set.cpu, "toy");
    set.slots = SLOTS;
    set.blas[0] = (struct session_blas){"Haswell", "aa"};
    set.blas[1] = (struct session_blas){"Zen", "bb"};
    set.blas_count = 2;
    set.seed = seed;
    set.outbox_bytes = 2 * SLOTS * SHARE;
    for (int64_t run = 1; run <= RUNS; run++) w->facts[run].stored = -1;
    assert_int_equal(session_open(&w->s, &set, 0, &e), OK);
    happen(w, &(struct session_event){.kind = SESSION_EVENT_START});
}

static void world_close(struct world *w)
{
    session_close(&w->s);
    queue_clear(&w->up);
    queue_clear(&w->down);
}

void test_every_epoch_arrives_in_any_weather_and_all_runs_finish_after_it(void **state)
{
    (void)state;
    static struct world w;
    const unsigned seeds = test_short() ? 30 : 300, some = seeds * 10 / 3;
    unsigned cuts = 0, kills = 0, resent = 0, pauses = 0;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        world_open(&w, seed);
        w.storm = seed % 10 != 0;
        for (int i = 0; i < 3000; i++) one_step(&w);
        w.storm = false;
        int calm = 0;
        while ((!all_done(&w) || session_held(w.s)) && calm++ < 200000) one_step(&w);
        if (!all_done(&w)) fail_msg("seed %u: runs are left", (unsigned)seed);
        assert_int_equal(session_held(w.s), 0);
        happen(&w, &(struct session_event){.kind = SESSION_EVENT_TERMINATE});
        for (int i = 0; i < 20000 && !w.exited; i++) one_step(&w);
        assert_true(w.exited);
        cuts += w.seen.cuts;
        kills += w.seen.kills;
        resent += w.seen.resent;
        pauses += w.seen.pauses;
        world_close(&w);
    }
    /* A generator that never makes bad weather would prove nothing. */
    print_message("cuts %u, kills %u, resent %u, pauses %u\n", cuts, kills, resent, pauses);
    assert_true(cuts > some && kills > some && resent > some && pauses > some);
}
