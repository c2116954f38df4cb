// SPDX-License-Identifier: MIT
/* sim_world: the queue of events, the draw, and a world's life: a storm, then calm, until every run
 * is over. */
#include "tests/sim/sim.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- the draw ---- */

uint32_t sim_u32(struct sim *w)
{
    struct sim_draw *d = &w->draw;
    if (!d->left) {
        philox_words(&d->stream, d->index++, d->words);
        d->left = 4;
    }
    return d->words[--d->left];
}

int64_t sim_below(struct sim *w, int64_t n)
{
    return n <= 1 ? 0 : (int64_t)(((uint64_t)sim_u32(w) * (uint64_t)n) >> 32);
}

int64_t sim_log_between(struct sim *w, int64_t a, int64_t b)
{
    double share = (double)sim_u32(w) * 0x1p-32;
    return (int64_t)((double)a * pow((double)b / (double)a, share));
}

bool sim_chance(struct sim *w, uint32_t share)
{
    return share && w->storm && sim_u32(w) < share;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t sim_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- the queue: a binary heap by (time, order of being put in) ---- */

static bool sooner(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

void sim_at(struct sim *w, int64_t at_ms, enum sim_kind kind, int place, int slot,
            uint32_t generation, struct sim_letter *letter)
{
    if (w->heap_count == w->heap_room) {
        w->heap_room = w->heap_room ? 2 * w->heap_room : 1024;
        w->heap = realloc(w->heap, w->heap_room * sizeof *w->heap);
        if (!w->heap) abort();
    }
    const struct sim_event ev = {.at_ms = at_ms > w->now_ms ? at_ms : w->now_ms,
                                 .seq = w->seq++,
                                 .generation = generation,
                                 .kind = (uint8_t)kind,
                                 .place = (uint8_t)place,
                                 .slot = (uint8_t)slot,
                                 .letter = letter};
    size_t at = w->heap_count++;
    for (; at && sooner(&ev, &w->heap[(at - 1) / 2]); at = (at - 1) / 2)
        w->heap[at] = w->heap[(at - 1) / 2];
    w->heap[at] = ev;
}

static struct sim_event next(struct sim *w)
{
    struct sim_event first = w->heap[0], last = w->heap[--w->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= w->heap_count) break;
        if (child + 1 < w->heap_count && sooner(&w->heap[child + 1], &w->heap[child])) child++;
        if (!sooner(&w->heap[child], &last)) break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return first;
}

/* ---- what is remembered of the history ---- */

void sim_note(struct sim *w, const char *what, int place, int64_t a, int64_t b, int64_t c)
{
    uint64_t h = w->hash ^ (uint64_t)w->now_ms;
    h = sim_mix64(h) ^ (uint64_t)(unsigned char)what[0] << 8 ^ (uint64_t)place;
    w->hash = sim_mix64(h + (uint64_t)a * 3 + (uint64_t)b * 5 + (uint64_t)c * 7);
    if (w->trace)
        fprintf(w->trace, "%8llu %10lld %-10s %3d %lld %lld %lld\n", (unsigned long long)w->events,
                (long long)w->now_ms, what, place, (long long)a, (long long)b, (long long)c);
}

void sim_wrong(struct sim *w, const char *format, ...)
{
    va_list list;
    if (w->wrong) return;
    w->wrong = true;
    va_start(list, format);
    vsnprintf(w->why, sizeof w->why, format, list);
    va_end(list);
}

void sim_cover(struct sim *w, enum sim_cover what)
{
    w->cover[what]++;
}

/* ---- a world's life ---- */

static void happen(struct sim *w, struct sim_event *ev)
{
    switch ((enum sim_kind)ev->kind) {
    case EV_UP: sim_coord_letter(w, ev); break;
    case EV_DOWN: sim_worker_letter(w, ev); break;
    case EV_CTICK: sim_coord_tick(w, ev); break;
    case EV_CSTART:
        if (!w->coord.up) w->events++, sim_coord_start(w);
        break;
    case EV_COMMIT:
        if (ev->generation == w->coord.generation) w->events++, sim_store_commit(w);
        break;
    case EV_COLLECT: sim_coord_collect(w, ev); break;
    case EV_STICK: sim_worker_tick(w, ev); break;
    case EV_WSTART:
        if (ev->generation != w->worker[ev->place].generation || w->worker[ev->place].up) break;
        w->events++;
        sim_worker_start(w, ev->place, (int)++w->serial);
        break;
    case EV_SLOT: sim_slot_step(w, ev); break;
    case EV_FAULT:
        w->events++;
        if (w->storm)
            sim_fault(w);
        else
            sim_tend(w);
        break;
    }
}

/* Events of one millisecond: more than any number of letters that waited for somebody to wake. */
#define LIVELOCK 100000

static void watch_time(struct sim *w, int64_t at_ms)
{
    w->at_once = at_ms > w->now_ms ? 0 : w->at_once + 1;
    w->now_ms = at_ms;
    if (w->at_once > LIVELOCK) sim_wrong(w, "time stands still: %d events at once", LIVELOCK);
}

/* Longest time that a calm world may take: a few times everything that has to be waited for. */
static int64_t patience_ms(const struct sim *w)
{
    const struct sim_mix *x = &w->mix;
    int64_t work = x->runs * (x->epochs + 2) * (2 * x->epoch_ms + 2 * x->delay_ms + x->commit_ms);
    return 40 * (x->lease_ms + x->hung_ms + x->ack_ms + 200000) + 10 * work;
}

static void open_world(struct sim *w, uint64_t seed)
{
    w->seed = seed;
    w->draw = (struct sim_draw){.stream = {seed, 0, PHILOX_SIM}};
    w->hash = seed;
    w->now_ms = 1000000000000; /* far from the beginning: no clock that is put back is negative */
    w->storm = true;
    sim_mix_draw(w);
    sim_store_open(w);
    oracle_open(w);
    sim_coord_start(w);
    for (int i = 0; i < w->mix.workers; i++)
        sim_at(w, w->now_ms + sim_below(w, 1000), EV_WSTART, i, 0, 0, NULL);
    sim_at(w, w->now_ms + w->mix.fault_ms, EV_FAULT, 0, 0, 0, NULL);
}

static void close_world(struct sim *w)
{
    for (size_t i = 0; i < w->heap_count; i++)
        if (w->heap[i].letter) sim_letter_free(w, w->heap[i].letter);
    w->heap_count = 0;
    for (int i = 0; i < SIM_PLACES; i++) session_close(&w->worker[i].session);
    if (w->coord.up) hub_close(&w->coord.hub);
    sim_store_free(w);
    session_actions_clear(&w->actions);
}

bool sim_live(struct sim *w, uint64_t seed, uint64_t limit)
{
    struct sim empty = {.heap = w->heap,
                        .heap_room = w->heap_room,
                        .letters = w->letters,
                        .actions = w->actions,
                        .cover = w->cover,
                        .trace = w->trace};
    *w = empty;
    open_world(w, seed);
    uint64_t checked = 0;
    bool over = false;
    while (!w->wrong && !over && w->heap_count) {
        struct sim_event ev = next(w);
        uint64_t before = w->events;
        watch_time(w, ev.at_ms);
        happen(w, &ev);
        if (w->events == before) continue;
        if (w->events / 1000 != checked) oracle_all(w), checked = w->events / 1000;
        if (w->storm && w->events >= w->mix.storm_events) sim_calm(w);
        over = !w->storm && w->events % 64 == 0 && oracle_over(w);
        if (!w->storm && !over && w->now_ms - w->calm_ms > patience_ms(w))
            sim_wrong(w, "I8: runs are left %lld ms after the last fault",
                      (long long)(w->now_ms - w->calm_ms));
        if (limit && w->events >= limit) break;
    }
    if (!w->wrong && !over && !(limit && w->events >= limit)) sim_wrong(w, "nothing happens");
    if (!w->wrong && over) oracle_settled(w);
    close_world(w);
    return !w->wrong;
}

void sim_free(struct sim *w)
{
    free(w->heap);
    while (w->letters) {
        struct sim_letter *l = w->letters;
        w->letters = l->next;
        free(l);
    }
    session_actions_free(&w->actions);
}
