// SPDX-License-Identifier: MIT
/* spec_axis: one entry of `parameters`: which distribution it means, its values, and whether they
 * fit the parameter. */
#include "proto/number.h"
#include "proto/spec_reader.h"
#include "proto/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a distribution takes, and whether a grid can walk it. */
enum need { LIST = 1, ENDS = 2, NORMAL = 4, STEP = 8, WHOLE = 16, POSITIVE = 32, GRID = 64 };

static const unsigned need_list[SPEC_DISTRIBUTION_COUNT] = {
    [SPEC_CONSTANT] = LIST | GRID,
    [SPEC_CATEGORICAL] = LIST | GRID,
    [SPEC_INT_UNIFORM] = ENDS | WHOLE | GRID,
    [SPEC_Q_UNIFORM] = ENDS | STEP | GRID,
    [SPEC_UNIFORM] = ENDS,
    [SPEC_LOG_UNIFORM] = ENDS,
    [SPEC_LOG_UNIFORM_VALUES] = ENDS | POSITIVE,
    [SPEC_Q_LOG_UNIFORM] = ENDS | STEP,
    [SPEC_Q_LOG_UNIFORM_VALUES] = ENDS | STEP | POSITIVE,
    [SPEC_INV_LOG_UNIFORM] = ENDS,
    [SPEC_INV_LOG_UNIFORM_VALUES] = ENDS | POSITIVE,
    [SPEC_NORMAL] = NORMAL,
    [SPEC_Q_NORMAL] = NORMAL | STEP,
    [SPEC_LOG_NORMAL] = NORMAL,
    [SPEC_Q_LOG_NORMAL] = NORMAL | STEP,
};

static const char distribution_words[] =
#define X(name, word) word " "
    SPEC_DISTRIBUTIONS(X)
#undef X
    ;

static const char axis_keys[] =
    "value values probabilities min max distribution mu sigma q parameters";

/* What is being read, for the functions below. */
struct entry {
    const struct spec_reader *r;
    const char *name;
    const struct yaml *key, *node;
    struct axis *axis;
};

static const struct param_info *info_of(const struct entry *x)
{
    return &param_list[x->axis->param];
}

static bool is_number_kind(enum param_kind kind)
{
    return kind == PARAM_INT || kind == PARAM_REAL || kind == PARAM_SEED;
}

/* One value of the parameter's own type. Quotes make text, and text is no number. */
static int read_value(const struct entry *x, const struct yaml *node, union param_value *v)
{
    struct err why;
    int rc = spec_scalar(x->r, node, x->name);
    if (rc < 0) return rc;
    if (node->quoted && info_of(x)->kind != PARAM_CHOICE && strcmp(node->text, "seed") != 0)
        return spec_wrong(x->r, node, "%s: \"%.60s\" is text; expected it without quotes", x->name,
                          node->text);
    if (param_read(x->axis->param, node->text, v, &why) < 0)
        return spec_wrong(x->r, node, "%s", why.text);
    return OK;
}

/* A number of the distribution itself; *seen tells whether it is there. */
static int read_number(const struct entry *x, const char *key, struct number *n, bool *seen)
{
    const struct yaml *node = yaml_get(x->node, key);
    *seen = node != NULL;
    if (!node) return OK;
    int rc = spec_scalar(x->r, node, key);
    if (rc < 0) return rc;
    if (node->quoted || !number_read(node->text, n))
        return spec_wrong(x->r, node, "%s: %s: \"%.60s\" does not fit; expected a number", x->name,
                          key, node->text);
    return OK;
}

/* ---- lists --------------------------------------------------------------------------------- */

struct placed {
    union param_value value;
    int64_t at;
    bool real;
};

static int by_value(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->real && x->value.real != y->value.real) return x->value.real < y->value.real ? -1 : 1;
    if (!x->real && x->value.integer != y->value.integer)
        return x->value.integer < y->value.integer ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static bool same(const struct placed *x, const struct placed *y)
{
    return x->real ? x->value.real == y->value.real : x->value.integer == y->value.integer;
}

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Of equal values the first stays: they would be the same runs. */
static int drop_twins(const struct entry *x)
{
    struct axis *a = x->axis;
    size_t n = (size_t)a->count, kept = 0;
    struct placed *p = calloc(n, sizeof *p);
    if (!p) return err_set(x->r->e, E_NOMEM, "%s: no memory", x->r->spec->file);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct placed){a->value[i], (int64_t)i, info_of(x)->kind == PARAM_REAL};
    qsort(p, n, sizeof *p, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !same(&p[kept - 1], &p[i])) p[kept++] = p[i];
    qsort(p, kept, sizeof *p, by_place);
    for (size_t i = 0; i < kept; i++) a->value[i] = p[i].value;
    a->count = (int64_t)kept;
    free(p);
    return OK;
}

