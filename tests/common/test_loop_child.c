// SPDX-License-Identifier: MIT
/* loop_child: real children: sh, cat, ls, seq, sleep. */
#include "tests/test.h"

#include "common/loop_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    struct loop *loop;
    struct child *child;
    struct timer timer, guard;
    char *text;
    size_t size, before_pause;
    int status, signal, exits, pauses;
};

static void on_bytes(void *ctx, const uint8_t *bytes, size_t size)
{
    struct scene *s = ctx;
    s->text = realloc(s->text, s->size + size + 1);
    memcpy(s->text + s->size, bytes, size);
    s->size += size;
    s->text[s->size] = 0;
}

static void on_exit_stop(void *ctx, int status, int signal)
{
    struct scene *s = ctx;
    s->status = status;
    s->signal = signal;
    s->exits++;
    child_close(&s->child);
    loop_stop(s->loop);
}

static void give_up(void *ctx)
{
    (void)ctx;
    fail_msg("%s", "nothing happened for a minute");
}

static void open_scene(struct scene *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(loop_open(&s->loop, NULL), OK);
    timer_start(&s->guard, s->loop, 60000, 0, give_up, s);
}

static void close_scene(struct scene *s)
{
    child_close(&s->child);
    loop_close(&s->loop);
    free(s->text);
}

static struct child_config config_of(struct scene *s, const char *const *arguments)
{
    return (struct child_config){.arguments = arguments,
                                 .cpu = -1,
                                 .log_fd = -1,
                                 .on_bytes = on_bytes,
                                 .on_exit = on_exit_stop,
                                 .ctx = s};
}

static void start_shell(struct scene *s, const char *script)
{
    const char *const arguments[] = {"/bin/sh", "-c", script, NULL};
    struct child_config c = config_of(s, arguments);
    struct err e = {0};
    assert_int_equal(child_open(&s->child, s->loop, &c, &e), OK);
}

void test_what_a_child_writes_arrives_before_its_exit_status(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    start_shell(&s, "echo hello >&3; exit 7");
    assert_true(child_pid(s.child) > 0);
    loop_run(s.loop);
    assert_int_equal(s.status, 7);
    assert_int_equal(s.signal, 0);
    assert_int_equal(s.exits, 1);
    assert_string_equal(s.text, "hello\n");
    close_scene(&s);
}

void test_what_is_written_reaches_the_child_and_the_end_too(void **state)
{
    struct scene s;
    char *big = malloc(1 << 20);
    struct err e;
    (void)state;
    open_scene(&s);
    start_shell(&s, "exec cat <&3 >&3");
    for (int i = 0; i < 1 << 20; i++) big[i] = (char)('a' + i % 23);
    assert_int_equal(child_write(s.child, big, 1 << 20, NULL), OK);
    assert_int_equal(child_write(s.child, "end", 3, NULL), OK);
    assert_true(child_queued(s.child) > 3);
    child_end(s.child);
    assert_int_equal(child_write(s.child, "late", 4, &e), E_IO);
    loop_run(s.loop);
    assert_int_equal(s.status, 0);
    assert_int_equal(s.size, (1 << 20) + 3);
    assert_memory_equal(s.text, big, 1 << 20);
    assert_string_equal(s.text + (1 << 20), "end");
    free(big);
    close_scene(&s);
}

static void kill_child(void *ctx)
{
    struct scene *s = ctx;
    child_kill(s->child, SIGTERM);
}

void test_the_signal_that_killed_a_child_is_told(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    start_shell(&s, "exec sleep 1000");
    timer_start(&s.timer, s.loop, 1, 0, kill_child, &s);
    loop_run(s.loop);
    assert_int_equal(s.signal, SIGTERM);
    assert_int_equal(s.status, 0);
    close_scene(&s);
}

