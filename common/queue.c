// SPDX-License-Identifier: MIT
/* queue: pointers from many threads to one, first in, first out. A ring that doubles. */
#include "common/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE_FIRST 64

struct queue {
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t filled;
    void **ring;
    size_t room, first, count;
    bool ended;
};

int queue_open(struct queue **out, struct err *e)
{
    struct queue *q = calloc(1, sizeof *q);
    pthread_condattr_t monotonic;
    *out = NULL;
    if (q) q->ring = calloc(QUEUE_FIRST, sizeof *q->ring);
    if (!q || !q->ring) {
        free(q);
        return err_set(e, E_NOMEM, "queue: no memory");
    }
    q->room = QUEUE_FIRST;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = q;
    return OK;
}

static int grow(struct queue *q)
{
    void **ring = calloc(q->room * 2, sizeof *ring);
    if (!ring) return E_NOMEM;
    for (size_t i = 0; i < q->count; i++) ring[i] = q->ring[(q->first + i) % q->room];
    free(q->ring);
    q->ring = ring;
    q->room *= 2;
    q->first = 0;
    return OK;
}

int queue_push(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->mutex);
    int rc = q->ended ? E_STATE : OK;
    if (rc == OK && q->count == q->room) rc = grow(q);
    if (rc == OK) {
        q->ring[(q->first + q->count++) % q->room] = item;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->mutex);
    return rc;
}

static struct timespec after(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* With the mutex held: returns when there is an item, the queue has ended or the time is over. */
static void wait_filled(struct queue *q, int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        while (!q->count && !q->ended) pthread_cond_wait(&q->filled, &q->mutex);
        return;
    }
    struct timespec end = after(timeout_ms);
    while (!q->count && !q->ended)
        if (pthread_cond_timedwait(&q->filled, &q->mutex, &end)) return;
}

void *queue_pop(struct queue *q, int64_t timeout_ms)
{
    void *item = NULL;
    pthread_mutex_lock(&q->mutex);
    if (timeout_ms) wait_filled(q, timeout_ms);
    if (q->count) {
        item = q->ring[q->first];
        q->first = (q->first + 1) % q->room;
        q->count--;
    }
    pthread_mutex_unlock(&q->mutex);
    return item;
}

void queue_end(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->ended = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->mutex);
}

bool queue_ended(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    bool over = q->ended && !q->count;
    pthread_mutex_unlock(&q->mutex);
    return over;
}

size_t queue_count(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    size_t count = q->count;
    pthread_mutex_unlock(&q->mutex);
    return count;
}

void queue_close(struct queue **q)
{
    if (!*q) return;
    pthread_cond_destroy(&(*q)->filled);
    pthread_mutex_destroy(&(*q)->mutex);
    free((*q)->ring);
    free(*q);
    *q = NULL;
}
