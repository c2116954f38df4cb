// SPDX-License-Identifier: MIT
/* safetensors_header: a strict reader of the one JSON object that a header is:
 *
 *   {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F32", "shape": [n, ...],
 *    "data_offsets": [begin, end]}, ...}
 *
 * Each of the three members once, in any order; nothing else. No recursion: the depth is fixed.
 */
#include "common/safetensors_header.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *start, *at, *end, *origin;
    struct err *e;
};

static int bad(const struct reader *r, const char *right)
{
    return err_set(r->e, E_FILE, "%s: header, byte %td: expected %s", r->origin, r->at - r->start,
                   right);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at) r->at++;
}

/* Takes one character, after white space; false: something else is there. */
static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static int need(struct reader *r, char c)
{
    const char right[] = {'\'', c, '\'', 0};
    return take(r, c) ? OK : bad(r, right);
}

/* A string of printable ASCII without escapes: what names and types are made of. */
static int read_name(struct reader *r, char *out, size_t room)
{
    size_t n = 0;
    int rc = need(r, '"');
    if (rc < 0) return rc;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at < ' ' || *r->at > '~' || *r->at == '\\') return bad(r, "printable ASCII");
        if (n + 1 >= room) return bad(r, "a shorter name");
        out[n++] = *r->at;
    }
    out[n] = 0;
    return need(r, '"');
}

/* Any string, skipped. */
static int skip_string(struct reader *r)
{
    int rc = need(r, '"');
    if (rc < 0) return rc;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if ((unsigned char)*r->at < ' ') return bad(r, "no control character in a string");
        if (*r->at == '\\' && ++r->at == r->end) break;
    }
    return need(r, '"');
}

static int read_size(struct reader *r, size_t *out)
{
    size_t x = 0;
    skip_space(r);
    const char *from = r->at;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        size_t digit = (size_t)(*r->at - '0');
        if (x > (SIZE_MAX - digit) / 10) return bad(r, "a smaller number");
        x = x * 10 + digit;
    }
    if (r->at == from || (*from == '0' && r->at - from > 1)) return bad(r, "a whole number");
    *out = x;
    return OK;
}

/* [n, n, ...], at most `most`. */
static int read_sizes(struct reader *r, size_t *out, size_t most, size_t *count)
{
    int rc = need(r, '[');
    *count = 0;
    if (rc < 0 || take(r, ']')) return rc;
    do {
        if (*count == most) return bad(r, "fewer numbers");
        if ((rc = read_size(r, &out[(*count)++])) < 0) return rc;
    } while (take(r, ','));
    return need(r, ']');
}

static int skip_metadata(struct reader *r)
{
    int rc = need(r, '{');
    if (rc < 0 || take(r, '}')) return rc;
    do {
        if ((rc = skip_string(r)) < 0 || (rc = need(r, ':')) < 0 || (rc = skip_string(r)) < 0)
            return rc;
    } while (take(r, ','));
    return need(r, '}');
}

static int read_type(struct reader *r, enum safetensors_type *type)
{
    char name[8];
    int rc = read_name(r, name, sizeof name);
    if (rc < 0) return rc;
    for (int i = 0; i < ST_TYPES; i++)
        if (strcmp(name, safetensors_types[i].name) == 0) {
            *type = (enum safetensors_type)i;
            return OK;
        }
    return bad(r, "a type among F32, F64, I64, I32, I8 and U8");
}

/* One of the three members of an array; seen has a bit for each. */
static int read_member(struct reader *r, struct safetensors_entry *t, size_t range[2],
                       unsigned *seen)
{
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    char name[16];
    size_t n;
    int rc = read_name(r, name, sizeof name), which = 0;
    if (rc < 0 || (rc = need(r, ':')) < 0) return rc;
    while (which < 3 && strcmp(name, names[which]) != 0) which++;
    if (which == 3 || *seen & 1u << which) return bad(r, "dtype, shape and data_offsets, once");
    *seen |= 1u << which;
    if (which == 0) return read_type(r, &t->type);
    if (which == 1) return read_sizes(r, t->shape, SAFETENSORS_RANK, &t->rank);
    rc = read_sizes(r, range, 2, &n);
    return rc < 0 || n == 2 ? rc : bad(r, "two offsets");
}

