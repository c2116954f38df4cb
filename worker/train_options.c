// SPDX-License-Identifier: MIT
/* train_options: the command line of grokd-train, and the arguments of a piece of work. */
#include "worker/train_options.h"

#include "proto/grid.h"
#include "proto/number.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPT_RUN = 256,
    OPT_OUT,
    OPT_RESUME,
    OPT_INIT,
    OPT_DATA,
    OPT_STIFF,
    OPT_PIPE,
    OPT_BLAS,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"run", required_argument, NULL, OPT_RUN},
    {"out", required_argument, NULL, OPT_OUT},
    {"resume", required_argument, NULL, OPT_RESUME},
    {"init", required_argument, NULL, OPT_INIT},
    {"data", required_argument, NULL, OPT_DATA},
    {"pipe", required_argument, NULL, OPT_PIPE},
    {"stiff", required_argument, NULL, OPT_STIFF},
    {"blas", no_argument, NULL, OPT_BLAS},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* What the options say before the points are known. */
struct command {
    const char *sweep;
    int64_t run;
};

static int assign_param(struct params *p, int index, const char *text, struct err *e)
{
    int rc = param_expect(index, p->task, e);
    return rc < 0 ? rc : param_assign(p, index, text, e);
}

static int assign(struct params *p, struct settings *s, const char *argument, struct err *e)
{
    char name[128];
    size_t n = strcspn(argument, "=");
    if (!argument[n] || n >= sizeof name)
        return err_set(e, E_USAGE, "%.100s: expected name=value", argument);
    snprintf(name, sizeof name, "%.*s", (int)n, argument);
    const char *value = argument + n + 1;
    if (!strncmp(name, "grokd.", 6)) return settings_assign(s, name + 6, value, e);
    int index = param_find(name);
    if (index >= 0) return assign_param(p, index, value, e);
    const char *near = param_nearest(name);
    if (near)
        return err_set(e, E_USAGE, "unknown parameter \"%.60s\"; did you mean %s?", name, near);
    return err_set(e, E_USAGE, "unknown parameter \"%.60s\"; grokd-train --help lists them", name);
}

static int assign_all(struct params *p, struct settings *s, size_t count, char *const *arguments,
                      struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        int rc = assign(p, s, arguments[i], e);
        if (rc < 0) return rc;
    }
    int rc = settings_check(s, e);
    settings_follow(s, p->task);
    return rc < 0 ? rc : params_resolve(p, e);
}

/* The last task=WORD among the arguments, which the defaults of all others hang on; -1: none. */
static int find_task(size_t count, char *const *arguments, int64_t *task, struct err *e)
{
    union param_value v = {.integer = -1};
    int rc = OK;
    for (size_t i = 0; i < count && rc == OK; i++)
        if (!strncmp(arguments[i], "task=", 5))
            rc = param_read(PARAM_task, arguments[i] + 5, &v, e);
    *task = v.integer;
    return rc;
}

int train_arguments(struct params *p, struct settings *s, size_t count, char *const *arguments,
                    struct err *e)
{
    int64_t task;
    int rc = find_task(count, arguments, &task, e);
    if (rc < 0) return rc;
    params_of_task(p, task < 0 ? 0 : task);
    settings_default(s);
    return assign_all(p, s, count, arguments, e);
}

static int read_sweep(struct train_options *o, const struct command *c, struct err *e)
{
    struct spec *spec;
    int rc = spec_read(&spec, c->sweep, e);
    if (rc < 0) return rc;
    for (int i = 0; i < spec->warning_count; i++)
        fprintf(stderr, "grokd-train: %s\n", spec->warning[i]);
    o->settings = spec->settings;
    rc = grid_values(spec, c->run < 0 ? 0 : c->run, &o->params, e);
    spec_free(&spec);
    return rc;
}

/* A point of a sweep, written over by arguments. Its values were chosen for its own task. */
static int read_point(struct train_options *o, const struct command *c, size_t count,
                      char *const *arguments, struct err *e)
{
    char word[PARAM_TEXT_SIZE];
    int64_t task;
    int rc = read_sweep(o, c, e);
    if (rc == OK) rc = find_task(count, arguments, &task, e);
    if (rc == OK && task >= 0 && task != o->params.task)
        rc = err_set(e, E_USAGE, "task: the point of %.100s is of task %s; expected no other",
                     c->sweep, param_text(&o->params, PARAM_task, word));
    return rc < 0 ? rc : assign_all(&o->params, &o->settings, count, arguments, e);
}

/* FILE or FILE:PREFIX. A file whose own name has a colon is taken whole when it is there. */
static int read_init(struct train_options *o, const char *text, struct err *e)
{
    const char *colon = access(text, F_OK) == 0 ? NULL : strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (n == 0 || n >= sizeof o->init_path || (colon && strlen(colon + 1) >= sizeof o->init_prefix))
        return err_set(e, E_USAGE, "--init %.100s: expected FILE or FILE:PREFIX", text);
    memcpy(o->init_path, text, n);
    o->init_path[n] = '\0';
    strcpy(o->init_prefix, colon ? colon + 1 : "");
    return OK;
}

static int read_number(const char *name, const char *text, int64_t most, int64_t *out,
                       struct err *e)
{
    struct number n;
    if (!number_read(text, &n) || !n.integral || n.integer < 0 || n.integer > most)
        return err_set(e, E_USAGE, "--%s %.60s: expected a whole number from 0", name, text);
    *out = n.integer;
    return OK;
}

