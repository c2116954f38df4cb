// SPDX-License-Identifier: MIT
/* jvp: how the logits move when the parameters move: J d = (d/dt) f(theta + t d) at t = 0, exactly,
 * for several directions d at once, by carrying tangents forward through the layers.
 *
 *   two-hot       dz = dW[:, a] + dW[:, P + b] + db
 *   dense, conv   dy = dW x + W dx + db                    dx = 0 behind the spins
 *   ReLU          dy = dx where y > 0, else 0
 *   squares       dy = 2 x dx
 *   pool          dy = dx at the first of the greatest of the window
 *
 * Cost a direction: two forward passes, less what a first layer does not need; and one of the
 * values, whose last layer is spared where its logits are known. Twin: central differences of the
 * logits in tests/worker/test_full.
 */
#ifndef GROKD_MEASURE_JVP_H
#define GROKD_MEASURE_JVP_H

#include "common/err.h"
#include "worker/train/model.h"

#include <stdbool.h>

#define JVP_MOST 3 /* directions of one pass */

struct jvp {
    size_t most;            /* directions it was opened for */
    struct workspace value; /* of the forward pass */
    struct workspace tangent[JVP_MOST];
    float *turned; /* a layer's input in lanes */
    float *term;   /* W dx of a convolution */
};

/* Whether every layer of a model has a rule. */
bool jvp_fits(const struct model *m);

/* m only gives the shape; at most JVP_MOST directions. */
int jvp_open(struct jvp *j, const struct model *m, size_t directions, struct err *e);
void jvp_close(struct jvp *j);

/* direction[i], i < count <= most: a block laid out as theta; known: the logits of the batch as
 * model_forward makes them, or NULL; all lent. Afterwards, in lanes, of which those after the batch
 * hold anything: the logits, and J direction[i]. Lent until the next call; may be written. */
void jvp_run(struct jvp *j, const struct model *m, const struct batch *b, const float *known,
             const float *const *direction, size_t count);
const struct signal *jvp_logits(const struct jvp *j, const struct model *m);
const struct signal *jvp_moved(const struct jvp *j, const struct model *m, size_t i);

#endif
