// SPDX-License-Identifier: MIT
/* The whole grokd-worker with the real grokd-train, against a coordinator that this test plays: a
 * ROUTER with CURVE that hands out runs and acknowledges what comes. Both programs stand beside the
 * tests' folder. */
#include "tests/test.h"

#include "common/hash.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sock.h"
#include "proto/wire.h"
#include "worker/worker_daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

struct stage {
    char dir[64], access[128];
    struct loop *loop;
    struct keys keys;
    struct sock *router;
    struct edge *edge;
    struct timer patience;
    pid_t worker;
    const char *epochs;  /* hyperparameter of every run handed out */
    int64_t runs, given; /* to be handed out, handed out */
    int64_t last[8];     /* last epoch of each run; -1: none */
    int finished, returned, failed, lost, hellos;
    bool goodbye;
    int forgets; /* so many times after the first Epochs it forgets that it knows the worker */
    bool known;
    void (*on_epochs)(struct stage *t); /* at the first Epochs of all */
    bool seen_epochs;
};

static struct err e;

static void beside(const char *name, char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 32);
    assert_true(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++) *strrchr(path, '/') = '\0';
    strcat(path, "/");
    strcat(path, name);
    if (access(path, X_OK) < 0) fail_msg("%s is needed: make all", path);
}

/* ---- the coordinator ---- */

static void say(struct stage *t, uint64_t peer, wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    m->major = WIRE_MAJOR;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    assert_int_equal(sock_send(t->router, peer, bytes, size), SOCK_SENT);
    free(bytes);
}

static void hand_out(struct stage *t, uint64_t peer, const Grokd__Blas *blas)
{
    static char modulus[] = "modulus=5", hidden[] = "hidden=8";
    char epochs[64], *arguments[] = {modulus, hidden, epochs};
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Work work = GROKD__WORK__INIT;
    snprintf(epochs, sizeof epochs, "epochs=%s", t->epochs);
    work.run = ++t->given;
    work.attempt = 1;
    work.blas = (Grokd__Blas *)(uintptr_t)blas;
    work.arguments = arguments;
    work.n_arguments = 3;
    m.body_case = GROKD__ENVELOPE__BODY_WORK;
    m.work = &work;
    say(t, peer, &m);
}

static void on_hello(struct stage *t, uint64_t peer, const Grokd__Hello *h)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Welcome welcome = GROKD__WELCOME__INIT;
    assert_int_equal(h->slots, 1);
    assert_true(h->n_blas >= 1);
    t->hellos++;
    welcome.worker = 1;
    welcome.heartbeat_ms = 1000;
    welcome.lease_ms = 60000;
    m.body_case = GROKD__ENVELOPE__BODY_WELCOME;
    m.welcome = &welcome;
    say(t, peer, &m);
    while (t->given < t->runs) hand_out(t, peer, h->blas[t->given % (int64_t)h->n_blas]);
}

static void say_ack(struct stage *t, uint64_t peer, int64_t run, bool ended)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ack ack = GROKD__ACK__INIT;
    ack.run = run;
    ack.attempt = 1;
    ack.epoch = t->last[run];
    ack.has_ended = ack.ended = ended;
    m.body_case = GROKD__ENVELOPE__BODY_ACK;
    m.ack = &ack;
    say(t, peer, &m);
}

static void on_epochs(struct stage *t, uint64_t peer, const Grokd__Epochs *m)
{
    assert_in_range(m->run, 1, t->runs);
    assert_in_range(m->epochs[0]->epoch, 0, t->last[m->run] + 1); /* no gap */
    int64_t last = m->epochs[m->n_epochs - 1]->epoch;
    if (last > t->last[m->run]) t->last[m->run] = last;
    say_ack(t, peer, m->run, false);
    if (!t->seen_epochs && t->on_epochs) t->on_epochs(t);
    t->seen_epochs = true;
}

static void on_ended(struct stage *t, uint64_t peer, const Grokd__Ended *m)
{
    assert_int_equal(m->epoch, t->last[m->run]);
    t->finished += m->outcome == GROKD__OUTCOME__FINISHED;
    t->returned += m->outcome == GROKD__OUTCOME__RETURNED;
    t->failed += m->outcome == GROKD__OUTCOME__FAILED;
    t->lost += m->outcome == GROKD__OUTCOME__LOST;
    say_ack(t, peer, m->run, true);
    if (t->finished + t->failed + t->lost == t->runs) kill(t->worker, SIGTERM);
}

