// SPDX-License-Identifier: MIT
/* bench: an epoch of each of the paper's tasks against PyTorch's on the same pinned core, what each
 * measure costs in modular epochs, and how long the paper's set of Ising snapshots takes.
 *
 *     bench tests/bench/torch_epoch.py [ROUNDS]
 *
 * Every round times one epoch of grokd, one of PyTorch and one reading of each measure, one after
 * another, so that a change of the machine's mood meets all of them; figures are medians over the
 * rounds. Exit status: 0 all goals met, 1 one missed, 2 it could not be measured.
 */
#include "proto/settings.h"
#include "worker/measure/gauge.h"
#include "worker/num/blas.h"
#include "worker/train/ising.h"
#include "worker/train/trainer.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PYTHON      "/usr/bin/python3" /* the one that Debian's python3-torch belongs to */
#define WARM        3                  /* rounds before the ones that count */
#define ROUNDS      15
#define MOST_ROUNDS 1000

#define GOAL_RATIO    3.5
#define GOAL_MEASURES 0.5
#define GOAL_POINT    0.15
#define GOAL_MIB      64.0
#define GOAL_ISING    10.0
#define GOAL_SECONDS  10.0 /* for all snapshots */

#define SNAPSHOTS    50000 /* of the paper */
#define ISING_EPOCHS 10    /* a round */

static const struct gauge *const gauges[] = {&gauge_train_end, &gauge_norm, &gauge_fourier,
                                             &gauge_geometry, &gauge_pruning};
static const char *const labels[] = {"training set at the end", "weight norm",
                                     "Fourier IPR, input and output", "Fisher and geometry",
                                     "pruning"};
#define GAUGES  (sizeof gauges / sizeof *gauges)
#define PRUNING (GAUGES - 1)

struct series {
    double seconds[MOST_ROUNDS];
    size_t count;
};

struct torch {
    pid_t pid;
    FILE *ask, *answer;
    char about[1024];
};

/* A task on both sides. */
struct duel {
    struct params params;
    struct trainer *trainer;
    struct torch torch;
    struct series ours, theirs;
};

struct bench {
    struct duel ising;
    struct series snapshots;
    struct params params;
    struct settings settings;
    struct trainer *trainer;
    void *state[GAUGES];
    struct torch torch;
    struct series ours, theirs, gauge[GAUGES];
    size_t rounds;
    int missed;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct series *s)
{
    qsort(s->seconds, s->count, sizeof *s->seconds, by_size);
    size_t half = s->count / 2;
    return s->count % 2 ? s->seconds[half] : (s->seconds[half - 1] + s->seconds[half]) / 2;
}

/* The last core we may use, for us and the child alike. */
static int pin(void)
{
    cpu_set_t may, one;
    int core = -1;
    sched_getaffinity(0, sizeof may, &may);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &may)) core = i;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0 ? core : -1;
}

/* ---- PyTorch, in a child that runs an epoch for every line it gets ------------------------------
 */

