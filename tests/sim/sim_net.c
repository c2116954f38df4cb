// SPDX-License-Identifier: MIT
/* sim_net: letters between the two sides: lost, doubled, late, out of order, held back, cut off in
 * one direction. A peer is a connection: it dies with the coordinator or a reset, and what was sent
 * on it may still arrive. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* The low byte of a peer says whose connection it is. */
int sim_place(uint64_t peer)
{
    return (int)(peer & 255) - 1;
}

uint64_t sim_peer_new(struct sim *w, int place)
{
    return ++w->peers << 8 | (uint64_t)(place + 1);
}

static struct sim_letter *letter_new(struct sim *w, uint64_t peer)
{
    struct sim_letter *l = w->letters;
    if (l)
        w->letters = l->next;
    else if (!(l = malloc(sizeof *l)))
        abort();
    *l = (struct sim_letter){.peer = peer};
    return l;
}

void sim_letter_free(struct sim *w, struct sim_letter *l)
{
    free(l->bytes);
    l->next = w->letters;
    w->letters = l;
}

/* When a letter that leaves now arrives; -1: never. */
static int64_t arrival_ms(struct sim *w, struct sim_way *way)
{
    const struct sim_mix *x = &w->mix;
    if (way->cut_until_ms > w->now_ms || sim_chance(w, x->loss)) return -1;
    int64_t at = w->now_ms + x->delay_ms / 2 + sim_below(w, x->delay_ms + 1);
    if (way->frozen_until_ms > at) at = way->frozen_until_ms;
    if (w->storm && x->on[FAULT_REORDER]) return at + sim_below(w, 4 * x->delay_ms);
    if (way->last_ms > at) at = way->last_ms;
    way->last_ms = at;
    return at;
}

static void letter_send(struct sim *w, int place, uint64_t peer, enum sim_kind kind,
                        const uint8_t *bytes, size_t size)
{
    struct sim_worker *k = &w->worker[place];
    int64_t at = arrival_ms(w, kind == EV_UP ? &k->up_way : &k->down_way);
    int copies = 1 + sim_chance(w, w->mix.duplicate) + sim_chance(w, w->mix.week_old);
    for (int i = 0; i < copies && at >= 0; i++) {
        struct sim_letter *l = letter_new(w, peer);
        l->bytes = malloc(size);
        if (!l->bytes) abort();
        memcpy(l->bytes, bytes, size);
        l->size = size;
        if (i) at += 1 + sim_below(w, 3 * w->mix.delay_ms);
        if (i && sim_chance(w, 0x80000000u)) {
            at += sim_log_between(w, 1, 20) * w->mix.lease_ms;
            l->week_old = true;
        }
        sim_at(w, at, kind, place, 0, k->generation, l);
    }
}

void sim_up(struct sim *w, int place, const uint8_t *bytes, size_t size)
{
    letter_send(w, place, w->worker[place].peer, EV_UP, bytes, size);
}

/* From somebody who is no worker of ours: it always arrives. */
void sim_up_message(struct sim *w, uint64_t peer, bool local, wire_envelope *m, int64_t delay_ms)
{
    struct sim_letter *l = letter_new(w, peer);
    struct err e;
    if (wire_pack(m, &l->bytes, &l->size, &e) < 0) abort();
    l->local = local;
    sim_at(w, w->now_ms + delay_ms, EV_UP, local ? SIM_OWNER : SIM_HOSTILE, 0, 0, l);
}

int sim_down(struct sim *w, uint64_t peer, const wire_envelope *m, struct err *e)
{
    int place = sim_place(peer);
    if (place < 0 || place >= SIM_PLACES) return OK; /* who lies, or types, is told and forgets */
    if (!w->worker[place].up || w->worker[place].peer != peer) {
        sim_cover(w, COVER_sent_to_nobody);
        return err_set(e, E_NET, "peer is gone");
    }
    uint8_t *bytes;
    size_t size;
    int rc = wire_pack(m, &bytes, &size, e);
    if (rc < 0) return rc;
    uint64_t seq = w->seq;
    letter_send(w, place, peer, EV_DOWN, bytes, size);
    if (seq == w->seq && m->body_case == GROKD__ENVELOPE__BODY_ACK) {
        w->ledger[m->ack->run].lost_ack = m->ack->attempt;
        sim_cover(w, COVER_ack_lost);
    }
    if (seq == w->seq && m->body_case == GROKD__ENVELOPE__BODY_WORK) sim_cover(w, COVER_work_lost);
    free(bytes);
    return OK;
}
