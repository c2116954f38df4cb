// SPDX-License-Identifier: MIT
/* ctl_read: the verbs that ask the database. */
#include "common/file.h"
#include "common/text.h"
#include "coordinator/ctl.h"
#include "proto/number.h"
#include "proto/param.h"
#include "proto/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A statement written with a format (gives, free); NULL: no memory. */
static char *sql_text(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *sql_text(struct err *e, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
        err_set(e, E_NOMEM, "no memory for a statement");
    }
    va_end(args);
    return text;
}

/* Shows a statement of ours and frees it; NULL is a failure that e knows. */
static int show(struct ctl *c, struct query *q, char *sql, int64_t *rows, struct err *e)
{
    int rc = sql ? ctl_show(c, q, sql, rows, e) : E_NOMEM;
    free(sql);
    return rc;
}

/* ---- status ---- */

/* From the index of runs by state alone, so that a million runs are counted at once. */
static const char status_sql[] =
    "SELECT s.sweep_id, s.name, s.state, s.priority, sum(n) AS runs, "
    "sum(n * (r.state = 'waiting')) AS waiting, sum(n * (r.state = 'running')) AS running, "
    "sum(n * (r.state = 'finished')) AS finished, sum(n * (r.state = 'failed')) AS failed, "
    "sum(n * (r.state = 'cancelled')) AS cancelled, s.created_at FROM sweeps AS s LEFT JOIN "
    "(SELECT sweep_id, state, count(*) AS n FROM runs GROUP BY sweep_id, state) AS r USING "
    "(sweep_id) "
    "WHERE %s GROUP BY s.sweep_id";

/* Of the attempts under way: what each has stored since it began, over its age. */
static const char speed_sql[] =
    "SELECT total((a.to_epoch - a.from_epoch + 1) / "
    "max(1, (julianday('now') - julianday(a.started_at)) * 86400)) "
    "FROM runs AS r JOIN attempts AS a ON a.run_id = r.run_id AND a.attempt = r.attempt "
    "WHERE r.state = 'running' AND r.sweep_id IN (SELECT sweep_id FROM sweeps)";

struct standing {
    double epochs_per_second;
    int64_t database, log; /* bytes; of the log -1: there is none */
    int64_t coordinator;   /* process; 0: none runs, -1: number unknown */
    char trouble[512];     /* what keeps it from going on, or from answering; "": nothing */
};

static int64_t bytes_of(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) < 0 ? 0 : (int64_t)st.st_size;
}

