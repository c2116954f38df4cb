// SPDX-License-Identifier: MIT
/* ctl: the command line of grokctl, from its one table of verbs. */
#include "coordinator/ctl.h"

#include "coordinator/hub_command.h"
#include "proto/words.h"
#include "version.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIR "./grokd-data"

static const struct ctl_verb verbs[] = {
    {"plan", "FILE", 1, 1, "", "how many runs a sweep file has, and the first; nothing is stored",
     ctl_plan},
    {"submit", "FILE", 1, 1, "", "add a sweep; its points become waiting runs", ctl_submit},
    {"status", "[SWEEPS]", 0, CTL_ARGUMENTS, "",
     "sweeps, their runs by state, speed, sizes on disk", ctl_status},
    {"runs", "[SWEEPS] [--filter STATE,...]", 0, CTL_ARGUMENTS, "filter",
     "runs with what varies between them", ctl_runs},
    {"workers", "", 0, 0, "", "machines, slots, when they were last heard", ctl_workers},
    {"explain", "RUN", 1, 1, "", "why a run waits, or failed; its attempts and events",
     ctl_explain},
    {"verify", "RUN", 1, 1, "", "train a run again and compare every stored value, bit for bit",
     ctl_verify},
    {"stiff", "RUN", 1, 1, "",
     "train a run again and split its steps by the Fisher diagonal at its end, into features",
     ctl_stiff},
    {"pause", "SWEEPS", 1, CTL_ARGUMENTS, "", "hand out no more runs; running ones go on",
     ctl_command},
    {"resume", "SWEEPS", 1, CTL_ARGUMENTS, "", "hand out runs again", ctl_command},
    {"cancel", "SWEEPS | --runs RUNS", 1, CTL_ARGUMENTS, "runs",
     "end sweeps, or single runs: running ones stop, rows are kept", ctl_command},
    {"retry", "--failed | --fresh [SWEEPS]", 0, CTL_ARGUMENTS, "failed fresh",
     "failed runs wait again and go on; fresh: their rows and files are deleted first",
     ctl_command},
    {"aggregate", "[SWEEPS]", 0, CTL_ARGUMENTS, "",
     "write means over seeds, the trade-off and the map anew, whoever runs or none", ctl_aggregate},
    {"export", "[SWEEPS] [--table TABLE] [--format csv|jsonl]", 0, CTL_ARGUMENTS, "table format",
     "a table as text: summary (default), epochs, geometry, pruning, features, runs, ...",
     ctl_export},
    {"claims", "[DIR...]", 0, CTL_ARGUMENTS, "",
     "which claims of arXiv 2502.01739 these databases confirm or contradict", ctl_claims},
    {"sql", "STATEMENT", 1, 1, "", "any question to the database; it can only read", ctl_sql},
    {"key", "new [NAME] [--file FILE] [--unlisted] | add KEY [NAME] | list | revoke NAME|KEY", 1, 3,
     "file unlisted", "keys of workers: make one, allow one, list them, shut one out at once",
     ctl_key},
    {"stop", "", 0, 0, "", "end the coordinator; its sweeps go on at the next start", ctl_command},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const char head[] =
    "Usage: grokctl [--dir DIR] [--output human|json|quiet] VERB [ARGUMENT...]\n"
    "\n"
    "DIR is $GROKD_DIR or " DEFAULT_DIR " unless it is given. SWEEPS and RUNS are\n"
    "numbers: 3, 1-9, 1,4, all, last. quiet writes the first column alone.\n"
    "\n";

static const char tail[] =
    "\n"
    "grokctl VERB --help says how a verb is used. Exit code: 0 done, 2 bad usage\n"
    "or bad file, 3 no coordinator runs, 4 trouble with the database.\n";

static void write_help(FILE *out)
{
    fputs(head, out);
    for (size_t i = 0; i < VERBS; i++) fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].help);
    fputs(tail, out);
}

static void write_verb_help(FILE *out, const struct ctl_verb *v)
{
    fprintf(out, "Usage: grokctl [--dir DIR] [--output human|json|quiet] %s %s\n\n%s\n", v->name,
            v->usage, v->help);
}

