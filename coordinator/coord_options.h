// SPDX-License-Identifier: MIT
/* coord_options: the command line of grokd-coord. */
#ifndef GROKD_COORDINATOR_COORD_OPTIONS_H
#define GROKD_COORDINATOR_COORD_OPTIONS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COORD_ENDPOINTS 16

struct coord_options {
    const char *dir; /* --dir, else $GROKD_DIR, ./grokd-data */
    const char *endpoints[COORD_ENDPOINTS];
    size_t endpoint_count;
    int64_t local; /* worker slots here; 0: no worker */
    bool exit_when_done;
    bool network_disk; /* DIR may lie on one */
    int64_t heartbeat_ms, lease_ms;
    char *const *files; /* sweep files */
    size_t file_count;
    bool help, version; /* asked for: nothing else is to be done */
};

/* The text of --help. */
extern const char coord_usage[];

/* Reads the command line (lends from argv); E_USAGE with what would be right. */
int coord_options_read(struct coord_options *o, int argc, char **argv, struct err *e);

#endif
