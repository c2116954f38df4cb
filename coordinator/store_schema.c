// SPDX-License-Identifier: MIT
/* store_schema: schema.sql and store_sql.def with the columns of param.def and metric.def written
 * out. The comments go along, so that `.schema` in sqlite3 explains a database by itself.
 */
#include "coordinator/schema_text.h"
#include "coordinator/store_db.h"
#include "proto/metric.h"
#include "proto/param.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The three that follow `seed`, and `seed` itself: runs of one setting differ in these only. */
bool schema_is_seed(int param)
{
    return param_list[param].kind == PARAM_SEED || param == PARAM_seed;
}

/* ---- schema.sql ---- */

static void hyperparameters(FILE *out)
{
    for (int i = 0; i < PARAM_COUNT; i++) {
        const struct param_info *p = &param_list[i];
        const char *type = p->kind == PARAM_CHOICE ? "TEXT"
                           : p->kind == PARAM_REAL ? "REAL"
                                                   : "INTEGER";
        bool all = true;
        for (int64_t task = 0; task < PARAM_TASKS; task++) all &= param_belongs(i, task);
        fprintf(out, "  %-21s %-7s%s, -- %s%s%s\n", p->name, type, all ? " NOT NULL" : "",
                p->kind == PARAM_BOOL ? "0 or 1: " : "", p->meaning,
                all ? "" : " (NULL in other tasks)");
    }
}

static void hyperparameters_of_r(FILE *out)
{
    for (int i = 0; i < PARAM_COUNT; i++) fprintf(out, "    r.%s,\n", param_list[i].name);
}

static void hyperparameters_but_seeds(FILE *out)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (!schema_is_seed(i)) fprintf(out, "    r.%s,\n", param_list[i].name);
}

static void and_seeds(FILE *out)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (schema_is_seed(i)) fprintf(out, "    , %s\n", param_list[i].name);
}

static void metrics(FILE *out, enum metric_table table)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *m = &metric_list[i];
        if (m->table != table) continue;
        fprintf(out, "  %-21s %s, -- %s%s%s%s\n", m->name, m->kind == METRIC_RULE ? "TEXT" : "REAL",
                m->unit, *m->unit ? ": " : "", m->meaning,
                m->kind == METRIC_TIMING ? " (never compared)" : "");
    }
}

static void metrics_epochs(FILE *out)
{
    metrics(out, METRIC_TABLE_epochs);
}

static void metrics_geometry(FILE *out)
{
    metrics(out, METRIC_TABLE_geometry);
}

/* Standard error of the mean of n: the root of (mean of squares - square of mean) / (n - 1). */
static void means(FILE *out)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *x = metric_list[i].name;
        if (metric_list[i].table != METRIC_TABLE_epochs || metric_list[i].kind != METRIC_VALUE)
            continue;
        fprintf(out,
                "    avg(e.%s) AS %s,\n"
                "    sqrt(max(0, avg(e.%s * e.%s) - avg(e.%s) * avg(e.%s)) /\n"
                "         nullif(count(e.%s) - 1, 0)) AS %s_error,\n",
                x, x, x, x, x, x, x, x);
    }
}

/* What the paper's own sweeps vary. */
static bool is_varied(int param)
{
    return param == PARAM_weight_multiplier || param == PARAM_weight_decay ||
           param == PARAM_batch_size || param == PARAM_epochs || param == PARAM_seed;
}

static void is_default(FILE *out, const struct params *p, int param)
{
    char text[PARAM_TEXT_SIZE];
    const char *name = param_list[param].name;
    switch (param_list[param].kind) {
    case PARAM_SEED: fprintf(out, "%s = seed", name); return;
    case PARAM_BOOL: fprintf(out, "%s = %d", name, (int)param_get(p, param).integer); return;
    case PARAM_CHOICE: fprintf(out, "%s = '%s'", name, param_text(p, param, text)); return;
    default: fprintf(out, "%s = %s", name, param_text(p, param, text));
    }
}

static void defaults_of_the_tasks(FILE *out)
{
    for (int64_t task = 0; task < PARAM_TASKS; task++) {
        struct params p;
        struct err e;
        const char *and = task ? "      OR (" : "      (";
        params_of_task(&p, task);
        params_resolve(&p, &e); /* cannot fail: a test plans every task's defaults */
        for (int i = 0; i < PARAM_COUNT; i++) {
            if (is_varied(i) || !param_belongs(i, task)) continue;
            fputs(and, out);
            is_default(out, &p, i);
            and = "\n       AND ";
        }
        fputs(")\n", out);
    }
}

static const struct {
    const char *mark;
    void (*write)(FILE *out);
} marks[] = {{"hyperparameters", hyperparameters},
             {"hyperparameters of r", hyperparameters_of_r},
             {"hyperparameters but seeds of r", hyperparameters_but_seeds},
             {"and seeds", and_seeds},
             {"metrics epochs", metrics_epochs},
             {"metrics geometry", metrics_geometry},
             {"means of e", means},
             {"defaults of the tasks", defaults_of_the_tasks}};

/* A line without its end. One whose mark is unknown is left, and the test of the schema sees it. */
static void write_line(FILE *out, const char *line, size_t length)
{
    size_t blank = strspn(line, " ");
    if (length > blank + 4 && memcmp(line + blank, "--@ ", 4) == 0) {
        const char *mark = line + blank + 4;
        size_t n = length - blank - 4;
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
            if (strlen(marks[i].mark) == n && memcmp(marks[i].mark, mark, n) == 0) {
                marks[i].write(out);
                return;
            }
    }
    fprintf(out, "%.*s\n", (int)length, line);
}

/* Ends a text that was written to memory: NULL if memory ran out on the way. */
static char *finish(FILE *out, char **text)
{
    bool bad = ferror(out);
    if (fclose(out) == 0 && !bad) return *text;
    free(*text);
    return NULL;
}

char *schema_sql(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (const char *line = schema_text; *line;) {
        size_t length = strcspn(line, "\n");
        write_line(out, line, length);
        line += length + (line[length] == '\n');
    }
    return finish(out, &text);
}

/* ---- store_sql.def ---- */

static int write_column(FILE *out, int written, const char *name, bool asked)
{
    fprintf(out, "%s%s", written ? ", " : "", asked ? "?" : name);
    return written + 1;
}

static void write_columns(FILE *out, const char *list, size_t length, bool asked)
{
    int written = 0;
    if (length == strlen("hyperparameters") && memcmp(list, "hyperparameters", length) == 0) {
        for (int i = 0; i < PARAM_COUNT; i++)
            written = write_column(out, written, param_list[i].name, asked);
        return;
    }
    enum metric_table table = *list == 'g' ? METRIC_TABLE_geometry : METRIC_TABLE_epochs;
    for (int i = 0; i < METRIC_COUNT; i++)
        if (metric_list[i].table == table)
            written = write_column(out, written, metric_list[i].name, asked);
}

char *schema_expand(const char *text)
{
    char *expanded = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&expanded, &size);
    if (!out) return NULL;
    while (*text) {
        size_t plain = strcspn(text, "@");
        fwrite(text, 1, plain, out);
        text += plain;
        if (!*text) break;
        size_t length = strspn(++text, "abcdefghijklmnopqrstuvwxyz");
        bool asked = text[length] == '?';
        write_columns(out, text, length, asked);
        text += length + asked;
    }
    return finish(out, &expanded);
}
