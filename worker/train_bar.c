// SPDX-License-Identifier: MIT
/* train_bar: the progress of one run, one line on standard error when that is a terminal. */
#include "worker/train_bar.h"

#include "common/clock.h"
#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 24
#define DRAW_MS   100

void train_bar_open(struct train_bar *b)
{
    *b = (struct train_bar){.on = isatty(STDERR_FILENO), .start_ms = clock_now_ms()};
    b->drawn_ms = b->start_ms - DRAW_MS;
}

/* The line is drawn again right after, unless it was drawn a moment ago: rows on the same terminal
 * must not run into it, and rows elsewhere need not blink it. */
void train_bar_clear(struct train_bar *b)
{
    if (b->shown && isatty(STDOUT_FILENO)) fputs("\r\033[K", stderr);
}

void train_bar_text(const struct train_epoch *now, int64_t ms, char *out, size_t size)
{
    char bar[BAR_WIDTH + 1], left[TEXT_SHORT];
    int64_t done = now->row->epoch, all = now->epochs;
    int full = all > 0 ? (int)(done * BAR_WIDTH / all) : BAR_WIDTH;
    double rate = ms > 0 ? 1000.0 * (double)done / (double)ms : 0;
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    text_from_ms(done > 0 ? (int64_t)((double)ms / (double)done * (double)(all - done)) : 0, left);
    snprintf(out, size,
             "%" PRId64 "/%" PRId64 " %s train %.4g test %.4g right %.1f%% %.3g epochs/s %s left",
             done, all, bar, now->row->value[METRIC_train_loss], now->row->value[METRIC_test_loss],
             100 * now->row->value[METRIC_test_accuracy], rate, left);
}

void train_bar_draw(struct train_bar *b, const struct train_epoch *now)
{
    char line[256];
    int64_t now_ms = clock_now_ms();
    bool due = now_ms - b->drawn_ms >= DRAW_MS || now->final || isatty(STDOUT_FILENO);
    if (!b->on || !due) return;
    train_bar_text(now, now_ms - b->start_ms, line, sizeof line);
    fprintf(stderr, "\r%s\033[K", line);
    b->shown = true;
    b->drawn_ms = now_ms;
}

void train_bar_close(struct train_bar *b)
{
    if (b->shown) fputc('\n', stderr);
    b->shown = false;
}
