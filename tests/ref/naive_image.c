// SPDX-License-Identifier: MIT
/* naive_image: twins that a reader can check against the formulas. */
#include "tests/ref/naive_image.h"

#include "tests/ref/naive.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define NONE ((size_t)-1)

/* Index of tap (v, h) of site (r, c) in a channel, or NONE outside the image. */
static size_t tap(size_t r, size_t c, size_t v, size_t h, size_t side)
{
    size_t row = r + v - 1, column = c + h - 1;
    return row < side && column < side ? row * side + column : NONE;
}

/* Calls for every product that a convolution is made of: y, x and w are the indices that meet. */
static void each_product(size_t in, size_t out, size_t side, void *ctx,
                         void (*meet)(void *ctx, size_t y, size_t x, size_t w))
{
    for (size_t o = 0; o < out; o++)
        for (size_t site = 0; site < side * side; site++)
            for (size_t k = 0; k < in * 9; k++) {
                size_t at = tap(site / side, site % side, k % 9 / 3, k % 3, side);
                if (at != NONE)
                    meet(ctx, o * side * side + site, k / 9 * side * side + at, o * in * 9 + k);
            }
}

struct conv {
    double *y, *dw, *dx;
    const double *x, *w, *dy;
};

static void meet_forward(void *ctx, size_t y, size_t x, size_t w)
{
    struct conv *c = ctx;
    c->y[y] += c->x[x] * c->w[w];
}

static void meet_backward(void *ctx, size_t y, size_t x, size_t w)
{
    struct conv *c = ctx;
    c->dw[w] += c->x[x] * c->dy[y];
    if (c->dx) c->dx[x] += c->w[w] * c->dy[y];
}

void naive_conv(double *y, const double *x, const double *w, const double *bias, size_t in,
                size_t out, size_t side)
{
    struct conv c = {.y = y, .x = x, .w = w};
    for (size_t i = 0; i < out * side * side; i++) y[i] = bias[i / (side * side)];
    each_product(in, out, side, &c, meet_forward);
}

void naive_conv_backward(double *dw, double *dbias, double *dx, const double *x, const double *w,
                         const double *dy, size_t in, size_t out, size_t side)
{
    struct conv c = {.dw = dw, .dx = dx, .x = x, .w = w, .dy = dy};
    for (size_t i = 0; i < out * side * side; i++) dbias[i / (side * side)] += dy[i];
    each_product(in, out, side, &c, meet_backward);
}

void naive_pool(double *y, size_t *at, const double *x, size_t channels, size_t side)
{
    size_t half = side / 2;
    for (size_t i = 0; i < channels * half * half; i++) {
        size_t first = i / half * 2 * side + i % half * 2, best = first;
        const size_t window[] = {first, first + 1, first + side, first + side + 1};
        for (int k = 1; k < 4; k++)
            if (x[window[k]] > x[best]) best = window[k];
        y[i] = x[best];
        if (at) at[i] = best;
    }
}

/* ---- the network -------------------------------------------------------------------------------
 */

/* Where each tensor begins in theta. */
struct parts {
    size_t w1, b1, w2, b2, w3, b3, w4, b4, end, flat;
};

static struct parts parts_of(const struct naive_cnn *n)
{
    struct parts p = {.b1 = 18, .w2 = 20, .b2 = 92, .w3 = 96, .flat = n->side * n->side / 4};
    p.b3 = p.w3 + n->hidden * p.flat;
    p.w4 = p.b3 + n->hidden;
    p.b4 = p.w4 + 2 * n->hidden;
    p.end = p.b4 + 2;
    return p;
}

size_t naive_cnn_parameters(const struct naive_cnn *n)
{
    return parts_of(n).end;
}

/* What one sample leaves on its way; images after their ReLU. */
struct way {
    double *x, *c1, *p1, *c2, *p2, *h;
    double *dc1, *dp1, *dc2, *dp2, *dh, z[2];
    size_t *at1, *at2;
};

