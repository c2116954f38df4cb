// SPDX-License-Identifier: MIT
/* loop: timers, descriptors, signals and edge sources; an eventfd stands in for ZeroMQ's. */
#include "tests/test.h"

#include "common/clock.h"
#include "common/loop.h"
#include "common/thread.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What the callbacks of a test share. */
struct scene {
    struct loop *loop;
    struct timer a, b, c;
    struct watch *watch;
    struct edge *edge;
    int fd, calls, left, asked, turns;
    char order[16];
    int64_t now;
};

static void open_scene(struct scene *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(loop_open(&s->loop, NULL), OK);
}

static void close_scene(struct scene *s)
{
    loop_close(&s->loop);
    assert_null(s->loop);
}

static void stop(void *ctx)
{
    struct scene *s = ctx;
    loop_stop(s->loop);
}

static void note_a(void *ctx)
{
    struct scene *s = ctx;
    strcat(s->order, "a");
}

static void note_b(void *ctx)
{
    struct scene *s = ctx;
    strcat(s->order, "b");
}

void test_timers_fire_in_order_of_time_then_of_start(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    timer_start(&s.c, s.loop, 10, 0, stop, &s);
    timer_start(&s.b, s.loop, 5, 0, note_b, &s);
    timer_start(&s.a, s.loop, 5, 0, note_a, &s);
    assert_true(timer_running(&s.a));
    loop_run(s.loop);
    assert_string_equal(s.order, "ba");
    assert_false(timer_running(&s.a));
    close_scene(&s);
}

void test_a_timer_is_not_early(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    int64_t before = loop_now_ms(s.loop); /* a timer counts from its turn's reading of the clock */
    timer_start(&s.a, s.loop, 25, 0, stop, &s);
    loop_run(s.loop);
    assert_true(clock_now_ms() - before >= 25);
    assert_true(loop_now_ms(s.loop) - before >= 25);
    close_scene(&s);
}

static void count_to_three(void *ctx)
{
    struct scene *s = ctx;
    if (++s->calls < 3) return;
    timer_stop(&s->a);
    timer_stop(&s->a);
    timer_start(&s->b, s->loop, 5, 0, stop, s);
}

void test_a_repeating_timer_repeats_until_it_is_stopped_from_its_own_callback(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    timer_start(&s.a, s.loop, 1, 1, count_to_three, &s);
    loop_run(s.loop);
    assert_int_equal(s.calls, 3);
    close_scene(&s);
}

static void again(void *ctx)
{
    struct scene *s = ctx;
    if (++s->calls < 5)
        timer_start(&s->a, s->loop, 0, 0, again, s);
    else
        loop_stop(s->loop);
}

void test_a_timer_of_no_delay_started_from_itself_does_not_lock_the_loop_up(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    timer_start(&s.a, s.loop, 0, 0, again, &s);
    loop_run(s.loop);
    assert_int_equal(s.calls, 5);
    close_scene(&s);
}

static void stop_the_other(void *ctx)
{
    struct scene *s = ctx;
    timer_stop(&s->b);
}

void test_a_timer_stopped_by_one_of_the_same_moment_stays_silent(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    timer_start(&s.a, s.loop, 2, 0, stop_the_other, &s);
    timer_start(&s.b, s.loop, 2, 0, note_b, &s);
    timer_start(&s.c, s.loop, 6, 0, stop, &s);
    loop_run(s.loop);
    assert_string_equal(s.order, "");
    close_scene(&s);
}

static void on_bell(void *ctx)
{
    struct scene *s = ctx;
    if (++s->calls < 3) return; /* level-triggered: it comes again */
    bell_quiet(s->fd);
    watch_close(&s->watch);
    timer_start(&s->a, s->loop, 5, 0, stop, s);
}

static void ring(void *ctx)
{
    bell_ring(*(int *)ctx);
}

void test_a_watched_bell_wakes_the_loop_and_may_be_closed_from_its_callback(void **state)
{
    struct scene s;
    struct thread *t;
    (void)state;
    open_scene(&s);
    s.fd = bell_open(NULL);
    assert_int_equal(watch_open(&s.watch, s.loop, s.fd, on_bell, &s, NULL), OK);
    assert_int_equal(thread_start(&t, "ringer", ring, &s.fd, NULL), OK);
    loop_run(s.loop);
    thread_join(&t);
    assert_int_equal(s.calls, 3);
    assert_null(s.watch);
    close(s.fd);
    close_scene(&s);
}

