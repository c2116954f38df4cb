// SPDX-License-Identifier: MIT
/* A slot with the real grokd-train, which stands beside the tests' folder. */
#include "tests/test.h"

#include "common/blocks.h"
#include "worker/session.h"
#include "worker/slot.h"
#include "worker/worker_blas.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

/* What a slot is told to do when something happens, and what it said. */
struct scene {
    struct loop *loop;
    struct slot *slot;
    struct timer patience;
    struct session_blas blas;
    int64_t run;  /* that it is on; 0: none yet */
    int64_t runs; /* how many to give it, one after the other */
    char arguments[8][64];
    size_t argument_count;
    void (*on_epochs)(struct scene *t); /* at the first Epochs of each run */
    int64_t last;                       /* epoch reported; -1: none */
    int ended;                          /* runs that ended */
    Grokd__Outcome outcome;
    bool final;
    char reason[WIRE_NAME];
    bool died;
    int status, signal;
    char log[SLOT_LOG + 1]; /* told with the death */
};

static struct err e;

static const char *program(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    assert_true(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++) *strrchr(path, '/') = '\0';
    strcat(path, "/grokd-train");
    if (access(path, X_OK) < 0) fail_msg("%s is needed: make all", path);
    return path;
}

static void tell(struct scene *t, wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    m->major = WIRE_MAJOR;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    assert_int_equal(slot_tell(t->slot, bytes, size, &e), OK);
    free(bytes);
}

static void tell_work(struct scene *t)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Work work = GROKD__WORK__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    char *arguments[8];
    for (size_t i = 0; i < t->argument_count; i++) arguments[i] = t->arguments[i];
    blas.family = t->blas.family;
    blas.fingerprint = t->blas.fingerprint;
    work.run = ++t->run;
    work.attempt = 1;
    work.blas = &blas;
    work.arguments = arguments;
    work.n_arguments = t->argument_count;
    m.body_case = GROKD__ENVELOPE__BODY_WORK;
    m.work = &work;
    t->last = -1;
    tell(t, &m);
}

static void tell_stop(struct scene *t)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Stop stop = GROKD__STOP__INIT;
    stop.run = t->run;
    stop.attempt = 1;
    m.body_case = GROKD__ENVELOPE__BODY_STOP;
    m.stop = &stop;
    tell(t, &m);
}

static void kill_it(struct scene *t)
{
    assert_int_equal(kill(slot_pid(t->slot), SIGKILL), 0);
}

/* ---- what the slot reports ---- */

static void on_epochs(struct scene *t, const Grokd__Epochs *m)
{
    bool first = t->last < 0;
    assert_int_equal(m->run, t->run);
    assert_int_equal(m->attempt, 1);
    for (size_t i = 0; i < m->n_epochs; i++) {
        assert_int_equal(m->epochs[i]->epoch, t->last + 1);
        assert_true(m->epochs[i]->n_ids > 0);
        t->last++;
    }
    if (first && t->on_epochs) t->on_epochs(t);
}

static void on_ended(struct scene *t, const Grokd__Ended *m)
{
    assert_int_equal(m->run, t->run);
    assert_int_equal(m->epoch, t->last);
    t->outcome = m->outcome;
    t->final = m->has_final && m->final;
    snprintf(t->reason, sizeof t->reason, "%s", m->reason ? m->reason : "");
    t->ended++;
    if (t->ended < t->runs)
        tell_work(t);
    else
        loop_stop(t->loop);
}

static void on_message(void *ctx, uint32_t index, const wire_envelope *m, const char *log)
{
    struct scene *t = ctx;
    assert_int_equal(index, 5);
    assert_non_null(log);
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_READY:
        assert_string_equal(m->ready->blas->family, t->blas.family);
        tell_work(t);
        break;
    case GROKD__ENVELOPE__BODY_EPOCHS: on_epochs(t, m->epochs); break;
    case GROKD__ENVELOPE__BODY_ENDED: on_ended(t, m->ended); break;
    default: fail_msg("a slot said body %d", (int)m->body_case);
    }
}

static void on_died(void *ctx, uint32_t index, int status, int signal, const char *log)
{
    struct scene *t = ctx;
    assert_int_equal(index, 5);
    assert_non_null(log);
    assert_int_equal(slot_pid(t->slot), 0);
    t->died = true;
    t->status = status;
    t->signal = signal;
    snprintf(t->log, sizeof t->log, "%s", log);
    loop_stop(t->loop);
}

