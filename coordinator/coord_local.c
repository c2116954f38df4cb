// SPDX-License-Identifier: MIT
/* coord_local: the worker of --local. */
#include "coordinator/coord_local.h"

#include "common/file.h"
#include "common/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_MS 1000 /* before a killed worker is started again */

static int launch(struct coord_local *w, struct err *e);

static void on_bytes(void *ctx, const uint8_t *bytes, size_t size)
{
    (void)ctx, (void)bytes, (void)size; /* a worker talks over the network */
}

static void on_again(void *ctx)
{
    struct coord_local *w = ctx;
    struct err e = {0};
    if (launch(w, &e) < 0) w->on_end(w->ctx, &e);
}

/* The last line of its log says why it gave up. */
static void last_line(const struct coord_local *w, char out[256])
{
    char *text = NULL;
    size_t size;
    snprintf(out, 256, "see %.240s", w->log);
    if (file_read(w->log, 64u << 20, &text, &size, NULL) < 0) return;
    while (size && (text[size - 1] == '\n' || text[size - 1] == ' ')) text[--size] = '\0';
    const char *line = size ? strrchr(text, '\n') : NULL;
    if (size) snprintf(out, 256, "%.255s", line ? line + 1 : text);
    free(text);
}

static void on_exit_(void *ctx, int status, int signal)
{
    struct coord_local *w = ctx;
    struct err e = {0};
    char why[256];
    child_close(&w->child);
    if (!w->ending && signal) {
        log_warn("local_worker", "signal=%d text=%s", signal, "killed; it is started again");
        timer_start(&w->again, w->loop, AGAIN_MS, 0, on_again, w);
        return;
    }
    if (!w->ending) {
        last_line(w, why);
        err_set(&e, E_RUN, "the local worker ended with %d: %s", status, why);
    }
    w->on_end(w->ctx, &e);
}

static int launch(struct coord_local *w, struct err *e)
{
    const char *arguments[] = {w->program,  "--access", w->access, "--connect",
                               w->endpoint, "-j",       w->slots,  NULL};
    const char *environment[] = {NULL};
    struct child_config c = {.arguments = arguments,
                             .environment = environment,
                             .cpu = -1,
                             .log_fd = w->log_fd,
                             .on_bytes = on_bytes,
                             .on_exit = on_exit_,
                             .ctx = w};
    return child_open(&w->child, w->loop, &c, e);
}

static int set(char *out, size_t size, struct err *e, const char *a, const char *b)
{
    int n = snprintf(out, size, "%s%s", a, b);
    if (n < 0 || (size_t)n >= size)
        return err_set(e, E_USAGE, "%s%s: the path is longer than %zu bytes", a, b, size - 1);
    return OK;
}

/* grokd-worker, from the folder of this program. */
static int find_program(struct coord_local *w, struct err *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_errno(e, E_FILE, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) slash[1] = '\0';
    int rc = set(w->program, sizeof w->program, e, self, "grokd-worker");
    if (rc == OK && access(w->program, X_OK) < 0)
        rc = err_errno(e, E_FILE, "--local needs %s", w->program);
    return rc;
}

/* Where a worker on this machine reaches a socket bound to every interface. */
static void near_endpoint(const char *bound, char *out, size_t size)
{
    static const char *const every[] = {"tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"};
    snprintf(out, size, "%s", bound);
    for (size_t i = 0; i < sizeof every / sizeof *every; i++)
        if (!strncmp(bound, every[i], strlen(every[i])))
            snprintf(out, size, "tcp://127.0.0.1:%s", bound + strlen(every[i]));
}

int coord_local_open(struct coord_local *w, struct loop *l, const char *dir, const char *endpoint,
                     int64_t slots, struct err *e)
{
    char logs[PATH_MAX];
    w->loop = l;
    w->log_fd = -1;
    snprintf(w->slots, sizeof w->slots, "%lld", (long long)slots);
    near_endpoint(endpoint, w->endpoint, sizeof w->endpoint);
    int rc = find_program(w, e);
    if (rc == OK) rc = set(w->access, sizeof w->access, e, dir, "/access");
    if (rc == OK) rc = set(logs, sizeof logs, e, dir, "/logs");
    if (rc == OK) rc = set(w->log, sizeof w->log, e, dir, "/logs/worker.log");
    if (rc == OK) rc = file_make_dir(logs, 0700, e);
    if (rc < 0) return rc;
    w->log_fd = open(w->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (w->log_fd < 0) return err_errno(e, E_IO, "%s", w->log);
    return launch(w, e);
}

void coord_local_end(struct coord_local *w)
{
    w->ending = true;
    timer_stop(&w->again);
    if (w->child) child_kill(w->child, SIGTERM);
}

bool coord_local_runs(const struct coord_local *w)
{
    return w->child != NULL;
}

void coord_local_close(struct coord_local *w)
{
    timer_stop(&w->again);
    child_close(&w->child);
    if (w->log_fd >= 0) close(w->log_fd);
    w->log_fd = -1;
}
