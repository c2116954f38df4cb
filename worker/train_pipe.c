// SPDX-License-Identifier: MIT
/* train_pipe: serves a worker over a connected stream socket. */
#include "worker/train_pipe.h"

#include "common/blocks.h"
#include "common/clock.h"
#include "common/hash.h"
#include "proto/wire.h"
#include "worker/train_checkpoint.h"
#include "worker/train_options.h"
#include "worker/train_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A listener's answers beyond TRAIN_ON and TRAIN_STOP. */
enum { PIPE_CLOSED = 2 };

struct pipe {
    int fd;
    const struct blas *blas; /* in use here */
    struct blocks in;
    int64_t run, attempt; /* under way */
    int64_t epoch;        /* last one said; -1: none */
    int64_t start_ms, flushed_ms, saved_ms;
    struct checkpoint_owner owner; /* of checkpoints: the run under way */
    size_t waiting;
    Grokd__Epoch *epochs[PIPE_EPOCHS];
    struct task_shelf shelf; /* data of the run before */
};

/* ---- saying -------------------------------------------------------------------------------- */

static int say(struct pipe *p, wire_envelope *m, Grokd__Envelope__BodyCase body, struct err *e)
{
    uint8_t *bytes;
    size_t size;
    m->major = WIRE_MAJOR;
    m->body_case = body;
    int rc = wire_pack(m, &bytes, &size, e);
    if (rc == OK) rc = blocks_write(p->fd, bytes, size, e);
    free(bytes);
    return rc;
}

static int say_ready(struct pipe *p, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ready ready = GROKD__READY__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    blas.family = (char *)(uintptr_t)p->blas->family;
    blas.fingerprint = (char *)(uintptr_t)p->blas->fingerprint;
    ready.blas = &blas;
    m.ready = &ready;
    return say(p, &m, GROKD__ENVELOPE__BODY_READY, e);
}

static void drop_epochs(struct pipe *p)
{
    for (size_t i = 0; i < p->waiting; i++) grokd__epoch__free_unpacked(p->epochs[i], NULL);
    p->waiting = 0;
}

static int flush(struct pipe *p, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    if (p->waiting == 0) return OK;
    epochs.run = p->run;
    epochs.attempt = p->attempt;
    epochs.n_epochs = p->waiting;
    epochs.epochs = p->epochs;
    m.epochs = &epochs;
    int rc = say(p, &m, GROKD__ENVELOPE__BODY_EPOCHS, e);
    if (rc == OK) p->epoch = p->epochs[p->waiting - 1]->epoch;
    drop_epochs(p);
    p->flushed_ms = clock_now_ms();
    return rc;
}

static int say_ended(struct pipe *p, Grokd__Outcome outcome, const char *reason, bool final,
                     struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ended ended = GROKD__ENDED__INIT;
    char text[sizeof e->text];
    int rc = flush(p, e);
    if (rc < 0) return rc;
    snprintf(text, sizeof text, "%s", reason);
    wire_clean(text, WIRE_NAME - 1, false);
    ended.run = p->run;
    ended.attempt = p->attempt;
    ended.outcome = outcome;
    ended.reason = text[0] ? text : NULL;
    ended.epoch = p->epoch;
    ended.has_seconds = 1;
    ended.seconds = (double)(clock_now_ms() - p->start_ms) / 1000;
    ended.has_final = final;
    ended.final = final;
    m.ended = &ended;
    return say(p, &m, GROKD__ENVELOPE__BODY_ENDED, e);
}

/* ---- hearing ------------------------------------------------------------------------------- */

/* The next message: 1 and the message (gives), 0 when there is none now (only without `wait`),
 * PIPE_CLOSED at the end of the stream. */
