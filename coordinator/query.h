// SPDX-License-Identifier: MIT
/* query: questions to results.db through a connection that can only read. It works whether a
 * coordinator writes at the same time or none runs, and never makes a writer wait.
 *
 * One question at a time: query_ask, query_next until it says 0, and columns in between. Texts are
 * lent until the next call of query_next.
 */
#ifndef GROKD_COORDINATOR_QUERY_H
#define GROKD_COORDINATOR_QUERY_H

#include "common/err.h"

#include <stdint.h>

struct query;

enum query_type { QUERY_NULL, QUERY_INTEGER, QUERY_REAL, QUERY_TEXT };

/* Opens DIR/results.db (gives). E_USAGE: there is none; E_STORE: it is not ours, or cannot be read
 * from here. */
int query_open(struct query **out, const char *dir, struct err *e);
void query_close(struct query **q); /* NULL is fine */

/* Begins a question of one statement, ending the one before. E_USAGE with what is wrong in it. */
int query_ask(struct query *q, const char *sql, struct err *e);

/* The same, with an integer for its every parameter. */
int query_ask_about(struct query *q, const char *sql, int64_t about, struct err *e);

/* 1: a row is there; 0: no more. */
int query_next(struct query *q, struct err *e);

int query_columns(const struct query *q);
const char *query_name(const struct query *q, int column);
enum query_type query_type(const struct query *q, int column);
int64_t query_integer(const struct query *q, int column);
double query_real(const struct query *q, int column);
const char *query_text(struct query *q, int column); /* "" for NULL; blobs in hexadecimal */

#endif
