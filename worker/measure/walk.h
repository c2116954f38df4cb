// SPDX-License-Identifier: MIT
/* walk: the accuracy of a network with one hidden ReLU layer behind a two-hot input while its
 * parameters are pruned one after another, in any order, without a forward pass for each.
 *
 * It walks backwards, from the network with most of the order pruned to the one with least, so that
 * every parameter comes back once. For all samples x it keeps the pre-activations z and the logits
 * f, in blocks of samples that stay in the cache:
 *
 *   W1[k,j] or b1[k] back   z_k of the samples with input j grows by it;
 *                           f += W2[:,k] (h_k after - h_k before), h = relu(z)
 *   W2[c,k] or b2[c] back   f_c += W2[c,k] h_k, or b2[c]
 *
 * What the first kind does to f is kept apart, sample by sample, and joined at the stops, or only
 * where it could change who is right: a bound of each sample's lead over its best rival says where.
 *
 * walk_every gives the accuracy after every single parameter: the whole step function. walk_at
 * gives it at chosen stops, for less. The logits differ from those of a forward pass by rounding
 * alone; those that lie within `tie` of each other count as equal, and then the first class wins,
 * as in a forward pass.
 *
 * Cost: at most 3 n H P multiplications (n samples) in all, less when the last stop is far from 0.
 * Source: arXiv 2502.01739, appendix on pruning, samples 100 points of the same curve.
 */
#ifndef GROKD_MEASURE_WALK_H
#define GROKD_MEASURE_WALK_H

#include "common/err.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALK_LANES 128 /* samples of a block */

struct walk {
    const struct tensor *w1, *b1, *w2, *b2; /* of base */
    struct model base;                      /* the network at the walk's start */
    size_t hidden, outputs;                 /* neurons and classes, in whole vectors */
    float tie;                              /* set before a walk: see above, above 0 */
    /* Samples, in blocks of WALK_LANES; those of a block sorted by label. */
    size_t count;
    int32_t (*pair)[2], *label;
    /* The parameters that come back: in the order in which they went, [parameters]; for walk_at
     * those before the neurons by input, from start[input] on, and `behind` ones behind them. */
    struct walk_step *step, *front, *back;
    uint32_t *start, *cursor; /* [inputs + 2], [inputs + 1]: how far a block has come */
    size_t behind;
    bool any_output; /* weights of base's output layer are not all 0 */
    /* A block of samples, and the parameters as they stand at a point of the walk. */
    size_t lanes;                            /* samples in it */
    const int32_t (*at)[2], *is;             /* its pairs and labels, lent from above */
    float *output;                           /* W2 as [hidden][outputs] */
    float *output_base;                      /* of base, the same way */
    float *z, *h;                            /* [hidden][WALK_LANES]; h only at its start */
    float *f;                                /* [outputs][WALK_LANES], -infinity at the label */
    float *g;                                /* [WALK_LANES][outputs], to be added to f */
    float *own, *rival, *slack, *sure, *top; /* [WALK_LANES], see struct vec_watch */
    float *one;                              /* [WALK_LANES] of 1 */
    float (*range)[2];                       /* [WALK_LANES] of a row of g */
    float *rows;                             /* [VEC_LANES][hidden], scratch */
    uint32_t *first;                         /* by input: its samples in lane, and the end */
    uint16_t *labelled;                      /* by class: its first sample, and the end */
    uint16_t lane[2 * WALK_LANES], all[WALK_LANES]; /* by input; and every one */
};

/* Whether a model is of that kind. */
bool walk_fits(const struct model *m);

/* m gives the shape; the set's samples are copied. Gives; walk_close frees what is half made. A
 * walk points into itself: it stays where it was opened. */
int walk_open(struct walk *w, const struct model *m, const struct dataset *set, struct err *e);
void walk_close(struct walk *w);

/* hits[i] = samples that are right when the first stop[i] of order (places in theta, no two equal)
 * are 0; stop rises, the last at most n. every: of each so many blocks of samples one is looked at,
 * 1 for all. Returns how many samples were. */
size_t walk_at(struct walk *w, const struct model *m, const uint32_t *order, const size_t *stop,
               size_t stops, size_t every, int64_t *hits);

/* hits[i] for every i from 0 to n. */
void walk_every(struct walk *w, const struct model *m, const uint32_t *order, size_t n,
                int64_t *hits);

#endif
