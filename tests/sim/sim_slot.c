// SPDX-License-Identifier: MIT
/* sim_slot: slots whose trainer computes a chain of hashes: the state after an epoch is the hash of
 * the state before it and of (run, epoch), and what it reports is read off that state. An epoch is
 * right only if all before it were, so a wrong checkpoint, a skipped or repeated epoch shows. */
#include "common/hash.h"
#include "tests/sim/sim.h"

#include <signal.h>
#include <string.h>

static void step_at(struct sim *w, int place, uint32_t i, int64_t in_ms)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    sim_at(w, w->now_ms + in_ms, EV_SLOT, place, (int)i, ++t->generation, NULL);
}

static int64_t epoch_ms(struct sim *w)
{
    return w->mix.epoch_ms / 2 + sim_below(w, w->mix.epoch_ms + 1);
}

/* ---- what the session does to a slot ---- */

/* After the epoch of its checkpoint. */
static void go_on(struct sim *w, struct sim_slot *t)
{
    if ((int64_t)t->file.run != t->run)
        sim_wrong(w, "run %lld got what is no checkpoint of it", (long long)t->run);
    t->next = (int64_t)t->file.epoch + 1;
    t->chain = t->file.chain;
}

static void take_work(struct sim *w, int place, struct sim_slot *t, const Grokd__Work *m)
{
    struct sim_worker *k = &w->worker[place];
    /* A Work that arrives once more after its Stop begins anew while the first one ends. */
    for (uint32_t i = 0; i < k->slot_count; i++)
        if (k->slots[i].alive && !k->slots[i].stop && k->slots[i].run == m->run &&
            k->slots[i].attempt == m->attempt)
            sim_wrong(w, "run %lld, attempt %lld trains twice in one worker", (long long)m->run,
                      (long long)m->attempt);
    if (!t->ready || t->run || strcmp(t->family, m->blas->family) != 0)
        sim_wrong(w, "a slot that is not free for run %lld got it", (long long)m->run);
    t->run = m->run;
    t->attempt = m->attempt;
    t->next = 0;
    t->chain = sim_mix64((uint64_t)m->run);
    t->bad = k->bad && sim_below(w, 3) == 0;
    t->file_left = m->has_checkpoint_size ? m->checkpoint_size : 0;
    if (!m->has_checkpoint) return;
    memcpy(&t->file, m->checkpoint.data, sizeof t->file);
    go_on(w, t);
}

static void take_part(struct sim *w, struct sim_slot *t, const Grokd__Part *m)
{
    size_t at = sizeof t->file - t->file_left;
    if (m->run != t->run || m->attempt != t->attempt || m->offset != at ||
        m->size != sizeof t->file) {
        sim_wrong(w, "run %lld got a part that does not follow", (long long)t->run);
        return;
    }
    memcpy((char *)&t->file + at, m->data.data, m->data.len);
    t->file_left -= m->data.len;
    if (t->file_left) return;
    sim_cover(w, COVER_fetched);
    go_on(w, t);
}

static void tell(struct sim *w, int place, uint32_t i, const struct session_action *a)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    wire_envelope *m;
    struct err e;
    if (!t->alive || wire_unpack(&m, a->bytes, a->size, &e) < 0) {
        sim_wrong(w, "a slot that is not there was told something");
        return;
    }
    if (m->body_case == GROKD__ENVELOPE__BODY_WORK) {
        take_work(w, place, t, m->work);
        step_at(w, place, i, epoch_ms(w));
    } else if (m->body_case == GROKD__ENVELOPE__BODY_PART) {
        take_part(w, t, m->part);
    } else if (t->run == m->stop->run && t->attempt == m->stop->attempt) {
        sim_cover(w, COVER_stopped_while_training);
        t->stop = true;
    }
    wire_free(&m);
}

static void start(struct sim *w, int place, uint32_t i, const char *family)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    uint32_t generation = t->generation;
    if (t->alive) sim_wrong(w, "a slot was started twice");
    *t = (struct sim_slot){.alive = true, .generation = generation};
    memcpy(t->family, family, sizeof t->family);
    step_at(w, place, i, w->mix.start_ms);
}

void sim_slot_act(struct sim *w, int place, const struct session_action *a)
{
    struct sim_slot *t = &w->worker[place].slots[a->slot];
    switch (a->kind) {
    case SESSION_ACT_START: start(w, place, a->slot, a->family); break;
    case SESSION_ACT_TELL: tell(w, place, a->slot, a); break;
    case SESSION_ACT_KILL:
        if (t->stop) sim_cover(w, COVER_killed_after_stop);
        t->alive = t->ready = false; /* its death is told by its next step */
        step_at(w, place, a->slot, 1 + sim_below(w, 50));
        break;
    case SESSION_ACT_PAUSE:
        t->paused = true;
        sim_cover(w, COVER_outbox_full);
        break;
    default:
        t->paused = false;
        if (t->waits) step_at(w, place, a->slot, 0);
        break;
    }
}

/* ---- what a slot does ---- */

static void say(struct sim *w, int place, uint32_t i, wire_envelope *m)
{
    m->major = WIRE_MAJOR;
    sim_worker_on(w, place,
                  &(struct session_event){.kind = SESSION_EVENT_SLOT, .slot = i, .message = m});
}

