// SPDX-License-Identifier: MIT
/* model: a chain of layers over one block of parameters.
 *
 * Parameters are tensors with the names, shapes and element order of PyTorch's state dict; where
 * they lie in memory is the layer's choice and told by strides. Padding between elements is always
 * zero, so sums over the whole block need not step around it. Shapes are checked once, when the
 * model is built; passes check nothing.
 *
 * A pass carries at most VEC_LANES samples; callers walk larger sets in such chunks.
 */
#ifndef GROKD_TRAIN_MODEL_H
#define GROKD_TRAIN_MODEL_H

#include "common/err.h"
#include "proto/param.h"
#include "worker/num/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_LAYERS  16
#define MODEL_TENSORS 16

/* One tensor. Element (i, j) of its rows x cols is at offset + i*row_stride + j*col_stride of the
 * block; a bias has cols 1. State-dict order: i outer, j inner. */
struct tensor {
    char name[48];         /* "model.0.weight" */
    size_t rows, cols;     /* logical shape; a convolution's: out x (in * 3 * 3) */
    size_t rank, shape[4]; /* in a file: [out], [out, in] or [out, in, 3, 3] */
    size_t fan_in;         /* inputs of a neuron of its layer */
    size_t offset;         /* floats from the block's start, a multiple of 16 */
    size_t row_stride, col_stride;
    size_t span;  /* floats it takes in the block, padding included */
    size_t first; /* its first element's index in state-dict order over the whole model */
    bool bias;
    bool by_rows; /* a pass touches few of its col_stride-long rows: see gradient.touched */
};

/* Samples on their way through a layer: feature f of sample s at x[s*sample_stride +
 * f*feature_stride]. Rows: feature_stride 1. Lanes: sample_stride 1, feature_stride VEC_LANES.
 * Features of an image are (channel, row, column), column fastest. */
struct signal {
    float *x;
    size_t features, sample_stride, feature_stride;
};

/* What a pass reads: count samples, lent. Pairs index the two-hot input: element 0 below the
 * modulus, element 1 the second operand plus the modulus. Spins are +1 or -1, sites of them for
 * each sample. A task has one of the two, the other is NULL. */
struct batch {
    size_t count; /* at most VEC_LANES */
    const int32_t (*pair)[2];
    const int8_t *spin; /* [count][sites] */
    const int32_t *label;
};

struct layer_kind;

/* Features are channels * side * side; side 1 where there is no image. */
struct layer {
    const struct layer_kind *kind;
    size_t in, out; /* features */
    size_t in_channels, in_side, out_channels, out_side;
    int weight, bias; /* tensors, -1: none */
};

enum model_init { INIT_XAVIER_NORMAL, INIT_UNIFORM }; /* see init.h */

struct model {
    enum model_init init;
    int64_t loss, activation; /* choices of these parameters */
    size_t layer_count, tensor_count;
    struct layer layer[MODEL_LAYERS];
    struct tensor tensor[MODEL_TENSORS];
    size_t classes;
    size_t parameters; /* elements of all tensors */
    size_t size;       /* floats of theta, padding included; a multiple of 16 */
    float *theta;      /* 64-byte aligned, owned */
};

/* Gradient of a batch, laid out as theta. A tensor by_rows (the two-hot input weights) is kept
 * transposed: its memory row r is logical column r. Of it only the rows that touched marks hold a
 * gradient; the others are stale and mean zero. */
struct gradient {
    float *g;
    uint8_t *touched; /* by row of the by_rows tensor */
    size_t rows;
};

/* Scratch of passes through models of one shape. Opaque to callers but for the last signal. */
struct workspace {
    struct signal value[MODEL_LAYERS + 1]; /* value[l + 1] is the output of layer l */
    struct signal slope[MODEL_LAYERS + 1]; /* derivative of the loss by value[l] */
    float *pack;                           /* what a layer needs while it runs */
    void *block;
};

/* The model of p's task, all parameters zero. Gives; model_close frees. */
int model_open(struct model *m, const struct params *p, struct err *e);
int model_copy(struct model *m, const struct model *from, struct err *e);
void model_close(struct model *m);

int workspace_open(struct workspace *w, const struct model *m, struct err *e);
void workspace_close(struct workspace *w);

/* Runs the batch through the model. Logits come in lanes: w->value[m->layer_count]; the hidden
 * layer after its activation, in rows or lanes: model_hidden(m, w). Both are lent until the next
 * pass. */
void model_forward(const struct model *m, const struct batch *b, struct workspace *w);
const struct signal *model_hidden(const struct model *m, const struct workspace *w);

/* Layers from..to-1 of a forward pass, reading value[from]: after layers up to a convolution or
 * dense layer l, and before an activation takes the place of its output, value[l + 1] holds
 * the pre-activations. */
void model_forward_part(const struct model *m, const struct batch *b, struct workspace *w,
                        size_t from, size_t to);

/* After model_forward, with w->slope[m->layer_count] (lanes, in the place of the logits, 0 from
 * count to VEC_ROUND(count)) filled by the caller: fills the slopes of every layer's inputs but the
 * first layer's, and touches no gradient. Of each convolution or dense layer l, value[l] is its
 * input and slope[l + 1] the slope of its output then. */
void model_backward_slopes(const struct model *m, const struct batch *b, struct workspace *w);

/* After model_forward: adds the batch's loss and hits to *score, changes nothing else. */
void model_score(const struct model *m, const struct batch *b, struct workspace *w,
                 struct vec_score *score);

/* After model_forward: adds loss and hits to *score and the gradient of scale * (sum of losses),
 * scale > 0, to *g. first: dense tensors of g are overwritten; rows of a by_rows tensor are
 * overwritten where touched is 0, and marked. The logits are lost. */
void model_backward(const struct model *m, const struct batch *b, struct workspace *w, float scale,
                    bool first, struct gradient *g, struct vec_score *score);

int gradient_open(struct gradient *g, const struct model *m, struct err *e);
void gradient_close(struct gradient *g);

/* Position in theta of element (i, j) of a tensor. */
static inline size_t tensor_index(const struct tensor *t, size_t i, size_t j)
{
    return t->offset + i * t->row_stride + j * t->col_stride;
}

/* Index of a name, or -1. */
int model_find(const struct model *m, const char *name);

/* All parameters in state-dict order <-> a block laid out as theta. flat [m->parameters]. */
void model_flatten(const struct model *m, const float *block, float *flat);
void model_unflatten(const struct model *m, const float *flat, float *block);

#endif