static int torch_open(struct torch *t, const char *script, const char *task, struct err *e)
{
    int to[2], from[2];
    if (pipe(to) < 0 || pipe(from) < 0) return err_errno(e, E_IO, "bench: pipe");
    if ((t->pid = fork()) < 0) return err_errno(e, E_IO, "bench: fork");
    if (t->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int fd = 3; fd < 32; fd++) close(fd);
        execl(PYTHON, PYTHON, script, task, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    t->ask = fdopen(to[1], "w");
    t->answer = fdopen(from[0], "r");
    if (!fgets(t->about, sizeof t->about, t->answer))
        return err_set(e, E_STATE, "bench: %s %s says nothing: is python3-torch installed?", PYTHON,
                       script);
    t->about[strcspn(t->about, "\n")] = 0;
    return OK;
}

static int torch_epoch(struct torch *t, double *seconds, struct err *e)
{
    char line[256];
    fputs("\n", t->ask);
    fflush(t->ask);
    if (!fgets(line, sizeof line, t->answer) || sscanf(line, "%lf", seconds) != 1)
        return err_set(e, E_STATE, "bench: PyTorch ended before its time");
    return OK;
}

static void torch_close(struct torch *t)
{
    if (t->ask) fclose(t->ask);
    if (t->answer) fclose(t->answer);
    if (t->pid > 0) waitpid(t->pid, NULL, 0);
}

/* ---- the rounds --------------------------------------------------------------------------------
 */

static struct view view_of(const struct bench *b)
{
    return (struct view){.params = &b->params,
                         .settings = &b->settings,
                         .task = trainer_task(b->trainer),
                         .model = trainer_model(b->trainer),
                         .epoch = trainer_done(b->trainer)};
}

static int bench_open(struct bench *b, const char *script, struct err *e)
{
    struct row row;
    params_default(&b->params);
    settings_default(&b->settings);
    int rc = params_resolve(&b->params, e);
    if (rc == OK) rc = trainer_open(&b->trainer, &b->params, NULL, e);
    if (rc == OK) rc = trainer_start(b->trainer, &row, e);
    struct view v = view_of(b);
    for (size_t i = 0; i < GAUGES && rc == OK; i++)
        if (gauges[i]->open) rc = gauges[i]->open(&b->state[i], &v, e);
    return rc == OK ? torch_open(&b->torch, script, "modular_addition", e) : rc;
}

static int duel_open(struct duel *d, const char *script, struct err *e)
{
    struct row row;
    params_of_task(&d->params, TASK_ISING);
    int rc = params_resolve(&d->params, e);
    if (rc == OK) rc = trainer_open(&d->trainer, &d->params, NULL, e);
    if (rc == OK) rc = trainer_start(d->trainer, &row, e);
    return rc == OK ? torch_open(&d->torch, script, "ising", e) : rc;
}

static void bench_close(struct bench *b)
{
    torch_close(&b->torch);
    torch_close(&b->ising.torch);
    trainer_close(&b->ising.trainer);
    for (size_t i = 0; i < GAUGES; i++)
        if (gauges[i]->close) gauges[i]->close(b->state[i]);
    trainer_close(&b->trainer);
}

static int one_round(struct bench *b, int counts, struct err *e)
{
    struct row row;
    double theirs, start = now();
    int rc = trainer_epoch(b->trainer, &row, e);
    double ours = now() - start;
    if (rc == OK) rc = torch_epoch(&b->torch, &theirs, e);
    if (rc == OK && counts) {
        b->ours.seconds[b->ours.count++] = ours;
        b->theirs.seconds[b->theirs.count++] = theirs;
    }
    struct view v = view_of(b);
    for (size_t i = 0; i < GAUGES && rc == OK; i++) {
        start = now();
        rc = gauges[i]->read(b->state[i], &v, &row, e);
        if (counts) b->gauge[i].seconds[b->gauge[i].count++] = now() - start;
    }
    return rc;
}

/* Short epochs: several a round. */
static int duel_round(struct duel *d, int counts, struct err *e)
{
    struct row row;
    double theirs;
    int rc = OK;
    for (int i = 0; i < ISING_EPOCHS && rc == OK; i++) {
        double start = now();
        rc = trainer_epoch(d->trainer, &row, e);
        double ours = now() - start;
        if (rc == OK) rc = torch_epoch(&d->torch, &theirs, e);
        if (rc < 0 || !counts || d->ours.count == MOST_ROUNDS) continue;
        d->ours.seconds[d->ours.count++] = ours;
        d->theirs.seconds[d->theirs.count++] = theirs;
    }
    return rc;
}

/* The paper's set, as a run with so many snapshots makes it. */
static int time_snapshots(struct series *s, const struct params *p, struct err *e)
{
    const struct ising_rule rule = ising_rule(p);
    int8_t *spin = malloc(SNAPSHOTS * rule.side * rule.side);
    double *temperature = malloc(SNAPSHOTS * sizeof *temperature);
    int rc = spin && temperature ? OK : err_set(e, E_NOMEM, "bench: no memory for snapshots");
    for (int64_t i = 0; i < SNAPSHOTS && rc == OK; i++)
        temperature[i] =
            ising_temperature(p->temperatures, p->temperature_halfwidth, ising_test_index(p, i));
    for (int i = 0; i < 3 && rc == OK; i++) {
        double start = now();
        rc = ising_snapshots(&rule, 0, SNAPSHOTS, temperature, spin, e);
        s->seconds[s->count++] = now() - start;
    }
    free(spin);
    free(temperature);
    return rc;
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static void line(struct bench *b, const char *what, double milliseconds, double figure,
                 const char *unit, int at_least, double goal)
{
    int met = at_least ? figure >= goal : figure <= goal;
    printf("  %-34s", what);
    if (milliseconds > 0)
        printf("%10.3f ms", milliseconds);
    else
        printf("%13s", "");
    printf("%10.3f %-6s", figure, unit);
    if (goal > 0) printf("  goal %s %-5g %s", at_least ? ">=" : "<=", goal, met ? "ok" : "missed");
    printf("\n");
    b->missed |= goal > 0 && !met;
}

/* Path of the BLAS library that this process has mapped. */
static void blas_path(char *out, size_t size)
{
    char text[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    snprintf(out, size, "?");
    while (maps && fgets(text, sizeof text, maps))
        if (strstr(text, "blas") && strchr(text, '/')) {
            text[strcspn(text, "\n")] = 0;
            snprintf(out, size, "%s", strchr(text, '/'));
        }
    if (maps) fclose(maps);
}

/* Most memory this process ever held, in MiB. */
static double peak_mib(void)
{
    char text[256];
    double kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(text, sizeof text, status))
        if (strncmp(text, "VmHWM:", 6) == 0) kib = atof(text + 6);
    if (status) fclose(status);
    return kib / 1024;
}

static void report_ising(struct bench *b)
{
    double ours = median(&b->ising.ours), theirs = median(&b->ising.theirs);
    printf("\nising, 16 x 16 spins, 300 + 1000 snapshots, full batch; median of %zu epochs\n",
           b->ising.ours.count);
    printf("  %-34s%10.3f ms\n", "epoch of PyTorch", 1e3 * theirs);
    line(b, "epoch of grokd", 1e3 * ours, theirs / ours, "times", 1, GOAL_ISING);
    line(b, "50,000 snapshots, 64 sweeps", 0, median(&b->snapshots), "s", 0, GOAL_SECONDS);
}

static void report(struct bench *b, const char *family, int core, double peak)
{
    char path[1024];
    double ours = median(&b->ours), theirs = median(&b->theirs), sum = 0;
    double pruning = median(&b->gauge[PRUNING]), points = (double)b->settings.pruning_points;
    blas_path(path, sizeof path);
    printf("modular addition, P 113, 512 neurons, 8939 + 3830 samples, batches of 64; core %d, "
           "median of %zu rounds\n",
           core, b->rounds);
    printf("PyTorch: %s\n", b->torch.about);
    printf("grokd:   kernels %s, BLAS %s (%s)\n\n", vec->level, path, family);
    printf("  %-34s%10.3f ms\n", "epoch of PyTorch", 1e3 * theirs);
    line(b, "epoch of grokd", 1e3 * ours, theirs / ours, "times", 1, GOAL_RATIO);
    printf("\n  a measure at every epoch costs, in epochs of grokd\n");
    for (size_t i = 0; i < PRUNING; i++) {
        double seconds = median(&b->gauge[i]);
        line(b, labels[i], 1e3 * seconds, seconds / ours, "epochs", 0, 0);
        sum += seconds;
    }
    line(b, "all of these", 1e3 * sum, sum / ours, "epochs", 0, GOAL_MEASURES);
    line(b, labels[PRUNING], 1e3 * pruning, pruning / ours, "epochs", 0, 0);
    line(b, "each point of it", 1e3 * pruning / points, pruning / points / ours, "epochs", 0,
         GOAL_POINT);
    report_ising(b);
    printf("\n");
    line(b, "memory of the process at its peak", 0, peak, "MiB", 0, GOAL_MIB);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char family[64], fingerprint[65];
    struct err e = {.code = OK};
    long rounds = argc > 2 ? atol(argv[2]) : ROUNDS;
    if (argc < 2 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench TORCH_SCRIPT [ROUNDS], 1 to %d rounds\n", MOST_ROUNDS);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    b.rounds = (size_t)rounds;
    int core = pin(), rc = blas_open(family, fingerprint, &e);
    if (rc == OK) rc = bench_open(&b, argv[1], &e);
    if (rc == OK) rc = duel_open(&b.ising, argv[1], &e);
    for (long i = -WARM; i < rounds && rc == OK; i++) rc = one_round(&b, i >= 0, &e);
    for (long i = -WARM; i < rounds && rc == OK; i++) rc = duel_round(&b.ising, i >= 0, &e);
    double peak = peak_mib(); /* of training: what a slot holds */
    if (rc == OK) rc = time_snapshots(&b.snapshots, &b.ising.params, &e);
    if (rc == OK) report(&b, family, core, peak);
    bench_close(&b);
    if (rc < 0) fprintf(stderr, "%s\n", e.text);
    return rc < 0 ? 2 : b.missed;
}