static int hear(struct pipe *p, bool wait, wire_envelope **m, struct err *e)
{
    uint8_t bytes[4096];
    const uint8_t *payload;
    size_t size;
    for (;;) {
        int rc = blocks_next(&p->in, &payload, &size, e);
        if (rc < 0) return rc;
        if (rc == 1) return (rc = wire_unpack(m, payload, size, e)) < 0 ? rc : 1;
        ssize_t n = recv(p->fd, bytes, sizeof bytes, wait ? 0 : MSG_DONTWAIT);
        if (n == 0) return PIPE_CLOSED;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (n < 0 && errno == ECONNRESET) return PIPE_CLOSED;
        if (n < 0) return err_errno(e, E_IO, "pipe to the worker");
        if ((rc = blocks_feed(&p->in, bytes, (size_t)n, e)) < 0) return rc;
    }
}

/* Whether the worker wants this run to end: TRAIN_ON, TRAIN_STOP or PIPE_CLOSED. */
static int look_for_stop(struct pipe *p, struct err *e)
{
    for (;;) {
        wire_envelope *m;
        int rc = hear(p, false, &m, e);
        if (rc != 1) return rc;
        bool stop = m->body_case == GROKD__ENVELOPE__BODY_STOP && m->stop->run == p->run &&
                    m->stop->attempt == p->attempt;
        bool work = m->body_case == GROKD__ENVELOPE__BODY_WORK;
        wire_free(&m);
        if (work)
            return err_set(e, E_PROTO, "work arrived while run %" PRId64 " was under way", p->run);
        if (stop) return TRAIN_STOP;
    }
}

static int enough(void *ctx, struct err *e)
{
    return look_for_stop(ctx, e);
}

/* ---- files that go with an epoch ------------------------------------------------------------- */

static bool checkpoint_due(const struct pipe *p, const struct train_epoch *now, int next)
{
    int64_t every_ms = p->owner.settings->checkpoint_every_ms;
    bool due = every_ms > 0 && clock_now_ms() - p->saved_ms >= every_ms;
    bool here = train_save_before_the_end(now, p->owner.settings);
    return !now->final && (next == TRAIN_STOP || due || here);
}

/* A file that its epoch's message cannot hold, before that message: gives what names it there. */
static int say_file(struct pipe *p, Grokd__FileKind kind, int64_t epoch, const uint8_t *bytes,
                    size_t size, Grokd__File **out, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part part = GROKD__PART__INIT;
    int rc = OK;
    part.run = p->run;
    part.attempt = p->attempt;
    part.epoch = epoch;
    part.kind = kind;
    part.size = size;
    m.part = &part;
    for (size_t at = 0; at < size && rc == OK; at += part.data.len) {
        part.offset = at;
        part.data.data = (uint8_t *)(uintptr_t)bytes + at;
        part.data.len = size - at < WIRE_PART ? size - at : WIRE_PART;
        rc = say(p, &m, GROKD__ENVELOPE__BODY_PART, e);
    }
    if (rc < 0) return rc;
    *out = malloc(sizeof **out);
    char *hex = malloc(HASH_HEX);
    if (!*out || !hex) {
        free(*out);
        free(hex);
        *out = NULL;
        return err_set(e, E_NOMEM, "epoch %" PRId64 ": no memory for the name of a file", epoch);
    }
    grokd__file__init(*out);
    hash_sha256_hex(bytes, size, hex);
    (*out)->size = size;
    (*out)->sha256 = hex;
    return OK;
}

/* One that is too large is left out: the run would begin anew, no more. */
static int add_checkpoint(struct pipe *p, const struct train_epoch *now, Grokd__Epoch *m,
                          struct err *e)
{
    unsigned char *bytes;
    size_t size;
    int rc = train_checkpoint_make(now, &p->owner, &bytes, &size, e);
    if (rc < 0) return rc;
    p->saved_ms = clock_now_ms();
    if (wire_file_fits(size)) {
        m->has_checkpoint = 1;
        m->checkpoint = (ProtobufCBinaryData){size, bytes};
        return OK;
    }
    if (size <= WIRE_FILE)
        rc = say_file(p, GROKD__FILE_KIND__CHECKPOINT, m->epoch, bytes, size, &m->checkpoint_file,
                      e);
    else
        fprintf(stderr, "epoch %" PRId64 ": no checkpoint: %zu bytes, at most %u can travel\n",
                m->epoch, size, WIRE_FILE);
    free(bytes);
    return rc;
}

