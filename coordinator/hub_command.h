// SPDX-License-Identifier: MIT
/* hub_command: what a person typed, as an event. */
#ifndef GROKD_COORDINATOR_HUB_COMMAND_H
#define GROKD_COORDINATOR_HUB_COMMAND_H

#include "common/err.h"
#include "coordinator/event.h"
#include "proto/wire.h"

#define COMMAND_RANGES 64

/* Commands that the hub answers itself, and those that the scheduler decides. */
enum command_kind {
    COMMAND_EVENT,
    COMMAND_PING,
    COMMAND_STOP,
    COMMAND_KEYS,
    COMMAND_AGGREGATE,
    COMMAND_STIFF
};

struct hub_command {
    enum command_kind kind;
    struct event event; /* lends from the message and from ranges */
    struct event_range ranges[COMMAND_RANGES];
};

/* Reads a command; E_USAGE with what would be right. The text of `submit` must have been checked
 * with hub_command_check. */
int hub_command_read(struct hub_command *x, const Grokd__Command *m, struct err *e);

/* A selector: 3, 1-9, 1,4, all, last. */
int hub_command_ranges(struct hub_command *x, const char *text, struct err *e);

/* The saves that `aggregate` asks for, as many as x->event.range_count. */
void hub_command_aggregate(const struct hub_command *x, int64_t at_ms, struct save *saves);

/* Whether a sweep file is sound; E_FILE with file, line, column. */
int hub_command_check(const char *text, const char *file, struct err *e);

#endif
