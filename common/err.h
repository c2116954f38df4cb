// SPDX-License-Identifier: MIT
/* err: what went wrong, in a code for the program and a sentence for the person.
 *
 * A function that can fail takes `struct err *e` last, fills it once, where the facts are known,
 * and returns the negative code. OK is 0. Callers that cannot repair a failure pass the code on and
 * leave the sentence alone. Only main ends the process; err_exit_code says with what.
 */
#ifndef GROKD_COMMON_ERR_H
#define GROKD_COMMON_ERR_H

/* Codes, names and exit codes of the programs in one list. */
#define ERR_LIST(X)                                                                                \
    X(E_USAGE, -1, 2, "bad usage")                                                                 \
    X(E_FILE, -2, 2, "bad file")                                                                   \
    X(E_NET, -3, 3, "cannot reach or bind")                                                        \
    X(E_STORE, -4, 4, "storage trouble")                                                           \
    X(E_FULL, -5, 4, "no room on the disk")                                                        \
    X(E_IO, -6, 4, "input or output failed")                                                       \
    X(E_NOMEM, -7, 4, "out of memory")                                                             \
    X(E_PROTO, -8, 1, "bad message")                                                               \
    X(E_STATE, -9, 1, "not possible in this state")                                                \
    X(E_RUN, -10, 1, "run failed")

enum err_code {
    OK = 0,
#define X(name, code, exit_code, text) name = code,
    ERR_LIST(X)
#undef X
};

struct err {
    int code;       /* one of enum err_code */
    char text[512]; /* one line: what, where, what would be right */
};

/* Fills e (may be NULL) and returns code, so that a function can return it at once. */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the sentence for errno at the end. */
int err_errno(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a code ("bad file"), and the exit code of a program that ends for it. */
const char *err_name(int code);
int err_exit_code(int code);

#endif
