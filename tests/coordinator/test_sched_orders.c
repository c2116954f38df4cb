// SPDX-License-Identifier: MIT
/* The scheduler in the smallest world that has every danger: one run of two reports, two workers, a
 * disk that answers later, a coordinator that dies. Every order of a few events is lived, but only
 * once from states that are alike. After each event the world insists on its rules (attempts rise
 * and have one holder, the tables are sound), and besides: only what the disk has answered is
 * acknowledged, and who said all of a run and its end has ended it, whatever becomes of him. From
 * every state the run still comes to its end. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 7
#define STATES  (1u << 17) /* room for them: a power of two */

/* Each of the first six by either worker. LATE: the first half under the attempt before. */
enum step {
    HELLO,
    FIRST_HALF,
    SECOND_HALF,
    FINISH,
    GOODBYE,
    LATE,
    BY_WORKER,
    LEASE = 2 * BY_WORKER,
    ANSWER,
    CRASH,
    STEPS
};

#define SPOILED (-1) /* said out of order: nothing is known of what follows */

/* What a worker knows: the last attempt it was given, whether it thinks that it holds it and is
 * welcome, and how many halves of it it has reported. */
struct hand {
    int64_t attempt;
    bool holds, welcome;
    int halves;
};

struct orders {
    struct world w;
    struct hand hands[2];
    int64_t answered; /* last epoch that the scheduler knows to be stored; -1: none */
    int64_t promised; /* attempt of which all was said, and its end; 0: none */
    uint64_t *seen;   /* hashes of states; 0: a free place */
    size_t count;
    unsigned char (*paths)[LONGEST]; /* to each state of the present length */
};

static const uint64_t peers[] = {7, 8};

/* ---- living ------------------------------------------------------------------------------------
 */

/* What the workers are told. */
static void listen(struct orders *o)
{
    unsigned long long to;
    long long attempt, epoch;
    char end[8];
    for (char *line = strtok(o->w.text, "\n"); line; line = strtok(NULL, "\n")) {
        if (sscanf(line, "-> %llu", &to) != 1) continue;
        struct hand *h = &o->hands[to - peers[0]];
        h->welcome |= strstr(line, " welcome ") != NULL;
        if (sscanf(line, "-> %*u work 1/%lld", &attempt) == 1)
            *h = (struct hand){attempt, true, h->welcome, 0};
        int parts = sscanf(line, "-> %*u ack 1/%lld %lld %7s", &attempt, &epoch, end);
        if (parts >= 2) assert_true(epoch <= o->answered);
        if (parts == 3 || sscanf(line, "-> %*u stop 1/%lld", &attempt) == 1)
            h->holds &= h->attempt != attempt;
    }
    world_forget(&o->w);
}

/* A worker that is welcome says the next of what it has to say. */
static void promise(struct orders *o, enum step step, struct hand *h)
{
    if (step == GOODBYE) h->welcome = false;
    if (!h->welcome || !h->holds) return;
    if (step == FIRST_HALF && !h->halves) h->halves = 1;
    if (step == SECOND_HALF) h->halves = h->halves > 0 ? 2 : SPOILED;
    if (step == FINISH && h->halves == 2) o->promised = h->attempt;
    if (step == FINISH && h->halves < 2) h->halves = SPOILED;
}

static void hello(struct orders *o, int i)
{
    static const struct save_blas offer = {"Haswell", "aa"};
    const struct event_holding held = {1, o->hands[i].attempt};
    const struct event ev = {.kind = EVENT_HELLO,
                             .peer = peers[i],
                             .user = "key",
                             .uuid = i ? "u8" : "u7",
                             .slots = 1,
                             .offers = &offer,
                             .offer_count = 1,
                             .holdings = &held,
                             .holding_count = o->hands[i].holds};
    world_on(&o->w, &ev);
}

