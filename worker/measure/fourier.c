// SPDX-License-Identifier: MIT
/* fourier: the transform is one product with the basis, a block of neurons at a time. */
#include "worker/measure/fourier.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    *f = (struct fourier){.P = P, .ld = VEC_ROUND(P), .frequencies = P / 2 + 1};
    f->basis = vec_alloc(P * f->ld);
    f->coefficient = vec_alloc(FOURIER_BLOCK * f->ld);
    f->energy = calloc(f->frequencies, sizeof *f->energy);
    if (!f->basis || !f->coefficient || !f->energy)
        return err_set(e, E_NOMEM, "Fourier basis: no memory");
    for (size_t i = 0; i < P; i++)
        for (size_t k = 0; k < P; k++) f->basis[i * f->ld + k] = (float)basis_element(P, k, i);
    return OK;
}

void fourier_close(struct fourier *f)
{
    free(f->basis);
    free(f->coefficient);
    free(f->energy);
    *f = (struct fourier){0};
}

/* Sums of one neuron over coefficients: of energies, of their squares, and of those in other bases.
 */
struct sums {
    double two, real, half_two, half_four, complex;
};

static void add_frequency(struct sums *s, double a, double b, bool alone)
{
    double energy = a * a + b * b, part = alone ? energy : energy / 2;
    s->two += energy;
    s->real += a * a * a * a + b * b * b * b;
    s->complex += part * energy;
    s->half_two += part;
    s->half_four += part * part;
}

/* The sums of a neuron's coefficients; adds its energies. */
static struct sums participation(const struct fourier *f, const float *c)
{
    struct sums s = {0};
    for (size_t k = 0; k < f->frequencies; k++) {
        bool alone = k == 0 || 2 * k == f->P;
        double a = c[k ? 2 * k - 1 : 0], b = alone ? 0 : c[2 * k];
        add_frequency(&s, a, b, alone);
        f->energy[k] += a * a + b * b;
    }
    return s;
}

struct fourier_ipr fourier_ipr(struct fourier *f, const float *w, size_t neuron_stride,
                               size_t axis_stride, size_t neurons)
{
    struct fourier_ipr sum = {0, 0, 0};
    size_t alive = 0;
    memset(f->energy, 0, f->frequencies * sizeof *f->energy);
    for (size_t from = 0; from < neurons; from += FOURIER_BLOCK) {
        size_t count = neurons - from < FOURIER_BLOCK ? neurons - from : FOURIER_BLOCK;
        vec->gemm(f->coefficient, f->ld, w + from * neuron_stride, neuron_stride, axis_stride,
                  f->basis, f->ld, count, f->ld, f->P, 0);
        for (size_t j = 0; j < count; j++) {
            struct sums s = participation(f, f->coefficient + j * f->ld);
            if (!(s.two > 0)) continue;
            sum.real += s.real / (s.two * s.two);
            sum.complex += s.complex / (s.two * s.two);
            sum.rfft += s.half_four / (s.half_two * s.half_two);
            alive++;
        }
    }
    double n = alive ? (double)alive : NAN;
    return (struct fourier_ipr){sum.real / n, sum.complex / n, sum.rfft / n};
}

size_t fourier_keys(const struct fourier *f, uint32_t *key)
{
    double all = 0, held = 0;
    size_t n = 0;
    for (size_t k = 1; k < f->frequencies; k++) {
        size_t at = k - 1;
        for (; at > 0 && f->energy[key[at - 1]] < f->energy[k]; at--) key[at] = key[at - 1];
        key[at] = (uint32_t)k;
        all += f->energy[k];
    }
    while (n + 1 < f->frequencies && held < KEY_SHARE * all) held += f->energy[key[n++]];
    return n;
}

/* ---- the gauge ---- */

#define NAME_SIZE 32

struct spectrum {
    struct fourier fourier;
    uint32_t *key;           /* [frequencies], scratch */
    char (*name)[NAME_SIZE]; /* [frequencies]: energy_F */
};

