// SPDX-License-Identifier: MIT
/* What measures say of runs with other losses, activations and operations: their value or nothing,
 * never that of a formula that does not hold.
 */
#include "tests/test.h"

#include "tests/worker/trainer_scene.h"
#include "worker/measure/measure.h"
#include "worker/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS 3

/* A small run of these options; the task first, if it is not the usual one. */
static struct params small(const char *const options[])
{
    const char *settings[16];
    size_t n = 0, i = 0;
    bool ising = !strcmp(*options, "task=ising");
    if (ising) settings[n++] = options[i++];
    settings[n++] = "epochs=3";
    settings[n++] = "batch_size=16";
    settings[n++] = "hidden=16";
    settings[n++] = ising ? "lattice=4" : "modulus=11";
    if (ising) settings[n++] = "train_size=20";
    if (ising) settings[n++] = "test_size=12";
    while (options[i]) settings[n++] = options[i++];
    settings[n] = NULL;
    return scene_params(settings);
}

/* Every epoch of a run is measured; the row of the last. */
static struct row last_row(const char *const options[], bool *sketched)
{
    struct settings how;
    struct measure *m;
    struct trainer *t;
    struct row row;
    struct err e;
    struct params p = small(options);
    if (trainer_open(&t, &p, NULL, &e) < 0) fail_msg("%s", e.text);
    settings_default(&how);
    settings_follow(&how, p.task);
    how.measure_every = 1;
    how.pruning_points = 3;
    if (measure_open(&m, &p, &how, trainer_model(t), trainer_task(t), &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(trainer_start(t, &row, &e), OK);
    for (int64_t epoch = 0;; epoch++) {
        if (measure_epoch(m, trainer_model(t), epoch, &row, &e) < 0) fail_msg("%s", e.text);
        if (epoch == EPOCHS) break;
        assert_int_equal(trainer_epoch(t, &row, &e), OK);
    }
    *sketched = row.sketch != NULL;
    row.sketch = NULL, row.pruning = NULL, row.features = NULL;
    measure_close(&m);
    trainer_close(&t);
    return row;
}

/* Whether a metric's name holds one of the words, "" ends the list. */
static bool named(int metric, const char *const words[])
{
    for (; **words; words++)
        if (strstr(metric_list[metric].name, *words)) return true;
    return false;
}

static const char *const of_probabilities[] = {
    "fr_",       "fisher_class", "full_class", "arc_",          "chord",     "straight",
    "distance_", "off_",         "progress",   "bhattacharyya", "hellinger", "overlap",
    "sketch",    "collapse",     "restricted", "excluded",      ""};
static const char *const of_waves[] = {"ipr_", "key_", "restricted", "excluded", ""};
static const char *const of_all[] = {"train_loss",  "train_accuracy", "test_loss", "test_accuracy",
                                     "weight_norm", "step_euclid",    ""};

/* Values that a run must have, and those that it must not. */
static void check_row(const char *const options[], const char *const none[],
                      const char *const some[], bool sketch)
{
    bool sketched;
    struct row row = last_row(options, &sketched);
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (named(i, none) && !isnan(row.value[i]))
            fail_msg("%s: %s is %g, and has no meaning", *options, metric_list[i].name,
                     row.value[i]);
        if ((named(i, of_all) || named(i, some)) && !named(i, none) && !isfinite(row.value[i]))
            fail_msg("%s: no %s", *options, metric_list[i].name);
    }
    assert_int_equal(sketched, sketch);
}

void test_without_a_softmax_there_are_no_probabilities_to_measure(void **state)
{
    (void)state;
    static const char *const modular[] = {"ipr_", "step_fisher", ""};
    static const char *const ising[] = {"corr_", "step_fisher", ""};
    check_row((const char *const[]){"loss=mse", NULL}, of_probabilities, modular, false);
    check_row((const char *const[]){"loss=stablemax", NULL}, of_probabilities, modular, false);
    check_row((const char *const[]){"task=ising", "loss=mse", NULL}, of_probabilities, ising,
              false);
    check_row((const char *const[]){"task=ising", "loss=stablemax", NULL}, of_probabilities, ising,
              false);
}

void test_waves_modulo_p_are_looked_for_where_labels_are_sums_or_differences(void **state)
{
    (void)state;
    static const char *const others[] = {"operation=multiplication", "operation=division",
                                         "operation=x2_plus_y2"};
    static const char *const predictions[] = {"progress", "step_fisher", ""};
    static const char *const none[] = {""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_row((const char *const[]){others[i], NULL}, of_waves, predictions, true);
    static const char *const waves[] = {"ipr_", "key_", "progress", ""};
    check_row((const char *const[]){"operation=subtraction", NULL}, none, waves, true);
}

void test_squares_have_the_measures_that_do_not_assume_relu(void **state)
{
    (void)state;
    static const char *const modular[] = {
        "ipr_", "progress", "step_fisher", "step_fisher_class", "gini_fisher", "compressibility",
        ""};
    static const char *const ising[] = {"corr_", "progress", "step_fisher", "step_fisher_class",
                                        ""};
    static const char *const none[] = {"compressibility_global", "compressibility_rescaled",
                                       "compressibility_fisher", ""}; /* not asked for */
    check_row((const char *const[]){"activation=square", NULL}, none, modular, true);
    check_row((const char *const[]){"task=ising", "activation=square", NULL}, none, ising, true);
}
