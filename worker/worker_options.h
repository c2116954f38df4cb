// SPDX-License-Identifier: MIT
/* worker_options: the command line of grokd-worker. */
#ifndef GROKD_WORKER_WORKER_OPTIONS_H
#define GROKD_WORKER_WORKER_OPTIONS_H

#include "common/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define WORKER_SLOTS 4096 /* most slots of one worker */

struct worker_options {
    char
        access[PATH_MAX]; /* --access, else $GROKD_ACCESS, $GROKD_DIR/access, ./grokd-data/access */
    const char *connect;  /* --connect, or NULL: the endpoint of the access file */
    const char *ledger;   /* $GROKD_LEDGER, or NULL */
    uint32_t slots;       /* -j, or 0: as many as there are processors for us */
    int64_t limit_ms, idle_ms; /* 0: none */
    bool help, version;        /* asked for: nothing else is to be done */
};

/* The text of --help. */
extern const char worker_usage[];

/* Reads the command line; E_USAGE with what would be right. */
int worker_options_read(struct worker_options *o, int argc, char **argv, struct err *e);

#endif
