// SPDX-License-Identifier: MIT
/* golden_scene: a model with the golden data and weights (tests/golden/make_golden.py: PyTorch,
 * double precision, autograd where we have closed forms), and the golden numbers. Run from the top
 * of the repository, as make does; whatever is missing ends the test.
 */
#ifndef GROKD_TESTS_WORKER_GOLDEN_SCENE_H
#define GROKD_TESTS_WORKER_GOLDEN_SCENE_H

#include "common/safetensors.h"
#include "tests/ref/ref_measure_specimen.h"

enum { P = 43, HIDDEN = 128, POINTS = 21, BATCH = 32, EPOCHS = 60, ISING_EPOCHS = 150 };

/* The files of a task, and a model of the golden shape with the golden data. */
struct golden {
    char *text; /* modular.json or ising.json */
    struct safetensors tensors;
    struct specimen specimen;
};

/* With the weights of a prefix: "init/", "final/". */
void golden_open(struct golden *g, const char *prefix);
void golden_open_ising(struct golden *g, const char *prefix);
void golden_close(struct golden *g);

/* Weights under prefix, in state-dict order, become the model's. */
void golden_take_weights(struct golden *g, const char *prefix);

/* `count` numbers of the golden document that follow the last of these marks, each searched after
 * the one before; NULL ends them. */
void golden_numbers(const struct golden *g, const char *const *marks, double *out, size_t count);
double golden_number(const struct golden *g, const char *const *marks);

#define NUMBER(g, ...)          golden_number(g, (const char *const[]){__VA_ARGS__, NULL})
#define NUMBERS(g, out, n, ...) golden_numbers(g, (const char *const[]){__VA_ARGS__, NULL}, out, n)
#define LAST_EPOCH              "\"data\":", "\"epochs\":[", "{\"epoch\":60,"
#define NEAR(ours, theirs)                                                                         \
    if (!ref_close(ours, theirs, 1e-4, 0))                                                         \
    fail_msg("%s: %.9g, golden %.9g", #ours, (double)(ours), (double)(theirs))

#endif
