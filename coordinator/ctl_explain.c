// SPDX-License-Identifier: MIT
/* ctl_explain: why a run waits, or failed, in words; then its attempts and what happened to it. */
#include "coordinator/ctl.h"
#include "proto/number.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WHY 512

static const char run_sql[] =
    "SELECT r.run_id, r.sweep_id, s.name, r.state, s.state, r.epochs_done, r.epochs, r.reason, "
    "r.attempt, w.host, s.priority FROM runs AS r JOIN sweeps AS s USING (sweep_id) "
    "LEFT JOIN workers AS w ON w.worker_id = r.worker_id WHERE r.run_id = ?";

/* Runs that are served before this one. */
static const char ahead_sql[] =
    "SELECT count(*) FROM runs AS me JOIN sweeps AS mine USING (sweep_id) CROSS JOIN sweeps AS s "
    "CROSS JOIN runs AS r ON r.sweep_id = s.sweep_id WHERE me.run_id = ? AND s.state = 'active' "
    "AND "
    "r.state = 'waiting' AND (s.priority > mine.priority OR (s.priority = mine.priority AND "
    "(s.sweep_id < mine.sweep_id OR (s.sweep_id = mine.sweep_id AND r.run_id < me.run_id))))";

static const char attempts_sql[] =
    "SELECT a.attempt, w.host, a.started_at, a.ended_at, coalesce(a.outcome, 'under way') AS "
    "outcome, a.from_epoch, a.to_epoch, a.blas, coalesce(a.reason, '') AS reason FROM attempts AS "
    "a "
    "LEFT JOIN workers AS w USING (worker_id) WHERE a.run_id = ? ORDER BY a.attempt";

static const char events_sql[] =
    "SELECT at, kind, text FROM events WHERE run_id = ? ORDER BY event_id";

static const char log_sql[] = "SELECT reason FROM attempts WHERE run_id = ? AND reason IS NOT NULL "
                              "ORDER BY attempt DESC LIMIT 1";

struct subject {
    int64_t run, sweep, epoch, epochs, attempt, priority;
    char name[160], state[32], sweep_state[32], reason[256], host[256];
};

static int ask_integer(struct query *q, const char *sql, int64_t run, int64_t *out, struct err *e)
{
    int rc = query_ask_about(q, sql, run, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    *out = rc ? query_integer(q, 0) : 0;
    return OK;
}

static void copy(struct query *q, int column, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)size - 1, query_text(q, column));
}