void test_a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    assert_int_equal(watch_open(&s.watch, s.loop, -1, on_bell, &s, &e), E_IO);
    assert_null(s.watch);
    close_scene(&s);
}

static void on_term(void *ctx, int signal)
{
    struct scene *s = ctx;
    s->calls = signal;
    loop_stop(s->loop);
}

static void raise_term(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGTERM);
}

void test_a_signal_becomes_a_callback(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    assert_int_equal(loop_on_signal(s.loop, SIGTERM, on_term, &s, NULL), OK);
    timer_start(&s.a, s.loop, 1, 0, raise_term, &s);
    loop_run(s.loop);
    assert_int_equal(s.calls, SIGTERM);
    close_scene(&s);
}

/* ---- edge sources: a bell that rings once for a hundred pieces of work ---- */

static bool edge_pending(void *ctx)
{
    struct scene *s = ctx;
    s->asked++;
    bell_quiet(s->fd); /* as reading ZMQ_EVENTS does */
    return s->left > 0;
}

static void edge_drain(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < 7 && s->left; i++, s->calls++) s->left--;
    if (!s->left) timer_start(&s->a, s->loop, 30, 0, stop, s);
}

static void open_edge(struct scene *s, void (*drain)(void *ctx))
{
    struct edge_source source = {.pending = edge_pending, .drain = drain, .ctx = s};
    source.fd = s->fd = bell_open(NULL);
    assert_int_equal(edge_open(&s->edge, s->loop, &source, NULL), OK);
}

void test_one_edge_is_enough_for_work_of_many_turns_and_none_is_asked_for_in_sleep(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_edge(&s, edge_drain);
    s.left = 100;
    bell_ring(s.fd);
    loop_run(s.loop);
    assert_int_equal(s.calls, 100);
    assert_true(s.asked < 50); /* 15 drains, two questions a turn, and a loop that slept 30 ms */
    edge_close(&s.edge);
    close(s.fd);
    close_scene(&s);
}

static void more_work(void *ctx)
{
    struct scene *s = ctx;
    s->left = 20; /* without any edge */
}

void test_work_that_a_timer_makes_without_an_edge_is_found(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_edge(&s, edge_drain);
    timer_start(&s.b, s.loop, 5, 0, more_work, &s);
    loop_run(s.loop);
    assert_int_equal(s.calls, 20);
    edge_close(&s.edge);
    close(s.fd);
    close_scene(&s);
}

static void close_in_drain(void *ctx)
{
    struct scene *s = ctx;
    s->calls++;
    edge_close(&s->edge);
    timer_start(&s->a, s->loop, 5, 0, stop, s);
}

void test_an_edge_source_may_be_closed_while_it_is_drained(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    open_edge(&s, close_in_drain);
    s.left = 1;
    loop_run(s.loop);
    assert_int_equal(s.calls, 1);
    assert_null(s.edge);
    close(s.fd);
    close_scene(&s);
}

static void count_turn(void *ctx)
{
    struct scene *s = ctx;
    s->turns++;
    if (s->turns == 1) s->now = loop_now_ms(s->loop);
}

void test_the_turn_callback_comes_once_before_each_sleep(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    loop_on_turn(s.loop, count_turn, &s);
    timer_start(&s.a, s.loop, 20, 0, stop, &s);
    loop_run(s.loop);
    assert_in_range(s.turns, 1, 4);
    loop_on_turn(s.loop, NULL, NULL);
    close_scene(&s);
}

static void look_twice(void *ctx)
{
    struct scene *s = ctx;
    int64_t seen = loop_now_ms(s->loop), end = clock_now_ms() + 5;
    while (clock_now_ms() < end) {
    }
    assert_int_equal(loop_now_ms(s->loop), seen);
    loop_stop(s->loop);
}

void test_the_clock_stands_still_within_a_callback(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    timer_start(&s.a, s.loop, 1, 0, look_twice, &s);
    loop_run(s.loop);
    close_scene(&s);
}
