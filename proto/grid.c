// SPDX-License-Identifier: MIT
/* grid: the i-th point of a sweep, computed from i alone. */
#include "proto/grid.h"

#include "common/philox.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t grid_count(const struct spec *s)
{
    if (s->method == SPEC_RANDOM) return s->run_cap;
    int64_t most = s->run_cap >= 0 ? s->run_cap : SPEC_POINTS;
    int64_t count = 1;
    for (int i = 0; i < s->axis_count && count < most; i++)
        count = s->axis[i].count > most / count ? most : count * s->axis[i].count;
    return count < most ? count : most;
}

/* The value of a number, in the parameter's own type; the reader has checked that it fits, or the
 * caller does. */
static union param_value number(const struct axis *a, double x)
{
    union param_value v;
    if (param_list[a->param].kind == PARAM_REAL)
        v.real = x + 0.0; /* -0 becomes 0 */
    else
        v.integer = (int64_t)x;
    return v;
}

static union param_value whole(const struct axis *a, int64_t n)
{
    if (param_list[a->param].kind == PARAM_REAL) return number(a, (double)n);
    return (union param_value){.integer = n};
}

static union param_value digit(const struct axis *a, int64_t k)
{
    if (a->value) return a->value[k];
    if (a->distribution == SPEC_INT_UNIFORM) return whole(a, a->least + k);
    return number(a, a->a + (double)k * a->q);
}

/* Writes one value into the point, unless its task does not know the parameter. */
static void put(struct params *p, const struct axis *a, union param_value v)
{
    if (param_belongs(a->param, p->task)) param_set(p, a->param, v);
}

static void walk(const struct spec *s, int64_t i, struct params *p)
{
    for (int n = s->axis_count - 1; n >= 0; n--) {
        const struct axis *a = &s->axis[n];
        put(p, a, digit(a, i % a->count));
        i /= a->count;
    }
}

/* ---- random -------------------------------------------------------------------------------- */

static uint64_t bits(const struct philox *at, uint64_t point)
{
    uint32_t words[4];
    philox_words(at, point, words);
    return (uint64_t)words[0] << 32 | words[1];
}

/* Uniform in [0, 1), 53 bits. */
static double unit(const struct philox *at, uint64_t point)
{
    return (double)(bits(at, point) >> 11) * 0x1p-53;
}

/* Uniform below n >= 1: the upper half of a 128-bit product, off by less than n 2^-64. */
static uint64_t below(const struct philox *at, uint64_t point, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)bits(at, point) * n >> 64);
}

static int64_t choose(const struct axis *a, const struct philox *at, uint64_t point)
{
    if (!a->probability) return (int64_t)below(at, point, (uint64_t)a->count);
    double u = unit(at, point), sum = 0;
    int64_t last = 0;
    for (int64_t k = 0; k < a->count; k++) {
        if (a->probability[k] <= 0) continue;
        sum += a->probability[k];
        last = k;
        if (u < sum) break;
    }
    return last;
}

/* Before quantisation; the formulas stand at SPEC_DISTRIBUTIONS. */
static double draw(const struct axis *a, const struct philox *at, uint64_t point)
{
    double low = a->a, high = a->b;
    switch (a->distribution) {
    case SPEC_NORMAL:
    case SPEC_Q_NORMAL: return a->a + a->b * philox_normal(at, 2 * point);
    case SPEC_LOG_NORMAL:
    case SPEC_Q_LOG_NORMAL: return exp(a->a + a->b * philox_normal(at, 2 * point));
    case SPEC_LOG_UNIFORM_VALUES:
    case SPEC_Q_LOG_UNIFORM_VALUES:
    case SPEC_INV_LOG_UNIFORM_VALUES:
        low = log(a->a);
        high = log(a->b);
        break;
    default: break;
    }
    double x = fmin(low + unit(at, point) * (high - low), high);
    switch (a->distribution) {
    case SPEC_UNIFORM:
    case SPEC_Q_UNIFORM: return x;
    case SPEC_INV_LOG_UNIFORM: return exp(-x);
    case SPEC_INV_LOG_UNIFORM_VALUES: return fmin(fmax(exp(low + high - x), a->a), a->b);
    case SPEC_LOG_UNIFORM_VALUES: return fmin(fmax(exp(x), a->a), a->b);
    default: return exp(x);
    }
}

