// SPDX-License-Identifier: MIT
/* thread: a thread, a lock, and a bell (eventfd) that one thread rings to wake another's loop. */
#include "common/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct thread {
    pthread_t id;
    void (*run)(void *ctx);
    void *ctx;
    char name[16]; /* the system's limit */
};

struct lock {
    pthread_mutex_t mutex;
};

static void *enter(void *arg)
{
    struct thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->run(t->ctx);
    return NULL;
}

/* A thread inherits the mask of its maker: signals are for the thread that runs the loop. */
static int create_without_signals(struct thread *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->id, NULL, enter, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int thread_start(struct thread **out, const char *name, void (*run)(void *ctx), void *ctx,
                 struct err *e)
{
    struct thread *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t) return err_set(e, E_NOMEM, "thread %s: no memory", name);
    t->run = run;
    t->ctx = ctx;
    snprintf(t->name, sizeof t->name, "%s", name);
    int rc = create_without_signals(t);
    if (rc) {
        free(t);
        errno = rc;
        return err_errno(e, E_NOMEM, "thread %s", name);
    }
    *out = t;
    return OK;
}

void thread_join(struct thread **t)
{
    if (!*t) return;
    pthread_join((*t)->id, NULL);
    free(*t);
    *t = NULL;
}

int lock_open(struct lock **out, struct err *e)
{
    *out = malloc(sizeof **out);
    if (!*out) return err_set(e, E_NOMEM, "lock: no memory");
    pthread_mutex_init(&(*out)->mutex, NULL);
    return OK;
}

void lock_close(struct lock **l)
{
    if (!*l) return;
    pthread_mutex_destroy(&(*l)->mutex);
    free(*l);
    *l = NULL;
}

void lock_take(struct lock *l)
{
    pthread_mutex_lock(&l->mutex);
}

void lock_leave(struct lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}

int bell_open(struct err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : err_errno(e, E_IO, "eventfd");
}

/* Fails only when it has rung 2^64 times unheard: then it is readable anyway. */
void bell_ring(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void bell_quiet(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}
