// SPDX-License-Identifier: MIT
/* settings: the `grokd` block of a sweep file: what is measured and kept, and how often a run is
 * tried. It changes no number of the training, so it is no part of config_hash. Names, bounds and
 * meanings are the list settings.def.
 */
#ifndef GROKD_PROTO_SETTINGS_H
#define GROKD_PROTO_SETTINGS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_EPOCHS  64   /* most entries of curve_epochs or save_model */
#define SETTINGS_FINAL   (-1) /* `final` in such a list: the last epoch */
#define SETTINGS_OF_TASK (-1) /* measure_every until settings_follow */
#define SETTINGS_TEXT    2048

/* Of the Fisher metric: its diagonal by the logits or by the predictions, and both whole. */
enum {
    SETTINGS_REGRESSION = 1,
    SETTINGS_CLASSIFICATION = 2,
    SETTINGS_FULL = 4,
    SETTINGS_FULL_CLASS = 8,
    SETTINGS_EVERY_VARIANT = 15
};

struct epoch_list {
    size_t count;
    int64_t epoch[SETTINGS_EPOCHS];
};

struct settings {
    int64_t measure_every; /* epochs between measured ones; 0: only losses and accuracies */
    int64_t dense_until;   /* every epoch up to here is measured */
    struct epoch_list curve_epochs; /* measured epochs whose pruning curve is kept */
    int64_t pruning_points;         /* of the trapezoid, both ends included; 0: bisect */
    int64_t pruning_schemes;        /* 1 layer, 2 global, 4 rescaled, 8 single, 16 fisher, summed */
    int64_t fisher_variants;        /* sum of SETTINGS_REGRESSION and so on */
    int64_t fisher_samples;         /* of the test set, from its start; 0: all */
    double stiff_threshold;         /* of the diagonal Fisher information */
    int64_t snapshots;              /* of the evaluation table of ising */
    int64_t predictions;            /* epochs in a doubling whose predictions are kept; 0: none */
    int64_t llc_steps, llc_batch, llc_gamma; /* of the Langevin chain; no steps: none */
    double llc_epsilon;
    struct epoch_list save_model; /* epochs whose weights are kept as safetensors */
    int64_t checkpoint_every_ms;
    int64_t max_attempts, max_losses;
    double stop_test_accuracy; /* NaN: no stop rule */
    int64_t stop_after;        /* epochs trained on after the rule holds */
    char blas[32];             /* "auto" or a family of kernels */
    int64_t sample_seed;       /* of method: random; -1: not given */
};

void settings_default(struct settings *s);

/* Reads "measure.every", "1" and the like (the name without "grokd."); E_USAGE with what would be
 * right. */
int settings_assign(struct settings *s, const char *name, const char *text, struct err *e);

/* Fills in what was not given and depends on the task: measure_every is 1 for modular addition, 200
 * for ising. */
void settings_follow(struct settings *s, int64_t task);

/* What single settings cannot show: E_USAGE when a stop rule has no accuracy. */
int settings_check(const struct settings *s, struct err *e);

/* The settings that a run needs, as arguments grokd.NAME=VALUE for grokd-train, one a line; after
 * settings_follow. */
void settings_text(const struct settings *s, char out[SETTINGS_TEXT]);

/* Whether an epoch of a run of `epochs` is measured, and whether a list holds it. */
bool settings_measured(const struct settings *s, int64_t epoch, int64_t epochs);
bool epoch_list_holds(const struct epoch_list *l, int64_t epoch, int64_t epochs);

#endif
