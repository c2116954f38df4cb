// SPDX-License-Identifier: MIT
/* summary: what the learning curve of a finished run says, in one row. */
#include "coordinator/summary.h"

#include <math.h>

/* Comparisons with NaN are false, so that what was not measured is passed over. */
static int64_t first_above(const double *x, size_t count, size_t from, double threshold)
{
    for (size_t e = from; e < count; e++)
        if (x[e] > threshold) return (int64_t)e;
    return SUMMARY_NONE;
}

/* The first epoch >= 1 with the greatest value; 0: none is measured. */
static size_t peak(const double *x, size_t count)
{
    size_t best = 0;
    for (size_t e = 1; e < count; e++)
        if (!isnan(x[e]) && (best == 0 || x[e] > x[best])) best = e;
    return best;
}

static int64_t learned(const double *accuracy, size_t count, double factor)
{
    size_t top = peak(accuracy, count);
    return top ? first_above(accuracy, count, 1, factor * accuracy[top]) : SUMMARY_NONE;
}

static struct summary_times times(const struct summary_curve *c, double factor)
{
    struct summary_times t = {learned(c->train_accuracy, c->count, factor),
                              learned(c->test_accuracy, c->count, factor), SUMMARY_NONE,
                              SUMMARY_NONE};
    if (t.t_train == SUMMARY_NONE || t.t_test == SUMMARY_NONE) return t;
    t.t_grok = t.t_test - t.t_train;
    t.grokked = t.t_grok > t.t_train - 1;
    return t;
}

static void straightness(struct summary *out, const struct summary_curve *c, int64_t end)
{
    double sum = 0;
    int64_t count = 0;
    if (!c->straightness || out->at_90.t_train == SUMMARY_NONE) return;
    for (int64_t e = out->at_90.t_train; e < (int64_t)c->count; e++) {
        double x = c->straightness[e];
        if (isnan(x)) continue;
        if (isnan(out->straightness_max) || x > out->straightness_max)
            out->straightness_max = x, out->epoch_straightness_max = e;
        if (end != SUMMARY_NONE && e < end) sum += x, count++;
    }
    if (count) out->straightness_plateau = sum / (double)count;
}

/* Steps of one span: step i ends at epoch first + i * every. */
struct steps {
    const double *x;
    size_t first, every, count;
};

static struct steps steps_of(const double *x, size_t count)
{
    struct steps s = {.x = x, .first = 1, .every = 1};
    while (s.first < count && isnan(x[s.first])) s.first++;
    while (s.first + s.every < count && isnan(x[s.first + s.every])) s.every++;
    for (size_t e = s.first; e < count && !isnan(x[e]); e += s.every) s.count++;
    return s;
}

/* Median of the step and two on either side, of fewer near an end. */
static double smoothed(const struct steps *s, size_t i)
{
    double window[5];
    size_t half = i < 2 ? i : 2, n = 0;
    if (s->count - 1 - i < half) half = s->count - 1 - i;
    for (size_t k = i - half; k <= i + half; k++) {
        double x = s->x[s->first + k * s->every];
        size_t place = n++;
        for (; place > 0 && window[place - 1] > x; place--) window[place] = window[place - 1];
        window[place] = x;
    }
    return window[half];
}

/* Follows the length down and up; a turn counts once it has come back by the amplitude. */
static void find_turns(struct summary *out, const double *x, size_t count)
{
    struct steps s = steps_of(x, count);
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < s.count; i++) {
        least = fmin(least, smoothed(&s, i));
        most = fmax(most, smoothed(&s, i));
    }
    double amplitude = STEP_AMPLITUDE * (most - least), low = INFINITY, high = -INFINITY;
    size_t low_from = 0, low_to = 0, high_from = 0, high_to = 0; /* a median repeats itself */
    int way = 0; /* -1 falling, 1 rising, 0 neither yet */
    for (size_t i = 0; i < s.count && out->t_step_max == SUMMARY_NONE; i++) {
        double m = smoothed(&s, i);
        if (m < low) low = m, low_from = i;
        if (m > high) high = m, high_from = i;
        if (m == low) low_to = i;
        if (m == high) high_to = i;
        if (way >= 0 && m < high - amplitude) {
            if (out->t_step_min != SUMMARY_NONE)
                out->t_step_max = (int64_t)(s.first + (high_from + high_to) / 2 * s.every);
            way = -1, low = m, low_from = low_to = i;
        } else if (way <= 0 && m > low + amplitude) {
            if (way < 0) out->t_step_min = (int64_t)(s.first + (low_from + low_to) / 2 * s.every);
            way = 1, high = m, high_from = high_to = i;
        }
    }
}

void summary_compute(struct summary *out, const struct summary_curve *c, double chance)
{
    *out = (struct summary){.at_90 = times(c, 0.9),
                            .at_95 = times(c, 0.95),
                            .t_plateau_end = SUMMARY_NONE,
                            .last_epoch = (int64_t)c->count - 1,
                            .final_train_loss = NAN,
                            .final_test_loss = NAN,
                            .final_train_accuracy = NAN,
                            .final_test_accuracy = NAN,
                            .compressibility_final = NAN,
                            .compressibility_peak = NAN,
                            .t_step_min = SUMMARY_NONE,
                            .t_step_max = SUMMARY_NONE,
                            .epoch_peak = SUMMARY_NONE,
                            .peak_lag = SUMMARY_NONE,
                            .straightness_max = NAN,
                            .epoch_straightness_max = SUMMARY_NONE,
                            .straightness_plateau = NAN};
    if (c->count == 0) return;
    if (c->step_fisher) find_turns(out, c->step_fisher, c->count);
    size_t last = c->count - 1, top = peak(c->compressibility, c->count);
    if (out->at_90.t_train != SUMMARY_NONE)
        out->t_plateau_end =
            first_above(c->test_accuracy, c->count, (size_t)out->at_90.t_train + 1, 2 * chance);
    out->final_train_loss = c->train_loss[last];
    out->final_test_loss = c->test_loss[last];
    out->final_train_accuracy = c->train_accuracy[last];
    out->final_test_accuracy = c->test_accuracy[last];
    out->compressibility_final = c->compressibility[last];
    if (top) out->compressibility_peak = c->compressibility[top], out->epoch_peak = (int64_t)top;
    int64_t end = out->t_plateau_end != SUMMARY_NONE ? out->t_plateau_end : out->at_90.t_test;
    if (top && end != SUMMARY_NONE) out->peak_lag = out->epoch_peak - end;
    straightness(out, c, end);
}
