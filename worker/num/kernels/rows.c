// SPDX-License-Identifier: MIT
/* rows: what moves, adds and masks whole rows of activations and weights. */
#include "worker/num/kernels/kernel.h"
#include "worker/num/kernels/turn.h"

void KERNEL(transpose)(float *y, size_t ldy, const float *x, size_t ldx, size_t m, size_t n)
{
    size_t m8 = m / 8 * 8, n8 = n / 8 * 8;
    for (size_t j = 0; j < n8; j += 8)
        for (size_t i = 0; i < m8; i += 8)
            block_transpose(y + j * ldy + i, ldy, x + i * ldx + j, ldx);
    for (size_t j = 0; j < n; j++) {
        for (size_t i = j < n8 ? m8 : 0; i < m; i++) y[j * ldy + i] = x[i * ldx + j];
        for (size_t i = m; i < VEC_ROUND(m); i++) y[j * ldy + i] = 0;
    }
}

void KERNEL(gather)(float *y, size_t ldy, const float *w, size_t ldw, const float *bias,
                    const int32_t (*row)[2], size_t count, size_t n)
{
    for (size_t s = 0; s < count; s++, y += ldy) {
        const float *a = w + (size_t)row[s][0] * ldw, *b = w + (size_t)row[s][1] * ldw;
        for (size_t i = 0; i < n; i += VEC_FLOATS)
            vf_store(y + i, vf_add(vf_add(vf_load(a + i), vf_load(b + i)), vf_load(bias + i)));
    }
}

void KERNEL(sum_rows)(float *y, const float *x, size_t ldx, size_t count, size_t n, int add)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vf sum = add ? vf_load(y + i) : vf_set(0);
        for (size_t s = 0; s < count; s++) sum = vf_add(sum, vf_load(x + s * ldx + i));
        vf_store(y + i, sum);
    }
}

void KERNEL(sum_columns)(float *y, const float *x, size_t ldx, size_t m, size_t n, int add)
{
    for (size_t i = 0; i < m; i++, x += ldx) {
        vf sum = vf_set(0);
        for (size_t j = 0; j < n; j += VEC_FLOATS) sum = vf_add(sum, vf_load(x + j));
        y[i] = (add ? y[i] : 0) + vf_sum(sum);
    }
}

void KERNEL(fill_rows)(float *y, size_t ldy, const float *value, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++, y += ldy) {
        vf v = vf_set(value[i]);
        for (size_t j = 0; j < n; j += VEC_FLOATS) vf_store(y + j, v);
    }
}

void KERNEL(relu)(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) vf_store(x + i, vf_max(vf_set(0), vf_load(x + i)));
}

void KERNEL(relu_backward)(float *dx, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vm on = vf_greater(vf_load(x + i), vf_set(0));
        vf_store(dx + i, vf_select(on, vf_load(dx + i), vf_set(0)));
    }
}

void KERNEL(square)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vf v = vf_load(x + i);
        vf_store(y + i, vf_mul(v, v));
    }
}

void KERNEL(square_backward)(float *dx, const float *dy, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC_FLOATS) {
        vf v = vf_load(x + i);
        vf_store(dx + i, vf_mul(vf_add(v, v), vf_load(dy + i)));
    }
}

void KERNEL(axpby)(float *y, float a, const float *x, float b, size_t n)
{
    const vf of_y = vf_set(a), of_x = vf_set(b);
    for (size_t i = 0; i < n; i += VEC_FLOATS)
        vf_store(y + i, vf_fma(of_x, vf_load(x + i), vf_mul(of_y, vf_load(y + i))));
}
