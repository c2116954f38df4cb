// SPDX-License-Identifier: MIT
/* Restricted and excluded loss against sums over all pairs, from their definition, in double. */
#include "tests/test.h"

#include "tests/ref/ref_measure_specimen.h"
#include "worker/measure/waves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 17 };

static double cross_entropy(const double *f, size_t n, size_t label)
{
    double sum = 0;
    for (size_t c = 0; c < n; c++) sum += exp(f[c] - f[label]);
    return log(sum);
}

/* Twin: logits of all pairs, and their part along unit waves over the P^2 pairs. */
struct twin {
    size_t P;
    double f[MOST * MOST][MOST], part[MOST * MOST][MOST], mean[MOST];
};

static void twin_open(struct twin *t, const struct specimen *s)
{
    size_t P = s->net.P;
    memset(t, 0, sizeof *t);
    t->P = P;
    for (size_t x = 0; x < P * P; x++) {
        ref_logits(&s->net, (int)(x / P), (int)(x % P), t->f[x]);
        for (size_t c = 0; c < P; c++) t->mean[c] += t->f[x][c] / (double)(P * P);
    }
}

static double wave_at(const struct twin *t, size_t k, int sine, size_t x)
{
    double turn = 2 * M_PI * (double)(k * (x / t->P + x % t->P)) / (double)t->P;
    return sine ? sin(turn) : cos(turn);
}

static void twin_add(struct twin *t, size_t k, int sine)
{
    double square = 0;
    for (size_t x = 0; x < t->P * t->P; x++) square += pow(wave_at(t, k, sine, x), 2);
    if (square < 1e-9) return;
    for (size_t c = 0; c < t->P; c++) {
        double along = 0;
        for (size_t x = 0; x < t->P * t->P; x++) along += t->f[x][c] * wave_at(t, k, sine, x);
        for (size_t x = 0; x < t->P * t->P; x++)
            t->part[x][c] += along / square * wave_at(t, k, sine, x);
    }
}

static double twin_restricted(const struct twin *t)
{
    double sum = 0;
    for (size_t x = 0; x < t->P * t->P; x++) {
        double f[MOST];
        for (size_t c = 0; c < t->P; c++) f[c] = t->mean[c] + t->part[x][c];
        sum += cross_entropy(f, t->P, (x / t->P + x % t->P) % t->P);
    }
    return sum / (double)(t->P * t->P);
}

static double twin_excluded(const struct twin *t, const struct specimen *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n_train; i++) {
        size_t a = (size_t)s->train[2 * i], b = (size_t)s->train[2 * i + 1], x = a * t->P + b;
        double f[MOST];
        for (size_t c = 0; c < t->P; c++) f[c] = t->f[x][c] - t->part[x][c];
        sum += cross_entropy(f, t->P, (a + b) % t->P);
    }
    return sum / (double)s->n_train;
}

struct rig {
    struct specimen s;
    struct logits logits;
    struct waves waves;
    struct twin twin;
};

static void rig_open(struct rig *r, int64_t P, double deviation)
{
    struct err e;
    specimen_open(&r->s, P, 20, deviation);
    assert_int_equal(logits_open(&r->logits, &r->s.model, &r->s.task, &e), OK);
    assert_int_equal(waves_open(&r->waves, (size_t)P, &e), OK);
    logits_take(&r->logits, &r->s.model);
    twin_open(&r->twin, &r->s);
}

static void rig_close(struct rig *r)
{
    waves_close(&r->waves);
    logits_close(&r->logits);
    specimen_close(&r->s);
}

static void rig_check(struct rig *r)
{
    for (size_t i = 0; i < r->waves.keys; i++) {
        twin_add(&r->twin, r->waves.key[i], 0);
        twin_add(&r->twin, r->waves.key[i], 1);
    }
    struct wave_losses w = waves_losses(&r->waves, &r->logits);
    double restricted = twin_restricted(&r->twin), excluded = twin_excluded(&r->twin, &r->s);
    if (!ref_close(w.restricted, restricted, 1e-5, 0) || !ref_close(w.excluded, excluded, 1e-5, 0))
        fail_msg("P %zu, %zu keys: %.9g and %.9g, twin %.9g and %.9g", r->twin.P, r->waves.keys,
                 w.restricted, w.excluded, restricted, excluded);
}