static void by_worker(struct orders *o, enum step step, int i)
{
    static const enum event_kind kinds[] = {EVENT_HELLO, EVENT_EPOCHS,  EVENT_EPOCHS,
                                            EVENT_ENDED, EVENT_GOODBYE, EVENT_EPOCHS};
    bool first = step == FIRST_HALF || step == LATE;
    if (step == HELLO) {
        hello(o, i);
        return;
    }
    promise(o, step, &o->hands[i]);
    world_on(&o->w, &(struct event){.kind = kinds[step],
                                    .peer = peers[i],
                                    .run = 1,
                                    .attempt = o->hands[i].attempt - (step == LATE),
                                    .first = first ? 0 : WORLD_EPOCHS / 2 + 1,
                                    .last = first ? WORLD_EPOCHS / 2 : WORLD_EPOCHS,
                                    .epoch = WORLD_EPOCHS,
                                    .outcome = OUTCOME_FINISHED});
}

/* The disk answers for what it did first. */
static void answer_one(struct orders *o)
{
    struct world *w = &o->w;
    if (!w->answer_count) return;
    struct save_answer a = w->answers[0];
    if (a.kind == SAVE_EPOCHS && a.epoch > o->answered) o->answered = a.epoch;
    const struct event ev = {.kind = EVENT_ANSWER, .answer = &a};
    memmove(w->answers, w->answers + 1, --w->answer_count * sizeof a);
    world_on(w, &ev);
    free(a.runs);
}

/* Everybody has to say Hello again; what was under way is forgotten, what is stored is not. */
static void crash(struct orders *o)
{
    o->answered = o->w.runs[1].epochs_done;
    o->promised = 0;
    for (int i = 0; i < 2; i++) o->hands[i].welcome = false;
    world_restart(&o->w);
}

static void pass_a_lease(struct orders *o)
{
    for (int i = 0; i < 2; i++) o->hands[i].welcome = false;
    for (int i = 0; i < 7; i++) {
        o->w.now += 10000;
        world_on(&o->w, &(struct event){.kind = EVENT_TICK});
    }
}

static void live(struct orders *o, int step)
{
    const struct world_run *r = &o->w.runs[1];
    enum run_state before = r->state;
    if (step < LEASE) by_worker(o, (enum step)(step % BY_WORKER), step / BY_WORKER);
    if (step == LEASE) pass_a_lease(o);
    if (step == ANSWER) answer_one(o);
    if (step == CRASH) crash(o);
    listen(o);
    if (before > RUN_RUNNING) assert_int_equal(r->state, before);
    if (!o->promised) return;
    assert_int_equal(r->attempt, o->promised);
    assert_int_not_equal(r->state, RUN_WAITING);
}

/* A new world, without its memory. */
static void begin(struct orders *o)
{
    struct world *w = &o->w;
    w->runs[1] = (struct world_run){.sweep = 1, .epochs_done = -1};
    w->sweeps[1].state = SWEEP_ACTIVE;
    w->s.next_worker = 1;
    w->now = 1000000;
    memset(o->hands, 0, sizeof o->hands);
    crash(o);
}

static void live_all(struct orders *o, const unsigned char *path, int length)
{
    begin(o);
    for (int i = 0; i < length; i++) live(o, path[i]);
}

/* ---- states ------------------------------------------------------------------------------------
 */

static void add(uint64_t *hash, int64_t x)
{
    *hash = (*hash ^ (uint64_t)x) * 0x9e3779b97f4a7c15u;
    *hash ^= *hash >> 29;
}

static void add_run(uint64_t *hash, const struct world *w, const struct run *r)
{
    if (!r) return;
    const struct run_lease *l = &r->lease;
    const int64_t all[] = {r->state,
                           r->is.attempt,
                           r->is.epochs_done,
                           r->is.losses,
                           r->is.blas.family[0],
                           l->worker,
                           l->epoch,
                           l->stored,
                           l->unanswered,
                           r->ending ? 1 + r->ending->judged : 0,
                           l->begun_ms < 0,
                           l->gap_count,
                           l->worker ? w->now - l->given_ms : 0,
                           l->worker ? w->now - l->heard_ms : 0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) add(hash, all[i]);
}