static int read_probabilities(const struct entry *x)
{
    const struct yaml *node = yaml_get(x->node, "probabilities");
    struct axis *a = x->axis;
    double sum = 0;
    if (!node) return OK;
    if (x->r->spec->method != SPEC_RANDOM)
        return spec_wrong(x->r, node, "%s: probabilities need method: random", x->name);
    if (node->kind != YAML_LIST || node->count != (size_t)a->count)
        return spec_wrong(x->r, node, "%s: expected %lld probabilities, one for each value",
                          x->name, (long long)a->count);
    a->probability = calloc(node->count, sizeof *a->probability);
    if (!a->probability) return err_set(x->r->e, E_NOMEM, "%s: no memory", x->r->spec->file);
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml *item = node->item[i];
        struct number n;
        if (item->kind != YAML_SCALAR || item->quoted || !number_read(item->text, &n) || n.real < 0)
            return spec_wrong(x->r, item, "%s: expected a probability, a number from 0", x->name);
        a->probability[i] = n.real;
        sum += n.real;
    }
    if (fabs(sum - 1) > 1e-6)
        return spec_wrong(x->r, node, "%s: probabilities with sum %.9g; expected 1", x->name, sum);
    return OK;
}

static int read_list(const struct entry *x)
{
    const struct yaml *one = yaml_get(x->node, "value"), *many = yaml_get(x->node, "values");
    struct axis *a = x->axis;
    if (a->distribution == SPEC_CONSTANT && !one)
        return spec_wrong(x->r, x->node, "%s: constant without value", x->name);
    if (a->distribution == SPEC_CATEGORICAL && !many)
        return spec_wrong(x->r, x->node, "%s: categorical without values", x->name);
    if (many && many->kind != YAML_LIST)
        return spec_wrong(x->r, many, "%s: values is %s; expected a list", x->name,
                          yaml_what(many));
    if (many && many->count == 0)
        return spec_wrong(x->r, many, "%s: no values; expected at least one", x->name);
    a->count = one ? 1 : (int64_t)many->count;
    a->value = calloc((size_t)a->count, sizeof *a->value);
    if (!a->value) return err_set(x->r->e, E_NOMEM, "%s: no memory", x->r->spec->file);
    for (int64_t i = 0; i < a->count; i++) {
        int rc = read_value(x, one ? one : many->item[i], &a->value[i]);
        if (rc < 0) return rc;
    }
    int rc = read_probabilities(x);
    return rc == OK && x->r->spec->method == SPEC_GRID ? drop_twins(x) : rc;
}

/* ---- ranges -------------------------------------------------------------------------------- */

/* Whether a value that the distribution can give fits the parameter. */
static int check_end(const struct entry *x, double end)
{
    struct err why;
    union param_value v;
    if (param_number(x->axis->param, end, &v, &why) < 0)
        return spec_wrong(x->r, x->node, "%s", why.text);
    return OK;
}

static int check_ends(const struct entry *x, double first, double last)
{
    int rc = check_end(x, first);
    return rc < 0 ? rc : check_end(x, last);
}

/* min, min + q, ... below max; numbered as numpy.arange does, so that values agree to the bit. */
static int count_steps(const struct entry *x)
{
    struct axis *a = x->axis;
    double steps = ceil((a->b - a->a) / a->q);
    if (!(steps <= SPEC_POINTS))
        return spec_wrong(x->r, x->node, "%s: %.6g values; expected at most %d", x->name, steps,
                          SPEC_POINTS);
    a->count = (int64_t)steps;
    a->q = (a->a + a->q) - a->a;
    return check_ends(x, a->a, a->a + (double)(a->count - 1) * a->q) < 0 ||
                   (a->count > 1 && check_end(x, a->a + a->q) < 0)
               ? E_FILE
               : OK;
}

/* Random: the ends of what can be drawn. */
static int check_support(const struct entry *x)
{
    const struct axis *a = x->axis;
    switch (a->distribution) {
    case SPEC_UNIFORM:
    case SPEC_LOG_UNIFORM_VALUES:
    case SPEC_INV_LOG_UNIFORM_VALUES: return check_ends(x, a->a, a->b);
    case SPEC_LOG_UNIFORM: return check_ends(x, exp(a->a), exp(a->b));
    case SPEC_INV_LOG_UNIFORM: return check_ends(x, exp(-a->b), exp(-a->a));
    case SPEC_Q_UNIFORM:
    case SPEC_Q_LOG_UNIFORM_VALUES:
        return check_ends(x, rint(a->a / a->q) * a->q, rint(a->b / a->q) * a->q);
    case SPEC_Q_LOG_UNIFORM:
        return check_ends(x, rint(exp(a->a) / a->q) * a->q, rint(exp(a->b) / a->q) * a->q);
    default: return OK; /* normal ones have no ends: each point is checked when it is drawn */
    }
}

