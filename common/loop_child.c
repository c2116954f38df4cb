// SPDX-License-Identifier: MIT
/* loop_child: a child process on the loop, with a stream socket to it.
 *
 * libuv can start processes but has no hook between fork and exec, where the child must be pinned
 * and tied to our life; so the fork is done here (loop_spawn), and the end is heard as SIGCHLD. */
#include "common/loop_child.h"

#include "common/log.h"
#include "common/loop_private.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 65536

struct child {
    uv_pipe_t pipe;
    uv_signal_t reaper;
    uv_idle_t teller; /* tells of the exit from the loop, never from within a call */
    uv_shutdown_t shutdown;
    int closing; /* handles whose close callback is still due */
    pid_t pid;   /* 0: reaped */
    int status;  /* of waitpid, once reaped */
    bool stream_ended, paused, told, ending;
    void (*on_bytes)(void *ctx, const uint8_t *bytes, size_t size);
    void (*on_exit)(void *ctx, int status, int signal);
    void *ctx;
    char buffer[READ_SIZE];
};

/* ---- the end -----------------------------------------------------------------------------------
 */

static void tell_exit(uv_idle_t *teller)
{
    struct child *c = teller->data;
    int signal = WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0;
    uv_idle_stop(teller);
    c->told = true;
    c->on_exit(c->ctx, signal ? 0 : WEXITSTATUS(c->status), signal);
}

/* The exit is told when the process is reaped and its last bytes were handed over, whichever comes
 * second. */
static void check_end(struct child *c)
{
    if (!c->pid && c->stream_ended && !c->told) uv_idle_start(&c->teller, tell_exit);
}

static void reap(struct child *c)
{
    if (!c->pid) return;
    pid_t pid;
    do pid = waitpid(c->pid, &c->status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (!pid) return;
    if (pid < 0) c->status = 0; /* ECHILD: somebody else reaped it */
    c->pid = 0;
    check_end(c);
}

static void on_sigchld(uv_signal_t *reaper, int signal)
{
    (void)signal;
    reap(reaper->data);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->buffer, sizeof c->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    if (n > 0) {
        c->on_bytes(c->ctx, (const uint8_t *)buf->base, (size_t)n);
    } else if (n < 0) { /* the end, or ECONNRESET: unread bytes of ours were in its queue */
        uv_read_stop(stream);
        c->stream_ended = true;
        check_end(c);
    }
}

void child_pause(struct child *c)
{
    if (c->stream_ended) return;
    c->paused = true;
    uv_read_stop((uv_stream_t *)&c->pipe);
}

void child_resume(struct child *c)
{
    if (!c->paused || c->stream_ended) return;
    c->paused = false;
    uv_read_start((uv_stream_t *)&c->pipe, lend_buffer, on_read);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

struct letter {
    uv_write_t request;
    uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* a child that is gone shows at the reading side */
    free(request->data);
}

int child_write(struct child *c, const void *bytes, size_t size, struct err *e)
{
    if (c->stream_ended || c->ending)
        return err_set(e, E_IO, "child %ld: its stream is closed", (long)c->pid);
    struct letter *letter = malloc(sizeof *letter + size);
    if (!letter) return err_set(e, E_NOMEM, "child: no memory to write %zu bytes", size);
    memcpy(letter->bytes, bytes, size);
    letter->request.data = letter;
    uv_buf_t buf = uv_buf_init((char *)letter->bytes, (unsigned)size);
    int rc = uv_write(&letter->request, (uv_stream_t *)&c->pipe, &buf, 1, on_written);
    if (rc < 0) {
        free(letter);
        return err_set(e, E_IO, "child %ld: %s", (long)c->pid, uv_strerror(rc));
    }
    return OK;
}

size_t child_queued(const struct child *c)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

void child_end(struct child *c)
{
    if (c->ending || c->stream_ended) return;
    c->ending = true;
    uv_shutdown(&c->shutdown, (uv_stream_t *)&c->pipe, on_shutdown);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void init_handles(struct child *c, struct loop *l)
{
    uv_pipe_init(loop_uv(l), &c->pipe, 0);
    uv_idle_init(loop_uv(l), &c->teller);
    c->pipe.data = c->reaper.data = c->teller.data = c;
    c->closing = 2;
}

/* After this the child, were it to end at once, is noticed. */
static int start_watching(struct child *c, struct loop *l, int fd, struct err *e)
{
    int rc = uv_signal_init(loop_uv(l), &c->reaper);
    if (rc == 0) {
        c->closing++;
        rc = uv_signal_start(&c->reaper, on_sigchld, SIGCHLD);
    }
    if (rc == 0) rc = uv_pipe_open(&c->pipe, fd);
    if (rc < 0) close(fd);
    if (rc == 0) rc = uv_read_start((uv_stream_t *)&c->pipe, lend_buffer, on_read);
    return rc < 0 ? err_set(e, E_IO, "watch a child: %s", uv_strerror(rc)) : OK;
}

int child_open(struct child **out, struct loop *l, const struct child_config *config, struct err *e)
{
    int ends[2];
    struct child *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c) return err_set(e, E_NOMEM, "child: no memory");
    c->on_bytes = config->on_bytes;
    c->on_exit = config->on_exit;
    c->ctx = config->ctx;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        free(c);
        return err_errno(e, E_IO, "socket for a child");
    }
    init_handles(c, l);
    pid_t pid = 0;
    int rc = start_watching(c, l, ends[0], e);
    if (rc == OK) rc = loop_spawn(&pid, config, ends[1], e);
    c->pid = pid;
    close(ends[1]);
    if (rc < 0)
        child_close(&c);
    else
        *out = c;
    return rc;
}

void child_kill(struct child *c, int signal)
{
    if (c->pid) kill(c->pid, signal);
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

static void on_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    if (--c->closing == 0) free(c);
}

/* After SIGKILL the wait is short: the process only has to be taken apart. */
static void kill_and_reap(struct child *c)
{
    if (!c->pid) return;
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) {
    }
    c->pid = 0;
}

void child_close(struct child **out)
{
    struct child *c = *out;
    if (!c) return;
    *out = NULL;
    kill_and_reap(c);
    bool reaper = c->closing == 3;
    uv_close((uv_handle_t *)&c->pipe, on_closed);
    uv_close((uv_handle_t *)&c->teller, on_closed);
    if (reaper) uv_close((uv_handle_t *)&c->reaper, on_closed);
}
