// SPDX-License-Identifier: MIT
/* queue, thread, lock and bell: real threads. */
#include "tests/test.h"

#include "common/clock.h"
#include "common/queue.h"
#include "common/thread.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PRODUCERS 4
#define ITEMS     5000

struct item {
    int producer, number;
};

struct producer {
    struct queue *q;
    int id;
};

static void produce(void *ctx)
{
    struct producer *p = ctx;
    for (int i = 0; i < ITEMS; i++) {
        struct item *item = malloc(sizeof *item);
        *item = (struct item){p->id, i};
        if (queue_push(p->q, item) != OK) free(item);
    }
}

void test_many_producers_lose_nothing_and_keep_their_order(void **state)
{
    struct queue *q;
    struct thread *threads[PRODUCERS];
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};
    (void)state;
    assert_int_equal(queue_open(&q, NULL), OK);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){q, i};
        assert_int_equal(thread_start(&threads[i], "producer", produce, &producers[i], NULL), OK);
    }
    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        struct item *item = queue_pop(q, -1);
        assert_non_null(item);
        assert_int_equal(item->number, next[item->producer]);
        next[item->producer]++;
        free(item);
    }
    for (int i = 0; i < PRODUCERS; i++) thread_join(&threads[i]);
    assert_int_equal(queue_count(q), 0);
    assert_null(queue_pop(q, 0));
    queue_close(&q);
    assert_null(q);
}

void test_a_pop_waits_as_long_as_it_was_told(void **state)
{
    struct queue *q;
    (void)state;
    assert_int_equal(queue_open(&q, NULL), OK);
    int64_t before = clock_now_ms();
    assert_null(queue_pop(q, 0));
    assert_null(queue_pop(q, 30));
    assert_true(clock_now_ms() - before >= 29);
    queue_close(&q);
}

struct waiter {
    struct queue *q;
    void *got;
};

static void wait_for_ever(void *ctx)
{
    struct waiter *w = ctx;
    w->got = queue_pop(w->q, -1);
}

void test_the_end_of_a_queue_wakes_whoever_waits(void **state)
{
    struct waiter w = {.got = &w};
    struct thread *t;
    (void)state;
    assert_int_equal(queue_open(&w.q, NULL), OK);
    assert_int_equal(thread_start(&t, "waiter", wait_for_ever, &w, NULL), OK);
    queue_end(w.q);
    thread_join(&t);
    assert_null(t);
    assert_null(w.got);
    queue_close(&w.q);
}

void test_an_ended_queue_gives_the_rest_and_takes_nothing(void **state)
{
    struct queue *q;
    int item;
    (void)state;
    assert_int_equal(queue_open(&q, NULL), OK);
    for (int i = 0; i < 1000; i++) assert_int_equal(queue_push(q, &item), OK);
    queue_end(q);
    assert_int_equal(queue_push(q, &item), E_STATE);
    assert_false(queue_ended(q));
    for (int i = 0; i < 1000; i++) assert_ptr_equal(queue_pop(q, -1), &item);
    assert_null(queue_pop(q, -1));
    assert_true(queue_ended(q));
    queue_close(&q);
}

struct counter {
    struct lock *lock;
    long n;
};

static void count_up(void *ctx)
{
    struct counter *c = ctx;
    for (int i = 0; i < 20000; i++) {
        lock_take(c->lock);
        c->n++;
        lock_leave(c->lock);
    }
}

void test_a_lock_lets_in_one_at_a_time(void **state)
{
    struct counter c = {0};
    struct thread *threads[3];
    (void)state;
    assert_int_equal(lock_open(&c.lock, NULL), OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_start(&threads[i], "counter", count_up, &c, NULL), OK);
    for (int i = 0; i < 3; i++) thread_join(&threads[i]);
    assert_int_equal(c.n, 60000);
    lock_close(&c.lock);
}

static void ring(void *ctx)
{
    bell_ring(*(int *)ctx);
    bell_ring(*(int *)ctx);
}

void test_a_bell_is_readable_until_it_is_quieted(void **state)
{
    struct thread *t;
    int fd = bell_open(NULL);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(thread_start(&t, "ringer", ring, &fd, NULL), OK);
    assert_int_equal(poll(&p, 1, -1), 1);
    thread_join(&t);
    bell_quiet(fd);
    assert_int_equal(poll(&p, 1, 0), 0);
    bell_quiet(fd);
    close(fd);
}

static void read_mask(void *ctx)
{
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    *(bool *)ctx = sigismember(&now, SIGTERM) && sigismember(&now, SIGCHLD);
}

void test_a_thread_gets_no_signals_and_its_maker_keeps_his(void **state)
{
    struct thread *t;
    sigset_t now;
    bool masked = false;
    (void)state;
    assert_int_equal(thread_start(&t, "a name longer than fifteen", read_mask, &masked, NULL), OK);
    thread_join(&t);
    assert_true(masked);
    sigprocmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGTERM));
}