void test_a_child_that_is_closed_is_gone_at_once_and_says_nothing(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    start_shell(&s, "exec sleep 1000");
    pid_t pid = child_pid(s.child);
    child_close(&s.child);
    assert_null(s.child);
    assert_int_equal(kill(pid, 0), -1);
    close_scene(&s);
    assert_int_equal(s.exits, 0);
}

void test_a_program_that_cannot_run_is_an_error_at_the_start(void **state)
{
    const char *const arguments[] = {"/nowhere/program", NULL};
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    struct child_config c = config_of(&s, arguments);
    assert_int_equal(child_open(&s.child, s.loop, &c, &e), E_FILE);
    assert_non_null(strstr(e.text, "/nowhere/program: cannot execute it: No such file"));
    assert_null(s.child);
    c.cpu = 1000;
    assert_int_equal(child_open(&s.child, s.loop, &c, &e), E_IO);
    assert_non_null(strstr(e.text, "pin"));
    c.cpu = 100000;
    assert_int_equal(child_open(&s.child, s.loop, &c, &e), E_USAGE);
    close_scene(&s);
}

void test_a_child_inherits_no_descriptor_but_its_four(void **state)
{
    const char *const arguments[] = {"/bin/ls", "/proc/self/fd", NULL};
    struct scene s;
    char text[256];
    int leaks[20];
    (void)state;
    open_scene(&s);
    for (int i = 0; i < 20; i++) leaks[i] = open("/dev/null", O_RDONLY); /* not close-on-exec */
    FILE *log = tmpfile();
    struct child_config c = config_of(&s, arguments);
    c.log_fd = fileno(log);
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    loop_run(s.loop);
    assert_int_equal(s.status, 0);
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    assert_string_equal(text, "0\n1\n2\n3\n4\n"); /* 4 is the folder that ls reads */
    fclose(log);
    for (int i = 0; i < 20; i++) close(leaks[i]);
    close_scene(&s);
}

void test_errors_of_a_child_go_to_its_log(void **state)
{
    const char *const arguments[] = {"/bin/sh", "-c", "echo out; echo trouble >&2; cat", NULL};
    struct scene s;
    char text[64];
    (void)state;
    open_scene(&s);
    FILE *log = tmpfile();
    struct child_config c = config_of(&s, arguments);
    c.log_fd = fileno(log);
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    loop_run(s.loop);
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    assert_string_equal(text, "out\ntrouble\n");
    fclose(log);
    close_scene(&s);
}

void test_environment_is_added_and_replaced(void **state)
{
    const char *const arguments[] = {"/bin/sh", "-c", "echo $GROKD_A $GROKD_B $GROKD_C >&3", NULL};
    const char *const environment[] = {"GROKD_B=new", "GROKD_C=added", NULL};
    struct scene s;
    (void)state;
    open_scene(&s);
    setenv("GROKD_A", "kept", 1);
    setenv("GROKD_B", "old", 1);
    struct child_config c = config_of(&s, arguments);
    c.environment = environment;
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    loop_run(s.loop);
    assert_string_equal(s.text, "kept new added\n");
    unsetenv("GROKD_A");
    unsetenv("GROKD_B");
    close_scene(&s);
}

void test_a_pinned_child_may_run_on_its_processor_alone(void **state)
{
    const char *const arguments[] = {"/bin/sh", "-c",
                                     "grep Cpus_allowed_list /proc/self/status >&3", NULL};
    struct scene s;
    cpu_set_t ours;
    char want[64];
    int cpu = CPU_SETSIZE - 1;
    (void)state;
    open_scene(&s);
    assert_int_equal(sched_getaffinity(0, sizeof ours, &ours), 0);
    while (!CPU_ISSET((size_t)cpu, &ours)) cpu--;
    struct child_config c = config_of(&s, arguments);
    c.cpu = cpu;
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    loop_run(s.loop);
    snprintf(want, sizeof want, "Cpus_allowed_list:\t%d\n", cpu);
    assert_string_equal(s.text, want);
    close_scene(&s);
}

