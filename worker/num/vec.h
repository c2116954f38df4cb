// SPDX-License-Identifier: MIT
/* vec: the kernels of the trainer, in one table, built for two levels of x86-64 and chosen once.
 *
 * Promise: both levels give the same bits. Every kernel works on vectors of 16 floats in one fixed
 * order of elements and says where it fuses a multiplication with an addition; nothing here
 * depends on how many registers there are. Where not said otherwise: pointers to rows are 64-byte
 * aligned, strides ("ld") and lengths n are in floats and multiples of 16, arrays alias nothing,
 * and padding that holds zeros keeps holding zeros.
 * Refusal: processors below x86-64-v3 get one line from vec_open.
 */
#ifndef GROKD_NUM_VEC_H
#define GROKD_NUM_VEC_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define VEC_FLOATS 16 /* floats in a vector */
#define VEC_BYTES  64
#define VEC_LANES  64 /* most samples of one pass through a model */

/* n rounded up to whole vectors. */
#define VEC_ROUND(n) (((size_t)(n) + VEC_FLOATS - 1) / VEC_FLOATS * VEC_FLOATS)

/* Sums over the samples of one call of softmax_xent, mse or stablemax_xent. */
struct vec_score {
    double loss;  /* of the cross-entropy, in nats, or of the mse; not divided by the count */
    int64_t hits; /* samples whose first greatest logit is the label's */
};

/* Constants of one step of Adam, see adam_row. */
struct adam_step {
    float rate; /* learning rate / (1 - beta1^t) */
    float root; /* 1 / sqrt(1 - beta2^t) */
};
struct adam_rule {
    float beta1, rest1, beta2, rest2; /* rest: 1 - beta, rounded from double */
    float epsilon, weight_decay;      /* of adamw: times the learning rate */
};

/* Constants of gradient descent. */
struct sgd_rule {
    float rate, momentum, weight_decay;
};

/* Of each of many samples: the logit of its label; rival -1 while that is the greatest, else a
 * class that is ahead of it; a lower bound of the lead of the first over the second; and how far
 * that may be off. */
struct vec_watch {
    const float *own, *rival, *slack;
    float *sure;
};

/* Square images in lanes: site (r, c) of channel i of sample s is at x[((i*side + r)*side + c) *
 * VEC_LANES + s]. in, out: channels read and written; side: of the image that is read; lanes: how
 * many samples are walked, a multiple of 16, at most VEC_LANES. */
struct vec_image {
    size_t in, out, side, lanes;
};

struct vec {
    const char *level; /* "x86-64-v3" or "x86-64-v4" */

    /* y[i][j] = start + sum over k of x[i*xi + k*xk] * z[k*ldz + j], start = y[i][j] if add, else
     * 0. y [m][ldy], z [k][ldz], n columns of both; x any strides, unaligned. Fused, k ascending.
     * 2*m*n*k flops.   Twin: naive_gemm. */
    void (*gemm)(float *y, size_t ldy, const float *x, size_t xi, size_t xk, const float *z,
                 size_t ldz, size_t m, size_t n, size_t k, int add);

    /* y[j][i] = x[i][j] for i < m, j < n; lanes i in m..VEC_ROUND(m) of y become 0.
     * x [m][ldx], y [n][ldy]; any n.   Moves m*n floats.   Twin: a double loop. */
    void (*transpose)(float *y, size_t ldy, const float *x, size_t ldx, size_t m, size_t n);

    /* y[s] = (w[row[s][0]] + w[row[s][1]]) + bias for s < count. y, w [.][ld], bias [n].
     * 2*count*n additions.   Twin: a double loop. */
    void (*gather)(float *y, size_t ldy, const float *w, size_t ldw, const float *bias,
                   const int32_t (*row)[2], size_t count, size_t n);

    /* y = start + sum over s < count of x[s], start = y if add, else 0. x [count][ldx], y [n].
     * In the order of s.   count*n additions.   Twin: a double loop. */
    void (*sum_rows)(float *y, const float *x, size_t ldx, size_t count, size_t n, int add);

    /* y[i] = start + sum over j < n of x[i][j] for i < m; x [m][ldx]. 16 partial sums by j modulo
     * 16, then halves onto halves.   m*n additions.   Twin: a double loop. */
    void (*sum_columns)(float *y, const float *x, size_t ldx, size_t m, size_t n, int add);

    /* y[i][j] = value[i] for i < m, j < n. */
    void (*fill_rows)(float *y, size_t ldy, const float *value, size_t m, size_t n);

