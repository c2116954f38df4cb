// SPDX-License-Identifier: MIT
/* progress: how far the sweeps are, as a line of text. Pure: numbers and a width in, text out. */
#ifndef GROKD_COORDINATOR_PROGRESS_H
#define GROKD_COORDINATOR_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_TEXT 512

struct progress {
    int64_t runs, over, running, failed; /* over: finished, failed or cancelled */
    int64_t epochs_left;
    double epochs_per_s; /* 0: not known yet */
    size_t workers;
    bool stalled; /* nothing can be stored just now */
};

/* Speed from counts: exponential mean over about ten seconds, begun with the first second. */
struct progress_speed {
    bool begun;
    int64_t at_ms, epochs;
    double per_s;
};

/* Takes in the count of epochs so far; returns epochs per second. */
double progress_speed(struct progress_speed *s, int64_t epochs, int64_t now_ms);

/* Milliseconds that the rest will take at this speed; -1: not known. */
int64_t progress_left_ms(const struct progress *p);

/* One line of at most `width` characters, a bar first where there is room for it:
 *   [=====>          ]  12/60 runs  2 running  1 failed  412 epochs/s  3 min 20 s left
 * Returns out. */
const char *progress_text(const struct progress *p, int width, char out[PROGRESS_TEXT]);

/* Whether `now` reached a tenth of all runs that `before` had not: what a log is told. */
bool progress_milestone(const struct progress *before, const struct progress *now);

#endif