static int add_model(struct pipe *p, const struct train_epoch *now, Grokd__Epoch *m, struct err *e)
{
    struct safetensors s = {0};
    unsigned char *bytes = NULL;
    size_t size;
    int rc = trainer_save_weights(now->trainer, "", &s, e);
    if (rc == OK) rc = safetensors_bytes(&s, &bytes, &size, e);
    safetensors_close(&s);
    if (rc < 0) return rc;
    if (wire_file_fits(size)) {
        m->has_model = 1;
        m->model = (ProtobufCBinaryData){size, bytes};
        return OK;
    }
    if (size <= WIRE_FILE)
        rc = say_file(p, GROKD__FILE_KIND__MODEL, m->epoch, bytes, size, &m->model_file, e);
    else
        rc = err_set(e, E_RUN,
                     "weights of %zu bytes, at most %u can travel: save_model with "
                     "grokd-train --out instead",
                     size, WIRE_FILE);
    free(bytes);
    return rc;
}

/* What carries a file goes out by itself and at once. */
static int on_epoch(void *ctx, const struct train_epoch *now, struct err *e)
{
    struct pipe *p = ctx;
    int next = look_for_stop(p, e), rc = OK;
    if (next < 0 || next == PIPE_CLOSED) return next;
    bool model = epoch_list_holds(&p->owner.settings->save_model, now->row->epoch, now->epochs);
    bool checkpoint = checkpoint_due(p, now, next);
    if ((model || checkpoint) && (rc = flush(p, e)) < 0) return rc;
    Grokd__Epoch *epoch = wire_epoch(now->row);
    if (!epoch) return err_set(e, E_NOMEM, "epoch %" PRId64 ": no memory", now->row->epoch);
    p->epochs[p->waiting++] = epoch;
    if (model) rc = add_model(p, now, epoch, e);
    if (rc == OK && checkpoint) rc = add_checkpoint(p, now, epoch, e);
    if (rc == OK && (p->waiting == PIPE_EPOCHS || model || checkpoint ||
                     clock_now_ms() - p->flushed_ms >= PIPE_FLUSH_MS))
        rc = flush(p, e);
    return rc < 0 ? rc : next;
}

/* ---- working ------------------------------------------------------------------------------- */

/* A run that failed by itself would fail again; what this machine or this version of the program
 * lacks (memory, a parameter, a measure), another may have. */
static int say_result(struct pipe *p, int rc, const struct err *why, struct err *e)
{
    switch (rc) {
    case OK: return say_ended(p, GROKD__OUTCOME__FINISHED, "", false, e);
    case TRAIN_STOP: return say_ended(p, GROKD__OUTCOME__RETURNED, "", false, e);
    case E_RUN: return say_ended(p, GROKD__OUTCOME__FAILED, why->text, true, e);
    default: return say_ended(p, GROKD__OUTCOME__LOST, why->text, false, e);
    }
}

static bool kernels_differ(const struct pipe *p, const Grokd__Blas *wanted, struct err *why)
{
    const struct blas *here = p->blas;
    if (!strcmp(wanted->family, here->family) && !strcmp(wanted->fingerprint, here->fingerprint))
        return false;
    err_set(why, E_STATE, "kernels %.32s %.16s are wanted, %.32s %.16s are here", wanted->family,
            wanted->fingerprint, here->family, here->fingerprint);
    return true;
}

/* Where the run goes on, if the work says: *set for train_run, else an empty one. A checkpoint that
 * does not fit costs time, no more: the run begins anew. */
static void take_checkpoint(struct pipe *p, const ProtobufCBinaryData *bytes,
                            struct safetensors *set)
{
    struct err why;
    *set = (struct safetensors){0};
    if (!bytes->len) return;
    if (train_checkpoint_take(set, &p->epoch, bytes->data, bytes->len, "checkpoint", &p->owner,
                              &why) < 0)
        fprintf(stderr, "%s; the run begins at epoch 0\n", why.text);
}

