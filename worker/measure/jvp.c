// SPDX-License-Identifier: MIT
/* jvp: walks the layers once, the values first and each direction's tangent after them. */
#include "worker/measure/jvp.h"

#include "worker/num/vec.h"
#include "worker/train/layer.h"

#include <stdlib.h>
#include <string.h>

/* One layer and one direction. */
struct push {
    struct jvp *j;
    const struct model *m;
    const struct batch *b;
    const float *direction;
    struct workspace *tangent;
    size_t l;
    bool moved; /* whether the layer's input depends on the parameters */
};

struct rule {
    const struct layer_kind *kind;
    void (*push)(const struct push *p);
};

/* ---- layers ---- */

static void push_two_hot(const struct push *p)
{
    const struct layer *y = &p->m->layer[p->l];
    const struct tensor *weight = &p->m->tensor[y->weight], *bias = &p->m->tensor[y->bias];
    const struct signal *dz = &p->tangent->value[p->l + 1];
    vec->gather(dz->x, dz->sample_stride, p->direction + weight->offset, weight->col_stride,
                p->direction + bias->offset, p->b->pair, p->b->count, VEC_ROUND(y->out));
}

static void push_nothing(const struct push *p)
{
    (void)p;
}

static void push_relu(const struct push *p)
{
    const struct signal *y = &p->j->value.value[p->l + 1];
    vec->relu_backward(p->tangent->value[p->l + 1].x, y->x, p->b->count * y->sample_stride);
}

static void push_relu_lanes(const struct push *p)
{
    const struct signal *y = &p->j->value.value[p->l + 1];
    vec->relu_backward(p->tangent->value[p->l + 1].x, y->x, y->features * y->feature_stride);
}

static void push_square(const struct push *p)
{
    const struct signal *x = &p->j->value.value[p->l];
    bool lanes = x->sample_stride == 1;
    size_t n = lanes ? x->features * x->feature_stride : p->b->count * x->sample_stride;
    vec->square_backward(p->tangent->value[p->l + 1].x, p->tangent->value[p->l].x, x->x, n);
}

/* dW x + db, then W dx; x and dx in lanes. */
static void push_product(const struct push *p, const float *x, const float *dx)
{
    const struct layer *y = &p->m->layer[p->l];
    const struct tensor *weight = &p->m->tensor[y->weight], *bias = &p->m->tensor[y->bias];
    const struct signal *dy = &p->tangent->value[p->l + 1];
    size_t lanes = VEC_ROUND(p->b->count);
    vec->fill_rows(dy->x, dy->feature_stride, p->direction + bias->offset, y->out, lanes);
    vec->gemm(dy->x, dy->feature_stride, p->direction + weight->offset, weight->row_stride, 1, x,
              VEC_LANES, y->out, lanes, y->in, 1);
    if (dx)
        vec->gemm(dy->x, dy->feature_stride, p->m->theta + weight->offset, weight->row_stride, 1,
                  dx, VEC_LANES, y->out, lanes, y->in, 1);
}

static void push_dense(const struct push *p)
{
    const struct signal *dx = &p->tangent->value[p->l];
    vec->transpose(p->tangent->pack, VEC_LANES, dx->x, dx->sample_stride, p->b->count,
                   p->m->layer[p->l].in);
    push_product(p, p->j->turned, p->moved ? p->tangent->pack : NULL);
}

static void push_dense_lanes(const struct push *p)
{
    push_product(p, p->j->value.value[p->l].x, p->moved ? p->tangent->value[p->l].x : NULL);
}

static struct vec_image image_of(const struct push *p)
{
    const struct layer *y = &p->m->layer[p->l];
    return (struct vec_image){y->in_channels, y->out_channels, y->in_side, VEC_ROUND(p->b->count)};
}

static void push_conv(const struct push *p)
{
    static const float zero[LAYER_PLANE];
    const struct layer *y = &p->m->layer[p->l];
    const struct tensor *weight = &p->m->tensor[y->weight], *bias = &p->m->tensor[y->bias];
    struct vec_image image = image_of(p);
    float *dy = p->tangent->value[p->l + 1].x, *term = p->j->term;
    vec->conv(dy, p->j->value.value[p->l].x, p->direction + weight->offset, weight->row_stride,
              p->direction + bias->offset, &image);
    if (!p->moved) return;
    vec->conv(term, p->tangent->value[p->l].x, p->m->theta + weight->offset, weight->row_stride,
              zero, &image);
    for (size_t i = 0; i < y->out * VEC_LANES; i++) dy[i] += term[i];
}

