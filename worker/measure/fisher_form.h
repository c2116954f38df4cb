// SPDX-License-Identifier: MIT
/* fisher_form: one way to the diagonal of the Fisher information, for one kind of network. */
#ifndef GROKD_MEASURE_FISHER_FORM_H
#define GROKD_MEASURE_FISHER_FORM_H

#include "worker/measure/fisher.h"

#include <stdbool.h>

struct fisher_form {
    bool (*fits)(const struct model *m);
    /* Gives *state; what is half made when it fails is left to close. */
    int (*open)(void **state, const struct model *m, struct err *e);
    void (*close)(void *state); /* accepts NULL */
    /* Over the first samples > 0 of the set; the diagonal is zeroed. known: as in fisher.h. */
    void (*diagonal)(void *state, const struct model *m, const struct dataset *set, size_t samples,
                     enum fisher_variant variant, struct logits *known, float *diagonal);
};

extern const struct fisher_form fisher_two_hot, fisher_backward;

#endif