static int standing_of(struct ctl *c, struct query *q, struct standing *s, struct err *e)
{
    int rc = query_ask(q, speed_sql, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    *s = (struct standing){query_real(q, 0), bytes_of(c->dir, "results.db"),
                           bytes_of(c->dir, "results.db-wal"), file_lock_holder(c->dir), ""};
    struct err why = {0};
    if (s->coordinator && ctl_ping(c, s->trouble, sizeof s->trouble, &why) < 0)
        snprintf(s->trouble, sizeof s->trouble, "%s", why.text);
    return OK;
}

static void say_standing(struct ctl *c, const struct standing *s)
{
    char database[TEXT_SHORT], log[TEXT_SHORT], process[48];
    text_from_bytes((uint64_t)s->database, database);
    text_from_bytes((uint64_t)s->log, log);
    if (s->coordinator > 0)
        snprintf(process, sizeof process, "coordinator is process %" PRId64, s->coordinator);
    else
        snprintf(process, sizeof process,
                 s->coordinator ? "a coordinator runs" : "no coordinator runs");
    fprintf(c->out, "\n%.1f epochs/s; results.db %s, its log %s; %s\n", s->epochs_per_second,
            database, log, process);
    if (*s->trouble) fprintf(c->out, "%s\n", s->trouble);
}

static int show_sweeps(struct ctl *c, struct query *q, const char *where, struct err *e)
{
    struct standing s;
    int64_t rows;
    int rc = standing_of(c, q, &s, e);
    if (rc < 0) return rc;
    if (c->output == CTL_JSON) {
        char speed[NUMBER_TEXT];
        fprintf(c->out,
                "{\"coordinator\": %" PRId64 ", \"epochs_per_second\": %s, "
                "\"database_bytes\": %" PRId64 ", \"log_bytes\": %" PRId64 ", \"trouble\": ",
                s.coordinator, number_text(s.epochs_per_second, speed), s.database, s.log);
        export_json_text(c->out, s.trouble);
        fputs(", \"sweeps\":\n ", c->out);
    }
    rc = show(c, q, sql_text(e, status_sql, where), &rows, e);
    if (rc < 0) return rc;
    if (c->output == CTL_JSON) fputs("}\n", c->out);
    if (c->output == CTL_HUMAN) say_standing(c, &s);
    return OK;
}

int ctl_status(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct query *q = NULL;
    char where[CTL_WHERE];
    (void)v;
    int rc = ctl_where(c, "s.sweep_id", where, e);
    if (rc == OK) rc = query_open(&q, c->dir, e);
    if (rc == OK) rc = show_sweeps(c, q, where, e);
    query_close(&q);
    return rc;
}

/* ---- runs ---- */

/* Whether a hyperparameter is worth a column: it takes more than one value in these runs, and is
 * more than a seed that follows `seed`. One pass over the runs for all of them. */
static int varying(struct query *q, const char *where, int yes[PARAM_COUNT], struct err *e)
{
    char sql[CTL_WHERE + PARAM_COUNT * 160];
    size_t n = (size_t)snprintf(sql, sizeof sql, "SELECT ");
    for (int i = 0; i < PARAM_COUNT; i++) {
        const char *x = param_list[i].name;
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%smin(%s) <> max(%s)%s%s%s", i ? ", " : "",
                              x, x, param_list[i].kind == PARAM_SEED ? " AND max(seed <> " : "",
                              param_list[i].kind == PARAM_SEED ? x : "",
                              param_list[i].kind == PARAM_SEED ? ")" : "");
    }
    snprintf(sql + n, sizeof sql - n, " FROM runs WHERE %s", where);
    int rc = query_ask(q, sql, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    for (int i = 0; i < PARAM_COUNT; i++) yes[i] = query_integer(q, i) == 1;
    return OK;
}

static int show_runs(struct ctl *c, struct query *q, const char *where, struct err *e)
{
    int yes[PARAM_COUNT];
    char columns[PARAM_COUNT * 64] = "";
    int64_t rows;
    if (c->output != CTL_HUMAN)
        return show(c, q, sql_text(e, "SELECT * FROM runs WHERE %s ORDER BY run_id", where), NULL,
                    e);
    int rc = varying(q, where, yes, e);
    if (rc < 0) return rc;
    for (int i = 0; i < PARAM_COUNT; i++) {
        size_t n = strlen(columns);
        if (yes[i]) snprintf(columns + n, sizeof columns - n, "%s, ", param_list[i].name);
    }
    rc = show(c, q,
              sql_text(e,
                       "SELECT run_id, sweep_id AS sweep, state, %sepochs_done AS epoch, attempt, "
                       "coalesce(reason, '') AS reason FROM runs WHERE %s ORDER BY run_id",
                       columns, where),
              &rows, e);
    if (rc == OK) fprintf(c->out, "\n%" PRId64 " runs\n", rows);
    return rc;
}

int ctl_runs(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct query *q = NULL;
    char where[CTL_WHERE];
    (void)v;
    int rc = ctl_where(c, "sweep_id", where, e);
    if (rc == OK) rc = ctl_where_state(c, where, e);
    if (rc == OK) rc = query_open(&q, c->dir, e);
    if (rc == OK) rc = show_runs(c, q, where, e);
    query_close(&q);
    return rc;
}

/* ---- workers, sql ---- */

static int ask_and_show(struct ctl *c, const char *sql, struct err *e)
{
    struct query *q = NULL;
    int rc = query_open(&q, c->dir, e);
    if (rc == OK) rc = ctl_show(c, q, sql, NULL, e);
    query_close(&q);
    return rc;
}

int ctl_workers(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    (void)v;
    return ask_and_show(
        c,
        "SELECT w.worker_id, w.host, w.state, w.slots, (SELECT count(*) FROM sweeps AS s CROSS "
        "JOIN "
        "runs AS r USING (sweep_id) WHERE r.state = 'running' AND r.worker_id = w.worker_id) AS "
        "running, w.version, w.connected_at, w.last_seen_at, w.cpu FROM workers AS w "
        "ORDER BY w.worker_id",
        e);
}

int ctl_sql(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    (void)v;
    return ask_and_show(c, c->arguments[0], e);
}

/* ---- export ---- */

/* Tables to export, how their rows belong to sweeps, and their order. */
static const struct source {
    const char *name, *table, *of_sweep, *order;
} sources[] = {
    {"summary", "run_summary", "", "run_id"},
    {"run_summary", "run_summary", "", "run_id"},
    {"seed_mean", "seed_mean", "", "sweep_id, setting, epoch"},
    {"sweeps", "sweeps", "", "sweep_id"},
    {"runs", "runs", "", "run_id"},
    {"epochs", "epochs", "run_id", "run_id, epoch"},
    {"geometry", "geometry", "run_id", "run_id, epoch"},
    {"pruning", "pruning", "run_id", "run_id, epoch, scheme, layer, fraction"},
    {"features", "features", "run_id", "run_id, epoch, layer, name"},
    {"seed_stats", "seed_stats", "", "sweep_id, setting, epoch, measure"},
    {"tradeoff", "tradeoff", "", "sweep_id, task, varied, regime"},
    {"embedding", "embedding", "", "run_id, epoch"},
    {"embedding_quality", "embedding_quality", "", "sweep_id, evaluation_id"},
    {"embedding_anchors", "embedding_anchors", "", "sweep_id, evaluation_id, x1"},
    {"predictions", "predictions", "run_id", "run_id, epoch"},
    {"evaluations", "evaluations", NULL, "evaluation_id"},
    {"attempts", "attempts", "run_id", "run_id, attempt"},
    {"summaries", "summaries", "run_id", "run_id"},
    {"workers", "workers", NULL, "worker_id"},
    {"events", "events", NULL, "event_id"},
};
#define SOURCES (sizeof sources / sizeof *sources)

static const struct source *find_source(const char *name, struct err *e)
{
    char words[512] = "";
    for (size_t i = 0; i < SOURCES; i++) {
        if (!strcmp(sources[i].name, name)) return &sources[i];
        size_t n = strlen(words);
        snprintf(words + n, sizeof words - n, "%s%s", i ? " " : "", sources[i].name);
    }
    err_set(e, E_USAGE, "--table does not know '%.60s'; of: %s", name, words);
    return NULL;
}

static char *export_sql(const struct ctl *c, const struct source *s, struct err *e)
{
    char where[CTL_WHERE];
    if (ctl_where(c, "sweep_id", where, e) < 0) return NULL;
    if (!c->argument_count) return sql_text(e, "SELECT * FROM %s ORDER BY %s", s->table, s->order);
    if (!s->of_sweep) {
        err_set(e, E_USAGE, "%s belong to no sweep; leave the selection out", s->name);
        return NULL;
    }
    if (!*s->of_sweep)
        return sql_text(e, "SELECT * FROM %s WHERE %s ORDER BY %s", s->table, where, s->order);
    return sql_text(e,
                    "SELECT * FROM %s WHERE %s IN (SELECT run_id FROM runs WHERE %s) ORDER BY %s",
                    s->table, s->of_sweep, where, s->order);
}

int ctl_export(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    static const enum export_format formats[] = {EXPORT_CSV, EXPORT_JSONL};
    struct query *q = NULL;
    int format = words_find("csv jsonl", c->format ? c->format : "csv");
    (void)v;
    if (format < 0) return err_set(e, E_USAGE, "--format is csv or jsonl, not '%.60s'", c->format);
    const struct source *s = find_source(c->table ? c->table : "summary", e);
    char *sql = s ? export_sql(c, s, e) : NULL;
    if (!sql) return e->code;
    int rc = query_open(&q, c->dir, e);
    if (rc == OK) rc = query_ask(q, sql, e);
    if (rc == OK) rc = export_rows(q, formats[format], c->out, NULL, e);
    query_close(&q);
    free(sql);
    return rc;
}
