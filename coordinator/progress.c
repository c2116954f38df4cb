// SPDX-License-Identifier: MIT
/* progress: how far the sweeps are, as a line of text. */
#include "coordinator/progress.h"

#include "common/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMOOTH_MS 10000.0
#define BAR_LEAST 10 /* a shorter bar says nothing */
#define BAR_MOST  40
#define WORDS     384 /* room for what words() says */

double progress_speed(struct progress_speed *s, int64_t epochs, int64_t now_ms)
{
    if (!s->begun) {
        *s = (struct progress_speed){.begun = true, .at_ms = now_ms, .epochs = epochs};
        return 0;
    }
    double passed_ms = (double)(now_ms - s->at_ms);
    if (passed_ms < 1000) return s->per_s;
    double recent = (double)(epochs - s->epochs) * 1e3 / passed_ms;
    double keep = s->per_s > 0 ? exp(-passed_ms / SMOOTH_MS) : 0;
    s->per_s = keep * s->per_s + (1 - keep) * recent;
    s->at_ms = now_ms;
    s->epochs = epochs;
    return s->per_s;
}

int64_t progress_left_ms(const struct progress *p)
{
    if (!(p->epochs_per_s > 0) || p->over >= p->runs) return -1;
    double ms = (double)p->epochs_left * 1e3 / p->epochs_per_s;
    return ms < 1e15 ? (int64_t)ms : -1;
}

static void words(const struct progress *p, char out[WORDS])
{
    char left[TEXT_SHORT], speed[64] = "", rest[64] = "", failed[64] = "", nobody[32] = "";
    const char *stalled = p->stalled ? "  waiting for the disk" : "";
    int64_t left_ms = progress_left_ms(p);
    if (p->failed) snprintf(failed, sizeof failed, "  %lld failed", (long long)p->failed);
    if (p->epochs_per_s > 0)
        snprintf(speed, sizeof speed, "  %.*f epochs/s", p->epochs_per_s < 10 ? 1 : 0,
                 p->epochs_per_s);
    if (left_ms >= 0) snprintf(rest, sizeof rest, "  %s left", text_from_ms(left_ms, left));
    if (!p->workers && p->over < p->runs) snprintf(nobody, sizeof nobody, "  no worker");
    snprintf(out, WORDS, "%lld/%lld runs  %lld running%s%s%s%s%s", (long long)p->over,
             (long long)p->runs, (long long)p->running, failed, stalled, speed, rest, nobody);
}

/* [====>    ] of `size` characters in all. */
static void bar(const struct progress *p, int size, char *out)
{
    int inner = size - 2;
    int full = p->runs > 0 ? (int)((double)p->over / (double)p->runs * inner) : 0;
    out[0] = '[';
    for (int i = 0; i < inner; i++) out[1 + i] = i < full ? '=' : ' ';
    if (full < inner && p->over) out[1 + full] = '>';
    out[size - 1] = ']';
    out[size] = '\0';
}

const char *progress_text(const struct progress *p, int width, char out[PROGRESS_TEXT])
{
    char text[WORDS], drawn[BAR_MOST + 1];
    words(p, text);
    int room = width - (int)strlen(text) - 2;
    if (room > BAR_MOST) room = BAR_MOST;
    if (room >= BAR_LEAST) {
        bar(p, room, drawn);
        snprintf(out, PROGRESS_TEXT, "%s  %s", drawn, text);
    } else {
        snprintf(out, PROGRESS_TEXT, "%.*s", width > 0 ? width : 0, text);
    }
    return out;
}

bool progress_milestone(const struct progress *before, const struct progress *now)
{
    if (now->runs <= 0 || now->over <= before->over) return false;
    int64_t tenth = before->runs > 0 ? before->over * 10 / before->runs : 0;
    return now->over * 10 / now->runs > tenth;
}
