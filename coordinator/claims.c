// SPDX-License-Identifier: MIT
/* claims: what databases say about the claims of arXiv 2502.01739. */
#include "coordinator/claims.h"

#include "coordinator/claims_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS ((int)(sizeof claims_text / sizeof *claims_text))

int claims_count(void)
{
    return CLAIMS;
}

const char *claims_name(int claim)
{
    return claims_text[claim].name;
}

const char *claims_title(int claim)
{
    return claims_text[claim].title;
}

/* ---- reading rows ---- */

static int no_memory(struct err *e)
{
    return err_set(e, E_NOMEM, "no memory for an answer about a claim");
}

/* A column by its name; -1: the query has none. */
static int find(const struct query *q, const char *name)
{
    for (int i = 0; i < query_columns(q); i++)
        if (!strcmp(query_name(q, i), name)) return i;
    return -1;
}

static double real_of(const struct query *q, const char *name)
{
    int i = find(q, name);
    return i < 0 || query_type(q, i) == QUERY_NULL ? (double)NAN : query_real(q, i);
}

static int64_t integer_of(const struct query *q, const char *name)
{
    int i = find(q, name);
    return i < 0 ? 0 : query_integer(q, i);
}

/* Gives; NULL: no memory. */
static char *text_of(struct query *q, const char *name)
{
    int i = find(q, name);
    return strdup(i < 0 ? "" : query_text(q, i));
}

static void line_free(struct claims_line *l)
{
    free(l->quantity);
    free(l->paper);
    free(l->rule);
    free(l->missing);
}

static int read_line(struct query *q, struct claims_line *l, struct err *e)
{
    double holds = real_of(q, "holds");
    *l = (struct claims_line){.quantity = text_of(q, "quantity"),
                              .paper = text_of(q, "paper"),
                              .rule = text_of(q, "rule"),
                              .missing = text_of(q, "missing"),
                              .ours = real_of(q, "ours"),
                              .spread = real_of(q, "spread"),
                              .low = real_of(q, "low"),
                              .high = real_of(q, "high"),
                              .holds = isnan(holds) ? -1 : holds != 0,
                              .seeds = integer_of(q, "seeds"),
                              .epochs = integer_of(q, "epochs"),
                              .paper_epochs = integer_of(q, "paper_epochs")};
    if (l->quantity && l->paper && l->rule && l->missing) return OK;
    line_free(l);
    return no_memory(e);
}

/* ---- answers ---- */

/* A new answer at the end (lent until the next); NULL: no memory. */
static struct claims_answer *append(struct claims *c, int claim, const char *task,
                                    const char *source)
{
    struct claims_answer *all = realloc(c->answer, (c->count + 1) * sizeof *all);
    if (!all) return NULL;
    c->answer = all;
    struct claims_answer *a = &all[c->count];
    *a = (struct claims_answer){
        .claim = claim, .order = c->count, .source = source, .task = strdup(task)};
    if (!a->task) return NULL;
    c->count++;
    return a;
}

/* The answer for a task among those from `first` on, made when there is none. */
static struct claims_answer *answer_for(struct claims *c, size_t first, int claim, const char *task,
                                        const char *source)
{
    for (size_t i = first; i < c->count; i++)
        if (!strcmp(c->answer[i].task, task)) return &c->answer[i];
    return append(c, claim, task, source);
}

static int take_row(struct claims *c, size_t first, struct query *q, const char *source, int claim,
                    struct err *e)
{
    struct claims_line line;
    int task = find(q, "task");
    if (task < 0)
        return err_set(e, E_USAGE, "the query of %s has no column task", claims_name(claim));
    struct claims_answer *a = answer_for(c, first, claim, query_text(q, task), source);
    if (!a) return no_memory(e);
    struct claims_line *all = realloc(a->line, (a->count + 1) * sizeof *all);
    if (!all) return no_memory(e);
    a->line = all;
    int rc = read_line(q, &line, e);
    if (rc == OK) a->line[a->count++] = line;
    return rc;
}

static int64_t fewer(int64_t a, int64_t b)
{
    return a == 0 || b < a ? b : a;
}