void test_losses_equal_sums_over_all_pairs_for_any_set_of_keys(void **state)
{
    (void)state;
    static const int64_t P[] = {11, 12, 16, 17};
    static struct rig r;
    for (size_t i = 0; i < sizeof P / sizeof *P; i++)
        for (size_t keys = 0; keys <= (size_t)P[i] / 2; keys += 3) {
            rig_open(&r, P[i], 0.6);
            r.waves.keys = keys;
            for (size_t k = 0; k < keys; k++) r.waves.key[k] = (uint32_t)(P[i] / 2) - (uint32_t)k;
            rig_check(&r);
            rig_close(&r);
        }
}

void test_key_frequencies_come_from_the_output_weights(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r, 13, 0.2);
    struct ref_layout at = ref_net_layout(13, 20);
    for (size_t c = 0; c < 13; c++)
        for (size_t h = 0; h < 20; h++)
            r.s.theta[at.w2 + c * 20 + h] += cos(2 * M_PI * 4 * (double)c / 13 + (double)h);
    specimen_set(&r.s, r.s.theta);
    logits_take(&r.logits, &r.s.model);
    twin_open(&r.twin, &r.s);
    const struct tensor *out = &r.s.model.tensor[model_find(&r.s.model, "model.2.weight")];
    waves_choose(&r.waves, r.s.model.theta + out->offset, out->col_stride, out->row_stride, 20);
    assert_in_range(r.waves.keys, 1, 3);
    assert_int_equal(r.waves.key[0], 4);
    rig_check(&r);
    rig_close(&r);
}

static double table_loss(const struct rig *r, float table[11][11])
{
    double sum = 0;
    for (size_t i = 0; i < r->s.n_train; i++) {
        size_t s = (size_t)r->s.task.train.label[i];
        double f[11];
        for (size_t c = 0; c < 11; c++) f[c] = table[s][c];
        sum += cross_entropy(f, 11, s);
    }
    return sum / (double)r->s.n_train;
}

/* Logits that are a function of the label alone, here through a table of our own. */
void test_with_every_frequency_kept_the_restricted_loss_is_that_of_logits_of_the_label(void **state)
{
    (void)state;
    static struct rig r;
    double loss = 0, flat = 0;
    rig_open(&r, 11, 0.6);
    uint64_t seed = 3;
    float table[11][11];
    for (int i = 0; i < 121; i++) table[i / 11][i % 11] = (float)ref_normal(&seed);
    for (int set = 0; set < LOGITS_SETS; set++)
        for (size_t x = 0; x < r.logits.set[set]->count; x++)
            for (size_t c = 0; c < 11; c++)
                r.logits.kept[set][x / VEC_LANES * r.logits.row + c * VEC_LANES + x % VEC_LANES] =
                    table[r.logits.set[set]->label[x]][c];
    for (size_t s = 0; s < 11; s++) {
        double f[11], mean[11] = {0};
        for (size_t c = 0; c < 11; c++) f[c] = table[s][c];
        for (size_t i = 0; i < 121; i++) mean[i % 11] += table[i / 11][i % 11] / 11;
        loss += cross_entropy(f, 11, s) / 11;
        flat += cross_entropy(mean, 11, s) / 11;
    }
    r.waves.keys = 5;
    for (uint32_t k = 0; k < 5; k++) r.waves.key[k] = k + 1;
    struct wave_losses all = waves_losses(&r.waves, &r.logits);
    if (!ref_close(all.restricted, loss, 1e-6, 0)) fail_msg("%.9g, not %.9g", all.restricted, loss);
    r.waves.keys = 0;
    struct wave_losses none = waves_losses(&r.waves, &r.logits);
    assert_true(ref_close(none.restricted, flat, 1e-6, 0));
    /* nothing taken away: the loss on the training set itself */
    assert_true(ref_close(none.excluded, table_loss(&r, table), 1e-6, 0));
    rig_close(&r);
}

void test_a_label_without_pairs_leaves_no_loss(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r, 11, 0.6);
    for (size_t i = 0; i < r.s.n_train; i++)
        if (r.s.task.train.label[i] == 4) r.s.task.train.label[i] = 5;
    for (size_t i = 0; i < r.s.n_test; i++)
        if (r.s.task.test.label[i] == 4) r.s.task.test.label[i] = 5;
    r.waves.keys = 2;
    r.waves.key[0] = 1, r.waves.key[1] = 3;
    struct wave_losses w = waves_losses(&r.waves, &r.logits);
    assert_true(isnan(w.restricted) && isnan(w.excluded));
    rig_close(&r);
}
