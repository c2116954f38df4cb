// SPDX-License-Identifier: MIT
/* stiff: lines of numbers with the names of what they are. */
#include "coordinator/stiff.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const layers[] = {"stiff", "sloppy"};
static const char *const names[] = {"step_fisher", "cos_previous_fisher", "cos_origin_fisher",
                                    "parameters"};
#define LAYERS (sizeof layers / sizeof *layers)
#define NAMES  (sizeof names / sizeof *names)

/* The word of a list that the text begins with, `end` right behind it; NULL: none. */
static const char *read_word(const char **text, const char *const *list, size_t count, char end)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(list[i]);
        if (strncmp(*text, list[i], n) != 0 || (*text)[n] != end) continue;
        *text += n + 1;
        return list[i];
    }
    return NULL;
}

/* A number without anything before it, `end` right behind it. */
static bool read_value(const char **text, char end, double *out)
{
    char *stop;
    if (!strchr("-0123456789", **text)) return false;
    *out = strtod(*text, &stop);
    if (*stop != end || !isfinite(*out)) return false;
    *text = stop + 1;
    return true;
}

static bool read_epoch(const char **text, int64_t *out)
{
    *out = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && at - *text < 18; at++) *out = 10 * *out + *at - '0';
    if (at == *text || *at != ' ') return false;
    *text = at + 1;
    return true;
}

int stiff_next(const char **text, struct stiff_value *v, struct err *e)
{
    const char *at = *text;
    if (!*at) return 0;
    if (read_epoch(&at, &v->epoch) && (v->layer = read_word(&at, layers, LAYERS, ' ')) &&
        (v->name = read_word(&at, names, NAMES, ' ')) && read_value(&at, '\n', &v->value)) {
        *text = at;
        return 1;
    }
    return err_set(e, E_USAGE, "no part of a step: '%.*s'; expected EPOCH LAYER NAME VALUE",
                   (int)strcspn(*text, "\n") < 60 ? (int)strcspn(*text, "\n") : 60, *text);
}

/* A bit for each layer and name. */
static unsigned place(const struct stiff_value *v)
{
    size_t layer = 0, name = 0;
    while (layers[layer] != v->layer) layer++;
    while (names[name] != v->name) name++;
    return 1u << (layer * NAMES + name);
}

int stiff_check(const char *text, struct err *e)
{
    struct stiff_value v;
    int64_t last = 0;
    unsigned seen = 0;
    int rc;
    while ((rc = stiff_next(&text, &v, e)) == 1) {
        if (v.epoch < last)
            return err_set(e, E_USAGE, "epoch %" PRId64 " stands behind %" PRId64, v.epoch, last);
        if (v.epoch > last) seen = 0;
        if (seen & place(&v))
            return err_set(e, E_USAGE, "epoch %" PRId64 ": %s %s stands twice", v.epoch, v.layer,
                           v.name);
        seen |= place(&v);
        last = v.epoch;
    }
    return rc;
}

int stiff_of_json(const char **text, struct stiff_value *v)
{
    static const char layer[] = "{\"layer\": \"", name[] = ", \"name\": \"",
                      value[] = ", \"value\": ";
    for (const char *at = *text; (at = strstr(at, layer));) {
        at += strlen(layer);
        if (!(v->layer = read_word(&at, layers, LAYERS, '"'))) continue;
        if (strncmp(at, name, strlen(name)) != 0) continue;
        at += strlen(name);
        if (!(v->name = read_word(&at, names, NAMES, '"'))) continue;
        if (strncmp(at, value, strlen(value)) != 0) continue;
        at += strlen(value);
        if (!read_value(&at, '}', &v->value)) continue;
        *text = at;
        return 1;
    }
    return 0;
}

void stiff_write(FILE *to, const struct stiff_value *v)
{
    fprintf(to, "%" PRId64 " %s %s %.17g\n", v->epoch, v->layer, v->name, v->value);
}
