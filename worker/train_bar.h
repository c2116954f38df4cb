// SPDX-License-Identifier: MIT
/* train_bar: the progress of one run, one line on standard error when that is a terminal. */
#ifndef GROKD_WORKER_TRAIN_BAR_H
#define GROKD_WORKER_TRAIN_BAR_H

#include "worker/train_run.h"

#include <stdbool.h>
#include <stdint.h>

struct train_bar {
    bool on, shown;
    int64_t start_ms, drawn_ms;
};

void train_bar_open(struct train_bar *b);

/* Takes the line away, so that something else can be printed; draws it, at most ten times a
 * second. */
void train_bar_clear(struct train_bar *b);
void train_bar_draw(struct train_bar *b, const struct train_epoch *now);

/* Leaves the last line standing. */
void train_bar_close(struct train_bar *b);

/* The line itself for an epoch after so many milliseconds, at most `size` bytes. */
void train_bar_text(const struct train_epoch *now, int64_t ms, char *out, size_t size);

#endif