/* Of each window the tangent of the first site, row by row, that is the greatest. */
static void push_pool(const struct push *p)
{
    const struct layer *y = &p->m->layer[p->l];
    size_t side = y->out_side, row = 2 * side * VEC_LANES;
    const float *x = p->j->value.value[p->l].x, *top = p->j->value.value[p->l + 1].x;
    const float *dx = p->tangent->value[p->l].x;
    float *dy = p->tangent->value[p->l + 1].x;
    for (size_t site = 0; site < y->out; site++, top += VEC_LANES, dy += VEC_LANES) {
        size_t at = site / side * 2 * row + site % side * 2 * VEC_LANES;
        const size_t window[] = {at + row + VEC_LANES, at + row, at + VEC_LANES, at};
        for (size_t i = 0; i < 4; i++)
            for (size_t s = 0; s < VEC_LANES; s++)
                dy[s] = i == 0 || x[window[i] + s] == top[s] ? dx[window[i] + s] : dy[s];
    }
}

static const struct rule rules[] = {
    {&layer_two_hot, push_two_hot}, {&layer_spins, push_nothing},
    {&layer_relu, push_relu},       {&layer_relu_lanes, push_relu_lanes},
    {&layer_dense, push_dense},     {&layer_dense_lanes, push_dense_lanes},
    {&layer_square, push_square},   {&layer_square_lanes, push_square},
    {&layer_conv, push_conv},       {&layer_pool, push_pool},
};

static const struct rule *rule_of(const struct layer_kind *kind)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].kind == kind) return &rules[i];
    return NULL;
}

/* ---- the walk ---- */

bool jvp_fits(const struct model *m)
{
    for (size_t l = 0; l < m->layer_count; l++)
        if (!rule_of(m->layer[l].kind)) return false;
    return true;
}

int jvp_open(struct jvp *j, const struct model *m, size_t directions, struct err *e)
{
    size_t widest = VEC_FLOATS;
    *j = (struct jvp){.most = directions};
    int rc = workspace_open(&j->value, m, e);
    for (size_t i = 0; i < directions && rc == OK; i++) rc = workspace_open(&j->tangent[i], m, e);
    if (rc < 0) return rc;
    for (size_t l = 0; l < m->layer_count; l++) {
        if (m->layer[l].in > widest) widest = m->layer[l].in;
        if (m->layer[l].out > widest) widest = m->layer[l].out;
    }
    j->turned = vec_alloc(widest * VEC_LANES);
    j->term = vec_alloc(widest * VEC_LANES);
    return j->turned && j->term ? OK : err_set(e, E_NOMEM, "directional derivatives: no memory");
}

void jvp_close(struct jvp *j)
{
    workspace_close(&j->value);
    for (size_t i = 0; i < JVP_MOST; i++) workspace_close(&j->tangent[i]);
    free(j->turned);
    free(j->term);
    *j = (struct jvp){0};
}

static void find_value(struct jvp *j, const struct model *m, const struct batch *b, size_t l,
                       const float *known)
{
    if (known && l + 1 == m->layer_count)
        memcpy(j->value.value[l + 1].x, known, m->classes * VEC_LANES * sizeof *known);
    else
        model_forward_part(m, b, &j->value, l, l + 1);
}

void jvp_run(struct jvp *j, const struct model *m, const struct batch *b, const float *known,
             const float *const *direction, size_t count)
{
    bool moved = false;
    for (size_t l = 0; l < m->layer_count; l++) {
        const struct rule *rule = rule_of(m->layer[l].kind);
        const struct signal *x = &j->value.value[l];
        if (rule->push == push_dense)
            vec->transpose(j->turned, VEC_LANES, x->x, x->sample_stride, b->count, m->layer[l].in);
        find_value(j, m, b, l, known);
        for (size_t i = 0; i < count; i++)
            rule->push(&(struct push){j, m, b, direction[i], &j->tangent[i], l, moved});
        moved |= m->layer[l].weight >= 0;
    }
}

const struct signal *jvp_logits(const struct jvp *j, const struct model *m)
{
    return &j->value.value[m->layer_count];
}

const struct signal *jvp_moved(const struct jvp *j, const struct model *m, size_t i)
{
    return &j->tangent[i].value[m->layer_count];
}
