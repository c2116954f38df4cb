// SPDX-License-Identifier: MIT
/* utf8: one character of a text that nobody has checked yet. */
#ifndef GROKD_PROTO_UTF8_H
#define GROKD_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence (RFC 3629) at s, 1 to 4; 0 when there is none. Reads no byte
 * beyond the first that is wrong, so a NUL after the text is fence enough. */
size_t utf8_length(const char *s);

/* Whether the well-formed sequence at s is a control character (C0, DEL, C1). */
bool utf8_control(const char *s);

#endif