static int unknown_verb(const char *name, struct err *e)
{
    char words[512] = "", near[WORDS_SIZE];
    for (size_t i = 0; i < VERBS; i++) {
        size_t n = strlen(words);
        snprintf(words + n, sizeof words - n, "%s%s", i ? " " : "", verbs[i].name);
    }
    if (words_nearest(words, name, near))
        return err_set(e, E_USAGE, "there is no verb '%.60s'; %s?", name, near);
    return err_set(e, E_USAGE, "there is no verb '%.60s'; one of: %s", name, words);
}

static const struct ctl_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    return NULL;
}

/* ---- options ---- */

/* "--name=value" or "--name value" at argv[*i]: 1 and the value; 0: another option; or E_USAGE. */
static int option(const char *name, int argc, char **argv, int *i, const char **value,
                  struct err *e)
{
    size_t n = strlen(name);
    const char *word = argv[*i] + 2;
    if (strncmp(word, name, n) != 0 || (word[n] && word[n] != '=')) return 0;
    if (word[n] == '=')
        *value = word + n + 1;
    else if (*i + 1 < argc)
        *value = argv[++*i];
    else
        return err_set(e, E_USAGE, "--%s needs a value", name);
    return 1;
}

static int read_output(struct ctl *c, const char *word, struct err *e)
{
    int at = words_find("human json quiet", word);
    if (at < 0) return err_set(e, E_USAGE, "--output is human, json or quiet, not '%.60s'", word);
    c->output = (enum ctl_output)at;
    return 1;
}

/* Whether the verb knows the option; no verb yet: none but those of all. */
static int takes(const struct ctl_verb *v, const char *option_name)
{
    return v && words_find(v->options, option_name) >= 0;
}

static int read_option(struct ctl *c, const struct ctl_verb *v, int argc, char **argv, int *i,
                       struct err *e)
{
    const char *word = NULL;
    const struct {
        const char *name;
        const char **value;
    } values[] = {
        {"format", &c->format}, {"table", &c->table}, {"filter", &c->filter}, {"file", &c->file}};
    int rc = option("dir", argc, argv, i, &c->dir, e);
    if (rc != 0) return rc;
    if ((rc = option("output", argc, argv, i, &word, e)) != 0)
        return rc < 0 ? rc : read_output(c, word, e);
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        if (takes(v, values[k].name) &&
            (rc = option(values[k].name, argc, argv, i, values[k].value, e)) != 0)
            return rc;
    if (takes(v, "failed") && !strcmp(argv[*i], "--failed")) return c->failed = 1;
    if (takes(v, "fresh") && !strcmp(argv[*i], "--fresh")) return c->fresh = 1;
    if (takes(v, "unlisted") && !strcmp(argv[*i], "--unlisted")) return c->unlisted = 1;
    if (takes(v, "runs") && !strcmp(argv[*i], "--runs")) return c->runs = 1;
    const char *space = v ? " " : "", *verb = v ? v->name : "";
    return err_set(e, E_USAGE,
                   "grokctl%s%s does not know the option '%.60s'; see grokctl%s%s --help", space,
                   verb, argv[*i], space, verb);
}

static int read_line(struct ctl *c, const struct ctl_verb **verb, char **words, int argc,
                     char **argv, struct err *e)
{
    for (int i = 1; i < argc; i++) {
        int rc = OK;
        if (!strncmp(argv[i], "--", 2) && argv[i][2])
            rc = read_option(c, *verb, argc, argv, &i, e);
        else if (!*verb) {
            if (!(*verb = find_verb(argv[i]))) return unknown_verb(argv[i], e);
        } else if (c->argument_count < CTL_ARGUMENTS)
            words[c->argument_count++] = argv[i];
        else
            return err_set(e, E_USAGE, "at most %d arguments", CTL_ARGUMENTS);
        if (rc < 0) return rc;
    }
    if (!*verb) return err_set(e, E_USAGE, "a verb is missing; see grokctl --help");
    if (c->argument_count >= (*verb)->least && c->argument_count <= (*verb)->most) return OK;
    return err_set(e, E_USAGE, "Usage: grokctl %s %s", (*verb)->name, (*verb)->usage);
}