void sim_slot_die(struct sim *w, int place, uint32_t i, int signal)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    t->alive = t->ready = t->waits = false;
    t->run = 0;
    t->generation++;
    sim_worker_on(w, place,
                  &(struct session_event){.kind = SESSION_EVENT_DIED, .slot = i, .signal = signal});
}

static void ready(struct sim *w, int place, uint32_t i)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ready x = GROKD__READY__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    static char haswell[] = "aa", zen[] = "bb";
    t->ready = true;
    blas.family = t->family;
    blas.fingerprint = t->family[0] == 'Z' ? zen : haswell;
    x.blas = &blas;
    m.body_case = GROKD__ENVELOPE__BODY_READY;
    m.ready = &x;
    say(w, place, i, &m);
}

static void end(struct sim *w, int place, uint32_t i, Grokd__Outcome outcome, bool final)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ended x = GROKD__ENDED__INIT;
    static char reason[] = "the toy broke";
    x.run = t->run;
    x.attempt = t->attempt;
    x.epoch = t->next - 1;
    x.outcome = outcome;
    x.has_final = x.final = final;
    if (outcome == GROKD__OUTCOME__FAILED) {
        x.reason = reason;
        w->ledger[t->run].cut++;
    }
    m.body_case = GROKD__ENVELOPE__BODY_ENDED;
    m.ended = &x;
    t->run = 0;
    t->stop = false;
    say(w, place, i, &m);
}

/* The checkpoint of an epoch, in its message or before it. */
static void add_checkpoint(struct sim *w, int place, uint32_t i, Grokd__Epoch *epoch,
                           struct sim_file *file)
{
    const struct sim_slot *t = &w->worker[place].slots[i];
    static char hex[HASH_HEX];
    static Grokd__File name = GROKD__FILE__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part part = GROKD__PART__INIT;
    epoch->has_checkpoint = !w->mix.parts;
    epoch->checkpoint = (ProtobufCBinaryData){sizeof *file, (uint8_t *)file};
    if (!w->mix.parts) return;
    hash_sha256_hex(file, sizeof *file, hex);
    name.size = part.size = sizeof *file;
    name.sha256 = hex;
    epoch->checkpoint_file = &name;
    part.run = t->run;
    part.attempt = t->attempt;
    part.epoch = t->next;
    m.body_case = GROKD__ENVELOPE__BODY_PART;
    m.part = &part;
    for (size_t at = 0; at < sizeof *file; at += part.data.len) {
        part.offset = at;
        part.data = (ProtobufCBinaryData){SIM_PART, (uint8_t *)file + at};
        say(w, place, i, &m);
    }
}

static void train(struct sim *w, int place, uint32_t i)
{
    struct sim_slot *t = &w->worker[place].slots[i];
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epochs x = GROKD__EPOCHS__INIT;
    Grokd__Epoch epoch = GROKD__EPOCH__INIT, *list[] = {&epoch};
    uint32_t id = METRIC_train_loss;
    if (t->file_left)
        sim_wrong(w, "run %lld trains before its checkpoint has come", (long long)t->run);
    t->chain = sim_mix64(t->chain ^ ((uint64_t)t->run << 32 | (uint64_t)t->next));
    double value = oracle_value(t->chain);
    if (t->bad && sim_below(w, 3) == 0) {
        value += 1;
        w->ledger[t->run].tainted = true;
    }
    struct sim_file file = {(uint64_t)t->run, (uint64_t)t->next, t->chain};
    epoch.epoch = t->next;
    epoch.n_ids = epoch.n_values = 1;
    epoch.ids = &id;
    epoch.values = &value;
    if (t->next % w->mix.checkpoint_every == w->mix.checkpoint_every - 1 || t->stop)
        add_checkpoint(w, place, i, &epoch, &file);
    x.run = t->run;
    x.attempt = t->attempt;
    x.n_epochs = 1;
    x.epochs = list;
    m.body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    m.epochs = &x;
    t->next++;
    step_at(w, place, i, epoch_ms(w));
    say(w, place, i, &m);
}

void sim_slot_step(struct sim *w, struct sim_event *ev)
{
    struct sim_worker *k = &w->worker[ev->place];
    struct sim_slot *t = &k->slots[ev->slot];
    uint32_t i = ev->slot;
    if (!k->up || ev->generation != t->generation) return;
    if (k->awake_ms > w->now_ms) { /* nobody reads its pipe */
        sim_at(w, k->awake_ms, EV_SLOT, ev->place, (int)i, ev->generation, NULL);
        return;
    }
    t->waits = t->paused && t->alive;
    if (t->waits || (t->hung && t->alive)) return;
    w->events++;
    sim_note(w, "slot", ev->place, i, t->run, t->next);
    if (!t->alive)
        sim_slot_die(w, ev->place, i, SIGKILL);
    else if (!t->ready)
        ready(w, ev->place, i);
    else if (t->run && t->next > w->mix.epochs)
        end(w, ev->place, i, GROKD__OUTCOME__FINISHED, false);
    else if (t->run && t->stop)
        end(w, ev->place, i, GROKD__OUTCOME__RETURNED, false);
    else if (t->run && sim_chance(w, w->mix.run_fail))
        end(w, ev->place, i, GROKD__OUTCOME__FAILED, sim_below(w, 8) == 0);
    else if (t->run)
        train(w, ev->place, i);
}
