// SPDX-License-Identifier: MIT
/* export: the rows of a question as text. */
#include "coordinator/export.h"

#include "proto/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL  48   /* widest cell of a table but the last */
#define AHEAD 1000 /* rows that decide how wide the columns of a table are */

void export_json_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c == '\n')
            fputs("\\n", out);
        else if (*c == '\t')
            fputs("\\t", out);
        else if (*c < 0x20 || *c == 0x7f)
            fprintf(out, "\\u%04x", *c);
        else
            putc(*c, out);
    }
    putc('"', out);
}

static void json_cell(struct query *q, int column, FILE *out)
{
    char number[NUMBER_TEXT];
    double x;
    switch (query_type(q, column)) {
    case QUERY_NULL: fputs("null", out); return;
    case QUERY_INTEGER: fprintf(out, "%lld", (long long)query_integer(q, column)); return;
    case QUERY_REAL:
        x = query_real(q, column);
        fputs(isfinite(x) ? number_text(x, number) : "null", out);
        return;
    case QUERY_TEXT: export_json_text(out, query_text(q, column)); return;
    }
}

static void json_row(struct query *q, FILE *out)
{
    putc('{', out);
    for (int i = 0; i < query_columns(q); i++) {
        if (i) fputs(", ", out);
        export_json_text(out, query_name(q, i));
        fputs(": ", out);
        json_cell(q, i, out);
    }
    putc('}', out);
}

static void csv_text(FILE *out, const char *text)
{
    if (*text && !strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"') putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* A cell without quotes where it needs none; NULL is nothing. */
static void plain_cell(struct query *q, int column, FILE *out, void (*text)(FILE *, const char *))
{
    char number[NUMBER_TEXT];
    switch (query_type(q, column)) {
    case QUERY_NULL: return;
    case QUERY_INTEGER: fprintf(out, "%lld", (long long)query_integer(q, column)); return;
    case QUERY_REAL: fputs(number_text(query_real(q, column), number), out); return;
    case QUERY_TEXT: text(out, query_text(q, column)); return;
    }
}

static void bare_text(FILE *out, const char *text)
{
    fputs(text, out);
}

static void csv_row(struct query *q, FILE *out)
{
    for (int i = 0; i < query_columns(q); i++) {
        if (i) putc(',', out);
        plain_cell(q, i, out, csv_text);
    }
    putc('\n', out);
}

static void csv_header(struct query *q, FILE *out)
{
    for (int i = 0; i < query_columns(q); i++) {
        if (i) putc(',', out);
        csv_text(out, query_name(q, i));
    }
    putc('\n', out);
}

/* ---- tables ---- */

/* Cells of rows that wait for their columns to be as wide as they must: texts, row by row. */
struct table {
    int columns;
    int *width;
    char **cells;
    size_t count, room; /* cells */
};

static char *cell_text(struct query *q, int column)
{
    char *text = NULL;
    int n = 0;
    switch (query_type(q, column)) {
    case QUERY_NULL: return strdup("-");
    case QUERY_REAL: n = asprintf(&text, "%.6g", query_real(q, column)); break;
    case QUERY_INTEGER: n = asprintf(&text, "%lld", (long long)query_integer(q, column)); break;
    case QUERY_TEXT: text = strdup(query_text(q, column));
    }
    if (n < 0 || !text) return NULL;
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static int table_add(struct table *t, char *text)
{
    int column = (int)(t->count % (size_t)t->columns), length = text ? (int)strlen(text) : 0;
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        char **more = realloc(t->cells, room * sizeof *more);
        if (more) t->cells = more, t->room = room;
    }
    if (!text || t->count == t->room) {
        free(text);
        return E_NOMEM;
    }
    if (length > CELL) length = CELL;
    if (length > t->width[column]) t->width[column] = length;
    t->cells[t->count++] = text;
    return OK;
}

/* Writes the rows that wait; what is too wide for its column is cut, except at the end. */
static void table_flush(struct table *t, FILE *out)
{
    for (size_t i = 0; i < t->count; i++) {
        int column = (int)(i % (size_t)t->columns);
        if (column == t->columns - 1)
            fprintf(out, "%s\n", t->cells[i]);
        else
            fprintf(out, "%-*.*s  ", t->width[column], t->width[column], t->cells[i]);
        free(t->cells[i]);
    }
    t->count = 0;
}

static int table_rows(struct query *q, FILE *out, int64_t *rows, struct err *e)
{
    struct table t = {.columns = query_columns(q)};
    int rc = (t.width = calloc((size_t)t.columns + 1, sizeof *t.width)) ? OK : E_NOMEM;
    for (int i = 0; i < t.columns && rc == OK; i++) rc = table_add(&t, strdup(query_name(q, i)));
    while (rc == OK && (rc = query_next(q, e)) == 1) {
        rc = OK;
        for (int i = 0; i < t.columns && rc == OK; i++) rc = table_add(&t, cell_text(q, i));
        if (++*rows % AHEAD == 0) table_flush(&t, out);
    }
    if (rc == E_NOMEM) err_set(e, E_NOMEM, "no memory for a table");
    if (*rows) table_flush(&t, out); /* no rows, no header */
    for (size_t i = 0; i < t.count; i++) free(t.cells[i]);
    free(t.cells);
    free(t.width);
    return rc;
}

/* ---- all ---- */

static void write_row(struct query *q, enum export_format format, FILE *out, int64_t before)
{
    switch (format) {
    case EXPORT_TABLE: break;
    case EXPORT_FIRST:
        plain_cell(q, 0, out, bare_text);
        putc('\n', out);
        break;
    case EXPORT_CSV: csv_row(q, out); break;
    case EXPORT_JSON:
        fputs(before ? ",\n " : "", out);
        json_row(q, out);
        break;
    case EXPORT_JSONL:
        json_row(q, out);
        putc('\n', out);
        break;
    }
}

static int stream_rows(struct query *q, enum export_format format, FILE *out, int64_t *rows,
                       struct err *e)
{
    int rc;
    if (format == EXPORT_CSV) csv_header(q, out);
    if (format == EXPORT_JSON) putc('[', out);
    while ((rc = query_next(q, e)) == 1 && !ferror(out)) write_row(q, format, out, (*rows)++);
    if (format == EXPORT_JSON) fputs("]", out);
    return rc < 0 ? rc : OK;
}

int export_rows(struct query *q, enum export_format format, FILE *out, int64_t *rows, struct err *e)
{
    int64_t count = 0;
    int rc = format == EXPORT_TABLE ? table_rows(q, out, &count, e)
                                    : stream_rows(q, format, out, &count, e);
    if (rows) *rows = count;
    if (rc == OK && (fflush(out) || ferror(out)))
        rc = err_errno(e, E_IO, "the output cannot be written");
    return rc;
}