static void on_patience(void *ctx)
{
    (void)ctx;
    fail_msg("nothing more was heard of the slot");
}

/* ---- a scene ---- */

static void begin_with(struct scene *t, const char *path, const char *const *arguments)
{
    size_t count;
    memset(t, 0, sizeof *t);
    t->runs = 1;
    t->last = -1;
    for (; arguments[t->argument_count]; t->argument_count++)
        snprintf(t->arguments[t->argument_count], sizeof t->arguments[0], "%s",
                 arguments[t->argument_count]);
    assert_int_equal(worker_blas_offers(program(), &t->blas, 1, &count, &e), OK);
    assert_int_equal(count, 1);
    assert_int_equal(loop_open(&t->loop, &e), OK);
    struct slot_config c = {.loop = t->loop,
                            .program = path,
                            .index = 5,
                            .cpu = -1,
                            .on_message = on_message,
                            .on_died = on_died,
                            .ctx = t};
    assert_int_equal(slot_open(&t->slot, &c, &e), OK);
    assert_int_equal(slot_start(t->slot, t->blas.family, &e), OK);
    assert_int_equal(slot_start(t->slot, t->blas.family, &e), E_STATE);
    timer_start(&t->patience, t->loop, PATIENCE_MS, 0, on_patience, t);
}

static void begin(struct scene *t, const char *const *arguments)
{
    begin_with(t, program(), arguments);
}

static void end(struct scene *t)
{
    timer_stop(&t->patience);
    slot_close(&t->slot);
    loop_close(&t->loop);
}

static const char *const tiny[] = {"modulus=5", "hidden=8", "epochs=3", NULL};
static const char *const endless[] = {"modulus=5", "hidden=8", "epochs=1000000", NULL};

void test_one_process_trains_one_run_after_another(void **state)
{
    (void)state;
    struct scene t;
    begin(&t, tiny);
    t.runs = 3;
    pid_t pid = slot_pid(t.slot);
    loop_run(t.loop);
    assert_int_equal(t.ended, 3);
    assert_int_equal(t.outcome, GROKD__OUTCOME__FINISHED);
    assert_int_equal(t.last, 3);
    assert_int_equal(slot_pid(t.slot), pid);
    end(&t);
}

void test_a_run_that_is_stopped_is_returned_and_the_slot_serves_on(void **state)
{
    (void)state;
    struct scene t;
    begin(&t, endless);
    t.runs = 2;
    t.on_epochs = tell_stop;
    loop_run(t.loop);
    assert_int_equal(t.ended, 2);
    assert_int_equal(t.outcome, GROKD__OUTCOME__RETURNED);
    assert_in_range(t.last, 0, 999999);
    end(&t);
}

void test_a_slot_killed_in_the_middle_is_reported_and_can_start_again(void **state)
{
    (void)state;
    struct scene t;
    begin(&t, endless);
    t.on_epochs = kill_it;
    loop_run(t.loop);
    assert_true(t.died);
    assert_int_equal(t.signal, SIGKILL);
    assert_int_equal(t.ended, 0);
    t.on_epochs = tell_stop;
    assert_int_equal(slot_start(t.slot, t.blas.family, &e), OK);
    loop_run(t.loop);
    assert_int_equal(t.ended, 1);
    end(&t);
}

void test_a_paused_slot_that_is_killed_is_reported_too(void **state)
{
    (void)state;
    struct scene t;
    begin(&t, tiny);
    slot_pause(t.slot);
    slot_kill(t.slot);
    loop_run(t.loop);
    assert_true(t.died);
    assert_int_equal(t.signal, SIGKILL);
    slot_pause(t.slot); /* fine without a process */
    slot_resume(t.slot);
    slot_kill(t.slot);
    assert_int_equal(slot_tell(t.slot, (const uint8_t *)"x", 1, &e), E_IO);
    end(&t);
}

/* A file of these bytes in dir. */
static void put_file(const char *dir, const char *name, const void *bytes, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
}

