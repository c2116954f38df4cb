// SPDX-License-Identifier: MIT
/* naive: the slow twins of kernels and layers, in double and in the order of the formulas. */
#ifndef GROKD_TESTS_NAIVE_H
#define GROKD_TESTS_NAIVE_H

#include <stddef.h>
#include <stdint.h>

/* y[i*n + j] = sum over k of x[i*xi + k*xk] z[k*ldz + j]. */
void naive_gemm(double *y, const float *x, size_t xi, size_t xk, const float *z, size_t ldz,
                size_t m, size_t n, size_t k);

/* Cross-entropy of one sample's logits z[0..classes-1]; p: softmax. */
double naive_softmax_xent(const double *z, size_t classes, size_t label, double *p);

/* Mean square difference from the one-hot label, and cross-entropy of StableMax; dz: derivatives by
 * the logits. */
double naive_mse(const double *z, size_t classes, size_t label, double *dz);
double naive_stablemax(const double *z, size_t classes, size_t label, double *dz);

/* The one-hidden-layer network on pairs; loss, activation: choices of the parameters. theta in
 * state-dict order: W1 [hidden, 2*modulus], b1 [hidden], W2 [modulus, hidden], b2 [modulus];
 * pair[s] = {a, modulus + b}. */
struct naive_net {
    size_t modulus, hidden;
    int64_t loss, activation;
};
size_t naive_parameters(const struct naive_net *n);
/* hidden: after the activation. */
void naive_logits(const struct naive_net *n, const double *theta, const int32_t pair[2],
                  double *hidden, double *z);

/* Mean loss over the samples; gradient (may be NULL) of that mean; hits (may be NULL). */
double naive_loss(const struct naive_net *n, const double *theta, const int32_t (*pair)[2],
                  const int32_t *label, size_t count, double *gradient, size_t *hits);

/* Step t (from 1) of an optimizer, a choice of that parameter, on one element. */
struct naive_rule {
    double rate, beta1, beta2, epsilon, decay, momentum;
    int64_t optimizer;
};
void naive_step(const struct naive_rule *r, double *w, double *m, double *v, double g, int64_t t);

#endif
