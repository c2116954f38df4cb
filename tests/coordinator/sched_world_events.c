// SPDX-License-Identifier: MIT
/* sched_world: the events that most tests consist of. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

static const struct save_blas offers[] = {{"Haswell", "aa"}, {"Prescott", "bb"}};

void world_hello_as(struct world *w, uint64_t peer, const char *uuid, uint32_t slots,
                    const struct event_holding *holdings, size_t count)
{
    struct event ev = {.kind = EVENT_HELLO,
                       .peer = peer,
                       .user = "key",
                       .uuid = uuid,
                       .slots = slots,
                       .offers = offers,
                       .offer_count = 2,
                       .holdings = holdings,
                       .holding_count = count};
    world_on(w, &ev);
    world_answers(w);
}

void world_hello(struct world *w, uint64_t peer, uint32_t slots)
{
    char uuid[32];
    snprintf(uuid, sizeof uuid, "u%llu", (unsigned long long)peer);
    world_hello_as(w, peer, uuid, slots, NULL, 0);
}

void world_epochs(struct world *w, uint64_t peer, int64_t run, int64_t attempt, int64_t first,
                  int64_t last)
{
    struct event ev = {.kind = EVENT_EPOCHS,
                       .peer = peer,
                       .run = run,
                       .attempt = attempt,
                       .first = first,
                       .last = last};
    world_on(w, &ev);
    world_answers(w);
}

void world_ended(struct world *w, uint64_t peer, int64_t run, int64_t attempt,
                 enum event_outcome outcome)
{
    int64_t done = w->runs[run].epochs_done;
    size_t written = w->size;
    if (outcome == OUTCOME_FINISHED && done < WORLD_EPOCHS) {
        world_epochs(w, peer, run, attempt, done + 1, WORLD_EPOCHS);
        w->text[w->size = written] = '\0';
    }
    struct event ev = {.kind = EVENT_ENDED,
                       .peer = peer,
                       .run = run,
                       .attempt = attempt,
                       .epoch = w->runs[run].epochs_done,
                       .outcome = outcome,
                       .reason = "because",
                       .log = "its log",
                       .seconds = 1.5};
    world_on(w, &ev);
    world_answers(w);
}

void world_beat(struct world *w, uint64_t peer, const struct event_holding *holdings, size_t count)
{
    struct event ev = {
        .kind = EVENT_HEARTBEAT, .peer = peer, .holdings = holdings, .holding_count = count};
    world_on(w, &ev);
    world_answers(w);
}

void world_tick(struct world *w, int64_t ms)
{
    struct event ev = {.kind = EVENT_TICK};
    w->now += ms;
    world_on(w, &ev);
    world_answers(w);
}

void world_command(struct world *w, enum event_kind kind, int64_t from, int64_t to)
{
    struct event_range range = {from, to};
    struct event ev = {.kind = kind, .peer = 99, .ranges = &range, .range_count = 1};
    world_on(w, &ev);
    world_answers(w);
}

void world_submit(struct world *w, const char *runs)
{
    struct event ev = {.kind = EVENT_SUBMIT, .peer = 99, .text = runs};
    world_on(w, &ev);
    world_answers(w);
}

const struct run *world_find(const struct world *w, int64_t run)
{
    return run_find(&w->s.runs, run);
}
