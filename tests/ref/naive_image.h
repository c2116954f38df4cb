// SPDX-License-Identifier: MIT
/* naive_image: slow twins of the layers that read images, for one sample and in double. An image is
 * [channels][side][side].
 */
#ifndef GROKD_TESTS_NAIVE_IMAGE_H
#define GROKD_TESTS_NAIVE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* y [out] = 3 x 3 convolution of x [in] with w [out][in][3][3] and bias [out], zeros around. */
void naive_conv(double *y, const double *x, const double *w, const double *bias, size_t in,
                size_t out, size_t side);

/* Adds what is due to w and bias, and to x unless dx is NULL, for a slope dy of y. */
void naive_conv_backward(double *dw, double *dbias, double *dx, const double *x, const double *w,
                         const double *dy, size_t in, size_t out, size_t side);

/* y = greatest of each 2 x 2 window; at (may be NULL): where it stands in x, the first of equals.
 */
void naive_pool(double *y, size_t *at, const double *x, size_t channels, size_t side);

/* The convolutional network on spins [side^2] of one sample: mean loss over samples and its
 * gradient (state-dict order, may be NULL) for theta in state-dict order; hits may be NULL. */
struct naive_cnn {
    size_t side, hidden;
};
size_t naive_cnn_parameters(const struct naive_cnn *n);
double naive_cnn_loss(const struct naive_cnn *n, const double *theta, const int8_t *spin,
                      const int32_t *label, size_t count, double *gradient, size_t *hits);

#endif
