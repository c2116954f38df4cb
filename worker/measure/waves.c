// SPDX-License-Identifier: MIT
/* waves: logits are averaged by label first, so that projections run over P numbers, not P^2. */
#include "worker/measure/waves.h"

#include "worker/measure/gauge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int waves_open(struct waves *w, size_t P, struct err *e)
{
    *w = (struct waves){.keys = 0};
    int rc = fourier_open(&w->fourier, P, e);
    if (rc < 0) return rc;
    size_t table = P * w->fourier.ld;
    float **const tables[] = {&w->mean, &w->wave, &w->amplitude, &w->basis};
    bool full = true;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        full = (*tables[i] = vec_alloc(table)) && full;
    w->turned = vec_alloc((P + VEC_FLOATS) * w->fourier.ld);
    w->lanes = vec_alloc(P * VEC_LANES);
    w->rows = vec_alloc(VEC_LANES * w->fourier.ld);
    w->key = calloc(w->fourier.frequencies, sizeof *w->key);
    w->sum = calloc(P * P, sizeof *w->sum);
    w->pairs = calloc(P, sizeof *w->pairs);
    if (full && w->turned && w->lanes && w->rows && w->key && w->sum && w->pairs) return OK;
    return err_set(e, E_NOMEM, "restricted loss: no memory");
}

void waves_close(struct waves *w)
{
    void *const all[] = {w->key,       w->sum,   w->pairs,  w->mean,  w->wave,
                         w->amplitude, w->basis, w->turned, w->lanes, w->rows};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    fourier_close(&w->fourier);
    *w = (struct waves){.keys = 0};
}

void waves_choose(struct waves *w, const float *weights, size_t neuron_stride, size_t axis_stride,
                  size_t neurons)
{
    fourier_ipr(&w->fourier, weights, neuron_stride, axis_stride, neurons);
    w->keys = fourier_keys(&w->fourier, w->key);
}

/* g, and whether every label has a pair. */
static bool average(struct waves *w, struct logits *l)
{
    size_t P = w->fourier.P, ld = w->fourier.ld;
    memset(w->sum, 0, P * P * sizeof *w->sum);
    memset(w->pairs, 0, P * sizeof *w->pairs);
    for (int set = 0; set < LOGITS_SETS; set++) {
        const struct dataset *d = l->set[set];
        for (size_t from = 0; from < d->count; from += VEC_LANES) {
            struct batch b = dataset_chunk(d, from);
            logits_by_label(w->sum, logits_chunk(l, set, from), b.label, P, b.count, w->rows);
            for (size_t s = 0; s < b.count; s++) w->pairs[b.label[s]]++;
        }
    }
    for (size_t s = 0; s < P; s++) {
        if (w->pairs[s] == 0) return false;
        for (size_t c = 0; c < P; c++)
            w->mean[c * ld + s] = (float)(w->sum[s * P + c] / (double)w->pairs[s]);
    }
    return true;
}

/* The vectors of the key frequencies, side by side; how many there are. */
static size_t key_basis(struct waves *w)
{
    const struct fourier *f = &w->fourier;
    size_t n = 0;
    for (size_t i = 0; i < w->keys; i++) {
        size_t k = w->key[i], vectors = 2 * k == f->P ? 1 : 2;
        for (size_t v = 0; v < vectors; v++, n++)
            for (size_t s = 0; s < f->P; s++)
                w->basis[s * f->ld + n] = f->basis[s * f->ld + 2 * k - 1 + v];
    }
    return n;
}

/* w, from the orthonormal basis of the keys: g times basis times its transpose. */
static void project(struct waves *w)
{
    size_t P = w->fourier.P, ld = w->fourier.ld, n = key_basis(w), wide = VEC_ROUND(n);
    memset(w->wave, 0, P * ld * sizeof *w->wave);
    if (n == 0) return;
    vec->transpose(w->turned, ld, w->basis, ld, P, n);
    vec->gemm(w->amplitude, ld, w->mean, ld, 1, w->basis, ld, P, wide, P, 0);
    vec->gemm(w->wave, ld, w->amplitude, ld, 1, w->turned, ld, P, ld, n, 0);
}

static double mean_of(const float *row, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += row[i];
    return sum / (double)n;
}

/* Every label has as many pairs as any other: the mean over labels is that over pairs. */
static double restricted(struct waves *w)
{
    size_t P = w->fourier.P, ld = w->fourier.ld;
    struct vec_score sum = {0};
    for (size_t from = 0; from < P; from += VEC_LANES) {
        size_t count = P - from < VEC_LANES ? P - from : VEC_LANES;
        int32_t label[VEC_LANES];
        for (size_t s = 0; s < count; s++) label[s] = (int32_t)(from + s);
        for (size_t c = 0; c < P; c++) {
            float middle = (float)mean_of(w->mean + c * ld, P);
            for (size_t s = 0; s < count; s++)
                w->lanes[c * VEC_LANES + s] = middle + w->wave[c * ld + from + s];
        }
        vec->softmax_xent(w->lanes, VEC_LANES, label, P, count, 0, &sum);
    }
    return sum.loss / (double)P;
}

static double excluded(struct waves *w, struct logits *l)
{
    const struct dataset *d = l->set[LOGITS_TRAIN];
    size_t P = w->fourier.P, ld = w->fourier.ld;
    struct vec_score sum = {0};
    for (size_t from = 0; from < d->count; from += VEC_LANES) {
        struct batch b = dataset_chunk(d, from);
        const float *logit = logits_chunk(l, LOGITS_TRAIN, from);
        for (size_t c = 0; c < P; c++)
            for (size_t s = 0; s < b.count; s++)
                w->lanes[c * VEC_LANES + s] =
                    logit[c * VEC_LANES + s] - w->wave[c * ld + (size_t)b.label[s]];
        vec->softmax_xent(w->lanes, VEC_LANES, b.label, P, b.count, 0, &sum);
    }
    return d->count ? sum.loss / (double)d->count : NAN;
}

struct wave_losses waves_losses(struct waves *w, struct logits *l)
{
    if (!average(w, l)) return (struct wave_losses){NAN, NAN};
    project(w);
    return (struct wave_losses){restricted(w), excluded(w, l)};
}

/* ---- the gauge ---- */

static bool waves_fit(const struct view *v)
{
    return view_cyclic(v) && view_softmax(v);
}

static int open_waves(void **state, const struct view *v, struct err *e)
{
    *state = calloc(1, sizeof(struct waves));
    if (!*state) return err_set(e, E_NOMEM, "restricted loss: no memory");
    return waves_open(*state, v->model->classes, e);
}

static int read_waves(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)e;
    struct waves *w = state;
    const struct model *m = v->model;
    const struct tensor *out = &m->tensor[model_find(m, "model.2.weight")];
    waves_choose(w, m->theta + out->offset, out->col_stride, out->row_stride, out->cols);
    struct wave_losses r = waves_losses(w, v->logits);
    row->value[METRIC_restricted_loss] = r.restricted;
    row->value[METRIC_excluded_loss] = r.excluded;
    return OK;
}

static void close_waves(void *state)
{
    if (state) waves_close(state);
    free(state);
}

const struct gauge gauge_waves = {.name = "waves",
                                  .fits = waves_fit,
                                  .open = open_waves,
                                  .read = read_waves,
                                  .close = close_waves};
