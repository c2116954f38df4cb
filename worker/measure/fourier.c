// SPDX-License-Identifier: MIT
/* fourier: the transform is one product with the basis, a block of neurons at a time. */
#include "worker/measure/fourier.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdlib.h>

#define FOURIER_BLOCK 64 /* neurons transformed at once */

/* Basis vectors in the order 1, cos 1, sin 1, cos 2, ...; of even P the last is the alternating
 * one, which like the first has no sine beside it and so no factor sqrt(2). C libraries differ in
 * the last bits of a cosine; as floats, which is all that is kept, they agree. */
static double basis_element(size_t P, size_t vector, size_t i)
{
    size_t f = (vector + 1) / 2;
    double turn = 2 * M_PI * (double)(f * i % P) / (double)P;
    double norm = sqrt((f == 0 || 2 * f == P ? 1 : 2) / (double)P);
    return norm * (vector % 2 || f == 0 ? cos(turn) : sin(turn));
}

int fourier_open(struct fourier *f, size_t P, struct err *e)
{
    *f = (struct fourier){.P = P, .ld = VEC_ROUND(P)};
    f->basis = vec_alloc(P * f->ld);
    f->coefficient = vec_alloc(FOURIER_BLOCK * f->ld);
    if (!f->basis || !f->coefficient) return err_set(e, E_NOMEM, "Fourier basis: no memory");
    for (size_t i = 0; i < P; i++)
        for (size_t k = 0; k < P; k++) f->basis[i * f->ld + k] = (float)basis_element(P, k, i);
    return OK;
}

void fourier_close(struct fourier *f)
{
    free(f->basis);
    free(f->coefficient);
    *f = (struct fourier){0};
}

/* sum c^4 / (sum c^2)^2, or NaN. Two chains of sums, for even and odd places. */
static double participation(const float *c, size_t n)
{
    double two[2] = {0, 0}, four[2] = {0, 0};
    for (size_t k = 0; k < n; k++) {
        double power = (double)c[k] * c[k];
        two[k & 1] += power;
        four[k & 1] += power * power;
    }
    double all = two[0] + two[1];
    return all > 0 ? (four[0] + four[1]) / (all * all) : NAN;
}

double fourier_ipr(const struct fourier *f, const float *w, size_t neuron_stride,
                   size_t axis_stride, size_t neurons)
{
    double sum = 0;
    size_t alive = 0;
    for (size_t from = 0; from < neurons; from += FOURIER_BLOCK) {
        size_t count = neurons - from < FOURIER_BLOCK ? neurons - from : FOURIER_BLOCK;
        vec->gemm(f->coefficient, f->ld, w + from * neuron_stride, neuron_stride, axis_stride,
                  f->basis, f->ld, count, f->ld, f->P, 0);
        for (size_t j = 0; j < count; j++) {
            double ipr = participation(f->coefficient + j * f->ld, f->P);
            if (isnan(ipr)) continue;
            sum += ipr;
            alive++;
        }
    }
    return alive ? sum / (double)alive : NAN;
}

static int open_fourier(void **state, const struct view *v, struct err *e)
{
    const struct model *m = v->model;
    int in = model_find(m, "model.0.weight"), out = model_find(m, "model.2.weight");
    if (in < 0 || out < 0 || m->tensor[in].cols != 2 * m->tensor[out].rows)
        return err_set(e, E_STATE, "Fourier measure: this model has no two-hot input");
    *state = calloc(1, sizeof(struct fourier));
    if (!*state) return err_set(e, E_NOMEM, "Fourier measure: no memory");
    return fourier_open(*state, m->tensor[out].rows, e);
}

static int read_fourier(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    const struct fourier *f = state;
    const struct model *m = v->model;
    const struct tensor *in = &m->tensor[model_find(m, "model.0.weight")];
    const struct tensor *out = &m->tensor[model_find(m, "model.2.weight")];
    const float *w = m->theta;
    double first = fourier_ipr(f, w + in->offset, in->row_stride, in->col_stride, in->rows);
    double second =
        fourier_ipr(f, w + tensor_index(in, 0, f->P), in->row_stride, in->col_stride, in->rows);
    row->value[METRIC_ipr_input] = (first + second) / 2;
    row->value[METRIC_ipr_output] =
        fourier_ipr(f, w + out->offset, out->col_stride, out->row_stride, out->cols);
    return OK;
}

static void close_fourier(void *state)
{
    if (state) fourier_close(state);
    free(state);
}

const struct gauge gauge_fourier = {.name = "fourier",
                                    .fits = view_cyclic,
                                    .open = open_fourier,
                                    .read = read_fourier,
                                    .close = close_fourier};
