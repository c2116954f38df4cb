// SPDX-License-Identifier: MIT
/* param: the hyperparameters of a run, typed, made from the one list in param.def. */
#include "proto/param.h"

#include "proto/number.h"
#include "proto/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct param_info param_list[PARAM_COUNT] = {
#define AT(name) offsetof(struct params, name)
#define CHOICE(name, modular, ising, choices, meaning)                                             \
    {#name, PARAM_CHOICE, {#modular, #ising}, choices, 0, 0, meaning, AT(name)},
#define INT(name, modular, ising, least, greatest, meaning)                                        \
    {#name, PARAM_INT, {#modular, #ising}, "", least, (double)(greatest), meaning, AT(name)},
#define REAL(name, modular, ising, least, greatest, meaning)                                       \
    {#name, PARAM_REAL, {#modular, #ising}, "", least, greatest, meaning, AT(name)},
#define SEED(name, meaning) {#name, PARAM_SEED, {"seed", "seed"}, "", 0, 0x1p63, meaning, AT(name)},
#define BOOL(name, modular, ising, meaning)                                                        \
    {#name, PARAM_BOOL, {#modular, #ising}, "false true", 0, 1, meaning, AT(name)},
#include "proto/param.def"
#undef CHOICE
#undef INT
#undef REAL
#undef SEED
#undef BOOL
};

static const char names[] =
#define CHOICE(name, ...) #name " "
#define INT(name, ...)    #name " "
#define REAL(name, ...)   #name " "
#define SEED(name, ...)   #name " "
#define BOOL(name, ...)   #name " "
#include "proto/param.def"
    ;
#undef CHOICE
#undef INT
#undef REAL
#undef SEED
#undef BOOL

static int by_name(const void *a, const void *b)
{
    return strcmp(param_list[*(const int *)a].name, param_list[*(const int *)b].name);
}

const int *param_order(void)
{
    static _Thread_local int order[PARAM_COUNT];
    static _Thread_local bool sorted;
    if (!sorted) {
        for (int i = 0; i < PARAM_COUNT; i++) order[i] = i;
        qsort(order, PARAM_COUNT, sizeof order[0], by_name);
        sorted = true;
    }
    return order;
}

int param_find(const char *name)
{
    return words_find(names, name);
}

const char *param_nearest(const char *name)
{
    char word[WORDS_SIZE];
    return words_nearest(names, name, word) ? param_list[param_find(word)].name : NULL;
}

union param_value param_get(const struct params *p, int index)
{
    const struct param_info *info = &param_list[index];
    const char *at = (const char *)p + info->offset;
    union param_value v;
    switch (info->kind) {
    case PARAM_REAL: memcpy(&v.real, at, sizeof v.real); break;
    case PARAM_BOOL: v.integer = *(const bool *)at; break;
    default: memcpy(&v.integer, at, sizeof v.integer);
    }
    return v;
}

void param_set(struct params *p, int index, union param_value v)
{
    const struct param_info *info = &param_list[index];
    char *at = (char *)p + info->offset;
    switch (info->kind) {
    case PARAM_REAL: memcpy(at, &v.real, sizeof v.real); break;
    case PARAM_BOOL: *(bool *)at = v.integer != 0; break;
    default: memcpy(at, &v.integer, sizeof v.integer);
    }
}

bool param_same(const struct params *a, const struct params *b, int index)
{
    union param_value x = param_get(a, index), y = param_get(b, index);
    return memcmp(&x, &y, sizeof x) == 0;
}

bool param_belongs(int index, int64_t task)
{
    return strcmp(param_list[index].fallback[task], "-") != 0;
}

int param_expect(int index, int64_t task, struct err *e)
{
    char word[WORDS_SIZE];
    if (param_belongs(index, task)) return OK;
    return err_set(e, E_USAGE, "%s is no parameter of task %s", param_list[index].name,
                   words_at(param_list[PARAM_task].choices, (int)task, word));
}

/* The task whose default a parameter takes: a foreign one, the first that knows it. */
static int64_t default_task(int index, int64_t task)
{
    if (param_belongs(index, task)) return task;
    for (task = 0; !param_belongs(index, task);) task++;
    return task;
}

const char *param_example(int index)
{
    return param_list[index].fallback[default_task(index, 0)];
}

void params_of_task(struct params *p, int64_t task)
{
    memset(p, 0, sizeof *p); /* padding too, so that equal points are equal bytes */
    for (int i = 0; i < PARAM_COUNT; i++)
        if (param_assign(p, i, param_list[i].fallback[default_task(i, task)], NULL) < 0) abort();
}

void params_default(struct params *p)
{
    params_of_task(p, TASK_MODULAR_ADDITION);
}

/* What a value of this kind looks like, for messages. */
static const char *wanted(const struct param_info *info, char out[256])
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT];
    switch (info->kind) {
    case PARAM_CHOICE: snprintf(out, 256, "one of: %s", info->choices); break;
    case PARAM_BOOL: snprintf(out, 256, "true or false"); break;
    case PARAM_SEED: snprintf(out, 256, "a whole number from 0 below 2^63, or seed"); break;
    default:
        number_text(info->least, low);
        if (info->greatest >= 0x1p63)
            snprintf(out, 256, "a whole number from %s below 2^63", low);
        else
            snprintf(out, 256, "a %s from %s to %s",
                     info->kind == PARAM_INT ? "whole number" : "number", low,
                     number_text(info->greatest, high));
    }
    return out;
}

static int refuse(const struct param_info *info, const char *text, struct err *e)
{
    char right[256];
    return err_set(e, E_USAGE, "%s: \"%.60s\" does not fit; expected %s", info->name, text,
                   wanted(info, right));
}

/* NaN fits nowhere. */
static bool fits(const struct param_info *info, double x)
{
    return x >= info->least && x <= info->greatest;
}

int param_number(int index, double x, union param_value *v, struct err *e)
{
    const struct param_info *info = &param_list[index];
    char text[NUMBER_TEXT];
    bool whole = x == floor(x) && fabs(x) < 0x1p63;
    bool ok = info->kind == PARAM_REAL ||
              ((info->kind == PARAM_INT || info->kind == PARAM_SEED) && whole);
    if (!ok || !fits(info, x)) return refuse(info, number_text(x, text), e);
    if (info->kind == PARAM_REAL)
        v->real = x + 0.0;
    else
        v->integer = (int64_t)x;
    return OK;
}

int param_read(int index, const char *text, union param_value *v, struct err *e)
{
    const struct param_info *info = &param_list[index];
    struct number n;
    if (info->kind == PARAM_BOOL && (!strcmp(text, "True") || !strcmp(text, "False"))) {
        v->integer = text[0] == 'T'; /* as Python writes them */
        return OK;
    }
    if (info->kind == PARAM_CHOICE || info->kind == PARAM_BOOL) {
        v->integer = words_find(info->choices, text);
        return v->integer < 0 ? refuse(info, text, e) : OK;
    }
    if (info->kind == PARAM_SEED && !strcmp(text, "seed")) {
        v->integer = SEED_FOLLOWS;
        return OK;
    }
    if (!number_read(text, &n) || !fits(info, n.real)) return refuse(info, text, e);
    if (info->kind == PARAM_REAL) {
        v->real = n.real;
        return OK;
    }
    v->integer = n.integer;
    return n.integral ? OK : refuse(info, text, e);
}

int param_assign(struct params *p, int index, const char *text, struct err *e)
{
    union param_value v = {0};
    int rc = param_read(index, text, &v, e);
    if (rc == OK) param_set(p, index, v);
    return rc;
}

const char *param_text(const struct params *p, int index, char out[PARAM_TEXT_SIZE])
{
    const struct param_info *info = &param_list[index];
    union param_value v = param_get(p, index);
    switch (info->kind) {
    case PARAM_CHOICE:
    case PARAM_BOOL: return words_at(info->choices, (int)v.integer, out);
    case PARAM_REAL: return number_text(v.real, out);
    case PARAM_SEED:
        if (v.integer == SEED_FOLLOWS) return strcpy(out, "seed");
        break;
    case PARAM_INT: break;
    }
    snprintf(out, PARAM_TEXT_SIZE, "%" PRId64, v.integer);
    return out;
}

static bool is_prime(int64_t n)
{
    for (int64_t d = 2; d * d <= n; d++)
        if (n % d == 0) return false;
    return n > 1;
}

/* The modulus of s5 is its order; one that was not chosen follows. */
static int check_operation(struct params *p, struct err *e)
{
    char usual[PARAM_TEXT_SIZE];
    if (p->operation == OPERATION_DIVISION && !is_prime(p->modulus))
        return err_set(e, E_USAGE,
                       "modulus: %" PRId64 " does not fit; expected a prime for division",
                       p->modulus);
    if (p->operation != OPERATION_S5 || p->modulus == PARAM_S5_ORDER) return OK;
    snprintf(usual, sizeof usual, "%" PRId64, p->modulus);
    if (strcmp(usual, param_example(PARAM_modulus)) != 0)
        return err_set(e, E_USAGE,
                       "modulus: %" PRId64 " does not fit; s5 has %d elements: leave it out",
                       p->modulus, PARAM_S5_ORDER);
    p->modulus = PARAM_S5_ORDER;
    return OK;
}

static int check_modular(struct params *p, struct err *e)
{
    int rc = check_operation(p, e);
    if (rc < 0) return rc;
    double pairs = (double)(p->modulus * p->modulus);
    if (p->operation == OPERATION_DIVISION) pairs -= (double)p->modulus;
    if (floor(pairs * (1 - p->train_fraction)) >= 1) return OK;
    return err_set(e, E_USAGE,
                   "train_fraction: %g of %g pairs leaves none to test on; "
                   "expected less, so that one pair remains",
                   p->train_fraction, pairs);
}

/* Both poolings halve the lattice. */
static int check_ising(const struct params *p, struct err *e)
{
    if (p->lattice % 4 == 0) return OK;
    return err_set(e, E_USAGE, "lattice: %" PRId64 " does not fit; expected a multiple of 4",
                   p->lattice);
}

int params_resolve(struct params *p, struct err *e)
{
#define CHOICE(name, ...)
#define INT(name, ...)
#define REAL(name, ...)
#define SEED(name, ...)                                                                            \
    if (p->name == SEED_FOLLOWS) p->name = p->seed;
#define BOOL(name, ...)
#include "proto/param.def"
#undef CHOICE
#undef INT
#undef REAL
#undef SEED
#undef BOOL
    if (p->task == TASK_ISING && p->glauber_sweeps == 0)
        p->glauber_sweeps = p->glauber_update == 0 ? 64 : 128;
    if (p->gradient_filter != FILTER_NONE && p->grokfast_lambda == 0)
        p->grokfast_lambda = p->gradient_filter == FILTER_GROKFAST_EMA ? 2 : 5;
    return p->task == TASK_ISING ? check_ising(p, e) : check_modular(p, e);
}

void params_hash_next(struct params_lines *k, const struct params *p, char hex[HASH_HEX])
{
    const int *order = param_order();
    char value[PARAM_TEXT_SIZE];
    int at = 0;
    if (k->last.task != p->task) k->known = false; /* other lines count */
    if (!k->known) hash_start(&k->before[0]);
    while (k->known && at < PARAM_COUNT && param_same(&k->last, p, order[at])) at++;
    for (; at < PARAM_COUNT; at++) {
        if (!k->known || !param_same(&k->last, p, order[at]))
            snprintf(k->line[at], PARAM_LINE_SIZE, "%s=%s\n", param_list[order[at]].name,
                     param_text(p, order[at], value));
        k->before[at + 1] = k->before[at];
        if (param_belongs(order[at], p->task))
            hash_add(&k->before[at + 1], k->line[at], strlen(k->line[at]));
    }
    struct hash whole = k->before[PARAM_COUNT];
    hash_end(&whole, hex);
    k->last = *p;
    k->known = true;
}

void params_hash(const struct params *p, char hex[HASH_HEX])
{
    struct params_lines k = {0};
    params_hash_next(&k, p, hex);
}