/* Two histories that end in the same state go on alike. Ages count, not times. */
static uint64_t state_of(const struct orders *o)
{
    const struct world *w = &o->w;
    const struct world_run *d = &w->runs[1];
    const struct sched *s = &w->s;
    const int64_t all[] = {d->state,
                           d->attempt,
                           d->worker,
                           d->epochs_done,
                           d->losses,
                           d->held_by,
                           w->sweeps[1].state,
                           s->fetching,
                           s->stale,
                           s->more,
                           s->look,
                           s->idle,
                           s->dirty,
                           (int64_t)s->turn,
                           s->next_worker,
                           w->now - s->tick_ms};
    uint64_t hash = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) add(&hash, all[i]);
    add_run(&hash, w, world_find(w, 1));
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker *x = &s->workers[i];
        add(&hash, x->number << 8 | (int64_t)x->state << 4 | x->leaving);
        add(&hash, (int64_t)x->peer << 8 | (int64_t)x->held);
        add(&hash, x->state == WORKER_GONE ? 0 : w->now - x->heard_ms);
    }
    for (size_t i = 0; i < w->answer_count; i++)
        add(&hash, w->answers[i].attempt << 16 | (int64_t)w->answers[i].kind << 8 |
                       (int64_t)w->answers[i].verdict);
    for (size_t i = 0; i < w->answer_count; i++)
        add(&hash, w->answers[i].epoch * 256 + (int64_t)w->answers[i].run_count);
    for (int i = 0; i < 2; i++) {
        const struct hand *h = &o->hands[i];
        add(&hash, h->attempt << 8 | (h->halves + 1) << 2 | h->welcome << 1 | h->holds);
    }
    add(&hash, o->promised * 256 + o->answered + 1);
    return hash | 1;
}

static bool is_new(struct orders *o, uint64_t state)
{
    size_t at = state / 2 % STATES;
    while (o->seen[at] && o->seen[at] != state) at = (at + 1) % STATES;
    if (o->seen[at]) return false;
    assert_true(++o->count < STATES / 2);
    o->seen[at] = state;
    return true;
}

/* Both workers live, the disk answers: the run ends. */
static void end_well(struct orders *o)
{
    static const unsigned char round[] = {FIRST_HALF, SECOND_HALF, FINISH};
    for (int turn = 0; turn < 4 && o->w.runs[1].state <= RUN_RUNNING; turn++)
        for (int i = 0; i < 2; i++) {
            live(o, HELLO + i * BY_WORKER);
            for (size_t k = 0; k < sizeof round; k++) {
                while (o->w.answer_count) live(o, ANSWER);
                live(o, round[k] + i * BY_WORKER);
            }
            while (o->w.answer_count) live(o, ANSWER);
        }
    assert_int_equal(o->w.runs[1].state, RUN_FINISHED);
    assert_int_equal(o->w.runs[1].epochs_done, WORLD_EPOCHS);
}

void test_every_order_of_a_few_events_keeps_the_rules(void **state)
{
    (void)state;
    struct orders o = {0};
    size_t count = 1, next;
    world_open(&o.w, 1, 4);
    o.seen = calloc(STATES, sizeof *o.seen);
    o.paths = calloc(STATES, sizeof *o.paths);
    unsigned char(*longer)[LONGEST] = calloc(STATES, sizeof *longer), path[LONGEST];
    int longest = test_short() ? 4 : LONGEST;
    for (int length = 1; length <= longest; length++) {
        next = 0;
        for (size_t i = 0; i < count; i++)
            for (int step = 0; step < STEPS; step++) {
                memcpy(path, o.paths[i], sizeof path);
                path[length - 1] = (unsigned char)step;
                live_all(&o, path, length);
                if (!is_new(&o, state_of(&o))) continue;
                memcpy(longer[next++], path, sizeof path);
                end_well(&o);
            }
        memcpy(o.paths, longer, next * sizeof *longer);
        count = next;
        print_message("%d events: %zu states\n", length, o.count);
    }
    free(longer);
    free(o.paths);
    free(o.seen);
    world_close(&o.w);
}