static int read_step(const struct entry *x)
{
    struct number q;
    bool seen;
    int rc = read_number(x, "q", &q, &seen);
    if (rc < 0) return rc;
    x->axis->q = seen ? q.real : 1;
    if (!(x->axis->q > 0))
        return spec_wrong(x->r, yaml_get(x->node, "q"), "%s: q is %.9g; expected more than 0",
                          x->name, x->axis->q);
    return OK;
}

static int read_ends(const struct entry *x)
{
    struct axis *a = x->axis;
    struct number low, high;
    bool seen_low, seen_high;
    unsigned need = need_list[a->distribution];
    int rc = read_number(x, "min", &low, &seen_low);
    if (rc < 0 || (rc = read_number(x, "max", &high, &seen_high)) < 0) return rc;
    if (!seen_low || !seen_high)
        return spec_wrong(x->r, x->node, "%s: expected both min and max", x->name);
    if (!(low.real < high.real))
        return spec_wrong(x->r, yaml_get(x->node, "min"),
                          "%s: min %.9g is not below max %.9g; expected min < max", x->name,
                          low.real, high.real);
    if ((need & WHOLE) && (!low.integral || !high.integral))
        return spec_wrong(x->r, x->node, "%s: int_uniform; expected whole numbers as min and max",
                          x->name);
    if ((need & POSITIVE) && !(low.real > 0))
        return spec_wrong(x->r, yaml_get(x->node, "min"), "%s: min %.9g; expected more than 0",
                          x->name, low.real);
    a->a = low.real;
    a->b = high.real;
    a->least = low.integer;
    a->greatest = high.integer;
    return OK;
}

static int read_range(const struct entry *x)
{
    struct axis *a = x->axis;
    bool grid = x->r->spec->method == SPEC_GRID;
    int rc = read_ends(x);
    if (rc < 0) return rc;
    if (a->distribution == SPEC_INT_UNIFORM) {
        double count = (double)a->greatest - (double)a->least + 1;
        if (grid && count > SPEC_POINTS)
            return spec_wrong(x->r, x->node, "%s: %.6g values; expected at most %d", x->name, count,
                              SPEC_POINTS);
        a->count = grid ? (int64_t)count : 0;
        if ((rc = check_ends(x, a->a, a->b)) < 0 || grid || info_of(x)->kind != PARAM_REAL)
            return rc;
        return spec_warn(x->r, x->node,
                         "%s: whole min and max draw whole numbers only; 1.0 in place of 1 or "
                         "distribution: uniform draws fractions too",
                         x->name);
    }
    if ((need_list[a->distribution] & STEP) && (rc = read_step(x)) < 0) return rc;
    return grid ? count_steps(x) : check_support(x);
}

static int read_normal(const struct entry *x)
{
    struct number mu = {0}, sigma = {.real = 1};
    bool seen;
    int rc = read_number(x, "mu", &mu, &seen);
    if (rc < 0 || (rc = read_number(x, "sigma", &sigma, &seen)) < 0) return rc;
    if (!(sigma.real > 0))
        return spec_wrong(x->r, yaml_get(x->node, "sigma"), "%s: sigma %.9g; expected more than 0",
                          x->name, sigma.real);
    x->axis->a = mu.real;
    x->axis->b = sigma.real;
    return need_list[x->axis->distribution] & STEP ? read_step(x) : OK;
}

/* ---- which distribution -------------------------------------------------------------------- */

/* A number written without a point is an integer when it is whole: 3 and 3e6, but not 3.0. */
static bool written_whole(const struct entry *x, const char *key)
{
    const struct yaml *node = yaml_get(x->node, key);
    struct number n;
    return !node || node->kind != YAML_SCALAR || !number_read(node->text, &n) ||
           (n.integral && (!strchr(node->text, '.') || info_of(x)->kind != PARAM_REAL));
}

static enum spec_distribution implied(const struct entry *x)
{
    if (yaml_get(x->node, "value")) return SPEC_CONSTANT;
    if (yaml_get(x->node, "values")) return SPEC_CATEGORICAL;
    if (written_whole(x, "min") && written_whole(x, "max")) return SPEC_INT_UNIFORM;
    return SPEC_UNIFORM;
}

static int read_distribution(const struct entry *x)
{
    const struct yaml *node = yaml_get(x->node, "distribution");
    if (!node) {
        x->axis->distribution = implied(x);
        return OK;
    }
    int rc = spec_scalar(x->r, node, "distribution");
    if (rc < 0) return rc;
    int found = words_find(distribution_words, node->text);
    if (found < 0 && (!strcmp(node->text, "beta") || !strcmp(node->text, "q_beta")))
        return spec_wrong(x->r, node, "%s: distribution %s is not supported; use uniform or normal",
                          x->name, node->text);
    if (found < 0)
        return spec_wrong(x->r, node, "%s: unknown distribution \"%.60s\"; expected one of: %s",
                          x->name, node->text, distribution_words);
    x->axis->distribution = (enum spec_distribution)found;
    return OK;
}

