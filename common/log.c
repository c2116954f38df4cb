// SPDX-License-Identifier: MIT
/* log: one line of key=value to stderr for each event, with UTC time and level. */
#include "common/log.h"

#include "common/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define EVENTS 128 /* events whose repeats are counted; later ones are written without a limit */

static _Atomic int threshold = -1; /* -1: not read yet */
static _Atomic int out_fd = 2;
static const char *_Atomic before;

static const char *const level_names[] = {"debug", "info", "warn", "error", "quiet"};

/* ---- the line ----------------------------------------------------------------------------------
 */

struct line {
    size_t used;
    char text[LOG_LINE];
};

/* One byte always stays free for the newline. */
static void add(struct line *l, const char *bytes, size_t n)
{
    size_t left = sizeof l->text - 1 - l->used;
    if (n > left) n = left;
    memcpy(l->text + l->used, bytes, n);
    l->used += n;
}

static void add_text(struct line *l, const char *text)
{
    add(l, text, strlen(text));
}

static bool needs_quotes(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c == 127 || c == '"' || c == '=' || c == '\\') return true;
    }
    return n == 0;
}

static void add_value(struct line *l, const char *s, size_t n)
{
    if (!needs_quotes(s, n)) {
        add(l, s, n);
        return;
    }
    add_text(l, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        char escape[8];
        if (c == '"' || c == '\\')
            snprintf(escape, sizeof escape, "\\%c", c);
        else if (c == '\n')
            snprintf(escape, sizeof escape, "\\n");
        else if (c < ' ' || c == 127)
            snprintf(escape, sizeof escape, "\\x%02x", c);
        else
            snprintf(escape, sizeof escape, "%c", c);
        add_text(l, escape);
    }
    add_text(l, "\"");
}

/* ---- the format --------------------------------------------------------------------------------
 */

struct conversion {
    int precision; /* -1: none; -2: an argument */
    int longs;     /* 0: int, 1: long and as wide */
    char letter;
};

/* Reads one conversion after its %, returns what follows it. */
static const char *read_conversion(const char *f, struct conversion *c)
{
    *c = (struct conversion){.precision = -1};
    while (*f && strchr("-+ #0123456789", *f)) f++;
    if (*f == '.' && f[1] == '*') {
        c->precision = -2;
        f += 2;
    } else if (*f == '.') {
        char *end;
        c->precision = (int)strtol(f + 1, &end, 10);
        f = end;
    }
    for (; *f && strchr("hlzjt", *f); f++)
        if (*f != 'h') c->longs = 1;
    c->letter = *f;
    return *f ? f + 1 : f;
}

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(long) == sizeof(intmax_t) &&
                   sizeof(long) == sizeof(size_t),
               "l, ll, j and z are read alike");

static void add_string(struct line *l, const char *s, int precision)
{
    if (!s) s = "(null)";
    add_value(l, s, precision >= 0 ? strnlen(s, (size_t)precision) : strlen(s));
}

static void add_double(struct line *l, const struct conversion *c, int precision, double x)
{
    char text[400];
    if (precision < 0) precision = 6;
    if (precision > 17) precision = 17;
    if (c->letter == 'f')
        snprintf(text, sizeof text, "%.*f", precision, x);
    else if (c->letter == 'e')
        snprintf(text, sizeof text, "%.*e", precision, x);
    else
        snprintf(text, sizeof text, "%.*g", precision, x);
    add_text(l, text);
}

static void add_formatted(struct line *l, const char *f, va_list args)
{
    while (*f) {
        struct conversion c;
        char text[32] = "";
        size_t plain = strcspn(f, "%");
        add(l, f, plain);
        f += plain;
        if (!*f) return;
        f = read_conversion(f + 1, &c);
        int precision = c.precision == -2 ? va_arg(args, int) : c.precision;
        switch (c.letter) {
        case 's': add_string(l, va_arg(args, const char *), precision); continue;
        case 'f':
        case 'e':
        case 'g': add_double(l, &c, precision, va_arg(args, double)); continue;
        case 'c': snprintf(text, sizeof text, "%c", va_arg(args, int)); break;
        case 'd':
            snprintf(text, sizeof text, "%ld", c.longs ? va_arg(args, long) : va_arg(args, int));
            break;
        case 'u':
            snprintf(text, sizeof text, "%lu",
                     c.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned));
            break;
        case 'x':
            snprintf(text, sizeof text, "%lx",
                     c.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned));
            break;
        case '%': add_text(l, "%"); continue;
        default: add_text(l, "%?"); return; /* the arguments behind it cannot be read */
        }
        add_text(l, text);
    }
}

/* ---- repeats -----------------------------------------------------------------------------------
 */

struct event {
    char name[48];
    int64_t since_ms;
    int64_t written, suppressed;
};

static struct event events[EVENTS];
static atomic_flag busy = ATOMIC_FLAG_INIT; /* held for a few instructions */

static struct event *find(const char *name)
{
    for (int i = 0; i < EVENTS; i++) {
        if (!events[i].name[0]) snprintf(events[i].name, sizeof events[i].name, "%s", name);
        if (!strncmp(events[i].name, name, sizeof events[i].name - 1)) return &events[i];
    }
    return NULL;
}

/* Whether a line of the event may be written, and how many were not since the last one. */
static bool admit(const char *name, int64_t now_ms, int64_t *suppressed)
{
    bool yes = true;
    *suppressed = 0;
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
    }
    struct event *ev = find(name);
    if (ev) {
        if (now_ms - ev->since_ms >= LOG_WINDOW_MS || !ev->since_ms) {
            ev->since_ms = now_ms;
            ev->written = 0;
        }
        yes = ev->written < LOG_BURST;
        if (yes) {
            ev->written++;
            *suppressed = ev->suppressed;
            ev->suppressed = 0;
        } else {
            ev->suppressed++;
        }
    }
    atomic_flag_clear_explicit(&busy, memory_order_release);
    return yes;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static int read_threshold(void)
{
    const char *want = getenv("GROKD_LOG");
    for (int i = LOG_DEBUG; want && i <= LOG_QUIET; i++)
        if (!strcasecmp(want, level_names[i])) return i;
    return LOG_INFO;
}

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

void log_set_before(const char *bytes)
{
    before = bytes;
}

void log_set_fd(int fd)
{
    out_fd = fd;
}

/* A log that cannot be written is no reason to stop working. */
static void put(const char *bytes, size_t n)
{
    ssize_t written;
    do written = write(out_fd, bytes, n);
    while (written < 0 && errno == EINTR);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    struct line l = {0};
    int64_t suppressed;
    char utc[CLOCK_UTC], count[32];
    int saved = errno;
    va_list args;
    if (threshold < 0) threshold = read_threshold();
    if ((int)level < threshold || level >= LOG_QUIET) return;
    if (!admit(event, clock_now_ms(), &suppressed)) return;
    clock_utc(clock_wall_ms(), utc);
    if (before) add_text(&l, before);
    add_text(&l, utc);
    add_text(&l, " ");
    add_text(&l, level_names[level]);
    add_text(&l, " ");
    add_text(&l, event);
    if (suppressed) {
        snprintf(count, sizeof count, " suppressed=%lld", (long long)suppressed);
        add_text(&l, count);
    }
    add_text(&l, " ");
    va_start(args, format);
    add_formatted(&l, format, args);
    va_end(args);
    l.text[l.used++] = '\n';
    put(l.text, l.used);
    errno = saved;
}
