// SPDX-License-Identifier: MIT
/* bench: an epoch of each of the paper's tasks against PyTorch's on the same pinned core, what each
 * measure costs in epochs, and how long the paper's set of Ising snapshots takes.
 *
 *     bench tests/bench/torch_epoch.py [ROUNDS]
 *
 * Measures are taken of a network that has learned, as most epochs of a run are: PLATEAU epochs are
 * trained before. Every round times one epoch of grokd, one of PyTorch and one reading of each
 * measure, one after another, so that a change of the machine's mood meets all of them; figures are
 * medians over the rounds. Exit status: 0 all goals met, 1 one missed, 2 it could not be measured.
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
#define GOAL_MEASURES 4.0 /* epochs for all that is taken at every epoch */
#define GOAL_EXACT    8.0 /* ... and for a whole pruning curve */
#define GOAL_ISING    10.0
#define GOAL_SECONDS  10.0 /* for all snapshots */

#define SNAPSHOTS    50000 /* of the paper */
#define ISING_EPOCHS 10    /* a round */
#define PLATEAU      150   /* of modular addition */

/* What is measured. `part` ones are contained in others, and left out of the sum. */
static const struct entry {
    const struct gauge *gauge;
    const char *label;
    int64_t variants; /* of the Fisher information; 0: no matter */
    bool part;
    bool last; /* taken as at the last epoch, which keeps a curve */
} entries[] = {
    {&gauge_train_end, "logits of both sets, shared", 0, false, false},
    {&gauge_norm, "weight norm", 0, false, false},
    {&gauge_gini, "Gini coefficient of the weights", 0, false, false},
    {&gauge_fourier, "Fourier IPR, input and output", 0, false, false},
    {&gauge_waves, "restricted and excluded loss", 0, false, false},
    {&gauge_predictions, "translations and collapse", 0, false, false},
    {&gauge_features, "correlations with physics", 0, false, false},
    {&gauge_geometry, "Fisher and geometry, all variants", SETTINGS_EVERY_VARIANT, false, false},
    {&gauge_coords, "information-space coordinates", 0, false, false},
    {&gauge_pruning, "compressibility to 1%", 0, false, false},
    {&gauge_geometry, "Fisher: regression alone", SETTINGS_REGRESSION, true, false},
    {&gauge_geometry, "... classification alone", SETTINGS_CLASSIFICATION, true, false},
    {&gauge_geometry, "... whole, both variants", SETTINGS_FULL | SETTINGS_FULL_CLASS, true, false},
    {&gauge_pruning, "the whole pruning curve, exactly", 0, true, true},
};
#define ENTRIES (sizeof entries / sizeof *entries)

struct series {
    double seconds[MOST_ROUNDS];
    size_t count;
};

struct torch {
    pid_t pid;
    FILE *ask, *answer;
    char about[1024];
};

/* A task on both sides, and its measures on ours. */
struct duel {
    int64_t task;
    struct params params;
    struct settings settings[ENTRIES];
    struct trainer *trainer;
    struct torch torch;
    struct series ours, theirs, measure[ENTRIES];
    bool on[ENTRIES];
    void *state[ENTRIES];
    struct logits logits;
    struct findings findings;
};

