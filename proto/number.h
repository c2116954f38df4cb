// SPDX-License-Identifier: MIT
/* number: numbers and durations as people write them, and the one way we write numbers back. */
#ifndef GROKD_PROTO_NUMBER_H
#define GROKD_PROTO_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_TEXT 32 /* longest text of a number with its NUL */

/* A number as read: integral ones (3, 3e6, 3.0) hold their value in both fields. */
struct number {
    double real;
    int64_t integer;
    bool integral; /* and within int64 */
};

/* Decimal only: [+-] digits [. digits] [e [+-] digits]; no hexadecimal, no nan, no infinity,
 * nothing around it. False when text is no such number or overflows a double. */
bool number_read(const char *text, struct number *n);

/* The shortest of %.15g, %.16g, %.17g that reads back to the same double, its exponent without plus
 * sign and leading zeros: 0.005, 1e-8, 1e300. -0 gives 0; what is not finite gives nan, inf, -inf.
 * Returns out. */
const char *number_text(double x, char out[NUMBER_TEXT]);

/* Durations: parts with a unit of ms, s, m, h or d, spaces between or not ("1h 30m", "60s",
 * "1.5h"), or HH:MM:SS, in milliseconds. A bare number has no unit and is refused, but 0. False
 * when text is no such duration or is longer than 10^4 days. */
bool duration_read(const char *text, int64_t *ms);

#endif
