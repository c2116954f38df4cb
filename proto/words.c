// SPDX-License-Identifier: MIT
/* words: short lists of words, one space apart, as the lists of facts write their choices. */
#include "proto/words.h"

#include <stdio.h>
#include <string.h>

/* The next word at *s: its length, *s moved to it; 0 at the end. */
static size_t next(const char **s)
{
    *s += strspn(*s, " ");
    return strcspn(*s, " ");
}

int words_find(const char *words, const char *word)
{
    int i = 0;
    for (size_t n; (n = next(&words)); words += n, i++)
        if (strlen(word) == n && !strncmp(words, word, n)) return i;
    return -1;
}

const char *words_at(const char *words, int i, char out[WORDS_SIZE])
{
    out[0] = '\0';
    for (size_t n; (n = next(&words)); words += n)
        if (i-- == 0) {
            snprintf(out, WORDS_SIZE, "%.*s", (int)n, words);
            break;
        }
    return out;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edit distance with swaps of neighbours (optimal string alignment), three rows of the table. */
static int distance(const char *a, size_t na, const char *b, size_t nb)
{
    int row[3][WORDS_SIZE + 1];
    for (size_t j = 0; j <= nb; j++) row[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *twice = row[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int d = before[j - 1] + (a[i - 1] != b[j - 1]);
            d = least(d, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d = least(d, twice[j - 2] + 1);
            now[j] = d;
        }
    }
    return row[na % 3][nb];
}

const char *words_nearest(const char *words, const char *word, char out[WORDS_SIZE])
{
    size_t length = strlen(word);
    if (length >= WORDS_SIZE) return NULL;
    int best = (int)length / 3 + 2; /* letters that may differ, and one */
    const char *found = NULL;
    for (size_t n; (n = next(&words)); words += n) {
        if (n >= WORDS_SIZE) continue;
        int d = distance(word, length, words, n);
        if (d >= best || d >= (int)n) continue;
        best = d;
        found = out;
        snprintf(out, WORDS_SIZE, "%.*s", (int)n, words);
    }
    return found;
}