/* Help asked for anywhere: of the verb named before it, or of all. */
static int wants_help(int argc, char **argv, FILE *out)
{
    const struct ctl_verb *v = NULL;
    for (int i = 1; i < argc; i++) {
        if (!v) v = find_verb(argv[i]);
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0 &&
            (i > 1 || strcmp(argv[i], "help") != 0))
            continue;
        if (v)
            write_verb_help(out, v);
        else
            write_help(out);
        return 1;
    }
    return 0;
}

int ctl_run(int argc, char **argv, FILE *out, struct err *e)
{
    const char *dir = getenv("GROKD_DIR");
    char *words[CTL_ARGUMENTS];
    const struct ctl_verb *verb = NULL;
    struct ctl c = {.dir = dir && *dir ? dir : DEFAULT_DIR, .out = out, .arguments = words};
    *e = (struct err){0};
    if (wants_help(argc, argv, out)) return 0;
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        fprintf(out, "grokctl %s (%s)\n", GROKD_VERSION, GROKD_GIT);
        return 0;
    }
    int rc = read_line(&c, &verb, words, argc, argv, e);
    if (rc == OK) rc = verb->run(&c, verb, e);
    if (rc == OK && fflush(out)) rc = err_errno(e, E_IO, "the output cannot be written");
    return rc < 0 ? err_exit_code(rc) : c.exit_code;
}

/* ---- what verbs share ---- */

enum export_format ctl_format(const struct ctl *c)
{
    return c->output == CTL_HUMAN  ? EXPORT_TABLE
           : c->output == CTL_JSON ? EXPORT_JSON
                                   : EXPORT_FIRST;
}

static void add_range(char out[CTL_WHERE], const char *column, const struct event_range *r)
{
    size_t n = strlen(out);
    const char * or = n ? " OR " : "";
    if (r->from == RANGE_ALL)
        snprintf(out + n, CTL_WHERE - n, "%s1", or);
    else if (r->from == RANGE_LAST)
        snprintf(out + n, CTL_WHERE - n, "%s%s = (SELECT max(sweep_id) FROM sweeps)", or, column);
    else
        snprintf(out + n, CTL_WHERE - n, "%s%s BETWEEN %" PRId64 " AND %" PRId64, or, column,
                 r->from, r->to);
}

int ctl_where(const struct ctl *c, const char *column, char out[CTL_WHERE], struct err *e)
{
    struct hub_command x = {0};
    char inside[CTL_WHERE] = "";
    for (int i = 0; i < c->argument_count; i++) {
        int rc = hub_command_ranges(&x, c->arguments[i], e);
        if (rc < 0) return rc;
    }
    for (size_t i = 0; i < x.event.range_count; i++) add_range(inside, column, &x.ranges[i]);
    if (strlen(inside) + 3 > CTL_WHERE - 1) return err_set(e, E_USAGE, "the selection is too long");
    snprintf(out, CTL_WHERE, "(%.*s)", CTL_WHERE - 3, *inside ? inside : "1");
    return OK;
}

int ctl_where_state(const struct ctl *c, char out[CTL_WHERE], struct err *e)
{
    static const char states[] = "waiting running finished failed cancelled";
    char copy[128], *rest = copy, list[256] = "";
    if (!c->filter) return OK;
    snprintf(copy, sizeof copy, "%s", c->filter);
    for (char *word; (word = strsep(&rest, ","));) {
        size_t n = strlen(list);
        if (words_find(states, word) < 0)
            return err_set(e, E_USAGE, "--filter does not know '%.60s'; of: %s", word, states);
        snprintf(list + n, sizeof list - n, "%s'%s'", n ? ", " : "", word);
    }
    size_t n = strlen(out);
    if (n + strlen(list) + 32 > CTL_WHERE) return err_set(e, E_USAGE, "the selection is too long");
    snprintf(out + n, CTL_WHERE - n, " AND state IN (%s)", list);
    return OK;
}

int ctl_show(struct ctl *c, struct query *q, const char *sql, int64_t *rows, struct err *e)
{
    int rc = query_ask(q, sql, e);
    if (rc == OK) rc = export_rows(q, ctl_format(c), c->out, rows, e);
    if (rc == OK && c->output == CTL_JSON) fputs("\n", c->out);
    return rc;
}