    /* x = max(x, 0), NaN stays; dx = x > 0 ? dx : 0. In place, n floats. */
    void (*relu)(float *x, size_t n);
    void (*relu_backward)(float *dx, const float *x, size_t n);

    /* y = x^2; dx = 2 x dy. n floats; dx may be dy. */
    void (*square)(float *y, const float *x, size_t n);
    void (*square_backward)(float *dx, const float *dy, const float *x, size_t n);

    /* Softmax and cross-entropy of samples that lie in lanes: z [classes][ld] holds logits of
     * sample s in column s, s < count <= VEC_LANES, ld >= VEC_ROUND(count). Adds to *score; with
     * scale > 0 puts (softmax - onehot(label)) * scale over the logits and 0 in the lanes after
     * count. About 25 operations a logit.   Twin: naive_softmax_xent. */
    void (*softmax_xent)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                         float scale, struct vec_score *score);

    /* The same for the mean square difference from the one-hot label, (1/classes) sum over c of
     * (z_c - [c = label])^2: slopes 2/classes (z - onehot) * scale.   Twin: naive_mse. */
    void (*mse)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                float scale, struct vec_score *score);

    /* The same for the cross-entropy of StableMax (arXiv 2501.04697), p_c = s(z_c) / sum of s, s(z)
     * = z + 1 for z >= 0, 1/(1 - z) below: slopes s'(z_c) (1/sum - [c = label]/s(z_c)) * scale.
     * Twin: naive_stablemax. */
    void (*stablemax_xent)(float *z, size_t ld, const int32_t *label, size_t classes, size_t count,
                           float scale, struct vec_score *score);

    /* Adam with L2 in the gradient, steps[0..count-1] one after another; g is the gradient of the
     * first step, NULL for none; later steps have none but the weight decay:
     *   g += weight_decay*w;  m = beta1*m + (1-beta1)*g;  v = beta2*v + (1-beta2)*g*g;
     *   w -= rate * m / (sqrt(v)*root + epsilon), the denominator at least the least normal float.
     * w, m, v, g [n].   One root and one division per element and step.   Twin: naive_step. */
    void (*adam)(float *w, float *m, float *v, const float *g, size_t n,
                 const struct adam_rule *rule, const struct adam_step *steps, size_t count);

    /* The same with decay that is not of the gradient: w -= weight_decay*w first, g stays as it is.
     * Twin: naive_step. */
    void (*adamw)(float *w, float *m, float *v, const float *g, size_t n,
                  const struct adam_rule *rule, const struct adam_step *steps, size_t count);

    /* Gradient descent, count steps, of which the first has gradient g and the others none:
     *   g += weight_decay*w;  m = momentum*m + g;  w -= rate*m.
     * w, m, g [n].   Six operations per element and step.   Twin: naive_step. */
    void (*sgd)(float *w, float *m, const float *g, size_t n, const struct sgd_rule *rule,
                size_t count);

    /* y = fma(b, x, a*y).   n floats; x may be y.   Twin: the formula. */
    void (*axpby)(float *y, float a, const float *x, float b, size_t n);

    /* Sums in double, 16 partial sums by index modulo 16, then halves onto halves:
     * a.b and sum of g*a*b.   Any n, any alignment. */
    double (*dot)(const float *a, const float *b, size_t n);
    double (*dot_weighted)(const float *g, const float *a, const float *b, size_t n);

    /* Second moments of a first layer with two-hot input, over the samples s < count: with z =
     * (w[row[s][0]] + w[row[s][1]]) + bias, adds max(z, 0)^2 to square [n], and 1 to both rows of
     * active [.][ld] where z > 0. w [.][ld], bias [n]. About 8*count*n operations.
     * Twin: the closed form in tests/worker/test_fisher. */
    void (*measure_moments)(double *square, float *active, const float *w, size_t ld,
                            const float *bias, const int32_t (*row)[2], size_t count, size_t n);

    /* y[j][i] = x[i][j] for i < count <= VEC_LANES, j < n; lanes i in count..VEC_ROUND(count) of y
     * become 0. x [count][n] signed bytes, y [n][ldy]; any n.   Twin: a double loop. */
    void (*bytes_to_lanes)(float *y, size_t ldy, const int8_t *x, size_t count, size_t n);

    /* 3 x 3 convolution, zeros around the image:
     *   y[o][r][c] = bias[o] + sum over i, v, h of w[o][i][v][h] x[i][r+v-1][c+h-1]
     * y [out], x [in] images of one side; w [out][ldw], in*9 of each row, any ldw, unaligned; bias
     * [out], unaligned. Fused, in the order of the sum.   18*in*out*side^2*lanes flops.
     * Twin: naive_conv. */
    void (*conv)(float *y, const float *x, const float *w, size_t ldw, const float *bias,
                 const struct vec_image *image);

    /* What a convolution's weights and biases are due, sample by sample:
     *   dw[(o*in + i)*9 + v*3 + h][s] = sum over r, c of dy[o][r][c][s] x[i][r+v-1][c+h-1][s]
     *   db[o][s] = sum over r, c of dy[o][r][c][s]
     * dw [out*in*9][VEC_LANES], db [out][VEC_LANES]. Fused, in the order of the sites.
     * 18*in*out*side^2*lanes flops.   Twin: naive_conv_slope. */
    void (*conv_slope)(float *dw, float *db, const float *x, const float *dy,
                       const struct vec_image *image);

    /* y = the greatest of each 2 x 2 window of x, half the side; and dx = dy at the first of the
     * window (row by row) that equals y, 0 at the others. in channels of both.
     * Twin: naive_pool. */
    void (*pool)(float *y, const float *x, const struct vec_image *image);
    void (*pool_backward)(float *dx, const float *dy, const float *x, const float *y,
                          const struct vec_image *image);

    /* Sweeps from..from+count-1 of heat-bath dynamics on 16 periodic lattices of side^2 spins,
     * black sites (even row + column) first, side even. spin[site][k]: 1 up, 0 down, of lattice k;
     * threshold[n][k]: with n neighbours up, a spin becomes up if its 32 random bits, taken as an
     * unsigned number minus 2^31, are below it. Bits of sweep t and site j: word t*side^2 + j of
     * the Philox stream (seed, snapshot + k, purpose), see common/philox.h. scratch [side^2][16].
     * About 60*side^2 operations of 16 lanes a sweep.   Twin: in tests/worker/test_ising. */
    void (*glauber)(int32_t *spin, size_t side, const int32_t *threshold, uint64_t seed,
                    uint32_t snapshot, uint32_t purpose, uint64_t from, uint64_t count,
                    int32_t *scratch);

    /* words [n][16]: word j of the 16 streams (seed, snapshot + k, purpose), j from `first`, a
     * multiple of 4, on; n a multiple of 4.   Twin: philox_words. */
    void (*philox)(int32_t *words, size_t n, uint64_t seed, uint32_t snapshot, uint32_t purpose,
                   uint64_t first);

    /* For neurons k < n with h[k] > 0 adds to a[k] and b[k] the variance of weights w_c over
     * classes c, of which t is the most probable, from top = w_t and the sums over the others first
     * = sum of p_c w_c, second = sum of p_c w_c^2, rest = sum of p_c: with d = w - w_t sum of p d^2
     * - (sum of p d)^2, at least 0. Fused. About 10*n operations.   Twin: the differences of
     * test_fisher. */
    void (*measure_variances)(float *a, float *b, const float *h, const float *top,
                              const float *first, const float *second, float rest, size_t n);

    /* Squares of the gradient of a 3x3 convolution, padded by 1, sample by sample: adds
     *   weight[o*ld + c*9 + 3*i + j] += sum over lanes of (sum over sites (y, x) of
     *                                   dy[o][y][x] x[c][y + i - 1][x + j - 1])^2
     *   bias[o]                      += sum over lanes of (sum over sites of dy[o][y][x])^2
     * dy [out][side][side][VEC_LANES], x [in][side][side][VEC_LANES], of which the first `lanes` (a
     * multiple of 16) count. Fused, sites in order; squares in float, their sums over 16 lanes too,
     * then in double.   18*out*in*side^2*lanes flops.   Twin: the differences of test_fisher. */
    void (*measure_taps)(double *weight, size_t ld, double *bias, const float *dy, const float *x,
                         size_t out, size_t in, size_t side, size_t lanes);

    /* psi = root of softmax(z), samples in lanes: z [classes][ld], psi [classes][VEC_LANES], 0 in
     * the lanes from count on. NaN where a logit of the sample is.   Twin: in test_kernels_measure.
     * About 25 operations a logit. */
    void (*measure_roots)(float *psi, const float *z, size_t ld, size_t classes, size_t count);

    /* square[s] = sum over classes of (a - b)^2 of lane s < VEC_LANES; a, b [classes][VEC_LANES].
     * Differences and runs of 16 classes in float, their sum in double.   3*classes operations a
     * lane.   Twin: a double loop. */
    void (*measure_chords)(double *square, const float *a, const float *b, size_t classes);

    /* arc[i] = 2 arcsin(root of square[i] / 2): the angle of unit vectors whose chord has that
     * square, from 0 to 4; within 4 ulp. Any n, any alignment, arc may be square. */
    void (*measure_arcs)(double *arc, const double *square, size_t n);

    /* Sum over i of w'/root of (1 - w^2), w = at[0]*a[i] + at[1]*b[i], w' the same with slope; the
     * root at least 1e-12. 16 partial sums by i modulo 16, then halves onto halves. Any n, any
     * alignment. */
    double (*measure_pull)(const double *a, const double *b, size_t n, const double at[2],
                           const double slope[2]);

    /* f[s] += weight * max(z[s], 0), fused, n samples; f may be -infinity. walk_watch also keeps
     * an eye on every sample, see struct vec_watch: with lead = own[s] - f[s], sure[s] becomes lead
     * if rival[s] < 0 and lead < sure[s], and -lead if rival[s] == class. It writes the s with not
     * sure[s] > slack[s] to doubt [n], rising, and returns how many. 2*n, and about 10*n,
     * operations.   Twin: a loop. */
    void (*walk_add)(float *f, const float *z, float weight, size_t n);
    size_t (*walk_watch)(float *f, const float *z, float weight, float class,
                         const struct vec_watch *watch, uint16_t *doubt, size_t n);

    /* g += by * w, fused; range = its least element and its greatest, or 0 if there is none below
     * or above. g, w [n].   4*n operations.   Twin: a loop. */
    void (*walk_row)(float *g, const float *w, float by, float range[2], size_t n);

    /* g[lane[i]] += by[i] * w, fused, for i < count; g rows of ld floats, w [ld]. 2*ld*count
     * operations.   Twin: a loop. */
    void (*walk_rows)(float *g, size_t ld, const float *w, const float *by, const uint16_t *lane,
                      size_t count);

    /* f[c][s] += g[s][c] and top[s] = the greatest f[c][s], for c < ldg and s < n; then g = 0.
     * f [ldg][ldf], g [n][ldg], n and ldg multiples of 16; f may be -infinity. 3*ldg*n operations.
     * Twin: a loop. */
    void (*walk_join)(float *top, float *f, size_t ldf, float *g, size_t ldg, size_t n);

    /* y = exp(x), y = ln(x) for normal positive x; n floats, y may be x. Within 2 ulp. */
    void (*exp)(float *y, const float *x, size_t n);
    void (*log)(float *y, const float *x, size_t n);
};

