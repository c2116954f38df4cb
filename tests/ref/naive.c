// SPDX-License-Identifier: MIT
/* naive: twins that a reader can check against the formulas. */
#include "tests/ref/naive.h"

#include "proto/param.h"

#include <math.h>
#include <stdlib.h>

void naive_gemm(double *y, const float *x, size_t xi, size_t xk, const float *z, size_t ldz,
                size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            y[i * n + j] = 0;
            for (size_t l = 0; l < k; l++)
                y[i * n + j] += (double)x[i * xi + l * xk] * z[l * ldz + j];
        }
}

double naive_softmax_xent(const double *z, size_t classes, size_t label, double *p)
{
    double top = z[0], sum = 0;
    for (size_t c = 1; c < classes; c++) top = fmax(top, z[c]);
    for (size_t c = 0; c < classes; c++) sum += exp(z[c] - top);
    for (size_t c = 0; c < classes; c++) p[c] = exp(z[c] - top) / sum;
    return log(sum) + top - z[label];
}

double naive_mse(const double *z, size_t classes, size_t label, double *dz)
{
    double sum = 0, n = (double)classes;
    for (size_t c = 0; c < classes; c++) {
        double d = z[c] - (c == label);
        sum += d * d / n;
        dz[c] = 2 * d / n;
    }
    return sum;
}

static double stable(double z)
{
    return z >= 0 ? z + 1 : 1 / (1 - z);
}

double naive_stablemax(const double *z, size_t classes, size_t label, double *dz)
{
    double sum = 0, s = stable(z[label]);
    for (size_t c = 0; c < classes; c++) sum += stable(z[c]);
    for (size_t c = 0; c < classes; c++) {
        double slope = z[c] >= 0 ? 1 : stable(z[c]) * stable(z[c]);
        dz[c] = slope / sum - (c == label ? slope / s : 0);
    }
    return log(sum) - log(s);
}

/* Loss and its derivative by the logits. */
static double sample_loss(const struct naive_net *n, const double *z, size_t label, double *dz)
{
    if (n->loss == LOSS_MSE) return naive_mse(z, n->modulus, label, dz);
    if (n->loss == LOSS_STABLEMAX) return naive_stablemax(z, n->modulus, label, dz);
    double loss = naive_softmax_xent(z, n->modulus, label, dz);
    dz[label] -= 1;
    return loss;
}

size_t naive_parameters(const struct naive_net *n)
{
    return n->hidden * 2 * n->modulus + n->hidden + n->modulus * n->hidden + n->modulus;
}

struct parts {
    size_t w1, b1, w2, b2; /* where each tensor begins */
};

static struct parts parts_of(const struct naive_net *n)
{
    struct parts p = {.b1 = n->hidden * 2 * n->modulus};
    p.w2 = p.b1 + n->hidden;
    p.b2 = p.w2 + n->modulus * n->hidden;
    return p;
}

void naive_logits(const struct naive_net *n, const double *theta, const int32_t pair[2],
                  double *hidden, double *z)
{
    struct parts at = parts_of(n);
    for (size_t h = 0; h < n->hidden; h++) {
        const double *w = theta + at.w1 + h * 2 * n->modulus;
        double x = w[pair[0]] + w[pair[1]] + theta[at.b1 + h];
        hidden[h] = n->activation == ACTIVATION_SQUARE ? x * x : fmax(0, x);
    }
    for (size_t c = 0; c < n->modulus; c++) {
        z[c] = theta[at.b2 + c];
        for (size_t h = 0; h < n->hidden; h++) z[c] += theta[at.w2 + c * n->hidden + h] * hidden[h];
    }
}

/* Adds one sample's gradient; dz: derivative by the logits. */
static void backward(const struct naive_net *n, const double *theta, const int32_t pair[2],
                     const double *hidden, const double *dz, double *g)
{
    struct parts at = parts_of(n);
    for (size_t c = 0; c < n->modulus; c++) g[at.b2 + c] += dz[c];
    for (size_t h = 0; h < n->hidden; h++) {
        double dh = 0;
        for (size_t c = 0; c < n->modulus; c++) {
            g[at.w2 + c * n->hidden + h] += dz[c] * hidden[h];
            dh += dz[c] * theta[at.w2 + c * n->hidden + h];
        }
        const double *w = theta + at.w1 + h * 2 * n->modulus;
        double x = w[pair[0]] + w[pair[1]] + theta[at.b1 + h];
        dh *= n->activation == ACTIVATION_SQUARE ? 2 * x : x > 0;
        g[at.b1 + h] += dh;
        g[at.w1 + h * 2 * n->modulus + (size_t)pair[0]] += dh;
        g[at.w1 + h * 2 * n->modulus + (size_t)pair[1]] += dh;
    }
}

double naive_loss(const struct naive_net *n, const double *theta, const int32_t (*pair)[2],
                  const int32_t *label, size_t count, double *gradient, size_t *hits)
{
    double *hidden = calloc(n->hidden, sizeof *hidden), *z = calloc(n->modulus, sizeof *z);
    double *p = calloc(n->modulus, sizeof *p), loss = 0;
    for (size_t i = 0; gradient && i < naive_parameters(n); i++) gradient[i] = 0;
    if (hits) *hits = 0;
    for (size_t s = 0; s < count; s++) {
        size_t y = (size_t)label[s], top = 0;
        naive_logits(n, theta, pair[s], hidden, z);
        loss += sample_loss(n, z, y, p);
        for (size_t c = 1; c < n->modulus; c++)
            if (z[c] > z[top]) top = c;
        if (hits) *hits += top == y;
        for (size_t c = 0; c < n->modulus; c++) p[c] /= (double)count;
        if (gradient) backward(n, theta, pair[s], hidden, p, gradient);
    }
    free(hidden);
    free(z);
    free(p);
    return loss / (double)count;
}

void naive_step(const struct naive_rule *r, double *w, double *m, double *v, double g, int64_t t)
{
    if (r->optimizer == OPTIMIZER_ADAMW)
        *w *= 1 - r->rate * r->decay;
    else
        g += r->decay * *w;
    if (r->optimizer == OPTIMIZER_SGD) {
        *m = r->momentum * *m + g;
        *w -= r->rate * *m;
        return;
    }
    *m = r->beta1 * *m + (1 - r->beta1) * g;
    *v = r->beta2 * *v + (1 - r->beta2) * g * g;
    double bias1 = 1 - pow(r->beta1, (double)t), bias2 = 1 - pow(r->beta2, (double)t);
    *w -= r->rate / bias1 * *m / (sqrt(*v) / sqrt(bias2) + r->epsilon);
}
