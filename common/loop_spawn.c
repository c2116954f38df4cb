// SPDX-License-Identifier: MIT
/* loop_spawn: fork, arrange, exec.
 *
 * We have threads (ZeroMQ's, the store's), so between fork and exec only async-signal-safe calls
 * are made: whatever needs memory is prepared before. A pipe that exec closes carries the failed
 * step and its errno back; an empty pipe means that the program runs.
 */
#include "common/loop_child.h"
#include "common/loop_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum step { STEP_FILES, STEP_PIN, STEP_LIFE, STEP_EXEC };

static const char *const step_text[] = {"arrange its descriptors", "pin it to its processor",
                                        "tie it to our life", "execute it"};

struct failure {
    enum step step;
    int error;
};

struct plan {
    char **arguments, **environment;
    int cpu, stream_fd, log_fd, null_fd, report_fd;
    pid_t parent;
};

/* ---- before the fork ---------------------------------------------------------------------------
 */

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && !strncmp(a, b, n);
}

static bool replaced(const char *variable, const char *const *extra)
{
    for (; extra && *extra; extra++)
        if (same_name(variable, *extra)) return true;
    return false;
}

static size_t count_strings(const char *const *list)
{
    size_t n = 0;
    while (list && list[n]) n++;
    return n;
}

/* Our environment with extra's in place of or beside ours. Strings are lent, the array is given. */
static char **merge_environment(const char *const *extra)
{
    size_t ours = count_strings((const char *const *)environ), n = 0;
    char **all = calloc(ours + count_strings(extra) + 1, sizeof *all);
    if (!all) return NULL;
    for (size_t i = 0; i < ours; i++)
        if (!replaced(environ[i], extra)) all[n++] = environ[i];
    for (size_t i = 0; extra && extra[i]; i++) all[n++] = (char *)(uintptr_t)extra[i];
    return all;
}

/* ---- in the child ------------------------------------------------------------------------------
 */

static void default_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Every descriptor is first moved out of the way of 0 to 3; what lies above goes at exec, even if
 * some library forgot to mark it. */
static bool arrange_files(struct plan *p)
{
    int above = CHILD_FD + 1;
    int report = fcntl(p->report_fd, F_DUPFD_CLOEXEC, above);
    if (report < 0) return false;
    p->report_fd = report;
    int stream = fcntl(p->stream_fd, F_DUPFD_CLOEXEC, above);
    int null = fcntl(p->null_fd, F_DUPFD_CLOEXEC, above);
    int log = p->log_fd < 0 ? null : fcntl(p->log_fd, F_DUPFD_CLOEXEC, above);
    if (stream < 0 || null < 0 || log < 0) return false;
    if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(stream, CHILD_FD) < 0)
        return false;
    close_range((unsigned)above, UINT_MAX, CLOSE_RANGE_CLOEXEC); /* a second net: may be missing */
    return true;
}

static bool pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0) return true;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* Our death between fork and prctl would go unnoticed: then the parent is another one. */
static bool tie_to(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return false;
    if (getppid() != parent) _exit(127);
    return setpgid(0, 0) == 0;
}

static void become(struct plan *p)
{
    struct failure f = {.step = STEP_FILES};
    if (!arrange_files(p)) goto fail;
    f.step = STEP_PIN;
    if (!pin(p->cpu)) goto fail;
    f.step = STEP_LIFE;
    if (!tie_to(p->parent)) goto fail;
    default_signals();
    f.step = STEP_EXEC;
    execve(p->arguments[0], p->arguments, p->environment);
fail:
    f.error = errno;
    while (write(p->report_fd, &f, sizeof f) < 0 && errno == EINTR) {
    }
    _exit(127);
}

/* ---- in the parent -----------------------------------------------------------------------------
 */

/* Signals wait until the child has its own handlers: ours would write into our loop. */
static pid_t fork_quietly(struct plan *p)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    p->parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become(p);
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

/* Waits for exec or its failure. */
static int hear(int fd, pid_t pid, const char *program, struct err *e)
{
    struct failure f;
    ssize_t n;
    do n = read(fd, &f, sizeof f);
    while (n < 0 && errno == EINTR);
    if (n == 0) return OK;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (n != (ssize_t)sizeof f) return err_set(e, E_IO, "%s: lost on its way to exec", program);
    errno = f.error;
    return err_errno(e, f.step == STEP_EXEC ? E_FILE : E_IO, "%s: cannot %s", program,
                     step_text[f.step]);
}

static int spawn(pid_t *pid, struct plan *p, struct err *e)
{
    int report[2];
    const char *program = p->arguments[0];
    if (pipe2(report, O_CLOEXEC) < 0) return err_errno(e, E_IO, "%s: pipe", program);
    p->report_fd = report[1];
    pid_t child = fork_quietly(p);
    int rc = child < 0 ? err_errno(e, E_NOMEM, "%s: fork", program) : OK;
    close(report[1]);
    if (rc == OK) rc = hear(report[0], child, program, e);
    close(report[0]);
    if (rc == OK) *pid = child;
    return rc;
}

int loop_spawn(pid_t *pid, const struct child_config *c, int stream_fd, struct err *e)
{
    struct plan p = {.cpu = c->cpu, .stream_fd = stream_fd, .log_fd = c->log_fd};
    if (c->cpu >= CPU_SETSIZE)
        return err_set(e, E_USAGE, "%s: no processor %d", c->arguments[0], c->cpu);
    p.arguments = (char **)(uintptr_t)c->arguments;
    p.environment = merge_environment(c->environment);
    if (!p.environment) return err_set(e, E_NOMEM, "%s: no memory", c->arguments[0]);
    p.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = p.null_fd < 0 ? err_errno(e, E_IO, "/dev/null") : spawn(pid, &p, e);
    if (p.null_fd >= 0) close(p.null_fd);
    free(p.environment);
    return rc;
}