/* The verdict, the effort behind it, and what is missing first. */
static int judge(struct claims_answer *a, struct err *e)
{
    size_t rules = 0, hold = 0, fail = 0;
    const char *missing = "";
    for (size_t i = 0; i < a->count; i++) {
        const struct claims_line *l = &a->line[i];
        if (!*l->rule) continue;
        rules++;
        hold += l->holds == 1;
        fail += l->holds == 0;
        if (l->holds < 0 && !*missing) missing = l->missing;
        if (l->holds < 0) continue;
        a->seeds = fewer(a->seeds, l->seeds);
        a->epochs = fewer(a->epochs, l->epochs);
        a->paper_epochs = fewer(a->paper_epochs, l->paper_epochs);
    }
    a->verdict = fail                     ? CLAIMS_CONTRADICTED
                 : rules && hold == rules ? CLAIMS_CONFIRMED
                                          : CLAIMS_NOT_TESTED;
    return (a->why = strdup(missing)) ? OK : no_memory(e);
}

/* A database without a column or a table that the query asks for. */
static int cannot_ask(struct claims *c, const char *source, int claim, struct err *e)
{
    const char *what = strstr(e->text, "no such ");
    if (e->code != E_USAGE || !what) return e->code;
    struct claims_answer *a = append(c, claim, "", source);
    return a && (a->why = strdup(what)) ? OK : no_memory(e);
}

int claims_ask(struct claims *c, struct query *q, const char *source, int claim, struct err *e)
{
    size_t first = c->count;
    int rc = query_ask(q, claims_text[claim].sql, e);
    if (rc < 0) return cannot_ask(c, source, claim, e);
    while ((rc = query_next(q, e)) == 1)
        if ((rc = take_row(c, first, q, source, claim, e)) < 0) return rc;
    for (size_t i = first; rc == OK && i < c->count; i++) rc = judge(&c->answer[i], e);
    return rc;
}

/* ---- several databases ---- */

static void answer_free(struct claims_answer *a)
{
    for (size_t i = 0; i < a->count; i++) line_free(&a->line[i]);
    free(a->line);
    free(a->task);
    free(a->why);
}

/* How many of its rules are tested. */
static size_t tested(const struct claims_answer *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++) n += *a->line[i].rule && a->line[i].holds >= 0;
    return n;
}

/* Whether b says all that the untested a could: about the same, and more of it, or as much earlier.
 */
static bool replaces(const struct claims_answer *b, const struct claims_answer *a)
{
    if (a == b || a->claim != b->claim || a->verdict != CLAIMS_NOT_TESTED) return false;
    if (!*a->task || !*b->task) return *b->task || (!*a->task && b < a);
    if (strcmp(a->task, b->task) != 0) return false;
    return b->verdict != CLAIMS_NOT_TESTED || tested(b) > tested(a) ||
           (tested(b) == tested(a) && b < a);
}

static bool is_replaced(const struct claims *c, size_t i)
{
    for (size_t k = 0; k < c->count; k++)
        if (replaces(&c->answer[k], &c->answer[i])) return true;
    return false;
}

/* By claim, modular addition first, then as they were asked. */
static int compare(const void *x, const void *y)
{
    const struct claims_answer *a = x, *b = y;
    if (a->claim != b->claim) return a->claim < b->claim ? -1 : 1;
    int by_task = -strcmp(a->task, b->task);
    return by_task ? by_task : (a->order > b->order) - (a->order < b->order);
}

void claims_merge(struct claims *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) c->answer[i].drop = is_replaced(c, i);
    for (size_t i = 0; i < c->count; i++)
        if (c->answer[i].drop)
            answer_free(&c->answer[i]);
        else
            c->answer[kept++] = c->answer[i];
    c->count = kept;
    if (kept) qsort(c->answer, kept, sizeof *c->answer, compare);
}

void claims_free(struct claims *c)
{
    for (size_t i = 0; i < c->count; i++) answer_free(&c->answer[i]);
    free(c->answer);
    *c = (struct claims){0};
}