static int read_option(struct train_options *o, struct command *c, int option, struct err *e)
{
    int64_t fd = 0;
    int rc = OK;
    switch (option) {
    case OPT_RUN: return read_number("run", optarg, SPEC_POINTS, &c->run, e);
    case OPT_OUT: o->out = optarg; break;
    case OPT_INIT: return read_init(o, optarg, e);
    case OPT_RESUME: o->resume = optarg; break;
    case OPT_DATA: o->data_path = optarg; break;
    case OPT_STIFF: o->stiff = optarg; break;
    case OPT_PIPE:
        rc = read_number("pipe", optarg, 1 << 20, &fd, e);
        o->pipe_fd = (int)fd;
        o->mode = TRAIN_PIPE;
        break;
    case OPT_BLAS: o->mode = TRAIN_BLAS; break;
    case OPT_HELP: o->mode = TRAIN_HELP; break;
    case OPT_VERSION: o->mode = TRAIN_VERSION; break;
    }
    return rc;
}

static int read_options(struct train_options *o, struct command *c, int argc, char **argv,
                        struct err *e)
{
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, ":", long_options, NULL);
        if (option == -1) return OK;
        if (option == '?' && optopt >= OPT_RUN)
            return err_set(e, E_USAGE, "%.60s: this option takes no value", argv[optind - 1]);
        if (option == '?' && optopt)
            return err_set(e, E_USAGE, "unknown option -%c; see grokd-train --help", optopt);
        if (option == '?')
            return err_set(e, E_USAGE, "unknown option %.60s; see grokd-train --help",
                           argv[optind - 1]);
        if (option == ':')
            return err_set(e, E_USAGE, "%.60s needs a value; see grokd-train --help",
                           argv[optind - 1]);
        int rc = read_option(o, c, option, e);
        if (rc < 0) return rc;
    }
}

int train_options_read(struct train_options *o, int argc, char **argv, struct err *e)
{
    struct command c = {.run = -1};
    memset(o, 0, sizeof *o);
    params_default(&o->params);
    settings_default(&o->settings);
    int rc = read_options(o, &c, argc, argv, e);
    if (rc < 0) return rc;
    char *const *rest = argv + optind;
    size_t count = (size_t)(argc - optind);
    if (count && !strchr(rest[0], '=')) {
        c.sweep = *rest++;
        count--;
    }
    if (c.run >= 0 && !c.sweep)
        return err_set(e, E_USAGE, "--run %" PRId64 " without a sweep file", c.run);
    if (!c.sweep) return train_arguments(&o->params, &o->settings, count, rest, e);
    return read_point(o, &c, count, rest, e);
}

static const char usage[] =
    "Usage: grokd-train [SWEEP.yaml] [name=value]... [OPTION]...\n"
    "Trains one run here and now: one JSON object for each epoch on standard output.\n"
    "\n"
    "  --run I              point I of the sweep file, from 0 (the default)\n"
    "  --out DIR            also write run.json, epochs.jsonl, data.safetensors and the\n"
    "                       weights of the epochs of grokd.save_model; and, every\n"
    "                       grokd.checkpoint_every and on SIGTERM, checkpoint.safetensors\n"
    "  --resume FILE        go on after the epoch of such a checkpoint of the same run\n"
    "  --init FILE[:PREFIX] initial weights from a safetensors file, PREFIX before each name\n"
    "  --data FILE          training and test set from a safetensors file\n"
    "  --stiff FILE         measure steps alone, their stiff and sloppy parts split by the Fisher\n"
    "                       diagonal of these weights, the last of the same run, as features\n"
    "  --blas               print who multiplies matrices, grokd itself unless grokd.blas=FAMILY\n"
    "                       names kernels of OpenBLAS, and the fingerprint of fixed products\n"
    "  --pipe FD            serve a worker over a connected socket\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 the run failed, 2 bad usage or bad file, 4 no memory or no room.\n";

/* `defaults` holds lines grokd.NAME=VALUE for the settings that matter here. */
static void help_setting(FILE *to, const char *name, const char *defaults, const char *meaning)
{
    char line[128];
    int n = snprintf(line, sizeof line, "grokd.%s=", name);
    const char *at = strstr(defaults, line);
    if (at)
        fprintf(to, "  grokd.%s (%.*s): %s\n", name, (int)strcspn(at + n, "\n"), at + n, meaning);
}

void train_help(FILE *to)
{
    char defaults[SETTINGS_TEXT + 32];
    struct settings s;
    settings_default(&s);
    settings_text(&s, defaults);
    strcat(defaults, "grokd.blas=auto\n");
    fputs(usage, to);
    fputs("\nParameters (default; - where a task has no such parameter): meaning\n", to);
    for (int i = 0; i < PARAM_COUNT; i++) {
        const struct param_info *p = &param_list[i];
        fprintf(to, "  %s (%s", p->name, p->fallback[0]);
        if (i != PARAM_task && strcmp(p->fallback[0], p->fallback[1]) != 0)
            fprintf(to, ", ising %s", p->fallback[1]);
        fprintf(to, "): %s\n", p->meaning);
    }
    fputs("\nSettings (default): meaning; those of a whole sweep are taken and change nothing\n",
          to);
#define SETTING(name, kind, field, least, most, who, meaning)                                      \
    help_setting(to, name, defaults, meaning);
#include "proto/settings.def"
#undef SETTING
}