/* What a slot says when it can take work, as one block. */
static void put_ready(const char *dir, const struct session_blas *b)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ready ready = GROKD__READY__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    uint8_t *bytes, block[512];
    size_t size;
    blas.family = (char *)(uintptr_t)b->family;
    blas.fingerprint = (char *)(uintptr_t)b->fingerprint;
    ready.blas = &blas;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_READY;
    m.ready = &ready;
    assert_int_equal(wire_pack(&m, &bytes, &size, &e), OK);
    assert_true(BLOCKS_HEADER + size <= sizeof block);
    blocks_header(block, (uint32_t)size);
    memcpy(block + BLOCKS_HEADER, bytes, size);
    put_file(dir, "ready", block, BLOCKS_HEADER + size);
    free(bytes);
}

/* A script in the place of grokd-train: it complains before it takes work and after. */
void test_the_log_told_with_a_death_is_that_of_its_run(void **state)
{
    (void)state;
    static const char script[] = "#!/bin/sh\necho before >&2\ncd ${0%/*}; cat ready >&3\n"
                                 "head -c 1 <&3 >taken; echo of the run >&2; exit 3\n";
    char dir[] = "/tmp/grokd-test-XXXXXX", path[64];
    struct session_blas blas;
    size_t count;
    struct scene t;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(worker_blas_offers(program(), &blas, 1, &count, &e), OK);
    put_ready(dir, &blas);
    put_file(dir, "train", script, strlen(script));
    snprintf(path, sizeof path, "%s/train", dir);
    begin_with(&t, path, tiny);
    loop_run(t.loop);
    assert_true(t.died);
    assert_int_equal(t.run, 1);
    assert_int_equal(t.status, 3);
    assert_string_equal(t.log, "of the run\n");
    end(&t);
    static const char *const names[] = {"train", "ready", "taken"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* The coordinator knew them when it took the sweep: this program is of another version. */
void test_settings_that_a_slot_does_not_know_lose_the_run(void **state)
{
    (void)state;
    static const char *const bad[] = {"modulus=5", "hidden=none", NULL};
    struct scene t;
    begin(&t, bad);
    loop_run(t.loop);
    assert_int_equal(t.ended, 1);
    assert_int_equal(t.outcome, GROKD__OUTCOME__LOST);
    assert_false(t.final);
    assert_non_null(strstr(t.reason, "hidden"));
    end(&t);
}

void test_kernels_with_another_fingerprint_lose_the_run(void **state)
{
    (void)state;
    struct scene t;
    begin(&t, tiny);
    t.blas.fingerprint[0] = t.blas.fingerprint[0] == '0' ? '1' : '0';
    loop_run(t.loop);
    assert_int_equal(t.ended, 1);
    assert_int_equal(t.outcome, GROKD__OUTCOME__LOST);
    assert_int_equal(t.last, -1);
    end(&t);
}

void test_a_program_that_is_not_there_cannot_be_started(void **state)
{
    (void)state;
    struct loop *loop;
    struct slot *slot;
    assert_int_equal(loop_open(&loop, &e), OK);
    struct slot_config c = {.loop = loop, .program = "/nonexistent/grokd-train", .cpu = -1};
    assert_int_equal(slot_open(&slot, &c, &e), OK);
    assert_true(slot_start(slot, "Haswell", &e) < 0);
    assert_non_null(strstr(e.text, "/nonexistent/grokd-train"));
    assert_int_equal(slot_pid(slot), 0);
    slot_close(&slot);
    loop_close(&loop);
}

/* The daemon of the last test: trains until it is killed, having told its slot's number. */
static int told_fd;

static void tell_number(struct scene *t)
{
    pid_t pid = slot_pid(t->slot);
    assert_int_equal(write(told_fd, &pid, sizeof pid), sizeof pid);
}

static void be_a_daemon(int fd)
{
    struct scene t;
    begin(&t, endless);
    told_fd = fd;
    t.on_epochs = tell_number;
    loop_run(t.loop);
}

/* An orphan becomes ours, so that its end can be waited for. */
void test_a_slot_ends_with_its_daemon(void **state)
{
    (void)state;
    int ends[2], status;
    pid_t slot;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t daemon = fork();
    if (daemon == 0) {
        be_a_daemon(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &slot, sizeof slot), sizeof slot);
    close(ends[0]);
    assert_int_equal(kill(slot, 0), 0); /* it trains */
    assert_int_equal(kill(daemon, SIGKILL), 0);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    alarm(PATIENCE_MS / 1000);
    assert_int_equal(waitpid(slot, &status, 0), slot);
    alarm(0);
    /* It was killed, unless it saw the end of its pipe a moment before. */
    assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
}
