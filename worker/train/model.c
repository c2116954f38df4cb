// SPDX-License-Identifier: MIT
/* model: builds the chain of layers of a task, lays its tensors out, and walks the chain. */
#include "worker/train/model.h"

#include "worker/train/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- building ----------------------------------------------------------------------------------
 */

/* Distance of rows of n floats: an odd number of vectors, so that the rows of a panel do not fall
 * on the same few sets of a cache. */
static size_t row_distance(size_t n)
{
    size_t vectors = VEC_ROUND(n) / VEC_FLOATS;
    return (vectors | 1) * VEC_FLOATS;
}

/* Adds a tensor; transposed: its columns are the rows in memory. Returns its index. The shape in a
 * file is its rows and columns unless the caller writes another over it. */
static int tensor_add(struct model *m, const char *name, size_t rows, size_t cols, bool bias,
                      bool transposed)
{
    struct tensor *t = &m->tensor[m->tensor_count];
    size_t run = transposed || bias ? rows : cols, count = bias ? 1 : transposed ? cols : rows;
    size_t distance = row_distance(run);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows, t->cols = cols, t->bias = bias, t->by_rows = transposed;
    t->rank = bias ? 1 : 2, t->shape[0] = rows, t->shape[1] = cols;
    t->row_stride = transposed || bias ? 1 : distance;
    t->col_stride = transposed ? distance : 1;
    t->offset = m->size, t->span = count * distance;
    t->first = m->parameters;
    m->size += t->span;
    m->parameters += rows * cols;
    return (int)m->tensor_count++;
}

/* What a task's network is made of, from input to logits. */
struct layer_plan {
    const struct layer_kind *kind;
    int number;            /* place in PyTorch's Sequential, in the names of its tensors */
    size_t channels, side; /* of its output */
};

static void layer_tensors(struct model *m, struct layer *l, int number)
{
    char name[48];
    bool conv = l->kind == &layer_conv;
    size_t fan_in = conv ? 9 * l->in_channels : l->in;
    size_t rows = conv ? l->out_channels : l->out;
    snprintf(name, sizeof name, "model.%d.weight", number);
    l->weight = tensor_add(m, name, rows, fan_in, false, l->kind == &layer_two_hot);
    snprintf(name, sizeof name, "model.%d.bias", number);
    l->bias = tensor_add(m, name, rows, 1, true, false);
    m->tensor[l->weight].fan_in = m->tensor[l->bias].fan_in = fan_in;
    if (conv) {
        struct tensor *t = &m->tensor[l->weight];
        t->rank = 4, t->shape[1] = l->in_channels, t->shape[2] = t->shape[3] = 3;
    }
}

/* channels, side: of the input of the first layer. */
static void model_plan(struct model *m, size_t channels, size_t side, const struct layer_plan *plan,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct layer *l = &m->layer[m->layer_count++];
        *l = (struct layer){.kind = plan[i].kind,
                            .in_channels = channels,
                            .in_side = side,
                            .in = channels * side * side,
                            .out_channels = plan[i].channels,
                            .out_side = plan[i].side,
                            .out = plan[i].channels * plan[i].side * plan[i].side,
                            .weight = -1,
                            .bias = -1};
        if (l->kind->weights) layer_tensors(m, l, plan[i].number);
        channels = plan[i].channels, side = plan[i].side;
    }
}

/* The two-hot network of arXiv 2502.01739: 2P - hidden - P. */
static void plan_modular(struct model *m, const struct params *p)
{
    size_t modulus = (size_t)p->modulus, hidden = (size_t)p->hidden;
    bool square = p->activation == ACTIVATION_SQUARE;
    const struct layer_plan plan[] = {{&layer_two_hot, 0, hidden, 1},
                                      {square ? &layer_square : &layer_relu, 1, hidden, 1},
                                      {&layer_dense, 2, modulus, 1}};
    m->classes = modulus;
    m->init = INIT_XAVIER_NORMAL;
    model_plan(m, 2 * modulus, 1, plan, sizeof plan / sizeof *plan);
}

