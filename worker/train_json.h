// SPDX-License-Identifier: MIT
/* train_json: a row and a configuration as JSON, one line each.
 *
 * Numbers are written as %.17g, which reads back to the same bits; NaN is null, what is infinite is
 * 1e999 or -1e999, which every reader takes for an infinity.
 */
#ifndef GROKD_WORKER_TRAIN_JSON_H
#define GROKD_WORKER_TRAIN_JSON_H

#include "proto/metric.h"
#include "proto/param.h"
#include "worker/num/blas.h"

#include <stdio.h>

/* {"epoch": ..., every column of the tables epochs and geometry by its name, "pruning": [...] when
 * there is a curve}, and a line end. Failures show in ferror(to). */
void train_json_row(FILE *to, const struct row *r);

/* Every hyperparameter by its name, config_hash, version, git and the kernels; and a line end. */
void train_json_run(FILE *to, const struct params *p, const struct blas *b);

#endif
