// SPDX-License-Identifier: MIT
/* ctl_verify: trains a run again, with the grokd-train beside this program, and compares every
 * value that is stored of it, bit for bit; timings, sketches and models apart. It goes no further
 * than the stored epochs.
 */
#include "coordinator/ctl.h"
#include "proto/metric.h"
#include "proto/number.h"
#include "proto/param.h"
#include "proto/spec.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 8192 /* of SQL or of the command */

/* What is compared, and how much was. */
struct check {
    struct query *rows, *parts; /* one question each */
    FILE *train;
    char *line;
    size_t room;
    int64_t run, epoch, epochs, values;
};

/* ---- the command ---- */

static int append(char *out, struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int append(char *out, struct err *e, const char *format, ...)
{
    size_t n = strlen(out);
    va_list list;
    va_start(list, format);
    int more = vsnprintf(out + n, LINE - n, format, list);
    va_end(list);
    return more >= 0 && (size_t)more < LINE - n ? OK : err_set(e, E_USAGE, "a line is too long");
}

/* The program beside this one, quoted for the shell. */
static int add_program(char *out, struct err *e)
{
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_errno(e, E_FILE, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash || strchr(self, '\''))
        return err_set(e, E_FILE, "%s: cannot be named to a shell", self);
    *slash = '\0';
    return append(out, e, "'%s/grokd-train'", self);
}

/* Numbers as they read back to the same bits; words as they are. */
static int add_param(char *out, struct query *q, int column, struct err *e)
{
    char number[NUMBER_TEXT];
    const char *name = query_name(q, column);
    if (query_type(q, column) == QUERY_NULL) return OK;
    if (param_list[column].kind == PARAM_BOOL)
        return append(out, e, " %s=%s", name, query_integer(q, column) ? "true" : "false");
    if (query_type(q, column) == QUERY_REAL)
        return append(out, e, " %s=%s", name, number_text(query_real(q, column), number));
    return append(out, e, " %s=%s", name, query_text(q, column));
}

static int add_settings(char *out, const char *spec_text, int64_t task, struct err *e)
{
    struct spec *spec = NULL;
    char text[SETTINGS_TEXT], *rest = text;
    int rc = spec_parse(&spec, spec_text, strlen(spec_text), "sweep", e);
    if (rc < 0) return rc;
    settings_follow(&spec->settings, task);
    settings_text(&spec->settings, text);
    spec_free(&spec);
    for (char *line; rc == OK && (line = strsep(&rest, "\n"));)
        if (*line) rc = append(out, e, " '%s'", line);
    return rc;
}

static int make_command(struct check *k, char *out, struct err *e)
{
    char sql[LINE] = "SELECT ", sweep[] =
                                    "SELECT spec, task, blas, epochs_done FROM runs JOIN sweeps "
                                    "USING (sweep_id) WHERE run_id = ?";
    union param_value task;
    int rc = query_ask_about(k->rows, sweep, k->run, e);
    if (rc == OK) rc = query_next(k->rows, e);
    if (rc < 0) return rc;
    if (!rc) return err_set(e, E_USAGE, "there is no run %" PRId64, k->run);
    k->epochs = query_integer(k->rows, 3);
    if (k->epochs < 0) return err_set(e, E_USAGE, "run %" PRId64 " has no epoch yet", k->run);
    if ((rc = add_program(out, e)) < 0) return rc;
    if ((rc = param_read(PARAM_task, query_text(k->rows, 1), &task, e)) < 0) return rc;
    if (query_type(k->rows, 2) == QUERY_TEXT)
        rc = append(out, e, " grokd.blas=%s", query_text(k->rows, 2));
    if (rc == OK) rc = add_settings(out, query_text(k->rows, 0), task.integer, e);
    for (int i = 0; i < PARAM_COUNT && rc == OK; i++)
        rc = append(sql, e, "%s%s", i ? ", " : "", param_list[i].name);
    if (rc == OK) rc = append(sql, e, " FROM runs WHERE run_id = ?");
    if (rc == OK) rc = query_ask_about(k->rows, sql, k->run, e);
    if (rc == OK && (rc = query_next(k->rows, e)) == 1) rc = OK;
    for (int i = 0; i < query_columns(k->rows) && rc == OK; i++) rc = add_param(out, k->rows, i, e);
    return rc;
}

/* ---- comparing ---- */

static int differs(const struct check *k, const char *what, const char *was, const char *is,
                   struct err *e)
{
    return err_set(e, E_RUN,
                   "run %" PRId64 ", epoch %" PRId64 ": %s was stored as %s and is now %.*s",
                   k->run, k->epoch, what, was, (int)strcspn(is, ",}\n"), is);
}

/* One column against its value in the line. */
static int compare_value(struct check *k, int column, struct err *e)
{
    char mark[128], was[128];
    const char *name = query_name(k->rows, column);
    snprintf(mark, sizeof mark, "\"%s\": ", name);
    const char *is = strstr(k->line, mark);
    is = is ? is + strlen(mark) : "nothing";
    bool equal;
    if (query_type(k->rows, column) == QUERY_NULL) {
        snprintf(was, sizeof was, "nothing");
        equal = !strncmp(is, "null", 4);
    } else if (query_type(k->rows, column) == QUERY_TEXT) {
        snprintf(was, sizeof was, "\"%.100s\"", query_text(k->rows, column));
        equal = !strncmp(is, was, strlen(was));
    } else {
        snprintf(was, sizeof was, "%.17g", query_real(k->rows, column));
        char *end;
        equal = strtod(is, &end) == query_real(k->rows, column) && end != is;
    }
    k->values++;
    return equal ? OK : differs(k, name, was, is, e);
}

/* Every row of the question is an object that stands in the line, and there are no more. */
static int compare_parts(struct check *k, const char *select, const char *begin, struct err *e)
{
    char text[LINE], part[512];
    int64_t stored = 0, found = 0;
    snprintf(text, sizeof text, "%s WHERE run_id = ? AND epoch = %" PRId64, select, k->epoch);
    int rc = query_ask_about(k->parts, text, k->run, e);
    while (rc == OK && (rc = query_next(k->parts, e)) == 1) {
        size_t n = 0;
        for (int i = 0; i < query_columns(k->parts) && n < sizeof part; i++)
            n +=
                query_type(k->parts, i) == QUERY_TEXT
                    ? (size_t)snprintf(part + n, sizeof part - n, "%s\"%s\": \"%s\"",
                                       i ? ", " : "{", query_name(k->parts, i),
                                       query_text(k->parts, i))
                    : (size_t)snprintf(part + n, sizeof part - n, "%s\"%s\": %.17g", i ? ", " : "{",
                                       query_name(k->parts, i), query_real(k->parts, i));
        stored++;
        k->values++;
        rc = strstr(k->line, part) ? OK : differs(k, "a row", part, "not there", e);
    }
    for (const char *at = k->line; (at = strstr(at, begin)); at++) found++;
    if (rc == OK && stored != found) rc = differs(k, "the number of parts", "another", "this", e);
    return rc;
}

static int compare_epoch(struct check *k, struct err *e)
{
    int rc = OK;
    for (int i = 1; i < query_columns(k->rows) && rc == OK; i++) rc = compare_value(k, i, e);
    if (rc == OK)
        rc = compare_parts(k, "SELECT scheme, layer, fraction, accuracy, loss FROM pruning",
                           "{\"scheme\": ", e);
    if (rc == OK)
        rc = compare_parts(k, "SELECT layer, name, value FROM features", "{\"layer\": ", e);
    return rc;
}

static int ask_rows(struct check *k, struct err *e)
{
    char sql[LINE] = "SELECT epoch";
    int rc = OK;
    for (int i = 0; i < METRIC_COUNT && rc == OK; i++)
        if (metric_list[i].kind != METRIC_TIMING) rc = append(sql, e, ", %s", metric_list[i].name);
    if (rc == OK)
        rc = append(sql, e,
                    " FROM epochs LEFT JOIN geometry USING (run_id, epoch) "
                    "WHERE run_id = ? ORDER BY epoch");
    return rc < 0 ? rc : query_ask_about(k->rows, sql, k->run, e);
}

static int compare_all(struct check *k, struct err *e)
{
    int rc = ask_rows(k, e);
    while (rc == OK && (rc = query_next(k->rows, e)) == 1) {
        char mark[64];
        k->epoch = query_integer(k->rows, 0);
        if (getline(&k->line, &k->room, k->train) < 0)
            return err_set(e, E_RUN, "run %" PRId64 ": grokd-train ended before epoch %" PRId64,
                           k->run, k->epoch);
        int n = snprintf(mark, sizeof mark, "{\"epoch\": %" PRId64 ",", k->epoch);
        rc = strncmp(k->line, mark, (size_t)n) ? differs(k, "epoch", mark, k->line, e)
                                               : compare_epoch(k, e);
    }
    return rc;
}

int ctl_verify(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct check k = {0};
    struct number n;
    char command[LINE] = "";
    (void)v;
    if (!number_read(c->arguments[0], &n) || !n.integral || n.integer < 1)
        return err_set(e, E_USAGE, "'%.60s' is no number of a run", c->arguments[0]);
    k.run = n.integer;
    int rc = query_open(&k.rows, c->dir, e);
    if (rc == OK) rc = query_open(&k.parts, c->dir, e);
    if (rc == OK) rc = make_command(&k, command, e);
    if (rc == OK && !(k.train = popen(command, "re"))) rc = err_errno(e, E_IO, "grokd-train");
    if (rc == OK) rc = compare_all(&k, e);
    if (k.train) pclose(k.train); /* one that would go on ends with its pipe */
    if (rc == OK && c->output != CTL_QUIET)
        fprintf(c->out,
                "run %" PRId64 ": trained again, %" PRId64 " epochs, %" PRId64 " values, equal\n",
                k.run, k.epoch + 1, k.values);
    free(k.line);
    query_close(&k.parts);
    query_close(&k.rows);
    return rc;
}