static void refuse_hello(struct stage *t, uint64_t peer)
{
    static char hello[] = "hello";
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Refuse refuse = GROKD__REFUSE__INIT;
    refuse.reason = hello;
    m.body_case = GROKD__ENVELOPE__BODY_REFUSE;
    m.refuse = &refuse;
    say(t, peer, &m);
}

static void on_message(struct stage *t, uint64_t peer, const wire_envelope *m)
{
    bool hello = m->body_case == GROKD__ENVELOPE__BODY_HELLO;
    if (t->known && !hello && t->seen_epochs && t->forgets > 0) {
        t->forgets--;
        t->known = false;
    }
    t->known |= hello;
    if (!t->known) {
        refuse_hello(t, peer);
        return;
    }
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_HELLO: on_hello(t, peer, m->hello); break;
    case GROKD__ENVELOPE__BODY_EPOCHS: on_epochs(t, peer, m->epochs); break;
    case GROKD__ENVELOPE__BODY_ENDED: on_ended(t, peer, m->ended); break;
    case GROKD__ENVELOPE__BODY_HEARTBEAT: break;
    case GROKD__ENVELOPE__BODY_GOODBYE:
        t->goodbye = true;
        loop_stop(t->loop);
        break;
    default: fail_msg("a worker said body %d", (int)m->body_case);
    }
}

static bool router_pending(void *ctx)
{
    struct stage *t = ctx;
    return sock_pending(t->router);
}

static void router_drain(void *ctx)
{
    struct stage *t = ctx;
    struct sock_message in;
    while (sock_recv(t->router, &in) == 1) {
        wire_envelope *m;
        assert_int_equal(wire_unpack(&m, in.bytes, in.size, &e), OK);
        on_message(t, in.peer, m);
        wire_free(&m);
    }
}

static void on_patience(void *ctx)
{
    struct stage *t = ctx;
    kill(t->worker, SIGKILL);
    fail_msg("%d hellos, given %d, finished %d, returned %d, failed %d, lost %d: nothing more came",
             t->hellos, (int)t->given, t->finished, t->returned, t->failed, t->lost);
}

/* ---- the play ---- */

static void start_worker(struct stage *t, const char *option, const char *value)
{
    char path[4096], one[] = "1", j[] = "-j", access_option[] = "--access";
    char limit[] = "--time-limit", long_enough[] = "120s"; /* also when a test fails */
    beside("grokd-train", path, sizeof path);
    beside("grokd-worker", path, sizeof path);
    char *arguments[] = {path,
                         access_option,
                         t->access,
                         j,
                         one,
                         limit,
                         long_enough,
                         (char *)(uintptr_t)option,
                         (char *)(uintptr_t)value,
                         NULL};
    assert_int_equal(posix_spawn(&t->worker, path, NULL, NULL, arguments, environ), 0);
}

static void open_coordinator(struct stage *t)
{
    const char *endpoints[] = {"tcp://127.0.0.1:0"};
    assert_int_equal(loop_open(&t->loop, &e), OK);
    assert_int_equal(sock_start(&e), OK);
    assert_int_equal(keys_open(&t->keys, t->dir, &e), OK);
    assert_int_equal(sock_allow(t->keys.allowed, t->keys.allowed_count, &e), OK);
    struct sock_router_config c = {.endpoints = endpoints,
                                   .endpoint_count = 1,
                                   .secret_key = t->keys.server.secret_key,
                                   .limit = WIRE_LIMIT};
    assert_int_equal(sock_router(&t->router, &c, &e), OK);
    assert_int_equal(keys_endpoint_update(&t->keys, t->dir, sock_endpoint(t->router, 0), &e), OK);
    struct edge_source source = {
        .fd = sock_fd(t->router), .pending = router_pending, .drain = router_drain, .ctx = t};
    assert_int_equal(edge_open(&t->edge, t->loop, &source, &e), OK);
    timer_start(&t->patience, t->loop, PATIENCE_MS, 0, on_patience, t);
}

static void raise_curtain(struct stage *t, int64_t runs, const char *epochs)
{
    memset(t, 0, sizeof *t);
    memset(t->last, 0xff, sizeof t->last);
    t->runs = runs;
    t->epochs = epochs;
    strcpy(t->dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->access, sizeof t->access, "%s/access", t->dir);
    setenv("GROKD_LOG", "error", 0);
    open_coordinator(t);
}

