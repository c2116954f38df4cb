// SPDX-License-Identifier: MIT
/* layer: the kinds of layer that a model is a chain of.
 *
 * forward fills w->value[l + 1] from w->value[l] (the first layer from the batch); backward fills
 * w->slope[l] from w->slope[l + 1] and adds to the gradient, see model_backward. The slope of the
 * input of the first layer is never asked for. What form (rows or lanes) a kind reads and writes
 * stands in its file and is checked when a model is built.
 */
#ifndef GROKD_TRAIN_LAYER_H
#define GROKD_TRAIN_LAYER_H

#include "worker/train/model.h"

#define LAYER_PLANE 64 /* most input times output channels of a convolution */

enum layer_form { FORM_BATCH, FORM_ROWS, FORM_LANES };

struct layer_pass {
    const struct model *m;
    const struct batch *b;
    struct workspace *w;
    struct gradient *g; /* backward only; NULL: slopes only */
    bool first;         /* of the chunks of a batch: overwrite, see model_backward */
};

struct layer_kind {
    const char *name;
    enum layer_form reads, writes;
    bool in_place; /* output takes the place of the input */
    bool weights;  /* has a weight and a bias */
    void (*forward)(const struct layer_pass *p, size_t l);
    void (*backward)(const struct layer_pass *p, size_t l); /* NULL: gives its input no slope */
};

/* The first reads pairs, the second spins; then rows to rows, lanes to lanes, rows to lanes and
 * lanes to lanes. */
extern const struct layer_kind layer_two_hot, layer_spins;
extern const struct layer_kind layer_relu, layer_relu_lanes;
extern const struct layer_kind layer_square, layer_square_lanes;
extern const struct layer_kind layer_dense, layer_dense_lanes;
extern const struct layer_kind layer_conv, layer_pool; /* 3 x 3, padded by 1; 2 x 2, the greatest */

#endif
