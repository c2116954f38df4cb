// SPDX-License-Identifier: MIT
/* number: numbers and durations as people write them, and the one way we write numbers back. */
#include "proto/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MOST (1e4 * 86400e3)

static const char *digits(const char *s)
{
    while (isdigit((unsigned char)*s)) s++;
    return s;
}

/* The end of a decimal number at s, or NULL. *plain: digits alone. */
static const char *decimal_end(const char *s, bool *plain)
{
    if (*s == '+' || *s == '-') s++;
    const char *end = digits(s);
    bool any = end > s;
    *plain = any;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = digits(fraction);
        any = any || end > fraction;
        *plain = false;
    }
    if (!any) return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1;
        if (*exponent == '+' || *exponent == '-') exponent++;
        end = digits(exponent);
        if (end == exponent) return NULL;
        *plain = false;
    }
    return end;
}

bool number_read(const char *text, struct number *n)
{
    bool plain;
    const char *end = decimal_end(text, &plain);
    if (!end || *end) return false;
    n->real = strtod(text, NULL) + 0.0; /* + 0.0: -0 becomes 0 */
    if (!isfinite(n->real)) return false;
    n->integer = 0;
    if (plain) { /* digits alone are exact beyond 2^53 */
        errno = 0;
        n->integer = strtoll(text, NULL, 10);
        n->integral = errno == 0;
    } else {
        n->integral = n->real == floor(n->real) && fabs(n->real) < 0x1p63;
        if (n->integral) n->integer = (int64_t)n->real;
    }
    return true;
}

/* 1e-05 -> 1e-5, 1e+300 -> 1e300, in place. */
static void trim_exponent(char *s)
{
    char *e = strchr(s, 'e');
    if (!e) return;
    char *to = e + 1;
    const char *from = to;
    if (*from == '+')
        from++;
    else if (*from == '-')
        *to++ = *from++;
    while (*from == '0' && from[1]) from++;
    memmove(to, from, strlen(from) + 1);
}

const char *number_text(double x, char out[NUMBER_TEXT])
{
    if (isfinite(x) && fabs(x) < 1e15 && x == (double)(int64_t)x) {
        snprintf(out, NUMBER_TEXT, "%" PRId64, (int64_t)x);
        return out;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, NUMBER_TEXT, "%.*g", precision, x);
        if (!isfinite(x) || strtod(out, NULL) == x) break;
    }
    if (isnan(x)) strcpy(out, "nan");
    trim_exponent(out);
    return out;
}

static bool clock_read(const char *text, int64_t *ms)
{
    int hours, minutes, seconds, length = 0;
    if (strspn(text, "0123456789:") != strlen(text)) return false;
    if (sscanf(text, "%4d:%2d:%2d%n", &hours, &minutes, &seconds, &length) != 3 || text[length])
        return false;
    if (minutes > 59 || seconds > 59) return false;
    *ms = ((hours * INT64_C(60) + minutes) * 60 + seconds) * 1000;
    return true;
}

/* Milliseconds of a unit, 0 for none. */
static double unit_ms(const char *s, size_t length)
{
    static const struct {
        char name[4];
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == length && !strncmp(units[i].name, s, length))
            return units[i].ms;
    return 0;
}

bool duration_read(const char *text, int64_t *ms)
{
    if (strchr(text, ':')) return clock_read(text, ms);
    double sum = 0;
    bool any = !strcmp(text, "0");
    for (const char *s = any ? "" : text + strspn(text, " "); *s; any = true) {
        bool plain;
        const char *end = isdigit((unsigned char)*s) ? decimal_end(s, &plain) : NULL;
        if (!end) return false;
        size_t length = strspn(end, "mshd");
        double unit = unit_ms(end, length);
        sum += strtod(s, NULL) * unit;
        if (unit == 0 || !(sum <= DURATION_MOST)) return false;
        s = end + length;
        s += strspn(s, " ");
    }
    *ms = (int64_t)rint(sum);
    return any;
}