static int read_subject(struct query *q, int64_t run, struct subject *s, struct err *e)
{
    int rc = query_ask_about(q, run_sql, run, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    if (rc == 0) return err_set(e, E_USAGE, "there is no run %" PRId64, run);
    *s = (struct subject){.run = query_integer(q, 0),
                          .sweep = query_integer(q, 1),
                          .epoch = query_integer(q, 5),
                          .epochs = query_integer(q, 6),
                          .attempt = query_integer(q, 8),
                          .priority = query_integer(q, 10)};
    copy(q, 2, s->name, sizeof s->name);
    copy(q, 3, s->state, sizeof s->state);
    copy(q, 4, s->sweep_state, sizeof s->sweep_state);
    copy(q, 7, s->reason, sizeof s->reason);
    copy(q, 9, s->host, sizeof s->host);
    return OK;
}

static int why_waiting(struct query *q, const struct subject *s, char why[WHY], struct err *e)
{
    int64_t ahead, slots;
    if (!strcmp(s->sweep_state, "paused")) {
        snprintf(why, WHY, "its sweep is paused; grokctl resume %" PRId64, s->sweep);
        return OK;
    }
    int rc = ask_integer(q, ahead_sql, s->run, &ahead, e);
    if (rc == OK)
        rc = ask_integer(q, "SELECT total(slots) FROM workers WHERE state = 'connected'", s->run,
                         &slots, e);
    if (rc < 0) return rc;
    if (slots == 0)
        snprintf(why, WHY, "no worker is connected");
    else
        snprintf(why, WHY, "%" PRId64 " before it in line for %" PRId64 " slots", ahead, slots);
    if (*s->reason) {
        size_t n = strlen(why);
        snprintf(why + n, WHY - n, "; before: %.250s", s->reason);
    }
    return OK;
}

static int why_of(struct query *q, const struct subject *s, char why[WHY], struct err *e)
{
    if (!strcmp(s->state, "waiting")) return why_waiting(q, s, why, e);
    if (!strcmp(s->state, "running"))
        snprintf(why, WHY, "attempt %" PRId64 " on %s", s->attempt,
                 *s->host ? s->host : "a worker");
    else if (*s->reason)
        snprintf(why, WHY, "%s", s->reason);
    else
        snprintf(why, WHY, "%s", !strcmp(s->state, "finished") ? "all its epochs are stored" : "");
    return OK;
}

/* The end of the last attempt's log, which a table cuts. */
static int say_log(struct ctl *c, struct query *q, int64_t run, struct err *e)
{
    int rc = query_ask_about(q, log_sql, run, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc <= 0) return rc;
    const char *line = strchr(query_text(q, 0), '\n');
    if (line)
        fprintf(c->out, "\nend of its last log:%s%s", line,
                line[strlen(line) - 1] == '\n' ? "" : "\n");
    return OK;
}

/* A table with a heading when there is anything in it. */
static int section(struct ctl *c, struct query *q, const char *name, const char *sql, int64_t run,
                   struct err *e)
{
    int json = c->output == CTL_JSON;
    if (json)
        fprintf(c->out, ",\n \"%s\": ", name);
    else
        fprintf(c->out, "\n");
    int rc = query_ask_about(q, sql, run, e);
    return rc < 0 ? rc : export_rows(q, json ? EXPORT_JSON : EXPORT_TABLE, c->out, NULL, e);
}

static void say_subject(struct ctl *c, const struct subject *s, const char *why)
{
    if (c->output == CTL_HUMAN) {
        fprintf(c->out, "run %" PRId64 " of sweep %" PRId64 " (%s) is %s%s%s\n", s->run, s->sweep,
                s->name, s->state, *why ? ": " : "", why);
        if (s->epoch < 0)
            fprintf(c->out, "none of its %" PRId64 " epochs is stored\n", s->epochs);
        else
            fprintf(c->out, "epoch %" PRId64 " of %" PRId64 " is stored\n", s->epoch, s->epochs);
        return;
    }
    fprintf(c->out, "{\"run_id\": %" PRId64 ", \"sweep_id\": %" PRId64 ", \"state\": ", s->run,
            s->sweep);
    export_json_text(c->out, s->state);
    fputs(", \"why\": ", c->out);
    export_json_text(c->out, why);
    fprintf(c->out, ", \"epochs_done\": %" PRId64 ", \"epochs\": %" PRId64, s->epoch, s->epochs);
}

int ctl_explain(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct query *q = NULL;
    struct subject s;
    char why[WHY] = "";
    struct number n;
    if (!number_read(c->arguments[0], &n) || !n.integral || n.integer < 1)
        return err_set(e, E_USAGE, "'%.60s' is no number of a run; usage: grokctl explain %s",
                       c->arguments[0], v->usage);
    int64_t run = n.integer;
    int rc = query_open(&q, c->dir, e);
    if (rc == OK) rc = read_subject(q, run, &s, e);
    if (rc == OK) rc = why_of(q, &s, why, e);
    if (rc == OK && c->output != CTL_QUIET) {
        say_subject(c, &s, why);
        rc = section(c, q, "attempts", attempts_sql, run, e);
        if (rc == OK) rc = section(c, q, "events", events_sql, run, e);
        if (rc == OK && c->output == CTL_HUMAN) rc = say_log(c, q, run, e);
        if (rc == OK && c->output == CTL_JSON) fputs("}\n", c->out);
    } else if (rc == OK)
        fprintf(c->out, "%s\n", s.state);
    query_close(&q);
    return rc;
}
