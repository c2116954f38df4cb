// SPDX-License-Identifier: MIT
/* order: which parameters of a network go first when it is pruned (arXiv 2502.01739, section 5).
 *
 *   layer     every weight tensor for itself by |w|, all at the same fraction: layer-parallel
 *   global    all weights together by |w|
 *   rescaled  all weights together by |w| / ||W||, the Euclidean norm of their own tensor
 *   single    the weights of one tensor by |w|, the others stay
 *   fisher    all parameters, biases too, by their entry in the diagonal of the Fisher information
 *
 * Smallest first, equal ones by index in state-dict order. Keys are floats. Biases stay but in the
 * last. At a fraction p of the order a part of n parameters has lost round(p n) of them, half to
 * even; layer has a part for each tensor, the others have one.
 *
 * Cost: three passes of a radix sort, about 10 ns an element.
 */
#ifndef GROKD_MEASURE_ORDER_H
#define GROKD_MEASURE_ORDER_H

#include "common/err.h"
#include "worker/train/model.h"

#include <stddef.h>
#include <stdint.h>

enum order_scheme { ORDER_LAYER, ORDER_GLOBAL, ORDER_RESCALED, ORDER_SINGLE, ORDER_FISHER };
#define ORDER_SCHEMES 5

struct order {
    size_t n; /* parameters in it */
    size_t parts;
    struct order_part {
        size_t n;
        uint32_t *place; /* [n] in theta; lies in the block */
    } part[MODEL_TENSORS];
    uint32_t *merged; /* [n] as one sequence, see order_merge */
    double *at;       /* [n]: the fraction from which it is pruned */
    uint32_t *block;
    float *key; /* [m->size] */
    uint64_t *spare;
};

/* For models of m's shape. order_close frees what is half made. */
int order_open(struct order *o, const struct model *m, struct err *e);
void order_close(struct order *o);

/* tensor: of ORDER_SINGLE; diagonal, laid out as theta: of ORDER_FISHER. */
void order_make(struct order *o, const struct model *m, enum order_scheme scheme, size_t tensor,
                const float *diagonal);

/* Parameters that a part of n loses at a fraction, and all parts together. */
size_t order_part_count(size_t n, double fraction);
size_t order_count(const struct order *o, double fraction);

/* Zeroes in theta what goes after fraction `from`, below 0 for nothing yet, up to `to`. */
void order_prune(const struct order *o, float *theta, double from, double to);

/* Fills merged and at: the parts as one sequence, of which every fraction prunes a beginning. */
void order_merge(struct order *o);

#endif
