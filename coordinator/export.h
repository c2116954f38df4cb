// SPDX-License-Identifier: MIT
/* export: the rows of a question as text. Numbers are written so that they read back to the same
 * bits, except in tables for people, which round to six digits.
 */
#ifndef GROKD_COORDINATOR_EXPORT_H
#define GROKD_COORDINATOR_EXPORT_H

#include "coordinator/query.h"

#include <stdio.h>

enum export_format {
    EXPORT_TABLE, /* aligned columns under their names; nothing without rows */
    EXPORT_FIRST, /* the first column alone, a line each */
    EXPORT_CSV, /* quoted as in RFC 4180, a header; lines end with LF; NULL is empty, an empty text
                   "" */
    EXPORT_JSONL, /* an object a line */
    EXPORT_JSON   /* one array of those */
};

/* Writes what query_next gives from here on. *rows (may be NULL): how many there were. E_IO when
 * out fails. */
int export_rows(struct query *q, enum export_format format, FILE *out, int64_t *rows,
                struct err *e);

/* A text as JSON, with its quotes. */
void export_json_text(FILE *out, const char *text);

#endif
