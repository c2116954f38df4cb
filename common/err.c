// SPDX-License-Identifier: MIT
/* err: what went wrong, in a code for the program and a sentence for the person. */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fill(struct err *e, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static int fill(struct err *e, int code, const char *format, va_list args)
{
    if (!e) return code;
    e->code = code;
    vsnprintf(e->text, sizeof e->text, format, args);
    /* Repeated from a file or a peer: one line stays one line, and a terminal stays as it was. */
    for (char *c = e->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    return code;
}

int err_set(struct err *e, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(e, code, format, args);
    va_end(args);
    return code;
}

int err_errno(struct err *e, int code, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(e, code, format, args);
    va_end(args);
    if (e) {
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(saved));
    }
    return code;
}

const char *err_name(int code)
{
    switch (code) {
#define X(name, number, exit_code, text)                                                           \
    case name: return text;
        ERR_LIST(X)
#undef X
    default: return "ok";
    }
}

int err_exit_code(int code)
{
    switch (code) {
#define X(name, number, exit_code, text)                                                           \
    case name: return exit_code;
        ERR_LIST(X)
#undef X
    default: return 0;
    }
}