/* The bytes of the shape are the bytes between the offsets, and lie within the data. */
static int check_range(const struct reader *r, struct safetensors_entry *t, const size_t range[2],
                       size_t size)
{
    if (range[0] > range[1] || range[1] > size)
        return err_set(r->e, E_FILE,
                       "%s: %s has offsets [%zu,%zu]: expected them ascending, up to %zu",
                       r->origin, t->name, range[0], range[1], size);
    size_t width = safetensors_types[t->type].bytes, count = 1;
    bool empty = false, huge = false;
    for (size_t i = 0; i < t->rank; i++) {
        empty |= t->shape[i] == 0;
        huge |= t->shape[i] != 0 && count > size / t->shape[i];
        if (!huge && !empty) count *= t->shape[i];
    }
    t->count = empty ? 0 : count;
    t->offset = range[0];
    if ((!huge || empty) && t->count <= size / width && t->count * width == range[1] - range[0])
        return OK;
    return err_set(r->e, E_FILE,
                   "%s: %s has %zu bytes between its offsets: not what its shape needs", r->origin,
                   t->name, range[1] - range[0]);
}

static int read_entry(struct reader *r, struct safetensors_entry *t, size_t size)
{
    size_t range[2] = {0};
    unsigned seen = 0;
    int rc = need(r, '{');
    if (rc < 0) return rc;
    do {
        if ((rc = read_member(r, t, range, &seen)) < 0) return rc;
    } while (take(r, ','));
    if (seen != 7) return bad(r, "dtype, shape and data_offsets");
    if ((rc = need(r, '}')) < 0) return rc;
    return check_range(r, t, range, size);
}

static int room_for_one(struct safetensors *s, const struct reader *r)
{
    if (s->count == SAFETENSORS_ARRAYS) return bad(r, "at most 4096 arrays");
    if (s->count & (s->count - 1)) return OK; /* room is doubled at powers of two */
    void *more = realloc(s->entry, (s->count ? 2 * s->count : 1) * sizeof *s->entry);
    if (!more) return err_set(r->e, E_NOMEM, "%s: no memory for its header", r->origin);
    s->entry = more;
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct safetensors_entry *)a)->name,
                  ((const struct safetensors_entry *)b)->name);
}

/* A file of thousands of arrays must not cost their square to check. */
static int check_names(struct safetensors *s, const struct reader *r)
{
    if (s->count > 0) qsort(s->entry, s->count, sizeof *s->entry, by_name);
    for (size_t i = 1; i < s->count; i++)
        if (strcmp(s->entry[i - 1].name, s->entry[i].name) == 0)
            return err_set(r->e, E_FILE, "%s: two arrays named %s", r->origin, s->entry[i].name);
    return OK;
}

int safetensors_header(struct safetensors *s, const char *text, size_t size, const char *origin,
                       struct err *e)
{
    struct reader r = {text, text, text + size, origin, e};
    int rc = need(&r, '{');
    if (rc < 0) return rc;
    if (!take(&r, '}')) {
        do {
            struct safetensors_entry t = {0};
            if ((rc = read_name(&r, t.name, sizeof t.name)) < 0 || (rc = need(&r, ':')) < 0)
                return rc;
            bool meta = strcmp(t.name, "__metadata__") == 0;
            if ((rc = meta ? skip_metadata(&r) : read_entry(&r, &t, s->size)) < 0) return rc;
            if (meta) continue;
            if ((rc = room_for_one(s, &r)) < 0) return rc;
            s->entry[s->count++] = t;
        } while (take(&r, ','));
        if ((rc = need(&r, '}')) < 0) return rc;
    }
    skip_space(&r);
    return r.at == r.end ? check_names(s, &r) : bad(&r, "nothing after the object");
}