/* Its convolutional network: 1 - 2 - 4 channels, each followed by a pooling, hidden, 2. */
static void plan_ising(struct model *m, const struct params *p)
{
    size_t side = (size_t)p->lattice, hidden = (size_t)p->hidden;
    const struct layer_kind *bend =
        p->activation == ACTIVATION_SQUARE ? &layer_square_lanes : &layer_relu_lanes;
    const struct layer_plan plan[] = {
        {&layer_spins, -1, 1, side},   {&layer_conv, 0, 2, side},          {bend, 1, 2, side},
        {&layer_pool, 2, 2, side / 2}, {&layer_conv, 3, 4, side / 2},      {bend, 4, 4, side / 2},
        {&layer_pool, 5, 4, side / 4}, {&layer_dense_lanes, 7, hidden, 1}, {bend, 8, hidden, 1},
        {&layer_dense_lanes, 9, 2, 1}};
    m->classes = 2;
    m->init = INIT_UNIFORM;
    model_plan(m, 1, side, plan, sizeof plan / sizeof *plan);
}

static bool layer_fits(const struct layer *l)
{
    if (l->kind == &layer_conv)
        return l->out_side == l->in_side && l->in_channels * l->out_channels <= LAYER_PLANE;
    if (l->kind == &layer_pool)
        return l->out_channels == l->in_channels && 2 * l->out_side == l->in_side;
    return l->kind->weights || l->in == l->out;
}

/* Every layer reads what the one before writes, and the last gives the classes in lanes. */
static int model_check(const struct model *m, struct err *e)
{
    enum layer_form form = FORM_BATCH;
    size_t width = m->layer[0].in;
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct layer *y = &m->layer[l];
        if (y->kind->reads != form || y->in != width || !layer_fits(y))
            return err_set(e, E_STATE, "layer %zu (%s, %zu to %zu) does not fit the %zu before it",
                           l, y->kind->name, y->in, y->out, width);
        form = y->kind->writes, width = y->out;
    }
    if (form != FORM_LANES || width != m->classes)
        return err_set(e, E_STATE, "the last layer gives %zu numbers for %zu classes", width,
                       m->classes);
    return OK;
}

int model_open(struct model *m, const struct params *p, struct err *e)
{
    static void (*const plans[PARAM_TASKS])(struct model *, const struct params *) = {
        [TASK_MODULAR_ADDITION] = plan_modular, [TASK_ISING] = plan_ising};
    *m = (struct model){.loss = p->loss, .activation = p->activation};
    plans[p->task](m, p);
    int rc = model_check(m, e);
    if (rc < 0) return rc;
    m->theta = vec_alloc(m->size);
    return m->theta ? OK : err_set(e, E_NOMEM, "model: no memory for %zu floats", m->size);
}

int model_copy(struct model *m, const struct model *from, struct err *e)
{
    *m = *from;
    m->theta = vec_alloc(m->size);
    if (!m->theta) return err_set(e, E_NOMEM, "model: no memory for %zu floats", m->size);
    memcpy(m->theta, from->theta, m->size * sizeof *m->theta);
    return OK;
}

void model_close(struct model *m)
{
    free(m->theta);
    *m = (struct model){0};
}

/* ---- scratch -----------------------------------------------------------------------------------
 */

static size_t signal_floats(enum layer_form form, size_t features)
{
    return form == FORM_LANES ? features * VEC_LANES : row_distance(features) * VEC_LANES;
}

static struct signal signal_at(float *x, enum layer_form form, size_t features)
{
    bool lanes = form == FORM_LANES;
    return (struct signal){.x = x,
                           .features = features,
                           .sample_stride = lanes ? 1 : row_distance(features),
                           .feature_stride = lanes ? VEC_LANES : 1};
}

/* Rows of VEC_LANES floats that a layer needs while it runs: its input turned round, or the sums of
 * a convolution. */
static size_t layer_pack(const struct layer *l)
{
    size_t sums = l->out_channels * (9 * l->in_channels + 1);
    return l->kind == &layer_conv ? sums : VEC_ROUND(l->in);
}

/* Floats of all signals; with block, also hands them out. The logits' slope takes the place of the
 * logits, and an in-place layer's output that of its input. */
static size_t workspace_lay(struct workspace *w, const struct model *m, float *block)
{
    size_t used = 0, widest = VEC_FLOATS;
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct layer *y = &m->layer[l];
        size_t n = signal_floats(y->kind->writes, y->out);
        bool last = l + 1 == m->layer_count;
        if (layer_pack(y) > widest) widest = layer_pack(y);
        if (y->kind->in_place) {
            w->value[l + 1] = w->value[l], w->slope[l + 1] = w->slope[l];
            continue;
        }
        if (block) w->value[l + 1] = signal_at(block + used, y->kind->writes, y->out);
        if (!last) used += n;
        if (block) w->slope[l + 1] = signal_at(block + used, y->kind->writes, y->out);
        used += n;
    }
    if (block) w->pack = block + used;
    return used + widest * VEC_LANES;
}