/* The parts of its checkpoint follow a Work at once (gives). */
static int hear_checkpoint(struct pipe *p, const Grokd__Work *w, ProtobufCBinaryData *out,
                           struct err *e)
{
    size_t size = w->checkpoint_size, got = 0;
    *out = (ProtobufCBinaryData){size, malloc(size + 1)};
    if (!out->data) return err_set(e, E_NOMEM, "no memory for a checkpoint of %zu bytes", size);
    while (got < size) {
        wire_envelope *m;
        int rc = hear(p, true, &m, e);
        if (rc != 1) return rc;
        const Grokd__Part *part = m->body_case == GROKD__ENVELOPE__BODY_PART ? m->part : NULL;
        bool next = part && part->run == w->run && part->attempt == w->attempt &&
                    part->size == size && part->offset == got;
        if (next) memcpy(out->data + got, part->data.data, part->data.len);
        got += next ? part->data.len : 0;
        wire_free(&m);
        if (!next)
            return err_set(e, E_PROTO, "run %" PRId64 ": byte %zu of its checkpoint did not come",
                           w->run, got);
    }
    return OK;
}

static int train(struct pipe *p, const Grokd__Work *w, struct err *why)
{
    const struct train_listener listener = {on_epoch, p, enough};
    const struct trainer_source from = {.shelf = &p->shelf};
    const struct checkpoint_owner *o = &p->owner;
    struct safetensors set = {0};
    ProtobufCBinaryData parts = {0};
    int rc = w->has_checkpoint_size ? hear_checkpoint(p, w, &parts, why) : OK;
    if (rc == OK) take_checkpoint(p, parts.len ? &parts : &w->checkpoint, &set);
    free(parts.data);
    if (rc != OK) return rc;
    int64_t resumed = p->epoch;
    rc = train_run(o->params, o->settings, &from, NULL, set.count ? &set : NULL, &listener, why);
    if (rc == E_FILE && set.count && p->epoch == resumed && !p->waiting) {
        fprintf(stderr, "%s; the run begins at epoch 0\n", why->text);
        p->epoch = -1;
        rc = train_run(o->params, o->settings, &from, NULL, NULL, &listener, why);
    }
    safetensors_close(&set);
    return rc;
}

/* Trains one Work. PIPE_CLOSED when the worker went away meanwhile. */
static int work(struct pipe *p, const Grokd__Work *w, struct err *e)
{
    struct params params;
    struct settings settings;
    struct err why = {0};
    p->run = w->run;
    p->attempt = w->attempt;
    p->epoch = -1;
    p->start_ms = p->flushed_ms = p->saved_ms = clock_now_ms();
    p->owner = (struct checkpoint_owner){w->run, w->attempt, &params, &settings, p->blas};
    if (kernels_differ(p, w->blas, &why))
        return say_ended(p, GROKD__OUTCOME__LOST, why.text, false, e);
    int rc = train_arguments(&params, &settings, w->n_arguments, w->arguments, &why);
    if (rc == OK) rc = train(p, w, &why);
    if (rc == PIPE_CLOSED) return rc;
    if (rc == E_IO || rc == E_PROTO) { /* of this pipe: there is nobody to tell */
        *e = why;
        return rc;
    }
    return say_result(p, rc, &why, e);
}

int train_pipe_serve(int fd, const struct blas *b, struct err *e)
{
    struct pipe p = {.fd = fd, .blas = b, .in = {.limit = WIRE_LIMIT}};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_errno(e, E_USAGE, "--pipe %d", fd);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN); /* of a log that nobody reads: the end of the pipe says more */
    int rc = say_ready(&p, e);
    while (rc == OK) {
        wire_envelope *m;
        rc = hear(&p, true, &m, e);
        if (rc != 1) break;
        rc = m->body_case == GROKD__ENVELOPE__BODY_WORK ? work(&p, m->work, e) : OK;
        wire_free(&m);
    }
    drop_epochs(&p);
    task_shelf_close(&p.shelf);
    blocks_free(&p.in);
    return rc == PIPE_CLOSED ? OK : rc;
}

int train_pipe_bind_to_parent(struct err *e)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return err_errno(e, E_IO, "prctl PDEATHSIG");
    if (getppid() != parent) return err_set(e, E_IO, "the worker has gone");
    return OK;
}