/* What method and type of the parameter allow. */
static int check_distribution(const struct entry *x)
{
    enum spec_distribution d = x->axis->distribution;
    char word[WORDS_SIZE];
    unsigned need = need_list[d];
    words_at(distribution_words, (int)d, word);
    if (x->r->spec->method == SPEC_GRID && !(need & GRID))
        return spec_wrong(x->r, x->node,
                          "%s: %s cannot be walked by a grid; expected values, two whole numbers "
                          "as min and max, q_uniform, or method: random",
                          x->name, word);
    if (!(need & LIST) && !is_number_kind(info_of(x)->kind))
        return spec_wrong(x->r, x->node, "%s: %s draws numbers; expected values: %s", x->name, word,
                          info_of(x)->choices);
    if (!(need & (LIST | WHOLE | STEP)) && info_of(x)->kind != PARAM_REAL)
        return spec_wrong(x->r, x->node,
                          "%s: %s draws fractions; expected int_uniform or a quantised one",
                          x->name, word);
    return OK;
}

static int check_keys(const struct entry *x)
{
    static const char numbers[] = "min max mu sigma q";
    unsigned need = need_list[x->axis->distribution];
    for (size_t i = 0; i < x->node->count; i++) {
        const char *key = x->node->key[i]->text;
        int number = words_find(numbers, key);
        bool fits = number < 0 || (number < 2 && need & ENDS) ||
                    (number < 4 && number >= 2 && need & NORMAL) || (number == 4 && need & STEP);
        if (!strcmp(key, "value")) fits = x->axis->distribution == SPEC_CONSTANT;
        if (!strcmp(key, "values") || !strcmp(key, "probabilities"))
            fits = x->axis->distribution == SPEC_CATEGORICAL;
        char word[WORDS_SIZE];
        if (!fits)
            return spec_wrong(x->r, x->node->key[i], "%s: %s has no %s", x->name,
                              words_at(distribution_words, (int)x->axis->distribution, word), key);
    }
    return OK;
}

static int check_names(const struct spec_reader *r, const struct yaml *node)
{
    for (size_t i = 0; i < node->count; i++)
        if (words_find(axis_keys, node->key[i]->text) < 0)
            return spec_unknown_key(r, node->key[i], axis_keys);
    return OK;
}

static int nested(const struct spec_reader *r, const char *name, const struct yaml *node)
{
    if (node->kind != YAML_MAP)
        return spec_wrong(r, node, "%s: parameters is %s; expected a map", name, yaml_what(node));
    for (size_t i = 0; i < node->count; i++) {
        char full[256];
        snprintf(full, sizeof full, "%.120s.%.120s", name, node->key[i]->text);
        int rc = spec_axis(r, full, node->key[i], node->item[i]);
        if (rc < 0) return rc;
    }
    return OK;
}

static int unknown_parameter(const struct spec_reader *r, const char *name, const struct yaml *key)
{
    const char *near = param_nearest(name);
    if (near)
        return spec_wrong(r, key, "unknown parameter \"%.60s\"; did you mean %s?", name, near);
    return spec_wrong(r, key, "unknown parameter \"%.60s\"; grokd-train --help lists them", name);
}

int spec_axis(const struct spec_reader *r, const char *name, const struct yaml *key,
              const struct yaml *node)
{
    struct spec *s = r->spec;
    int rc, param = param_find(name);
    if (node->kind == YAML_MAP && yaml_get(node, "parameters"))
        return nested(r, name, yaml_get(node, "parameters"));
    if (param < 0) return unknown_parameter(r, name, key);
    if (node->kind != YAML_MAP)
        return spec_wrong(r, node, "%s is %s; expected a map such as {value: %s}", name,
                          yaml_what(node), param_example(param));
    if (node->count == 0)
        return spec_wrong(r, node, "%s: nothing in it; expected value, values, or min and max",
                          name);
    struct axis *a = &s->axis[s->axis_count++];
    *a = (struct axis){.param = param, .line = key->line, .column = key->column};
    struct entry x = {r, name, key, node, a};
    if ((rc = check_names(r, node)) < 0 || (rc = read_distribution(&x)) < 0) return rc;
    if ((rc = check_distribution(&x)) < 0 || (rc = check_keys(&x)) < 0) return rc;
    unsigned need = need_list[a->distribution];
    if (need & LIST) return read_list(&x);
    return need & NORMAL ? read_normal(&x) : read_range(&x);
}
