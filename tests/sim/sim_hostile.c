// SPDX-License-Identifier: MIT
/* sim_hostile: the owner's commands, and a peer with a key that lies: about runs of others, of
 * attempts that are over, under another's uuid, in another version. */
#include "tests/sim/sim.h"

#include <string.h>

void sim_command(struct sim *w, const char *verb, const char *a, const char *b)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Command x = GROKD__COMMAND__INIT;
    char copy[3][32], *arguments[] = {copy[1], copy[2]};
    snprintf(copy[0], sizeof copy[0], "%s", verb);
    snprintf(copy[1], sizeof copy[1], "%s", a ? a : "");
    snprintf(copy[2], sizeof copy[2], "%s", b ? b : "");
    x.verb = copy[0];
    x.arguments = arguments;
    x.n_arguments = (size_t)(a != NULL) + (b != NULL);
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_COMMAND;
    m.command = &x;
    sim_up_message(w, sim_peer_new(w, SIM_OWNER - 1), true, &m, 1);
}

struct lie {
    uint64_t peer;
    int64_t run, attempt;
    char uuid[SAVE_NAME];
};

static void say(struct sim *w, const struct lie *l, wire_envelope *m, int64_t delay_ms)
{
    m->major = WIRE_MAJOR;
    sim_up_message(w, l->peer, false, m, delay_ms);
}

/* Slots 0, no kernels, no uuid: each is refused; `right`: it becomes a worker that never trains. */
static void say_hello(struct sim *w, const struct lie *l, int64_t wrong)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Hello x = GROKD__HELLO__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT, *list[] = {&blas};
    Grokd__Holding held = GROKD__HOLDING__INIT, *holdings[] = {&held};
    static char name[] = "liar", family[] = "Haswell", print[] = "aa", none[] = "";
    blas.family = family;
    blas.fingerprint = print;
    held.run = l->run;
    held.attempt = l->attempt;
    x.uuid = wrong == 3 ? none : (char *)l->uuid;
    x.host = x.cpu = x.version = name;
    x.slots = wrong == 1 ? 0 : 1;
    x.n_blas = wrong == 2 ? 0 : 1;
    x.blas = list;
    x.n_holdings = 1;
    x.holdings = holdings;
    m.body_case = GROKD__ENVELOPE__BODY_HELLO;
    m.hello = &x;
    say(w, l, &m, 1);
}

static void say_epochs(struct sim *w, const struct lie *l, int64_t first, int64_t delay_ms)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epochs x = GROKD__EPOCHS__INIT;
    Grokd__Epoch epoch = GROKD__EPOCH__INIT, *list[] = {&epoch};
    uint32_t id = METRIC_train_loss;
    double value = -1;
    epoch.epoch = first;
    epoch.n_ids = epoch.n_values = 1;
    epoch.ids = &id;
    epoch.values = &value;
    x.run = l->run;
    x.attempt = l->attempt;
    x.n_epochs = 1;
    x.epochs = list;
    m.body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    m.epochs = &x;
    say(w, l, &m, delay_ms);
}

static void say_ended(struct sim *w, const struct lie *l)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ended x = GROKD__ENDED__INIT;
    x.run = l->run;
    x.attempt = l->attempt;
    x.epoch = w->mix.epochs;
    x.outcome = (Grokd__Outcome)sim_below(w, 4);
    m.body_case = GROKD__ENVELOPE__BODY_ENDED;
    m.ended = &x;
    say(w, l, &m, 3);
}

/* An Ack from a worker; a message of another major version. */
static void say_nonsense(struct sim *w, const struct lie *l, bool version)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ack x = GROKD__ACK__INIT;
    x.run = l->run;
    x.attempt = l->attempt;
    m.body_case = GROKD__ENVELOPE__BODY_ACK;
    m.ack = &x;
    m.major = WIRE_MAJOR + (version ? 1 - 2 * (sim_u32(w) & 1) : 0);
    sim_up_message(w, l->peer, false, &m, 1);
}

/* A worker that the hub believes, speaking out of turn on a run it holds: as if its process had
 * gone mad. It costs that attempt and nothing else. */
static void go_mad(struct sim *w, const struct lie *l, bool flood)
{
    struct lie x = *l;
    const struct sim_run *r = &w->store.runs[l->run];
    if (r->state != RUN_RUNNING) return;
    for (int i = 0; i < w->mix.workers; i++)
        if (w->worker[i].up && r->worker <= w->store.worker_count &&
            w->worker[i].serial == w->store.worker_uuid[r->worker])
            x.peer = w->worker[i].known_peer;
    x.attempt = r->attempt;
    if (x.peer == l->peer || !x.peer) return;
    w->ledger[l->run].tainted = true;
    for (int i = 0; i < (flood ? 80 : 1); i++)
        say_epochs(w, &x, flood ? w->mix.epochs : w->mix.epochs + 1, 1);
}

/* A uuid is bound to the key that first spoke for it as long as its worker is remembered, after a
 * restart too if it holds a run. Else it is protected only by being known to nobody else, so the
 * liar does not know it either. */
static bool key_known(const struct sim *w, const char *uuid)
{
    const struct sched *s = &w->coord.hub.sched;
    for (size_t i = 0; w->coord.up && i < s->worker_count; i++)
        if (!strcmp(s->workers[i].uuid, uuid)) return s->workers[i].user[0] != 0;
    return false;
}

bool sim_pointless(const struct sim *w, int place, const wire_envelope *m)
{
    return place == SIM_HOSTILE && m->body_case == GROKD__ENVELOPE__BODY_HELLO &&
           m->hello->uuid[0] == 'p' && !key_known(w, m->hello->uuid);
}

void sim_hostile(struct sim *w)
{
    struct lie l = {.peer = sim_peer_new(w, SIM_HOSTILE), .run = 1 + sim_below(w, w->mix.runs + 1)};
    int who = (int)sim_below(w, w->mix.workers);
    if (l.run <= w->mix.runs) l.attempt = w->store.runs[l.run].attempt - sim_below(w, 2);
    sim_uuid(-1 - (int)sim_below(w, 4), l.uuid);
    int64_t how = sim_below(w, 10);
    if (how == 0 && key_known(w, w->worker[who].uuid))
        memcpy(l.uuid, w->worker[who].uuid, sizeof l.uuid);
    if (how < 7 && l.uuid[0]) say_hello(w, &l, how < 4 ? 0 : how - 3);
    say_epochs(w, &l, sim_below(w, w->mix.epochs + 2), 2);
    say_ended(w, &l);
    if (how == 7) say_nonsense(w, &l, false);
    if (how == 8) say_nonsense(w, &l, true);
    if (how == 9 && l.run <= w->mix.runs) go_mad(w, &l, sim_below(w, 2));
}
