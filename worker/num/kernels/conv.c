// SPDX-License-Identifier: MIT
/* conv: 3 x 3 convolution of images whose samples lie in lanes, and its sums for the gradient.
 *
 * Every site reads nine vectors through nine pointers; those that would lie outside the image point
 * to zeros instead, so that there is one loop for inside and border.
 */
#include "worker/num/kernels/kernel.h"

#define TAPS 9

/* Vectors of samples and output channels that stay in registers while the taps go by. */
#ifdef __AVX512F__
#define VECTORS 4
#else
#define VECTORS 1
#endif
#define OUTS 4

static const float nothing[VEC_LANES] __attribute__((aligned(VEC_BYTES)));

/* The neighbours of site (r, c) of the image at x, row by row. */
INLINE void taps_at(const float *at[TAPS], const float *x, size_t r, size_t c, size_t side)
{
    const float *here = x + (r * side + c) * VEC_LANES;
    UNROLL for (int v = 0; v < 3; v++)
    {
        int in = (v != 0 || r > 0) && (v != 2 || r + 1 < side);
        const float *row = here + (v - 1) * (ptrdiff_t)(side * VEC_LANES);
        at[3 * v] = in && c > 0 ? row - VEC_LANES : nothing;
        at[3 * v + 1] = in ? row : nothing;
        at[3 * v + 2] = in && c + 1 < side ? row + VEC_LANES : nothing;
    }
}

struct conv {
    float *y;
    const float *x, *w, *bias;
    size_t ldw, in, side;
};

/* `outs` channels of one site for `vectors` vectors of samples, both known to the compiler. */
INLINE void conv_site(const struct conv *t, size_t r, size_t c, const int outs, const int vectors)
{
    size_t plane = t->side * t->side * VEC_LANES;
    vf sum[OUTS][VECTORS], b[VECTORS];
    UNROLL for (int o = 0; o < outs; o++) UNROLL for (int j = 0; j < vectors; j++) sum[o][j] =
        vf_set(t->bias[o]);
    for (size_t i = 0; i < t->in; i++) {
        const float *at[TAPS], *w = t->w + i * TAPS;
        taps_at(at, t->x + i * plane, r, c, t->side);
        UNROLL for (int k = 0; k < TAPS; k++)
        {
            /* a vector pointer outside the image stays within the zeros */
            UNROLL for (int j = 0; j < vectors; j++) b[j] = vf_load(at[k] + j * VEC_FLOATS);
            UNROLL for (int o = 0; o < outs; o++)
            {
                vf a = vf_set(w[o * t->ldw + k]);
                UNROLL for (int j = 0; j < vectors; j++) sum[o][j] = vf_fma(a, b[j], sum[o][j]);
            }
        }
    }
    float *y = t->y + (r * t->side + c) * VEC_LANES;
    UNROLL for (int o = 0; o < outs; o++) UNROLL for (int j = 0; j < vectors; j++)
        vf_store(y + o * plane + j * VEC_FLOATS, sum[o][j]);
}

INLINE void conv_image(const struct conv *t, const int outs, const int vectors)
{
    for (size_t r = 0; r < t->side; r++)
        for (size_t c = 0; c < t->side; c++) conv_site(t, r, c, outs, vectors);
}

static void conv_block(const struct conv *t, size_t outs, size_t vectors)
{
#if VECTORS > 1
    if (vectors == VECTORS) {
        if (outs == 4) conv_image(t, 4, VECTORS);
        if (outs == 2) conv_image(t, 2, VECTORS);
        if (outs == 1) conv_image(t, 1, VECTORS);
        return;
    }
#endif
    (void)vectors;
    if (outs == 4) conv_image(t, 4, 1);
    if (outs == 2) conv_image(t, 2, 1);
    if (outs == 1) conv_image(t, 1, 1);
}

void KERNEL(conv)(float *y, const float *x, const float *w, size_t ldw, const float *bias,
                  const struct vec_image *image)
{
    size_t plane = image->side * image->side * VEC_LANES;
    for (size_t lane = 0, wide; lane < image->lanes; lane += wide * VEC_FLOATS) {
        wide = (image->lanes - lane) / VEC_FLOATS >= VECTORS ? VECTORS : 1;
        for (size_t o = 0, outs; o < image->out; o += outs) {
            outs = image->out - o >= 4 ? 4 : image->out - o >= 2 ? 2 : 1;
            const struct conv t = {.y = y + o * plane + lane,
                                   .x = x + lane,
                                   .w = w + o * ldw,
                                   .bias = bias + o,
                                   .ldw = ldw,
                                   .in = image->in,
                                   .side = image->side};
            conv_block(&t, outs, wide);
        }
    }
}

/* ---- gradient ----------------------------------------------------------------------------------
 */

struct slope {
    float *dw;
    const float *x, *dy; /* of one input channel and the first of the output channels */
    size_t ldw, side;    /* ldw: floats between the sums of two output channels */
};

/* All sites of one input channel and `outs` output channels for one vector of samples. */
INLINE void slope_image(const struct slope *t, const int outs)
{
    size_t plane = t->side * t->side * VEC_LANES;
    vf sum[2][TAPS];
    UNROLL for (int o = 0; o < outs; o++) UNROLL for (int k = 0; k < TAPS; k++) sum[o][k] =
        vf_set(0);
    for (size_t r = 0; r < t->side; r++)
        for (size_t c = 0; c < t->side; c++) {
            const float *at[TAPS], *dy = t->dy + (r * t->side + c) * VEC_LANES;
            vf d[2];
            taps_at(at, t->x, r, c, t->side);
            UNROLL for (int o = 0; o < outs; o++) d[o] = vf_load(dy + o * plane);
            UNROLL for (int k = 0; k < TAPS; k++)
            {
                vf b = vf_load(at[k]);
                UNROLL for (int o = 0; o < outs; o++) sum[o][k] = vf_fma(d[o], b, sum[o][k]);
            }
        }
    UNROLL for (int o = 0; o < outs; o++) UNROLL for (int k = 0; k < TAPS; k++)
        vf_store(t->dw + o * t->ldw + k * VEC_LANES, sum[o][k]);
}

void KERNEL(conv_slope)(float *dw, float *db, const float *x, const float *dy,
                        const struct vec_image *image)
{
    size_t sites = image->side * image->side, plane = sites * VEC_LANES;
    for (size_t lane = 0; lane < image->lanes; lane += VEC_FLOATS) {
        for (size_t o = 0, outs; o < image->out; o += outs) {
            outs = image->out - o >= 2 ? 2 : 1;
            for (size_t i = 0; i < image->in; i++) {
                const struct slope t = {.dw = dw + (o * image->in + i) * TAPS * VEC_LANES + lane,
                                        .x = x + i * plane + lane,
                                        .dy = dy + o * plane + lane,
                                        .ldw = image->in * TAPS * VEC_LANES,
                                        .side = image->side};
                if (outs == 2)
                    slope_image(&t, 2);
                else
                    slope_image(&t, 1);
            }
        }
        for (size_t o = 0; o < image->out; o++) {
            vf sum = vf_set(0);
            for (size_t k = 0; k < sites; k++)
                sum = vf_add(sum, vf_load(dy + o * plane + k * VEC_LANES + lane));
            vf_store(db + o * VEC_LANES + lane, sum);
        }
    }
}