static int open_fourier(void **state, const struct view *v, struct err *e)
{
    const struct model *m = v->model;
    int in = model_find(m, "model.0.weight"), out = model_find(m, "model.2.weight");
    if (in < 0 || out < 0 || m->tensor[in].cols != 2 * m->tensor[out].rows)
        return err_set(e, E_STATE, "Fourier measure: this model has no two-hot input");
    struct spectrum *s = *state = calloc(1, sizeof *s);
    if (!s) return err_set(e, E_NOMEM, "Fourier measure: no memory");
    int rc = fourier_open(&s->fourier, m->tensor[out].rows, e);
    if (rc < 0) return rc;
    s->key = calloc(s->fourier.frequencies, sizeof *s->key);
    s->name = calloc(s->fourier.frequencies, sizeof *s->name);
    if (!s->key || !s->name) return err_set(e, E_NOMEM, "Fourier measure: no memory");
    for (size_t k = 0; k < s->fourier.frequencies; k++)
        snprintf(s->name[k], NAME_SIZE, "energy_%zu", k);
    return OK;
}

static int add_ratios(const struct view *v, const char *layer, const struct fourier_ipr *r,
                      struct err *e)
{
    int rc = findings_add(v->findings, layer, "ipr_real", r->real, e);
    if (rc == OK) rc = findings_add(v->findings, layer, "ipr_complex", r->complex, e);
    if (rc == OK) rc = findings_add(v->findings, layer, "ipr_rfft", r->rfft, e);
    return rc;
}

static int add_features(const struct spectrum *s, const struct view *v,
                        const struct fourier_ipr r[3], struct err *e)
{
    int rc = add_ratios(v, "U", &r[0], e);
    if (rc == OK) rc = add_ratios(v, "V", &r[1], e);
    if (rc == OK) rc = add_ratios(v, "W", &r[2], e);
    for (size_t k = 0; k < s->fourier.frequencies && s->fourier.P <= VIEW_LONGEST && rc == OK; k++)
        rc = findings_add(v->findings, "W", s->name[k], s->fourier.energy[k], e);
    return rc;
}

static int read_fourier(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct spectrum *s = state;
    struct fourier *f = &s->fourier;
    const struct model *m = v->model;
    const struct tensor *in = &m->tensor[model_find(m, "model.0.weight")];
    const struct tensor *out = &m->tensor[model_find(m, "model.2.weight")];
    const float *u = m->theta + in->offset, *second = m->theta + tensor_index(in, 0, f->P);
    const float *w = m->theta + out->offset;
    const struct fourier_ipr r[3] = {
        fourier_ipr(f, u, in->row_stride, in->col_stride, in->rows),
        fourier_ipr(f, second, in->row_stride, in->col_stride, in->rows),
        fourier_ipr(f, w, out->col_stride, out->row_stride, out->cols),
    };
    row->value[METRIC_ipr_input] = (r[0].real + r[1].real) / 2;
    row->value[METRIC_ipr_input_complex] = (r[0].complex + r[1].complex) / 2;
    row->value[METRIC_ipr_input_rfft] = (r[0].rfft + r[1].rfft) / 2;
    row->value[METRIC_ipr_output] = r[2].real;
    row->value[METRIC_ipr_output_complex] = r[2].complex;
    row->value[METRIC_ipr_output_rfft] = r[2].rfft;
    row->value[METRIC_key_frequencies] = (double)fourier_keys(f, s->key);
    return view_keeps_curves(v) ? add_features(s, v, r, e) : OK;
}

static void close_fourier(void *state)
{
    struct spectrum *s = state;
    if (!s) return;
    fourier_close(&s->fourier);
    free(s->key);
    free(s->name);
    free(s);
}

const struct gauge gauge_fourier = {.name = "fourier",
                                    .fits = view_cyclic,
                                    .open = open_fourier,
                                    .read = read_fourier,
                                    .close = close_fourier};