/* Until Goodbye, then until the process is gone; returns its exit code. */
static int play(struct stage *t)
{
    int status;
    loop_run(t->loop);
    assert_int_equal(waitpid(t->worker, &status, 0), t->worker);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void drop_curtain(struct stage *t)
{
    char command[128];
    timer_stop(&t->patience);
    edge_close(&t->edge);
    sock_close(&t->router);
    sock_finish();
    loop_close(&t->loop);
    keys_free(&t->keys);
    snprintf(command, sizeof command, "rm -rf %s", t->dir);
    assert_int_equal(system(command), 0);
}

void test_a_worker_trains_what_it_is_given_with_every_family_it_offers(void **state)
{
    (void)state;
    struct stage t;
    raise_curtain(&t, 4, "3");
    start_worker(&t, NULL, NULL);
    assert_int_equal(play(&t), 0);
    assert_int_equal(t.finished, 4);
    for (int run = 1; run <= 4; run++) assert_int_equal(t.last[run], 3);
    assert_true(t.goodbye);
    drop_curtain(&t);
}

static void tell_it_to_leave(struct stage *t)
{
    kill(t->worker, SIGTERM);
}

void test_sigterm_in_the_middle_hands_both_runs_back(void **state)
{
    (void)state;
    struct stage t;
    raise_curtain(&t, 2, "1000000");
    t.on_epochs = tell_it_to_leave;
    start_worker(&t, NULL, NULL);
    assert_int_equal(play(&t), 0);
    assert_int_equal(t.returned, 2);
    assert_true(t.goodbye);
    drop_curtain(&t);
}

void test_a_coordinator_that_forgets_its_worker_loses_nothing(void **state)
{
    (void)state;
    struct stage t;
    raise_curtain(&t, 1, "200");
    t.forgets = 3;
    start_worker(&t, NULL, NULL);
    assert_int_equal(play(&t), 0);
    assert_int_equal(t.finished, 1);
    assert_int_equal(t.last[1], 200);
    assert_in_range(t.hellos, 2, 4);
    drop_curtain(&t);
}

/* A worker whose program is gone, as after a careless update. Waits for the path of its access
 * file: a process that has sockets of ZeroMQ cannot fork. */
static void be_a_worker_without_program(int fd)
{
    struct session_settings set;
    struct worker_cpus cpus = {0};
    struct access access;
    struct worker_daemon *d;
    char path[128] = "";
    assert_true(read(fd, path, sizeof path - 1) > 0);
    session_settings_default(&set);
    hash_uuid(set.uuid);
    strcpy(set.host, "here");
    strcpy(set.cpu, "some");
    set.slots = 1;
    set.blas[0] = (struct session_blas){"grokd", "aa"};
    set.blas_count = 1;
    struct worker_config c = {"/nonexistent/grokd-train", &access, &set, &cpus, NULL};
    assert_int_equal(access_read(&access, path, &e), OK);
    assert_int_equal(sock_start(&e), OK);
    assert_int_equal(worker_daemon_open(&d, &c, &e), OK);
    int code = worker_daemon_run(d);
    worker_daemon_close(&d);
    sock_finish();
    _exit(code);
}

void test_a_run_is_lost_not_failed_when_no_slot_can_be_started(void **state)
{
    (void)state;
    struct stage t;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    setenv("GROKD_LOG", "error", 0);
    pid_t worker = fork();
    if (worker == 0) be_a_worker_without_program(ends[0]);
    raise_curtain(&t, 1, "3");
    t.worker = worker;
    assert_int_equal(write(ends[1], t.access, strlen(t.access)), strlen(t.access));
    assert_int_equal(play(&t), 0);
    assert_int_equal(t.lost, 1);
    assert_int_equal(t.last[1], -1);
    close(ends[0]);
    close(ends[1]);
    drop_curtain(&t);
}

void test_a_worker_without_work_leaves_by_itself(void **state)
{
    (void)state;
    struct stage t;
    raise_curtain(&t, 0, "1");
    start_worker(&t, "--idle-timeout", "500ms");
    assert_int_equal(play(&t), 0);
    assert_true(t.goodbye);
    drop_curtain(&t);
}
