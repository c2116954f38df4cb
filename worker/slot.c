// SPDX-License-Identifier: MIT
/* slot: one place where runs are trained. */
#include "worker/slot.h"

#include "common/blocks.h"
#include "common/log.h"
#include "common/loop_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_READS 16 /* of SLOT_LOG bytes, before others get their turn */

struct slot {
    struct slot_config config;
    struct child *child; /* NULL: no process */
    struct blocks in;    /* what it has said of a message so far */
    int log_fd;          /* our end of its stderr; -1: none */
    struct watch *log_watch;
    size_t log_size;
    char log[SLOT_LOG + 1];  /* the last bytes of it, as they came */
    char text[SLOT_LOG + 1]; /* the same, fit to be sent */
};

/* ---- the log ---- */

static void log_append(struct slot *s, const char *bytes, size_t n)
{
    size_t keep = s->log_size < SLOT_LOG - n ? s->log_size : SLOT_LOG - n;
    memmove(s->log, s->log + s->log_size - keep, keep);
    memcpy(s->log + keep, bytes, n);
    s->log_size = keep + n;
}

static void log_read(void *ctx)
{
    struct slot *s = ctx;
    char buffer[SLOT_LOG];
    for (int i = 0; i < LOG_READS && s->log_fd >= 0; i++) {
        ssize_t n = read(s->log_fd, buffer, sizeof buffer);
        if (n > 0) {
            log_append(s, buffer, (size_t)n);
            continue;
        }
        if (n == 0) watch_close(&s->log_watch); /* the child closed it */
        return;
    }
}

static const char *log_text(struct slot *s)
{
    log_read(s);
    for (size_t i = 0; i < s->log_size; i++) s->text[i] = s->log[i] ? s->log[i] : '?';
    s->text[s->log_size] = '\0';
    wire_clean(s->text, SLOT_LOG, true);
    return s->text;
}

static void log_close(struct slot *s)
{
    watch_close(&s->log_watch);
    if (s->log_fd >= 0) close(s->log_fd);
    s->log_fd = -1;
}

/* A pipe: our end is read when there is something, the child's end is *child_fd (the caller
 * closes). */
static int log_open(struct slot *s, int *child_fd, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return err_errno(e, E_IO, "pipe for the log of a slot");
    s->log_fd = ends[0];
    s->log_size = 0;
    *child_fd = ends[1];
    if (fcntl(s->log_fd, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, E_IO, "pipe for the log of a slot");
    return watch_open(&s->log_watch, s->config.loop, s->log_fd, log_read, s, e);
}

/* ---- from the child ---- */

static int message_take(struct slot *s, const uint8_t *payload, size_t size, struct err *e)
{
    wire_envelope *m;
    int rc = wire_unpack(&m, payload, size, e);
    if (rc < 0) return rc;
    s->config.on_message(s->config.ctx, s->config.index, m, log_text(s));
    wire_free(&m);
    return OK;
}

/* A stream that cannot be read any more is of no use: the process is ended. */
static void on_bytes(void *ctx, const uint8_t *bytes, size_t size)
{
    struct slot *s = ctx;
    const uint8_t *payload;
    size_t length;
    struct err e;
    int rc = blocks_feed(&s->in, bytes, size, &e);
    while (rc >= 0 && (rc = blocks_next(&s->in, &payload, &length, &e)) == 1)
        rc = message_take(s, payload, length, &e);
    if (rc == OK) return;
    log_error("slot_unreadable", "slot=%u error=%s", s->config.index, e.text);
    slot_kill(s);
}

static void on_exit_of_child(void *ctx, int status, int signal)
{
    struct slot *s = ctx;
    log_text(s);
    log_close(s);
    child_close(&s->child);
    blocks_free(&s->in);
    s->config.on_died(s->config.ctx, s->config.index, status, signal, s->text);
}

/* ---- to the child ---- */

int slot_start(struct slot *s, const char *family, struct err *e)
{
    char blas[64], pipe_fd[16];
    int child_log = -1;
    snprintf(blas, sizeof blas, "grokd.blas=%s", family);
    snprintf(pipe_fd, sizeof pipe_fd, "%d", CHILD_FD);
    const char *arguments[] = {s->config.program, "--pipe", pipe_fd, blas, NULL};
    if (s->child) return err_set(e, E_STATE, "slot %u has a process already", s->config.index);
    s->in = (struct blocks){.limit = WIRE_LIMIT};
    int rc = log_open(s, &child_log, e);
    if (rc == OK) {
        struct child_config c = {.arguments = arguments,
                                 .cpu = s->config.cpu,
                                 .log_fd = child_log,
                                 .on_bytes = on_bytes,
                                 .on_exit = on_exit_of_child,
                                 .ctx = s};
        rc = child_open(&s->child, s->config.loop, &c, e);
    }
    if (child_log >= 0) close(child_log);
    if (rc < 0) log_close(s);
    return rc;
}

static bool is_work(const uint8_t *bytes, size_t size)
{
    wire_envelope *m;
    struct err e;
    if (wire_unpack(&m, bytes, size, &e) < 0) return false;
    bool work = m->body_case == GROKD__ENVELOPE__BODY_WORK;
    wire_free(&m);
    return work;
}

int slot_tell(struct slot *s, const uint8_t *bytes, size_t size, struct err *e)
{
    uint8_t header[BLOCKS_HEADER];
    if (!s->child) return err_set(e, E_IO, "slot %u has no process", s->config.index);
    if (is_work(bytes, size)) {
        log_read(s);
        s->log_size = 0;
    }
    blocks_header(header, (uint32_t)size);
    int rc = child_write(s->child, header, sizeof header, e);
    return rc < 0 ? rc : child_write(s->child, bytes, size, e);
}

void slot_pause(struct slot *s)
{
    if (s->child) child_pause(s->child);
}

void slot_resume(struct slot *s)
{
    if (s->child) child_resume(s->child);
}

void slot_kill(struct slot *s)
{
    if (!s->child) return;
    child_kill(s->child, SIGKILL);
    child_resume(s->child); /* its death is told after its last bytes */
}

pid_t slot_pid(const struct slot *s)
{
    return s->child ? child_pid(s->child) : 0;
}

/* ---- beginning and end ---- */

int slot_open(struct slot **out, const struct slot_config *c, struct err *e)
{
    struct slot *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return err_set(e, E_NOMEM, "slot: no memory");
    s->config = *c;
    s->log_fd = -1;
    return OK;
}

void slot_close(struct slot **out)
{
    struct slot *s = *out;
    if (!s) return;
    *out = NULL;
    child_close(&s->child);
    log_close(s);
    blocks_free(&s->in);
    free(s);
}
