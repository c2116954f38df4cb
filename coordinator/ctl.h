// SPDX-License-Identifier: MIT
/* ctl: what grokctl does. Reading verbs ask the database of DIR, whether a coordinator runs or not;
 * writing verbs ask the coordinator over its local endpoint.
 */
#ifndef GROKD_COORDINATOR_CTL_H
#define GROKD_COORDINATOR_CTL_H

#include "common/err.h"
#include "coordinator/export.h"
#include "coordinator/query.h"

#include <stdio.h>

#define CTL_ARGUMENTS 64   /* most of a call */
#define CTL_WHERE     4096 /* a condition made of a selector */

struct save;

enum ctl_output { CTL_HUMAN, CTL_JSON, CTL_QUIET };

/* One call of grokctl. Options have their text, or NULL; arguments are what is left. Lends all. */
struct ctl {
    const char *dir;
    enum ctl_output output;
    const char *format, *table, *filter; /* of export, runs */
    const char *file;                    /* of key new */
    int failed, fresh, runs;             /* --failed, --fresh of retry, --runs of cancel: given */
    int unlisted;                        /* --unlisted of key new: given */
    char **arguments;
    int argument_count;
    FILE *out;
    int exit_code; /* of a verb that went well but has more to say than 0 */
};

/* A verb: its name, its arguments, how many of them, the options it takes, one sentence. */
struct ctl_verb {
    const char *name, *usage;
    int least, most;
    const char
        *options; /* of "format table filter file failed fresh runs unlisted", one space apart */
    const char *help;
    int (*run)(struct ctl *c, const struct ctl_verb *v, struct err *e);
};

/* Everything: reads the command line, carries out its verb, writes to `out`. The exit code of the
 * program; the sentence is in e when it is not 0 (may be empty). */
int ctl_run(int argc, char **argv, FILE *out, struct err *e);

/* ---- the verbs, in ctl_*.c ---- */

int ctl_plan(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_status(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_runs(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_workers(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_explain(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_verify(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_export(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_claims(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_sql(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_submit(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_command(struct ctl *c, const struct ctl_verb *v,
                struct err *e); /* the other writing ones */
int ctl_key(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_aggregate(struct ctl *c, const struct ctl_verb *v, struct err *e);
int ctl_stiff(struct ctl *c, const struct ctl_verb *v, struct err *e);

/* Asks the coordinator how it is: what keeps it from going on, "": nothing. E_NET if it does not
 * answer within seconds. */
int ctl_ping(struct ctl *c, char *trouble, size_t size, struct err *e);

/* Has the coordinator read the list of keys anew, if one runs. */
int ctl_tell_keys(struct ctl *c, struct err *e);

/* Has the coordinator store parts of a run's steps (stiff.h); E_STATE with its answer if it does
 * not. */
int ctl_tell_stiff(struct ctl *c, int64_t run, char *text, struct err *e);

/* Carries out saves in this process, under DIR's lock; takes what they take once it has it. E_NET:
 * a coordinator runs. */
int ctl_save_here(const struct ctl *c, struct save *saves, size_t count, struct err *e);

/* The format of --output. */
enum export_format ctl_format(const struct ctl *c);

/* A condition on `column` (numbers of sweeps) from the arguments: 3, 1-9, 1,4, all, last; none:
 * all. E_USAGE with what would be right. */
int ctl_where(const struct ctl *c, const char *column, char out[CTL_WHERE], struct err *e);

/* A state of --filter joined to such a condition; nothing without --filter. */
int ctl_where_state(const struct ctl *c, char out[CTL_WHERE], struct err *e);

/* Asks and writes the rows in the format of --output; *rows (may be NULL) is their number. */
int ctl_show(struct ctl *c, struct query *q, const char *sql, int64_t *rows, struct err *e);

#endif
