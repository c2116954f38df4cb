// SPDX-License-Identifier: MIT
/* metric: the numbers of an epoch, made from the one list in metric.def. */
#include "proto/metric.h"

#include <math.h>
#include <stdio.h>

const struct metric_info metric_list[METRIC_COUNT] = {
#define METRIC(id, name, table, kind, unit, meaning)                                               \
    {id, #name, METRIC_TABLE_##table, METRIC_##kind, unit, meaning},
#include "proto/metric.def"
#undef METRIC
};

void metric_rule_text(double value, char out[METRIC_RULE_TEXT])
{
    const char *word = value == METRIC_BISECT  ? "bisect"
                       : value == METRIC_EXACT ? "exact"
                                               : "unknown";
    if (value >= 2 && value < 1e9)
        snprintf(out, METRIC_RULE_TEXT, "trapezoid %.0f", floor(value));
    else
        snprintf(out, METRIC_RULE_TEXT, "%s", word);
}

int metric_find(uint32_t id)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (metric_list[i].id == id) return i;
    return -1;
}

void row_clear(struct row *r, int64_t epoch)
{
    r->epoch = epoch;
    for (int i = 0; i < METRIC_COUNT; i++) r->value[i] = NAN;
    r->pruning_count = 0;
    r->pruning = NULL;
    r->feature_count = 0;
    r->features = NULL;
    r->sketch = NULL;
    r->evaluation = (struct evaluation){0};
    r->predictions = (struct row_predictions){0};
}
