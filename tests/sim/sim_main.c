// SPDX-License-Identifier: MIT
/* sim: lives one world after the other until enough events have happened.
 *
 *   sim [--events N] [--from SEED] [--blind]   seeds SEED, SEED + 1, ...; --blind: rare orders that
 *                                              never came are no failure; the first worlds
 *                                              are lived twice, to the same hash
 *   sim --seed SEED [--trace]                  one of them; its hash, and every event */
#include "tests/sim/sim.h"

#include "common/clock.h"
#include "common/log.h"
#include "version.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN 8 /* worlds that are lived twice */

struct task {
    uint64_t events, from, seed;
    bool one, trace, blind;
};

static const char *const cover_name[] = {
#define COVER(name) #name,
#include "tests/sim/cover.def"
#undef COVER
};

static bool read_task(struct task *t, int count, char **word)
{
    *t = (struct task){.events = 1000000, .from = 1};
    for (int i = 1; i < count; i++) {
        bool more = i + 1 < count;
        if (!strcmp(word[i], "--trace"))
            t->trace = true;
        else if (!strcmp(word[i], "--blind"))
            t->blind = true;
        else if (!strcmp(word[i], "--events") && more)
            t->events = strtoull(word[++i], NULL, 10);
        else if (!strcmp(word[i], "--from") && more)
            t->from = strtoull(word[++i], NULL, 10);
        else if (!strcmp(word[i], "--seed") && more)
            t->seed = strtoull(word[++i], NULL, 10), t->one = true;
        else
            return false;
    }
    return true;
}

static void tell_wrong(const struct sim *w)
{
    printf("not ok - seed %" PRIu64 " of %s, event %" PRIu64 ", time %" PRId64
           " ms, hash %016" PRIx64 ": %s\n",
           w->seed, GROKD_GIT, w->events, w->now_ms, w->hash, w->why);
    sim_mix_print(w, stdout);
    printf("  again: sim --seed %" PRIu64 " --trace\n", w->seed);
}

static int live_one(struct sim *w, const struct task *t)
{
    w->trace = t->trace ? stdout : NULL;
    bool well = sim_live(w, t->seed, 0);
    if (!well)
        tell_wrong(w);
    else
        printf("ok - seed %" PRIu64 ", %" PRIu64 " events, hash %016" PRIx64 "\n", t->seed,
               w->events, w->hash);
    return !well;
}

static bool tell_cover(const uint64_t *cover)
{
    int missing = 0;
    for (int i = 0; i < SIM_COVER_COUNT; i++) {
        printf("  %-34s %12" PRIu64 "\n", cover_name[i], cover[i]);
        missing += !cover[i];
    }
    for (int i = 0; i < SIM_COVER_COUNT && missing; i++)
        if (!cover[i]) printf("not ok - it never came to: %s\n", cover_name[i]);
    return !missing;
}

/* The same seed gives the same history, whatever this process lived before. */
static bool live_again(struct sim *w, const struct task *t, const uint64_t *hash, uint64_t worlds)
{
    for (uint64_t i = 0; i < worlds; i++) {
        if (sim_live(w, t->from + i, 0) && w->hash == hash[i]) continue;
        printf("not ok - seed %" PRIu64 " of %s has hash %016" PRIx64 " and again %016" PRIx64 "\n",
               t->from + i, GROKD_GIT, hash[i], w->hash);
        return false;
    }
    return true;
}

static int live_many(struct sim *w, const struct task *t)
{
    uint64_t events = 0, seed = t->from, hash = 0, told = 0, first[AGAIN];
    int64_t start_ms = clock_now_ms();
    for (; events < t->events; seed++) {
        if (!sim_live(w, seed, 0)) {
            printf("after %" PRIu64 " events:\n", events + w->events);
            tell_wrong(w);
            return 1;
        }
        events += w->events;
        if (seed - t->from < AGAIN) first[seed - t->from] = w->hash;
        hash = sim_mix64(hash ^ w->hash);
        if (events / 100000000 == told) continue;
        told = events / 100000000;
        printf("%" PRIu64 " events, %" PRIu64 " worlds, %.0f s\n", events, seed + 1 - t->from,
               (double)(clock_now_ms() - start_ms) / 1e3);
        fflush(stdout);
    }
    double seconds = (double)(clock_now_ms() - start_ms + 1) / 1e3;
    bool seen = t->blind || tell_cover(w->cover);
    bool same = live_again(w, t, first, seed - t->from < AGAIN ? seed - t->from : AGAIN);
    printf("%s - %" PRIu64 " events in %" PRIu64 " worlds (seeds %" PRIu64 " to %" PRIu64
           ") of %s: %.1f s, %.2f million a second, hash %016" PRIx64 "\n",
           seen && same ? "ok" : "not ok", events, seed - t->from, t->from, seed - 1, GROKD_GIT,
           seconds, (double)events / seconds / 1e6, hash);
    return !(seen && same);
}

int main(int count, char **word)
{
    static uint64_t cover[SIM_COVER_COUNT];
    struct task t;
    if (!read_task(&t, count, word)) {
        fprintf(stderr,
                "usage: sim [--events N] [--from SEED] [--blind] | --seed SEED [--trace]\n");
        return 2;
    }
    struct sim *w = calloc(1, sizeof *w);
    if (!w) return 4;
    log_set_level(LOG_QUIET);
    w->cover = cover;
    int code = t.one ? live_one(w, &t) : live_many(w, &t);
    sim_free(w);
    free(w);
    return code;
}