static void resume(void *ctx)
{
    struct scene *s = ctx;
    assert_int_equal(s->size, s->before_pause);
    assert_int_equal(s->exits, 0);
    child_resume(s->child);
}

static void on_bytes_pause(void *ctx, const uint8_t *bytes, size_t size)
{
    struct scene *s = ctx;
    on_bytes(ctx, bytes, size);
    child_pause(s->child);
    s->before_pause = s->size;
    timer_start(&s->timer, s->loop, s->pauses++ ? 1 : 50, 0, resume, s);
}

void test_a_paused_child_waits_and_nothing_is_lost(void **state)
{
    const char *const arguments[] = {"/bin/sh", "-c", "exec seq 1 200000 >&3", NULL};
    struct scene s;
    char *at, line[16];
    (void)state;
    open_scene(&s);
    struct child_config c = config_of(&s, arguments);
    c.on_bytes = on_bytes_pause;
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    loop_run(s.loop);
    timer_stop(&s.timer);
    assert_true(s.pauses > 10);
    at = s.text;
    for (int i = 1; i <= 200000; i++) {
        int n = snprintf(line, sizeof line, "%d\n", i);
        if (memcmp(at, line, (size_t)n) != 0) fail_msg("line %d is wrong", i);
        at += n;
    }
    assert_int_equal(at - s.text, s.size);
    close_scene(&s);
}

static void on_bytes_close(void *ctx, const uint8_t *bytes, size_t size)
{
    struct scene *s = ctx;
    (void)bytes;
    (void)size;
    child_close(&s->child);
    loop_stop(s->loop);
}

void test_a_child_may_be_closed_from_its_own_callback(void **state)
{
    const char *const arguments[] = {"/bin/sh", "-c", "exec cat /dev/zero >&3", NULL};
    struct scene s;
    (void)state;
    open_scene(&s);
    struct child_config c = config_of(&s, arguments);
    c.on_bytes = on_bytes_close;
    assert_int_equal(child_open(&s.child, s.loop, &c, NULL), OK);
    assert_int_equal(child_write(s.child, "unread", 6, NULL), OK);
    loop_run(s.loop);
    assert_int_equal(s.exits, 0);
    close_scene(&s);
}

/* A process that starts a child whose log is fd, and dies without a word. */
static void die_with_child(int fd)
{
    const char *const arguments[] = {"/bin/sh", "-c", "echo alive; exec sleep 1000", NULL};
    struct scene s = {0};
    if (loop_open(&s.loop, NULL) < 0) _exit(1);
    struct child_config c = config_of(&s, arguments);
    c.log_fd = fd;
    if (child_open(&s.child, s.loop, &c, NULL) < 0) _exit(1);
    pause();
}

void test_a_child_never_outlives_its_parent(void **state)
{
    int ends[2], status;
    char text[16] = "";
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) die_with_child(ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof text), 6);
    assert_string_equal(text, "alive\n");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_int_equal(read(ends[0], text, sizeof text), 0); /* the last holder is gone */
    close(ends[0]);
}

void test_many_children_at_once_are_told_apart(void **state)
{
    struct scene scenes[8];
    struct loop *loop;
    (void)state;
    assert_int_equal(loop_open(&loop, NULL), OK);
    for (int i = 0; i < 8; i++) {
        char script[64];
        memset(&scenes[i], 0, sizeof scenes[i]);
        scenes[i].loop = loop;
        snprintf(script, sizeof script, "echo %d >&3; exit %d", i, i);
        start_shell(&scenes[i], script);
    }
    for (int gone = 0; gone < 8;) {
        loop_run(loop);
        gone = 0;
        for (int i = 0; i < 8; i++) gone += scenes[i].exits;
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(scenes[i].status, i);
        assert_int_equal(atoi(scenes[i].text), i);
        free(scenes[i].text);
    }
    loop_close(&loop);
}
