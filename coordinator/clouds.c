// SPDX-License-Identifier: MIT
/* clouds: the moments of the sketches of sweeps, kept as epochs arrive. */
#include "coordinator/clouds.h"

#include <stdlib.h>

#define NOTHING (-1) /* before every run and epoch */

void clouds_close(struct clouds *c)
{
    for (int i = 0; i < CLOUDS_MOST; i++) clouds_drop(&c->place[i]);
    free(c->staged);
    *c = (struct clouds){0};
}

struct cloud *clouds_find(struct clouds *c, int64_t sweep, int64_t evaluation)
{
    for (int i = 0; i < CLOUDS_MOST; i++) {
        struct cloud *x = &c->place[i];
        if (x->sweep != sweep || x->evaluation != evaluation) continue;
        x->used = ++c->uses;
        return x;
    }
    return NULL;
}

int clouds_make(struct clouds *c, int64_t sweep, int64_t evaluation, struct cloud **out,
                struct err *e)
{
    struct cloud *x = &c->place[0];
    for (int i = 1; i < CLOUDS_MOST; i++)
        if (c->place[i].used < x->used) x = &c->place[i];
    clouds_drop(x);
    int rc = moments_open(&x->moments, SKETCH_ROWS, e);
    if (rc < 0) return rc;
    x->sweep = sweep;
    x->evaluation = evaluation;
    x->run = x->epoch = NOTHING;
    x->used = ++c->uses;
    *out = x;
    return OK;
}

void clouds_drop(struct cloud *x)
{
    if (!x) return;
    moments_close(&x->moments);
    *x = (struct cloud){0};
}

int clouds_stage(struct clouds *c, const struct clouds_staged *x, struct err *e)
{
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        struct clouds_staged *more = realloc(c->staged, room * sizeof *more);
        if (!more) return err_set(e, E_NOMEM, "no memory for %zu sketches", room);
        c->staged = more;
        c->room = room;
    }
    c->staged[c->count++] = *x;
    return OK;
}

static bool was_passed(const struct cloud *x, int64_t run, int64_t epoch)
{
    return x->whole || run < x->run || (run == x->run && epoch <= x->epoch);
}

void clouds_commit(struct clouds *c)
{
    struct err e;
    for (size_t i = 0; i < c->count; i++) {
        const struct clouds_staged *s = &c->staged[i];
        struct cloud *x = clouds_find(c, s->sweep, s->evaluation);
        if (!x && s->first && clouds_make(c, s->sweep, s->evaluation, &x, &e) == OK)
            x->whole = true;
        if (x && was_passed(x, s->run, s->epoch)) moments_add(&x->moments, s->sketch);
    }
    c->count = 0;
}

void clouds_undo(struct clouds *c)
{
    c->count = 0;
}