struct bench {
    struct duel modular, ising;
    struct series snapshots;
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
        unsetenv("OPENBLAS_CORETYPE"); /* PyTorch at its best: the processor's own kernels */
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

static struct view view_of(struct duel *d, size_t entry)
{
    return (struct view){.params = &d->params,
                         .settings = &d->settings[entry],
                         .task = trainer_task(d->trainer),
                         .model = trainer_model(d->trainer),
                         .epoch = entries[entry].last ? d->params.epochs : trainer_done(d->trainer),
                         .logits = &d->logits,
                         .findings = &d->findings};
}

static int open_entry(struct duel *d, size_t i, struct err *e)
{
    settings_default(&d->settings[i]);
    settings_follow(&d->settings[i], d->task);
    if (entries[i].variants) d->settings[i].fisher_variants = entries[i].variants;
    struct view v = view_of(d, i);
    d->on[i] = !entries[i].gauge->fits || entries[i].gauge->fits(&v);
    return d->on[i] && entries[i].gauge->open ? entries[i].gauge->open(&d->state[i], &v, e) : OK;
}

static int duel_open(struct duel *d, int64_t task, const char *script, struct err *e)
{
    struct row row;
    char name[PARAM_TEXT_SIZE];
    d->task = task;
    params_of_task(&d->params, task);
    int rc = params_resolve(&d->params, e);
    if (rc == OK) rc = trainer_open(&d->trainer, &d->params, NULL, e);
    if (rc == OK) rc = trainer_start(d->trainer, &row, e);
    if (rc == OK)
        rc = logits_open(&d->logits, trainer_model(d->trainer), trainer_task(d->trainer), e);
    for (size_t i = 0; i < ENTRIES && rc == OK; i++) rc = open_entry(d, i, e);
    param_text(&d->params, PARAM_task, name);
    return rc == OK ? torch_open(&d->torch, script, name, e) : rc;
}

static void duel_close(struct duel *d)
{
    torch_close(&d->torch);
    for (size_t i = 0; i < ENTRIES; i++)
        if (d->on[i] && entries[i].gauge->close) entries[i].gauge->close(d->state[i]);
    logits_close(&d->logits);
    findings_close(&d->findings);
    trainer_close(&d->trainer);
}

static int train(struct trainer *t, int epochs, struct err *e)
{
    struct row row;
    int rc = OK;
    while (epochs-- > 0 && rc == OK) rc = trainer_epoch(t, &row, e);
    return rc;
}

/* Short epochs: several a round. */
static int duel_epochs(struct duel *d, int count, int counts, struct err *e)
{
    struct row row;
    double theirs;
    int rc = OK;
    for (int i = 0; i < count && rc == OK; i++) {
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

static int duel_round(struct duel *d, int epochs, int counts, struct err *e)
{
    struct row row;
    int rc = duel_epochs(d, epochs, counts, e);
    for (size_t i = 0; i < ENTRIES && rc == OK; i++) {
        struct view v = view_of(d, i);
        double start = now();
        if (!d->on[i]) continue;
        d->findings.count = 0;
        if (entries[i].gauge == &gauge_train_end) logits_take(&d->logits, v.model);
        rc = entries[i].gauge->read(d->state[i], &v, &row, e);
        if (counts) d->measure[i].seconds[d->measure[i].count++] = now() - start;
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

/* goal_sum, goal_exact: in epochs, 0: none. */
static void report_measures(struct bench *b, struct duel *d, double goal_sum, double goal_exact)
{
    double ours = median(&d->ours), sum = 0;
    printf("\n  a measure at every epoch costs, in epochs of grokd\n");
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!d->on[i] || entries[i].part) continue;
        double seconds = median(&d->measure[i]);
        line(b, entries[i].label, 1e3 * seconds, seconds / ours, "epochs", 0, 0);
        sum += seconds;
    }
    line(b, "all of these", 1e3 * sum, sum / ours, "epochs", 0, goal_sum);
    for (size_t i = 0; i < ENTRIES; i++) {
        double seconds = d->on[i] && entries[i].part ? median(&d->measure[i]) : 0;
        double goal = entries[i].last ? goal_exact : 0;
        if (seconds > 0)
            line(b, entries[i].label, 1e3 * seconds, seconds / ours, "epochs", 0, goal);
    }
}

static void report_duel(struct bench *b, struct duel *d, double goal)
{
    double ours = median(&d->ours), theirs = median(&d->theirs);
    printf("  %-34s%10.3f ms\n", "epoch of PyTorch", 1e3 * theirs);
    line(b, "epoch of grokd", 1e3 * ours, theirs / ours, "times", 1, goal);
}

static void report(struct bench *b, int core)
{
    printf("modular addition, P 113, 512 neurons, 8939 + 3830 samples, batches of 64; core %d, "
           "median of %zu rounds\n",
           core, b->rounds);
    printf("PyTorch: %s\n", b->modular.torch.about);
    printf("grokd:   BLAS none, products by kernels of its own (%s)\n\n", vec->level);
    report_duel(b, &b->modular, GOAL_RATIO);
    report_measures(b, &b->modular, GOAL_MEASURES, GOAL_EXACT);
    printf("\nising, 16 x 16 spins, 300 + 1000 snapshots, full batch; median of %zu epochs\n\n",
           b->ising.ours.count);
    report_duel(b, &b->ising, GOAL_ISING);
    line(b, "50,000 snapshots, 64 sweeps", 0, median(&b->snapshots), "s", 0, GOAL_SECONDS);
    report_measures(b, &b->ising, 0, 0);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct blas blas;
    struct err e = {.code = OK};
    long rounds = argc > 2 ? atol(argv[2]) : ROUNDS;
    if (argc < 2 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench TORCH_SCRIPT [ROUNDS], 1 to %d rounds\n", MOST_ROUNDS);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    b.rounds = (size_t)rounds;
    int core = pin(), rc = blas_open(&blas, BLAS_OURS, &e);
    if (rc == OK) rc = duel_open(&b.modular, TASK_MODULAR_ADDITION, argv[1], &e);
    if (rc == OK) rc = train(b.modular.trainer, PLATEAU, &e);
    if (rc == OK) rc = duel_open(&b.ising, TASK_ISING, argv[1], &e);
    for (long i = -WARM; i < rounds && rc == OK; i++) rc = duel_round(&b.modular, 1, i >= 0, &e);
    for (long i = -WARM; i < rounds && rc == OK; i++)
        rc = duel_round(&b.ising, ISING_EPOCHS, i >= 0, &e);
    if (rc == OK) rc = time_snapshots(&b.snapshots, &b.ising.params, &e);
    if (rc == OK) report(&b, core);
    duel_close(&b.modular);
    duel_close(&b.ising);
    if (rc < 0) fprintf(stderr, "%s\n", e.text);
    return rc < 0 ? 2 : b.missed;
}
