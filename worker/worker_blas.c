// SPDX-License-Identifier: MIT
/* worker_blas: which families of matrix kernels work on this machine. */
#include "worker/worker_blas.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What may be asked for; those of OpenBLAS that a processor needs no less than x86-64-v3 for. */
static const char *const families[] = {"auto",     "Haswell",    "Zen",
                                       "SkylakeX", "Cooperlake", "Sapphirerapids"};
#define FAMILIES (sizeof families / sizeof families[0])

/* One `grokd-train --blas` under way. */
struct trial {
    pid_t pid; /* 0: none */
    int fd;    /* its standard output; -1: none */
    int status;
    size_t size;
    char text[256]; /* what it printed */
};

static int trial_spawn(struct trial *t, const char *program, const char *family, int out_fd,
                       struct err *e)
{
    char *path = (char *)(uintptr_t)program, blas[] = "--blas", setting[64];
    char *arguments[] = {path, blas, setting, NULL};
    snprintf(setting, sizeof setting, "grokd.blas=%s", family);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out_fd, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawn(&t->pid, program, &files, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc == 0) return OK;
    t->pid = 0;
    return err_set(e, E_FILE, "%s: cannot be run: %s", program, strerror(rc));
}

static int trial_start(struct trial *t, const char *program, const char *family, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return err_errno(e, E_IO, "pipe from %s", program);
    int rc = trial_spawn(t, program, family, ends[1], e);
    close(ends[1]);
    t->fd = ends[0];
    return rc;
}

static void trial_read(struct trial *t)
{
    ssize_t n = read(t->fd, t->text + t->size, sizeof t->text - 1 - t->size);
    if (n < 0 && errno == EINTR) return;
    if (n > 0) t->size += (size_t)n;
    if (n > 0 && t->size < sizeof t->text - 1) return;
    close(t->fd);
    t->fd = -1;
}

/* Reads from all until each has said what it has to say, or the time is over. */
static void trials_read(struct trial *t, int64_t end_ms)
{
    for (;;) {
        struct pollfd p[FAMILIES];
        size_t open = 0;
        for (size_t i = 0; i < FAMILIES; i++) {
            p[i] = (struct pollfd){.fd = t[i].fd, .events = POLLIN};
            open += t[i].fd >= 0;
        }
        int64_t left_ms = end_ms - clock_now_ms();
        if (!open || left_ms <= 0) return;
        if (poll(p, FAMILIES, (int)left_ms) < 0 && errno != EINTR) return;
        for (size_t i = 0; i < FAMILIES; i++)
            if (t[i].fd >= 0 && p[i].revents) trial_read(&t[i]);
    }
}

static void trial_end(struct trial *t)
{
    if (t->fd >= 0) {
        if (t->pid) kill(t->pid, SIGKILL); /* still running when the time was over */
        close(t->fd);
        t->fd = -1;
    }
    while (t->pid && waitpid(t->pid, &t->status, 0) < 0 && errno == EINTR) {
    }
}

/* Whether it ended well with FAMILY FINGERPRINT, and the family that was asked for. */
static bool trial_offer(const struct trial *t, const char *family, struct session_blas *b)
{
    if (!t->pid || t->status != 0) return false;
    if (sscanf(t->text, "%31s %64s", b->family, b->fingerprint) != 2) return false;
    return !strcmp(family, "auto") || !strcmp(family, b->family);
}

static bool offered(const struct session_blas *list, size_t n, const char *family)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].family, family)) return true;
    return false;
}

int worker_blas_offers(const char *program, struct session_blas *out, size_t room, size_t *count,
                       struct err *e)
{
    struct trial t[FAMILIES];
    int rc = OK;
    *count = 0;
    for (size_t i = 0; i < FAMILIES; i++) t[i] = (struct trial){.fd = -1};
    for (size_t i = 0; i < FAMILIES && rc == OK; i++)
        rc = trial_start(&t[i], program, families[i], e);
    if (rc == OK) trials_read(t, clock_now_ms() + WORKER_BLAS_MS);
    for (size_t i = 0; i < FAMILIES; i++) {
        struct session_blas b;
        trial_end(&t[i]);
        if (rc < 0 || *count == room || !trial_offer(&t[i], families[i], &b)) continue;
        if (!offered(out, *count, b.family)) out[(*count)++] = b;
    }
    if (rc == OK && *count == 0)
        rc = err_set(e, E_FILE, "%s --blas: names no kernels that work here", program);
    return rc;
}
