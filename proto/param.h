// SPDX-License-Identifier: MIT
/* param: the hyperparameters of a run, typed, made from the one list in param.def.
 *
 * Text forms are canonical: integers in decimal, choices and booleans as words, reals as the
 * shortest of %.15g, %.16g, %.17g that reads back to the same double, its exponent without plus
 * sign and leading zeros (0.005, 1e-8, 1e300, never 1e-08 or 1e+300; number_text). -0 is 0. 3e6 and
 * 3000000 are the same value and give the same text.
 */
#ifndef GROKD_PROTO_PARAM_H
#define GROKD_PROTO_PARAM_H

#include "common/err.h"
#include "common/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_kind { PARAM_CHOICE, PARAM_INT, PARAM_REAL, PARAM_SEED, PARAM_BOOL };

enum {
#define CHOICE(name, ...) PARAM_##name,
#define INT(name, ...)    PARAM_##name,
#define REAL(name, ...)   PARAM_##name,
#define SEED(name, ...)   PARAM_##name,
#define BOOL(name, ...)   PARAM_##name,
#include "proto/param.def"
#undef CHOICE
#undef INT
#undef REAL
#undef SEED
#undef BOOL
    PARAM_COUNT
};

/* One point of the grid. A choice holds the index of its word; a seed that follows `seed` holds
 * SEED_FOLLOWS until params_resolve. */
struct params {
#define CHOICE(name, ...) int64_t name;
#define INT(name, ...)    int64_t name;
#define REAL(name, ...)   double name;
#define SEED(name, ...)   int64_t name;
#define BOOL(name, ...)   bool name;
#include "proto/param.def"
#undef CHOICE
#undef INT
#undef REAL
#undef SEED
#undef BOOL
};

#define SEED_FOLLOWS    (-1)
#define PARAM_TEXT_SIZE 64  /* longest canonical text with its NUL */
#define PARAM_LINE_SIZE 128 /* longest name=value\n */

#define PARAM_TASKS 2 /* choices of `task` */

struct param_info {
    const char *name;
    enum param_kind kind;
    const char *fallback[PARAM_TASKS]; /* default in each task, as text; for a SEED "seed"; "-": the
                                          parameter is none of the task */
    const char *choices;               /* CHOICE: every word, one space apart; else "" */
    double least, greatest;
    const char *meaning;
    size_t offset; /* in struct params */
};

/* The list, in the order of param.def; PARAM_COUNT entries. */
extern const struct param_info param_list[PARAM_COUNT];

/* Every name in alphabetical order: positions in param_list. It is the order of axes, hashes and
 * listings. */
const int *param_order(void);

/* Index of a name, or -1. */
int param_find(const char *name);

/* The choices, in their order. */
enum { TASK_MODULAR_ADDITION, TASK_ISING };
enum {
    OPERATION_ADDITION,
    OPERATION_SUBTRACTION,
    OPERATION_MULTIPLICATION,
    OPERATION_DIVISION,
    OPERATION_X2_PLUS_Y2,
    OPERATION_S5
};
enum { ACTIVATION_RELU, ACTIVATION_SQUARE };
enum { OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_SGD };
enum { FILTER_NONE, FILTER_GROKFAST_EMA, FILTER_GROKFAST_MA };
enum { LOSS_CROSS_ENTROPY, LOSS_MSE, LOSS_STABLEMAX };

#define PARAM_S5_ORDER 120 /* elements of s5: its modulus */

/* Every parameter at its default in the task; those of other tasks at theirs, where nobody looks.
 */
void params_of_task(struct params *p, int64_t task);
void params_default(struct params *p); /* of the first task */

/* Whether a parameter is one of the task. */
bool param_belongs(int index, int64_t task);

/* A default of the parameter, in the first task that knows it (lends a constant). */
const char *param_example(int index);

/* E_USAGE, in one line, for a parameter that is none of the task; index must be known. */
int param_expect(int index, int64_t task, struct err *e);

/* Reads text into the parameter; E_USAGE with what would be right. Integers accept 3e6, reals 1e-4.
 */
int param_assign(struct params *p, int index, const char *text, struct err *e);

/* One value without its name: integer for all kinds (index of a choice, 0 or 1) but REAL. */
union param_value {
    int64_t integer;
    double real;
};

/* Reads text as a value of the parameter, checked as by param_assign. */
int param_read(int index, const char *text, union param_value *v, struct err *e);

/* Checks a number against kind and bounds (REAL, INT, SEED; E_USAGE otherwise). */
int param_number(int index, double x, union param_value *v, struct err *e);

union param_value param_get(const struct params *p, int index);
void param_set(struct params *p, int index, union param_value v);

/* Whether two points have the same value there, bit for bit. */
bool param_same(const struct params *a, const struct params *b, int index);

/* The parameter whose name is nearest to a mistyped one, for error messages; NULL when none is near
 * (lends a constant). */
const char *param_nearest(const char *name);

/* Canonical text of one value; never longer than PARAM_TEXT_SIZE. Returns out. */
const char *param_text(const struct params *p, int index, char out[PARAM_TEXT_SIZE]);

/* Lets seeds, sweeps, the modulus of s5 and the weight of Grokfast follow, then checks what bounds
 * alone cannot say. */
int params_resolve(struct params *p, struct err *e);

/* config_hash: SHA-256, in hexadecimal, of the lines name=value\n sorted by name (of resolved p),
 * of the parameters of its task. */
void params_hash(const struct params *p, char hex[HASH_HEX]);

/* The lines of the last configuration, and the hash before each: in a grid the next one differs in
 * few values, mostly in the last. Begin with all zero. */
struct params_lines {
    bool known; /* there was one */
    struct params last;
    struct hash before[PARAM_COUNT + 1]; /* in alphabetical order, as the lines */
    char line[PARAM_COUNT][PARAM_LINE_SIZE];
};

/* The same as params_hash, at the cost of what changed. */
void params_hash_next(struct params_lines *k, const struct params *p, char hex[HASH_HEX]);

#endif
