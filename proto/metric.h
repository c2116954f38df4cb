// SPDX-License-Identifier: MIT
/* metric: the numbers of an epoch, made from the one list in metric.def, and the row that carries
 * them. */
#ifndef GROKD_PROTO_METRIC_H
#define GROKD_PROTO_METRIC_H

#include <stddef.h>
#include <stdint.h>

enum metric_table { METRIC_TABLE_epochs, METRIC_TABLE_geometry };
enum metric_kind { METRIC_VALUE, METRIC_TIMING, METRIC_RULE };

/* METRIC_train_loss and so on: positions in the list, for arrays; ids are what travels. */
enum {
#define METRIC(id, name, table, kind, unit, meaning) METRIC_##name,
#include "proto/metric.def"
#undef METRIC
    METRIC_COUNT
};

struct metric_info {
    uint32_t id;
    const char *name;
    enum metric_table table;
    enum metric_kind kind;
    const char *unit, *meaning;
};

extern const struct metric_info metric_list[METRIC_COUNT];

/* A RULE as text: n >= 2 points of a trapezoid, or one of these. Others are "unknown". */
#define METRIC_BISECT    0
#define METRIC_EXACT     (-1)
#define METRIC_RULE_TEXT 32
void metric_rule_text(double value, char out[METRIC_RULE_TEXT]);

/* Position of an id, or -1. */
int metric_find(uint32_t id);

/* One point of a pruning curve. The strings are constants of the program or owned by the row's
 * maker. */
struct pruning_point {
    const char *scheme, *layer;
    double fraction, accuracy, loss;
};

/* One number about what a layer has learned. (layer, name) names it within an epoch; NaN is not
 * reported. Strings as above. */
struct feature {
    const char *layer, *name;
    double value;
};

/* The fixed inputs on which models of a task are compared, and its landmarks (proto/sketch.h). */
struct evaluation {
    const char *hash; /* 64 hexadecimal digits, lent */
    uint32_t samples, classes;
    const float *ignorance, *truth; /* [SKETCH_ROWS], lent */
};

/* Roots of the probabilities of some inputs of the evaluation; all lent, none if count is 0. */
struct row_predictions {
    uint32_t count, classes;
    const int32_t *input; /* [count], their numbers in the evaluation table, rising */
    const int32_t *label; /* [count] */
    const uint16_t *root; /* [count][classes], IEEE 754 half precision */
};

/* How the reason of a run that diverged begins; the epoch follows. */
#define RUN_DIVERGED "diverged at epoch "

/* Everything a run says about one epoch. NaN is "not measured" (NULL in the tables). */
struct row {
    int64_t epoch;
    double value[METRIC_COUNT];
    size_t pruning_count;
    const struct pruning_point *pruning; /* lent */
    size_t feature_count;
    const struct feature *features; /* lent */
    const float *sketch;            /* [SKETCH_ROWS] or NULL, lent */
    struct evaluation evaluation;   /* of epoch 0, else hash is NULL */
    struct row_predictions predictions;
};

/* Sets every value to NaN and no pruning, features, sketch or evaluation. */
void row_clear(struct row *r, int64_t epoch);

#endif