/* Every kernel's name once; the table and both levels' prototypes are made from it. */
#define VEC_LIST(X)                                                                                \
    X(gemm)                                                                                        \
    X(transpose)                                                                                   \
    X(gather)                                                                                      \
    X(sum_rows)                                                                                    \
    X(sum_columns)                                                                                 \
    X(fill_rows)                                                                                   \
    X(relu)                                                                                        \
    X(relu_backward)                                                                               \
    X(square)                                                                                      \
    X(square_backward)                                                                             \
    X(softmax_xent)                                                                                \
    X(mse)                                                                                         \
    X(stablemax_xent)                                                                              \
    X(adam)                                                                                        \
    X(adamw)                                                                                       \
    X(sgd)                                                                                         \
    X(axpby)                                                                                       \
    X(dot)                                                                                         \
    X(dot_weighted)                                                                                \
    X(exp)                                                                                         \
    X(log)                                                                                         \
    X(measure_moments)                                                                             \
    X(measure_variances)                                                                           \
    X(measure_taps)                                                                                \
    X(measure_roots)                                                                               \
    X(measure_chords)                                                                              \
    X(measure_arcs)                                                                                \
    X(measure_pull)                                                                                \
    X(walk_add)                                                                                    \
    X(walk_watch)                                                                                  \
    X(walk_row)                                                                                    \
    X(walk_rows)                                                                                   \
    X(walk_join)                                                                                   \
    X(bytes_to_lanes)                                                                              \
    X(conv)                                                                                        \
    X(conv_slope)                                                                                  \
    X(pool)                                                                                        \
    X(pool_backward)                                                                               \
    X(philox)                                                                                      \
    X(glauber)

/* The table in use. NULL before vec_open or blas_open. */
extern const struct vec *vec;

/* Takes the best table that the processor can run, unless one is in use; E_STATE on a processor
 * below x86-64-v3. */
int vec_open(struct err *e);

/* The table of a level, 3 or 4; NULL if this processor cannot run it. */
const struct vec *vec_level(int level);

/* n zeroed floats, 64-byte aligned, freed with free(); NULL if there is no memory. */
float *vec_alloc(size_t n);

/* Flush-to-zero and denormals-are-zero, nearest rounding: set them for this thread, and tell
 * whether they still hold. */
void vec_set_float_mode(void);
int vec_float_mode_holds(void);

#endif
