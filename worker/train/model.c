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

/* Adds a tensor; transposed: its columns are the rows in memory. Returns its index. */
static int tensor_add(struct model *m, const char *name, size_t rows, size_t cols, bool bias,
                      bool transposed)
{
    struct tensor *t = &m->tensor[m->tensor_count];
    size_t run = transposed || bias ? rows : cols, count = bias ? 1 : transposed ? cols : rows;
    size_t distance = row_distance(run);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows, t->cols = cols, t->bias = bias, t->by_rows = transposed;
    t->row_stride = transposed || bias ? 1 : distance;
    t->col_stride = transposed ? distance : 1;
    t->offset = m->size, t->span = count * distance;
    t->first = m->parameters;
    m->size += t->span;
    m->parameters += rows * cols;
    return (int)m->tensor_count++;
}

/* Adds a layer; number is its place in PyTorch's Sequential, which counts ReLUs too. */
static void layer_add(struct model *m, const struct layer_kind *kind, size_t in, size_t out)
{
    struct layer *l = &m->layer[m->layer_count];
    char name[48];
    *l = (struct layer){.kind = kind, .in = in, .out = out, .weight = -1, .bias = -1};
    if (kind != &layer_relu) {
        snprintf(name, sizeof name, "model.%zu.weight", m->layer_count);
        l->weight = tensor_add(m, name, out, in, false, kind == &layer_two_hot);
        snprintf(name, sizeof name, "model.%zu.bias", m->layer_count);
        l->bias = tensor_add(m, name, out, 1, true, false);
    }
    m->layer_count++;
}

/* Every layer reads what the one before writes, and the last gives the classes in lanes. */
static int model_check(const struct model *m, struct err *e)
{
    enum layer_form form = FORM_BATCH;
    size_t width = m->layer[0].in;
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct layer *y = &m->layer[l];
        if (y->kind->reads != form || y->in != width)
            return err_set(e, E_STATE, "layer %zu (%s, %zu inputs) does not fit the %zu before it",
                           l, y->kind->name, y->in, width);
        form = y->kind->writes, width = y->out;
    }
    if (form != FORM_LANES || width != m->classes)
        return err_set(e, E_STATE, "the last layer gives %zu numbers for %zu classes", width,
                       m->classes);
    return OK;
}

int model_open(struct model *m, const struct params *p, struct err *e)
{
    size_t modulus = (size_t)p->modulus, hidden = (size_t)p->hidden;
    *m = (struct model){.classes = modulus};
    layer_add(m, &layer_two_hot, 2 * modulus, hidden);
    layer_add(m, &layer_relu, hidden, hidden);
    layer_add(m, &layer_dense, hidden, modulus);
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

/* Floats of all signals; with block, also hands them out. The logits' slope takes the place of the
 * logits, and an in-place layer's output that of its input. */
static size_t workspace_lay(struct workspace *w, const struct model *m, float *block)
{
    size_t used = 0, widest = 0;
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct layer *y = &m->layer[l];
        size_t n = signal_floats(y->kind->writes, y->out);
        bool last = l + 1 == m->layer_count;
        if (y->in > widest) widest = y->in;
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

void model_forward(const struct model *m, const struct batch *b, struct workspace *w)
{
    struct layer_pass p = {.m = m, .b = b, .w = w};
    for (size_t l = 0; l < m->layer_count; l++) m->layer[l].kind->forward(&p, l);
}

const struct signal *model_hidden(const struct model *m, const struct workspace *w)
{
    return &w->value[m->layer_count - 1];
}

void model_score(const struct model *m, const struct batch *b, struct workspace *w,
                 struct vec_score *score)
{
    const struct signal *z = &w->value[m->layer_count];
    vec->softmax_xent(z->x, z->feature_stride, b->label, m->classes, b->count, 0, score);
}

void model_backward(const struct model *m, const struct batch *b, struct workspace *w, float scale,
                    bool first, struct gradient *g, struct vec_score *score)
{
    struct layer_pass p = {.m = m, .b = b, .w = w, .g = g, .first = first};
    const struct signal *z = &w->value[m->layer_count];
    vec->softmax_xent(z->x, z->feature_stride, b->label, m->classes, b->count, scale, score);
    for (size_t l = m->layer_count; l-- > 0;) m->layer[l].kind->backward(&p, l);
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
