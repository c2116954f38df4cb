// SPDX-License-Identifier: MIT
/* stiff: the stiff and the sloppy part of the steps of a run, as lines of text on their way from
 * grokctl, which has them computed, to the store: "EPOCH LAYER NAME VALUE". Pure.
 *
 * They become rows of features like those that a run reports itself, and are told from them by
 * their layers, of which no network has one.
 */
#ifndef GROKD_COORDINATOR_STIFF_H
#define GROKD_COORDINATOR_STIFF_H

#include "common/err.h"

#include <stdint.h>
#include <stdio.h>

struct stiff_value {
    int64_t epoch;
    const char *layer; /* "stiff" or "sloppy": a constant */
    const char *name;  /* step_fisher, cos_previous_fisher, cos_origin_fisher, parameters */
    double value;      /* finite */
};

/* Reads the line at *text and moves behind it. 1: a value is there; 0: the text is at its end;
 * E_USAGE: it is no such line. */
int stiff_next(const char **text, struct stiff_value *v, struct err *e);

/* Whether all of a text is lines of that kind, their epochs not falling and none twice; E_USAGE. */
int stiff_check(const char *text, struct err *e);

/* Reads the next value of a row as grokd-train prints it (JSON), from *text on: 1, or 0 when there
 * is no more. The epoch is left alone. */
int stiff_of_json(const char **text, struct stiff_value *v);

void stiff_write(FILE *to, const struct stiff_value *v);

#endif
