// SPDX-License-Identifier: MIT
/* train_options: the command line of grokd-train, and the arguments of a piece of work. */
#ifndef GROKD_WORKER_TRAIN_OPTIONS_H
#define GROKD_WORKER_TRAIN_OPTIONS_H

#include "common/err.h"
#include "proto/param.h"
#include "proto/settings.h"

#include <stdio.h>

enum train_mode { TRAIN_RUN, TRAIN_PIPE, TRAIN_BLAS, TRAIN_HELP, TRAIN_VERSION };

struct train_options {
    enum train_mode mode;
    struct params params; /* resolved */
    struct settings settings;
    const char *out;       /* directory, or NULL (lent from argv, as those below) */
    char init_path[4096];  /* "" when not given */
    char init_prefix[128]; /* "" when not given */
    const char *data_path; /* or NULL */
    const char *resume;    /* checkpoint, or NULL */
    const char *stiff;     /* weights that split the steps, or NULL */
    int pipe_fd;
};

/* Reads the command line; E_USAGE or E_FILE with what would be right. */
int train_options_read(struct train_options *o, int argc, char **argv, struct err *e);

/* Reads name=value arguments (parameters, and settings as grokd.NAME=VALUE) over defaults, and
 * resolves. */
int train_arguments(struct params *p, struct settings *s, size_t count, char *const *arguments,
                    struct err *e);

/* Usage, every parameter and every setting, from their lists. */
void train_help(FILE *to);

#endif
