// SPDX-License-Identifier: MIT
/* sim_file: the files of checkpoints, whole or in parts. What has come of parts is in memory only;
 * a file is there once its epoch is stored. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* The newest checkpoint that is whole; of one that comes in parts its size. */
void sim_file_find(struct store *s, struct save_answer *a)
{
    struct sim_run *r = &s->runs[a->run];
    while (r->checkpoints && r->checkpoint[0].torn) {
        sim_cover(s->sim, COVER_checkpoint_torn);
        r->checkpoint[0] = r->checkpoint[1];
        r->checkpoints--;
    }
    if (!r->checkpoints) return;
    struct sim_file file = {(uint64_t)a->run, (uint64_t)r->checkpoint[0].epoch,
                            r->checkpoint[0].chain};
    sim_cover(s->sim, COVER_resumed);
    a->epoch = r->checkpoint[0].epoch;
    a->file_size = s->sim->mix.parts ? sizeof file : 0;
    if (a->file_size) return;
    a->checkpoint_size = sizeof file;
    if (!(a->checkpoint = malloc(sizeof file))) abort();
    memcpy(a->checkpoint, &file, sizeof file);
}

/* What the parts of an attempt have become. */
static const struct sim_file *uploaded(struct store *s, int64_t run, int64_t attempt, int64_t epoch)
{
    const struct sim_upload *u = &s->uploads[run];
    bool whole = u->attempt == attempt && u->epoch == epoch && u->held == sizeof u->file;
    sim_cover(s->sim, whole ? COVER_file_came : COVER_file_missing);
    return whole ? &u->file : NULL;
}

void sim_file_keep(struct store *s, int64_t run, int64_t attempt, const Grokd__Epoch *m)
{
    struct sim_run *r = &s->runs[run];
    const struct sim_file *file = NULL;
    struct sim_file whole;
    if (m->has_checkpoint) {
        memcpy(&whole, m->checkpoint.data, sizeof whole);
        file = &whole;
    }
    if (m->checkpoint_file) file = uploaded(s, run, attempt, m->epoch);
    if (!file) return;
    struct sim_checkpoint x = {(int64_t)file->epoch, file->chain,
                               s->sim->mix.on[FAULT_TORN] && sim_chance(s->sim, 0x20000000u)};
    if (r->checkpoints && r->checkpoint[0].epoch >= x.epoch) return;
    r->checkpoint[1] = r->checkpoint[0];
    r->checkpoint[0] = x;
    if (r->checkpoints < 2) r->checkpoints++;
}

/* Whether the attempt is the current one. */
static bool current(struct store *s, const struct save *x, struct save_answer *a)
{
    const struct sim_run *r = &s->runs[x->run];
    if (r->state == RUN_RUNNING && r->attempt == x->attempt) return true;
    a->verdict = VERDICT_STALE;
    return false;
}

void sim_file_part(struct store *s, const struct save *x)
{
    const Grokd__Part *m = x->message->part;
    struct sim_upload *u = &s->uploads[x->run];
    struct save_answer *a = sim_answer(s, x);
    a->epoch = m->epoch;
    if (!current(s, x, a)) return;
    bool same = u->attempt == x->attempt && u->epoch == m->epoch;
    if (!same && m->offset == 0) {
        *u = (struct sim_upload){.attempt = x->attempt, .epoch = m->epoch};
        same = true;
    }
    a->held = same ? u->held : 0;
    if (m->offset > a->held) {
        a->verdict = VERDICT_GAP;
        sim_cover(s->sim, COVER_part_gap);
    }
    if (m->offset != a->held) return;
    memcpy((char *)&u->file + u->held, m->data.data, m->data.len);
    a->held = u->held += m->data.len;
}

void sim_file_read(struct store *s, const struct save *x)
{
    const struct sim_run *r = &s->runs[x->run];
    struct save_answer *a = sim_answer(s, x);
    size_t at = (size_t)x->count;
    a->epoch = 0;
    if (!current(s, x, a) || !r->checkpoints || at >= sizeof(struct sim_file)) return;
    struct sim_file file = {(uint64_t)x->run, (uint64_t)r->checkpoint[0].epoch,
                            r->checkpoint[0].chain};
    size_t n = sizeof file - at < SIM_PART ? sizeof file - at : SIM_PART;
    if (!(a->checkpoint = malloc(n))) abort();
    memcpy(a->checkpoint, (char *)&file + at, n);
    a->checkpoint_size = n;
    a->epoch = r->checkpoint[0].epoch;
    a->held = at;
    a->file_size = sizeof file;
}