static int draw_all(const struct spec *s, int64_t i, struct params *p, struct err *e)
{
    for (int n = 0; n < s->axis_count; n++) {
        const struct axis *a = &s->axis[n];
        struct philox at = {(uint64_t)s->settings.sample_seed, (uint32_t)n, PHILOX_SAMPLE};
        union param_value v;
        if (a->value) {
            v = a->value[choose(a, &at, (uint64_t)i)];
        } else if (a->distribution == SPEC_INT_UNIFORM) {
            uint64_t count = (uint64_t)a->greatest - (uint64_t)a->least + 1;
            v = whole(a, a->least + (int64_t)below(&at, (uint64_t)i, count));
        } else {
            double x = draw(a, &at, (uint64_t)i);
            if (a->q > 0) x = rint(x / a->q) * a->q;
            int rc = param_number(a->param, x, &v, e);
            if (rc < 0) return rc;
        }
        put(p, a, v);
    }
    return OK;
}

/* ---- points -------------------------------------------------------------------------------- */

/* "epochs=10 seed=3": the values of the axes at a point, cut to size. */
static void values_text(const struct spec *s, const struct params *p, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < s->axis_count && n < size; i++) {
        char value[PARAM_TEXT_SIZE];
        n += (size_t)snprintf(out + n, size - n, "%s%s=%s", i ? " " : "",
                              param_list[s->axis[i].param].name,
                              param_text(p, s->axis[i].param, value));
    }
}

/* Says which point is wrong, and passes its code on. */
static int unsound(const struct spec *s, int64_t i, const struct params *p, const struct err *why,
                   struct err *e)
{
    char values[200];
    int line = s->axis_count ? s->axis[0].line : 1, column = s->axis_count ? s->axis[0].column : 1;
    values_text(s, p, values, sizeof values);
    return err_set(e, E_FILE, "%.90s:%d:%d: point %" PRId64 " (%s): %.200s", s->file, line, column,
                   i, values, why->text);
}

/* All axes over the defaults that are in *p. */
static int fill(const struct spec *s, int64_t i, struct params *p, struct err *e)
{
    if (s->method == SPEC_RANDOM) return draw_all(s, i, p, e);
    walk(s, i, p);
    return OK;
}

int grid_values(const struct spec *s, int64_t i, struct params *out, struct err *e)
{
    struct err why;
    if (i < 0 || i >= grid_count(s))
        return err_set(e, E_USAGE, "%.90s: no point %" PRId64 "; expected 0 to %" PRId64, s->file,
                       i, grid_count(s) - 1);
    /* Defaults depend on the task, which is itself an axis: the first walk finds it. */
    *out = s->base[0];
    int rc = fill(s, i, out, &why);
    if (rc == OK && out->task != s->base[0].task) {
        *out = s->base[out->task];
        rc = fill(s, i, out, &why);
    }
    return rc < 0 ? unsound(s, i, out, &why, e) : OK;
}

int grid_point(const struct spec *s, int64_t i, struct params *out, struct err *e)
{
    struct err why;
    int rc = grid_values(s, i, out, e);
    if (rc == OK && params_resolve(out, &why) < 0) rc = unsound(s, i, out, &why, e);
    return rc;
}

int grid_check(const struct spec *s, struct err *e)
{
    struct params p;
    int64_t count = grid_count(s);
    for (int64_t i = 0; i < count; i++) {
        int rc = grid_point(s, i, &p, e);
        if (rc < 0) return rc;
    }
    return OK;
}
