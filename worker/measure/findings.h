// SPDX-License-Identifier: MIT
/* findings: the features that the measures of one epoch have found, for its row (see struct feature
 * in proto/metric.h). The pair (layer, name) must be new in its epoch.
 */
#ifndef GROKD_MEASURE_FINDINGS_H
#define GROKD_MEASURE_FINDINGS_H

#include "common/err.h"
#include "proto/metric.h"

#include <stddef.h>

struct findings {
    size_t count, room;
    struct feature *at; /* [count] */
};

/* layer and name are lent until findings_close: constants, or part of a measure's state. */
int findings_add(struct findings *f, const char *layer, const char *name, double value,
                 struct err *e);
void findings_close(struct findings *f);

#endif