static void relu(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void dense(double *y, const double *x, const double *w, const double *b, size_t in,
                  size_t out)
{
    for (size_t o = 0; o < out; o++) {
        y[o] = b[o];
        for (size_t i = 0; i < in; i++) y[o] += w[o * in + i] * x[i];
    }
}

static void forward(const struct naive_cnn *n, const double *theta, struct way *w)
{
    struct parts at = parts_of(n);
    size_t side = n->side, sites = side * side;
    naive_conv(w->c1, w->x, theta + at.w1, theta + at.b1, 1, 2, side);
    relu(w->c1, 2 * sites);
    naive_pool(w->p1, w->at1, w->c1, 2, side);
    naive_conv(w->c2, w->p1, theta + at.w2, theta + at.b2, 2, 4, side / 2);
    relu(w->c2, sites);
    naive_pool(w->p2, w->at2, w->c2, 4, side / 2);
    dense(w->h, w->p2, theta + at.w3, theta + at.b3, at.flat, n->hidden);
    relu(w->h, n->hidden);
    dense(w->z, w->h, theta + at.w4, theta + at.b4, n->hidden, 2);
}

/* dx is overwritten. */
static void dense_backward(double *dw, double *db, double *dx, const double *x, const double *w,
                           const double *dy, size_t in, size_t out)
{
    for (size_t i = 0; i < in; i++) dx[i] = 0;
    for (size_t o = 0; o < out; o++) {
        db[o] += dy[o];
        for (size_t i = 0; i < in; i++) {
            dw[o * in + i] += dy[o] * x[i];
            dx[i] += dy[o] * w[o * in + i];
        }
    }
}

/* The slope of an image before pooling and ReLU from that of the pooled one. */
static void unpool(double *dx, const double *x, const double *dy, const size_t *at, size_t n)
{
    for (size_t i = 0; i < 4 * n; i++) dx[i] = 0;
    for (size_t i = 0; i < n; i++)
        if (x[at[i]] > 0) dx[at[i]] = dy[i];
}

static void backward(const struct naive_cnn *n, const double *theta, struct way *w,
                     const double dz[2], double *g)
{
    struct parts at = parts_of(n);
    size_t side = n->side, sites = side * side;
    dense_backward(g + at.w4, g + at.b4, w->dh, w->h, theta + at.w4, dz, n->hidden, 2);
    for (size_t i = 0; i < n->hidden; i++) w->dh[i] = w->h[i] > 0 ? w->dh[i] : 0;
    dense_backward(g + at.w3, g + at.b3, w->dp2, w->p2, theta + at.w3, w->dh, at.flat, n->hidden);
    unpool(w->dc2, w->c2, w->dp2, w->at2, sites / 4);
    for (size_t i = 0; i < sites / 2; i++) w->dp1[i] = 0;
    naive_conv_backward(g + at.w2, g + at.b2, w->dp1, w->p1, theta + at.w2, w->dc2, 2, 4, side / 2);
    unpool(w->dc1, w->c1, w->dp1, w->at1, sites / 2);
    naive_conv_backward(g + at.w1, g + at.b1, NULL, w->x, theta + at.w1, w->dc1, 1, 2, side);
}

double naive_cnn_loss(const struct naive_cnn *n, const double *theta, const int8_t *spin,
                      const int32_t *label, size_t count, double *gradient, size_t *hits)
{
    size_t sites = n->side * n->side;
    double *block = calloc(10 * sites + 2 * n->hidden, sizeof *block), loss = 0, p[2];
    size_t *at = calloc(sites, sizeof *at);
    struct way w = {.x = block, .at1 = at, .at2 = at + sites / 2};
    w.c1 = w.x + sites, w.p1 = w.c1 + 2 * sites, w.c2 = w.p1 + sites / 2, w.p2 = w.c2 + sites;
    w.dc1 = w.p2 + sites / 2, w.dp1 = w.dc1 + 2 * sites, w.dc2 = w.dp1 + sites / 2;
    w.dp2 = w.dc2 + sites, w.h = w.dp2 + sites / 2, w.dh = w.h + n->hidden;
    for (size_t i = 0; gradient && i < naive_cnn_parameters(n); i++) gradient[i] = 0;
    if (hits) *hits = 0;
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < sites; i++) w.x[i] = spin[s * sites + i];
        forward(n, theta, &w);
        loss += naive_softmax_xent(w.z, 2, (size_t)label[s], p);
        if (hits) *hits += (w.z[1] > w.z[0]) == (label[s] == 1);
        p[label[s]] -= 1;
        const double dz[] = {p[0] / (double)count, p[1] / (double)count};
        if (gradient) backward(n, theta, &w, dz, gradient);
    }
    free(block);
    free(at);
    return loss / (double)count;
}
