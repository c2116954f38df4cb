// SPDX-License-Identifier: MIT
/* claims: what databases say about the claims of arXiv 2502.01739. Each claim is a query of
 * deploy/claims, compiled in, that answers by a rule fixed beforehand.
 *
 * Columns of such a query: task, quantity, paper (its number, as text), ours (mean over seeds),
 * spread (standard deviation over seeds), low and high (an interval of 95%; may be left out), rule
 * (NULL: a number to compare, which decides nothing), holds (1, 0, NULL: not tested), seeds, epochs
 * (the fewest behind ours), paper_epochs, missing (what a test would need). A claim is answered for
 * each task of its rows: contradicted if a rule does not hold, confirmed if all hold, else not
 * tested.
 */
#ifndef GROKD_COORDINATOR_CLAIMS_H
#define GROKD_COORDINATOR_CLAIMS_H

#include "common/err.h"
#include "coordinator/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum claims_verdict { CLAIMS_NOT_TESTED, CLAIMS_CONFIRMED, CLAIMS_CONTRADICTED };

/* A row of a query. */
struct claims_line {
    char *quantity, *paper, *rule, *missing; /* "" for NULL */
    double ours, spread, low, high;          /* NaN for NULL */
    int holds;                               /* 1, 0; -1: not tested */
    int64_t seeds, epochs, paper_epochs;     /* 0 for NULL */
};

/* What one database says about a claim in one task. */
struct claims_answer {
    int claim;          /* from 0 */
    char *task;         /* "": its query cannot be asked of this database */
    const char *source; /* the database, as it was named (lent) */
    enum claims_verdict verdict;
    char *why;                           /* what a test would need; "": nothing */
    int64_t seeds, epochs, paper_epochs; /* the fewest behind its tested rules; 0: none is */
    struct claims_line *line;
    size_t count;
    size_t order; /* in which it was asked */
    bool drop;    /* another one says more */
};

struct claims {
    struct claims_answer *answer;
    size_t count;
};

/* The list: how many there are; "C1" and a sentence (lent). */
int claims_count(void);
const char *claims_name(int claim);
const char *claims_title(int claim);

/* Appends what a database says about one claim. Begin with all zero. A column or a table that the
 * database does not have makes an answer that is not tested; E_STORE and E_NOMEM are failures. */
int claims_ask(struct claims *c, struct query *q, const char *source, int claim, struct err *e);

/* Sorts answers by claim and drops those that are not tested where another database tests the claim
 * in that task, or says the same. */
void claims_merge(struct claims *c);

void claims_free(struct claims *c);

#endif