int workspace_open(struct workspace *w, const struct model *m, struct err *e)
{
    *w = (struct workspace){0};
    size_t n = workspace_lay(w, m, NULL);
    w->block = vec_alloc(n);
    if (!w->block) return err_set(e, E_NOMEM, "workspace: no memory for %zu floats", n);
    workspace_lay(w, m, w->block);
    return OK;
}

void workspace_close(struct workspace *w)
{
    free(w->block);
    *w = (struct workspace){0};
}

int gradient_open(struct gradient *g, const struct model *m, struct err *e)
{
    *g = (struct gradient){0};
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensor[i].by_rows) g->rows = m->tensor[i].cols;
    g->g = vec_alloc(m->size);
    g->touched = calloc(g->rows + 1, 1);
    if (g->g && g->touched) return OK;
    gradient_close(g);
    return err_set(e, E_NOMEM, "gradient: no memory for %zu floats", m->size);
}

void gradient_close(struct gradient *g)
{
    free(g->g);
    free(g->touched);
    *g = (struct gradient){0};
}

/* ---- passes ------------------------------------------------------------------------------------
 */

void model_forward_part(const struct model *m, const struct batch *b, struct workspace *w,
                        size_t from, size_t to)
{
    struct layer_pass p = {.m = m, .b = b, .w = w};
    for (size_t l = from; l < to; l++) m->layer[l].kind->forward(&p, l);
}

void model_forward(const struct model *m, const struct batch *b, struct workspace *w)
{
    model_forward_part(m, b, w, 0, m->layer_count);
}

const struct signal *model_hidden(const struct model *m, const struct workspace *w)
{
    return &w->value[m->layer_count - 1];
}

/* scale 0: the score only. */
static void loss(const struct model *m, const struct batch *b, struct workspace *w, float scale,
                 struct vec_score *score)
{
    const struct signal *z = &w->value[m->layer_count];
    switch (m->loss) {
    case LOSS_MSE:
        vec->mse(z->x, z->feature_stride, b->label, m->classes, b->count, scale, score);
        return;
    case LOSS_STABLEMAX:
        vec->stablemax_xent(z->x, z->feature_stride, b->label, m->classes, b->count, scale, score);
        return;
    default:
        vec->softmax_xent(z->x, z->feature_stride, b->label, m->classes, b->count, scale, score);
    }
}

void model_score(const struct model *m, const struct batch *b, struct workspace *w,
                 struct vec_score *score)
{
    loss(m, b, w, 0, score);
}

static void layers_backward(const struct layer_pass *p)
{
    for (size_t l = p->m->layer_count; l-- > 0;)
        if (p->m->layer[l].kind->backward) p->m->layer[l].kind->backward(p, l);
}

void model_backward(const struct model *m, const struct batch *b, struct workspace *w, float scale,
                    bool first, struct gradient *g, struct vec_score *score)
{
    struct layer_pass p = {.m = m, .b = b, .w = w, .g = g, .first = first};
    loss(m, b, w, scale, score);
    layers_backward(&p);
}

void model_backward_slopes(const struct model *m, const struct batch *b, struct workspace *w)
{
    struct layer_pass p = {.m = m, .b = b, .w = w};
    layers_backward(&p);
}

/* ---- elements ----------------------------------------------------------------------------------
 */

int model_find(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (strcmp(m->tensor[i].name, name) == 0) return (int)i;
    return -1;
}

void model_flatten(const struct model *m, const float *block, float *flat)
{
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *t = &m->tensor[n];
        for (size_t i = 0; i < t->rows; i++)
            for (size_t j = 0; j < t->cols; j++) *flat++ = block[tensor_index(t, i, j)];
    }
}

void model_unflatten(const struct model *m, const float *flat, float *block)
{
    for (size_t n = 0; n < m->tensor_count; n++) {
        const struct tensor *t = &m->tensor[n];
        for (size_t i = 0; i < t->rows; i++)
            for (size_t j = 0; j < t->cols; j++) block[tensor_index(t, i, j)] = *flat++;
    }
}
