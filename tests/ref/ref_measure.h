// SPDX-License-Identifier: MIT
/* ref_measure: the measures of the one-hidden-layer network done slowly in double, straight from
 * their definitions, as twins for worker/measure. Nothing here is shared with the programs.
 *
 * A network is one vector of parameters in state-dict order: input weights [H,2P], their bias [H],
 * output weights [P,H], their bias [P]; logits f = W2 relu(W1[:,a] + W1[:,P+b] + b1) + b2, label
 * (a + b) mod P; or z^2 for relu(z). Pairs are [n,2].
 */
#ifndef GROKD_TESTS_REF_MEASURE_H
#define GROKD_TESTS_REF_MEASURE_H

#include <stddef.h>
#include <stdint.h>

struct ref_net {
    size_t P, H;
    const double *theta; /* [ref_net_size] */
    int square;          /* z^2 in the place of relu */
};

size_t ref_net_size(size_t P, size_t H);

/* Offsets of the four tensors in theta, and the end. */
struct ref_layout {
    size_t w1, b1, w2, b2, end;
};
struct ref_layout ref_net_layout(size_t P, size_t H);

void ref_logits(const struct ref_net *n, int a, int b, double *f);

/* Mean cross-entropy and share of pairs whose first largest logit is the label's. */
void ref_evaluate(const struct ref_net *n, const int32_t *pairs, size_t count, double *loss,
                  double *accuracy);

/* E_x sum_c (df_c / dtheta_j)^2 by central differences of the logits, one parameter at a time. */
void ref_fisher(const struct ref_net *n, const int32_t *pairs, size_t count, double *diagonal);

/* E_x sum_c p_c (d ln p_c / dtheta_j)^2, the same way: differences of logits, which have no
 * cancellation that those of ln p would not have too. */
void ref_fisher_class(const struct ref_net *n, const int32_t *pairs, size_t count,
                      double *diagonal);

/* Sets the `count` smallest |w| to 0, equal ones by index; by qsort of (|w|, index). */
void ref_prune(double *w, size_t n, size_t count);

/* Accuracy and loss at `points` equally spaced fractions; biases spared. Returns the trapezoid
 * area. */
double ref_pruning(const struct ref_net *n, const int32_t *pairs, size_t count, size_t points,
                   double *accuracy, double *loss);

/* Mean over columns j < n of sum |c|^4 / (sum |c|^2)^2, c the coefficients of w[i*stride_i +
 * j*stride_j], i < P, in the orthonormal real Fourier basis of Z_P, both parities of P. */
double ref_ipr(const double *w, size_t P, size_t n, size_t stride_i, size_t stride_j);

/* Length of here -> next in a diagonal metric (NULL: Euclidean), cosines with before -> here and
 * with -here. */
struct ref_step {
    double length, cos_previous, cos_origin;
};
struct ref_step ref_geometry(const double *before, const double *here, const double *next,
                             const double *metric, size_t n);

/* A small generator for test data: uniform in [0,1), and normal. The state is any number. */
double ref_uniform(uint64_t *state);
double ref_normal(uint64_t *state);

/* |a - b| <= tolerance * max(|a|, |b|, floor) */
int ref_close(double a, double b, double tolerance, double floor);

#endif
