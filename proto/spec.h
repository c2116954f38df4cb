// SPDX-License-Identifier: MIT
/* spec: a sweep file, read and checked: the grid and random subset of the Weights & Biases sweep
 * format (docs.wandb.ai, "sweep configuration structure"), plus the block `grokd`.
 *
 * What is promised: a spec that was given is sound (known names, right types, values within bounds,
 * at most SPEC_POINTS points); whatever is wrong is one sentence FILE:LINE:COLUMN: what is wrong;
 * what would be right. What only a whole point can show (the parameters fit each other) is checked
 * point by point, see grid.h.
 *
 * Meanings:
 *   - axes stand in alphabetical order of their parameter; the last varies fastest;
 *   - min and max, both integers: every integer between, both included; else uniform (random only);
 *   - q_uniform in a grid is min, min + q, ... with max left out;
 *   - parameters that `task` does not know are refused; in a sweep over several tasks one of them
 *     must know it, and points of the others pass it over;
 *   - 3e6 equals 3000000: an integral real is an integer; 1e-4 is a number;
 *   - equal values of one axis count once, where the first stands: values [1, 1.0, 2] are two;
 *   - nested `parameters` flatten with a dot;
 *   - keys of W&B that launch or rank runs are passed over, one warning each.
 */
#ifndef GROKD_PROTO_SPEC_H
#define GROKD_PROTO_SPEC_H

#include "common/err.h"
#include "proto/param.h"
#include "proto/settings.h"

#include <stddef.h>
#include <stdint.h>

#define SPEC_POINTS   10000000   /* most points of a sweep */
#define SPEC_BYTES    (1u << 20) /* longest sweep file */
#define SPEC_NAME     128
#define SPEC_WARNINGS 32

enum spec_method { SPEC_GRID, SPEC_RANDOM };

/* How an axis makes its values. NAME(word in the file). Grid: the first four. */
#define SPEC_DISTRIBUTIONS(X)                                                                      \
    X(CONSTANT, "constant")                         /* list of one */                              \
    X(CATEGORICAL, "categorical")                   /* list, equally likely or probability */      \
    X(INT_UNIFORM, "int_uniform")                   /* integers a..b */                            \
    X(Q_UNIFORM, "q_uniform")                       /* uniform, quantised; grid: a, a + q, ... */  \
    X(UNIFORM, "uniform")                           /* a + u (b - a) */                            \
    X(LOG_UNIFORM, "log_uniform")                   /* exp(uniform): a, b are exponents */         \
    X(LOG_UNIFORM_VALUES, "log_uniform_values")     /* exp(uniform(ln a, ln b)) */                 \
    X(Q_LOG_UNIFORM, "q_log_uniform")               /* log_uniform, quantised */                   \
    X(Q_LOG_UNIFORM_VALUES, "q_log_uniform_values") /* log_uniform_values, quantised */            \
    X(INV_LOG_UNIFORM, "inv_log_uniform")           /* exp(-uniform): a, b are exponents */        \
    X(INV_LOG_UNIFORM_VALUES, "inv_log_uniform_values") /* 1/x, ln x uniform in ln 1/b..ln 1/a */  \
    X(NORMAL, "normal")                                 /* a + b z: a = mu, b = sigma */           \
    X(Q_NORMAL, "q_normal")                             /* normal, quantised */                    \
    X(LOG_NORMAL, "log_normal")                         /* exp(normal) */                          \
    X(Q_LOG_NORMAL, "q_log_normal")                     /* exp(normal), quantised */

enum spec_distribution {
#define X(name, word) SPEC_##name,
    SPEC_DISTRIBUTIONS(X)
#undef X
        SPEC_DISTRIBUTION_COUNT
};

/* One parameter of the file. Lists hold what they list; the others hold their numbers. */
struct axis {
    int param; /* of param_list */
    enum spec_distribution distribution;
    int64_t count;            /* grid: values of this axis */
    union param_value *value; /* CONSTANT, CATEGORICAL: `count` of them, else NULL */
    double *probability;      /* CATEGORICAL with probabilities: `count`, else NULL */
    int64_t least, greatest;  /* INT_UNIFORM */
    double a, b, q;           /* the others */
    int line, column;         /* where it stands in the file */
};

struct spec {
    char file[256]; /* as named by the caller, for messages */
    char name[SPEC_NAME];
    char *description; /* "" when none */
    enum spec_method method;
    int64_t run_cap; /* random: the points; grid: the first so many; -1: not given */
    int64_t priority;
    struct settings settings;
    struct params base[PARAM_TASKS]; /* every default of a task, not resolved: what the axes are
                                        written over */
    int axis_count;
    struct axis axis[PARAM_COUNT]; /* alphabetical by name */
    char *text;                    /* as sent, with a NUL after it */
    size_t size;
    char hash[65]; /* SHA-256 of text, hexadecimal */
    int warning_count;
    char *warning[SPEC_WARNINGS]; /* FILE:LINE:COLUMN: sentences */
};

/* Reads `size` bytes of text (gives; free with spec_free). `file` stands in messages only. */
int spec_parse(struct spec **out, const char *text, size_t size, const char *file, struct err *e);

/* Reads a file by its path; E_FILE when it cannot be read or is too long. */
int spec_read(struct spec **out, const char *path, struct err *e);

/* Frees and sets to NULL; accepts NULL. */
void spec_free(struct spec **s);

#endif
