// SPDX-License-Identifier: MIT
/* paper_help: a database with the paper's settings, three seeds of each, in which every claim of
 * deploy/claims holds; and changes to it that can be taken back.
 */
#ifndef GROKD_TESTS_COORDINATOR_PAPER_HELP_H
#define GROKD_TESTS_COORDINATOR_PAPER_HELP_H

#include "tests/coordinator/store_help.h"

struct paper {
    struct help help;
    const char *dir; /* of its results.db (lent) */
};

void paper_open(struct paper *w);
void paper_close(struct paper *w); /* and removes it */

void paper_change(struct paper *w, const char *sql);
void paper_restore(struct paper *w); /* as paper_open left it */

struct point {
    double x, y;
};

/* Both columns of a question, at most `most` rows; how many there were. */
size_t paper_points(const struct paper *w, const char *sql, struct point *out, size_t most);

#endif
