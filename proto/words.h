// SPDX-License-Identifier: MIT
/* words: short lists of words, one space apart, as the lists of facts write their choices. */
#ifndef GROKD_PROTO_WORDS_H
#define GROKD_PROTO_WORDS_H

#include <stddef.h>

#define WORDS_SIZE 64 /* longest word with its NUL */

/* Position of a word in the list, or -1. */
int words_find(const char *words, const char *word);

/* The i-th word, cut to WORDS_SIZE; "" when there is none. Returns out. */
const char *words_at(const char *words, int i, char out[WORDS_SIZE]);

/* The word nearest to a mistyped one (fewest letters inserted, left out, changed or swapped), if it
 * is near enough to be meant; else NULL. Returns out. */
const char *words_nearest(const char *words, const char *word, char out[WORDS_SIZE]);

#endif
