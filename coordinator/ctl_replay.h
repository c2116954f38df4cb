// SPDX-License-Identifier: MIT
/* ctl_replay: a stored run trained again, with the grokd-train beside this program, its epochs next
 * to the stored ones. It goes no further than these.
 */
#ifndef GROKD_COORDINATOR_CTL_REPLAY_H
#define GROKD_COORDINATOR_CTL_REPLAY_H

#include "common/hash.h"
#include "coordinator/ctl.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#define REPLAY_LINE 8192 /* of SQL or of a command */

struct replay {
    struct query *rows; /* one question */
    FILE *train;        /* output of grokd-train; NULL: none runs */
    char *line;         /* of the epoch */
    size_t room;
    int64_t run, epoch, epochs; /* epochs: the last stored one */
    int64_t values;             /* compared */
    char folder[PATH_MAX];      /* that grokd-train writes to; "": none */
};

/* Opens the database of c for the run that its first argument names, and makes the command for the
 * shell that trains it. E_USAGE: no number, no run, no epoch. replay_close is due in any case. */
int replay_open(struct replay *r, const struct ctl *c, char command[REPLAY_LINE], struct err *e);
void replay_close(struct replay *r);

/* Adds to a command or a question. */
int replay_append(char out[REPLAY_LINE], struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes a folder (in TMPDIR, else /tmp) and has the command write there what it has, but no
 * checkpoints; replay_close removes it with what is in it. E_FILE: there can be none. */
int replay_folder(struct replay *r, char command[REPLAY_LINE], struct err *e);

/* Where the command writes the weights of an epoch. */
void replay_weights(const struct replay *r, int64_t epoch, char path[PATH_MAX]);

/* SHA-256 of a file of weights. E_FILE: it cannot be read. */
int replay_sha256(const char *path, char hex[HASH_HEX], struct err *e);

/* Runs a command of grokd-train; select: its rows are compared with the output, epoch first, and
 * `?` is the run; NULL: they are not. */
int replay_start(struct replay *r, const char *command, const char *select, struct err *e);

/* The next stored epoch and the line of the same: 1; no more is stored: 0. */
int replay_next(struct replay *r, struct err *e);

/* That many columns of the row, behind the epoch, against the line, bit for bit; E_RUN names one
 * that differs. */
int replay_compare(struct replay *r, int columns, struct err *e);
int replay_differs(const struct replay *r, const char *what, const char *was, const char *is,
                   struct err *e);

/* Until grokd-train is done with the epoch, whatever it writes of it: to the next one or its end.
 */
void replay_settle(struct replay *r);

/* Waits for the end of grokd-train; E_RUN if it is not a good one. */
int replay_finish(struct replay *r, struct err *e);

#endif
