// SPDX-License-Identifier: MIT
/* ising: snapshots against the Boltzmann distribution of small lattices, against a slow twin, and
 * against what is known of the paper's data; and the task that is made of them.
 */
#include "worker/train/ising.h"

#include "common/philox.h"
#include "tests/test.h"
#include "tests/worker/trainer_scene.h"
#include "worker/num/vec.h"
#include "worker/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_near(const char *what, double is, double right, double tolerance)
{
    if (!(fabs(is - right) <= tolerance)) fail_msg("%s: %.9g, expected %.9g", what, is, right);
}

/* Gives. */
static int8_t *snapshots(const struct ising_rule *r, uint32_t first, size_t count, const double *t)
{
    struct err e;
    int8_t *spin = malloc(count * r->side * r->side);
    assert_int_equal(vec_open(&e), OK);
    if (ising_snapshots(r, first, count, t, spin, &e) < 0) fail_msg("%s", e.text);
    return spin;
}

static double *temperatures(size_t count)
{
    double *t = malloc(count * sizeof *t);
    for (size_t i = 0; i < count; i++) t[i] = ising_temperature(50, 1, (int64_t)i % 50);
    return t;
}

static int energy(const int8_t *s, size_t side)
{
    int sum = 0;
    for (size_t r = 0; r < side; r++)
        for (size_t c = 0; c < side; c++)
            sum -= s[r * side + c] * (s[(r + 1) % side * side + c] + s[r * side + (c + 1) % side]);
    return sum;
}

static int magnetisation(const int8_t *s, size_t sites)
{
    int sum = 0;
    for (size_t i = 0; i < sites; i++) sum += s[i];
    return sum;
}

/* ---- dynamics ----------------------------------------------------------------------------------
 */

void test_an_update_is_in_detailed_balance(void **state)
{
    (void)state;
    for (int j = 0; j < 50; j++)
        for (int up = 0; up < 5; up++) {
            double t = ising_temperature(50, 1, j), h = 2 * up - 4;
            double rise = ising_threshold(t, up) / 0x1p32, fall = 1 - rise;
            check_near("rise", rise, 1 / (1 + exp(-2 * h / t)), 0x1p-32);
            /* weights of down and up, exp(-h/t) and exp(h/t), flow equally both ways */
            check_near("flow", exp(-h / t) * rise, exp(h / t) * fall, exp(4 / t) * 0x1p-31);
        }
    assert_int_equal(ising_threshold(1e-3, 4), UINT32_MAX);
    assert_int_equal(ising_threshold(1e-3, 0), 0);
}

/* The formula once more, one spin at a time with numbers of its own. */
static void twin(const struct ising_rule *r, uint32_t number, double t, int8_t *s)
{
    const struct philox hot = {r->seed, number, PHILOX_HOT}, flip = {r->seed, number, PHILOX_FLIP};
    size_t side = r->side, sites = side * side;
    uint32_t w[4], v[4];
    for (size_t j = 0; j < sites; j++) {
        philox_words(&hot, j / 4, w);
        s[j] = w[j % 4] >> 31 ? 1 : -1;
    }
    for (uint64_t u = 0; u < (uint64_t)r->sweeps * sites; u++) {
        uint64_t rank = u % sites, site, word;
        if (r->update == ISING_CHECKERBOARD) {
            size_t row = rank % (sites / 2) / (side / 2), odd = (row + rank / (sites / 2)) % 2;
            site = row * side + rank % (side / 2) * 2 + odd;
            word = u / sites * sites + site;
        } else {
            philox_words(&flip, 2 * u / 4, v);
            site = (uint64_t)v[2 * u % 4] * sites >> 32;
            word = 2 * u + 1;
        }
        philox_words(&flip, word / 4, w);
        size_t row = site / side, column = site % side;
        int h = s[(row + 1) % side * side + column] + s[(row + side - 1) % side * side + column] +
                s[row * side + (column + 1) % side] + s[row * side + (column + side - 1) % side];
        s[site] = w[word % 4] < 0x1p32 / (1 + exp(-2 * h / t)) ? 1 : -1;
    }
}

static void check_twin(enum ising_update update, size_t side, int64_t sweeps)
{
    const struct ising_rule r = {side, update, sweeps, 0x123456789abcdef0};
    double *t = temperatures(37);
    int8_t *spin = snapshots(&r, 4294967290u, 37, t), *right = malloc(side * side);
    for (uint32_t i = 0; i < 37; i++) {
        twin(&r, 4294967290u + i, t[i], right);
        assert_memory_equal(spin + i * side * side, right, side * side);
    }
    free(t), free(spin), free(right);
}

void test_snapshots_are_those_of_the_slow_twin(void **state)
{
    (void)state;
    check_twin(ISING_CHECKERBOARD, 16, 3);
    check_twin(ISING_CHECKERBOARD, 4, 20);
    check_twin(ISING_CHECKERBOARD, 2, 9);
    check_twin(ISING_RANDOM_SITE, 16, 3);
    check_twin(ISING_RANDOM_SITE, 4, 20);
    check_twin(ISING_RANDOM_SITE, 6, 7);
}

void test_both_levels_make_the_same_snapshots_one_by_one_or_together(void **state)
{
    (void)state;
    const struct ising_rule r = {16, ISING_CHECKERBOARD, 8, 3};
    double *t = temperatures(40);
    int8_t *all = snapshots(&r, 100, 40, t);
    for (int level = 3; level <= 4; level++) {
        if (!vec_level(level)) continue;
        struct err e;
        int8_t one[256], *again = malloc(40 * 256);
        vec = vec_level(level);
        assert_int_equal(ising_snapshots(&r, 100, 40, t, again, &e), OK);
        assert_memory_equal(all, again, 40 * 256);
        assert_int_equal(ising_snapshots(&r, 123, 1, t + 23, one, &e), OK);
        assert_memory_equal(all + 23 * 256, one, 256);
        free(again);
    }
    free(t), free(all);
}

/* Exact means of energy and |magnetisation| a site over all 2^sites states. */
static void enumerate(size_t side, double t, double *e, double *m)
{
    size_t sites = side * side;
    double z = 0;
    *e = *m = 0;
    for (uint32_t bits = 0; bits < 1u << sites; bits++) {
        int8_t s[16];
        for (size_t i = 0; i < sites; i++) s[i] = bits >> i & 1 ? 1 : -1;
        int energy_of = energy(s, side);
        double weight = exp(-energy_of / t);
        z += weight;
        *e += weight * energy_of / (double)sites;
        *m += weight * abs(magnetisation(s, sites)) / (double)sites;
    }
    *e /= z, *m /= z;
}

static void check_boltzmann(enum ising_update update, size_t side, double temperature)
{
    const struct ising_rule r = {side, update, 60, 11};
    size_t sites = side * side, n = test_short() ? 1000 : 20000;
    double *t = malloc(n * sizeof *t), e = 0, m = 0, ee = 0, mm = 0, right_e, right_m;
    for (size_t i = 0; i < n; i++) t[i] = temperature;
    int8_t *spin = snapshots(&r, 0, n, t);
    for (size_t i = 0; i < n; i++) {
        double x = energy(spin + i * sites, side) / (double)sites;
        double y = abs(magnetisation(spin + i * sites, sites)) / (double)sites;
        e += x / (double)n, ee += x * x / (double)n, m += y / (double)n, mm += y * y / (double)n;
    }
    enumerate(side, temperature, &right_e, &right_m);
    check_near("energy", e, right_e, 4.5 * sqrt((ee - e * e) / (double)n));
    check_near("magnetisation", m, right_m, 4.5 * sqrt((mm - m * m) / (double)n));
    free(t), free(spin);
}

void test_long_runs_of_small_lattices_are_boltzmann_distributed(void **state)
{
    (void)state;
    static const double t[] = {1.8, 2.269, 3.2};
    for (int i = 0; i < (test_short() ? 1 : 3); i++) {
        check_boltzmann(ISING_CHECKERBOARD, 2, t[i]);
        check_boltzmann(ISING_CHECKERBOARD, 4, t[i]);
        check_boltzmann(ISING_RANDOM_SITE, 4, t[i]);
    }
}

/* Energy and |magnetisation| must go together as in the paper's data, and stripes must remain. */
static void check_calibration(enum ising_update update, int64_t sweeps)
{
    const struct ising_rule r = {16, update, sweeps, 0};
    size_t n = test_short() ? 200 : 5000;
    double *t = temperatures(n), spread = sqrt(5000 / (double)n), x = 0, y = 0, xx = 0, yy = 0,
           xy = 0;
    int8_t *spin = snapshots(&r, 0, n, t);
    int cold = 0, striped = 0;
    for (size_t i = 0; i < n; i++) {
        double e = energy(spin + i * 256, 16) / 512.0;
        double m = abs(magnetisation(spin + i * 256, 256)) / 256.0;
        x += e / (double)n, y += m / (double)n, xx += e * e / (double)n, yy += m * m / (double)n,
            xy += e * m / (double)n;
        cold += t[i] < ISING_TC - 0.2;
        striped += t[i] < ISING_TC - 0.2 && m < 0.5;
    }
    check_near("correlation of energy and |m|", (xy - x * y) / sqrt((xx - x * x) * (yy - y * y)),
               -0.89, 0.02 * spread);
    check_near("share of |m| < 0.5 below Tc - 0.2", (double)striped / cold, 0.15, 0.03 * spread);
    free(t), free(spin);
}

void test_checkerboard_snapshots_are_as_far_from_equilibrium_as_the_paper_s(void **state)
{
    (void)state;
    check_calibration(ISING_CHECKERBOARD, 64);
}

void test_random_site_snapshots_are_as_far_from_equilibrium_as_the_paper_s(void **state)
{
    (void)state;
    check_calibration(ISING_RANDOM_SITE, 128);
}

/* ---- the task ----------------------------------------------------------------------------------
 */

static void open_task(struct task *t, const char *const settings[])
{
    struct params p = scene_params(settings);
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    if (task_open(t, &p, NULL, &e) < 0) fail_msg("%s", e.text);
}

static int above(const struct dataset *d)
{
    int n = 0;
    for (size_t s = 0; s < d->count; s++) {
        n += d->label[s];
        assert_int_equal(d->label[s], d->temperature[s] > ISING_TC);
    }
    return n;
}

void test_the_default_sets_are_balanced_and_visit_every_temperature_equally(void **state)
{
    (void)state;
    struct task t;
    open_task(&t, (const char *const[]){"task=ising", "glauber_sweeps=1", NULL});
    assert_int_equal(t.test.count, 1000);
    assert_int_equal(t.train.count, 300);
    assert_int_equal(above(&t.test), 500);
    assert_int_equal(above(&t.train), 150);
    for (int64_t j = 0; j < 50; j++) {
        int seen = 0;
        double right = ISING_TC - 1 + (double)j * 2 / 49;
        for (size_t s = 0; s < 300; s++) seen += fabs(t.train.temperature[s] - right) < 1e-9;
        assert_int_equal(seen, 6);
        check_near("temperature", t.test.temperature[150 + j], right, 1e-12);
    }
    task_close(&t);
}

void test_any_even_training_set_is_balanced_unless_it_is_not_wanted(void **state)
{
    (void)state;
    static const char *const sizes[] = {"train_size=2", "train_size=26", "train_size=310"};
    struct task t;
    for (int i = 0; i < 3; i++)
        for (int odd = 0; odd < 2; odd++) {
            open_task(&t, (const char *const[]){"task=ising", "glauber_sweeps=1", sizes[i],
                                                odd ? "temperatures=7" : "temperatures=50", NULL});
            assert_int_equal(2 * above(&t.train), t.train.count);
            task_close(&t);
        }
    open_task(&t, (const char *const[]){"task=ising", "glauber_sweeps=1", "train_size=20",
                                        "balance=false", NULL});
    assert_int_equal(above(&t.train), 0);
    check_near("temperature", t.train.temperature[3], ising_temperature(50, 1, 3), 1e-12);
    task_close(&t);
}

void test_snapshots_are_a_function_of_the_data_seed_and_their_number(void **state)
{
    (void)state;
    struct task t[3];
    open_task(&t[0], (const char *const[]){"task=ising", "test_size=100", "seed=5", NULL});
    open_task(&t[1], (const char *const[]){"task=ising", "test_size=30", "data_seed=5",
                                           "train_size=7", "init_seed=9", NULL});
    open_task(&t[2], (const char *const[]){"task=ising", "test_size=100", "seed=6", NULL});
    assert_memory_equal(t[0].test.spin, t[1].test.spin, 30 * 256);
    assert_memory_not_equal(t[0].test.spin, t[2].test.spin, 256);
    assert_memory_not_equal(t[0].test.spin, t[0].train.spin, 256);
    for (int i = 0; i < 3; i++) task_close(&t[i]);
}

void test_a_shelf_keeps_the_snapshots_of_the_same_data_only(void **state)
{
    (void)state;
    struct params p = scene_params((const char *const[]){"task=ising", "glauber_sweeps=2", NULL});
    struct task_shelf shelf = {0};
    struct task t, kept;
    struct err e;
    assert_int_equal(task_open_shelved(&t, &p, &shelf, &e), OK);
    shelf.task.test.spin[5] = 7; /* a mark: whoever has it took it from the shelf */
    p.init_seed = 3, p.weight_multiplier = 10;
    assert_int_equal(task_open_shelved(&kept, &p, &shelf, &e), OK);
    assert_int_equal(kept.test.spin[5], 7);
    assert_memory_equal(kept.train.spin, t.train.spin, 300 * 256);
    assert_memory_equal(kept.test.temperature, t.test.temperature, 1000 * sizeof(double));
    task_close(&kept);
    p.data_seed = 1;
    assert_int_equal(task_open_shelved(&kept, &p, &shelf, &e), OK);
    assert_memory_not_equal(kept.test.spin, t.test.spin, 256);
    assert_int_not_equal(kept.test.spin[5], 7);
    task_close(&kept);
    task_close(&t);
    task_shelf_close(&shelf);
    assert_false(shelf.full);
}

void test_the_sets_are_written_and_read_back(void **state)
{
    (void)state;
    const char *const settings[] = {"task=ising", "test_size=21", "train_size=10", "lattice=8",
                                    NULL};
    struct params p = scene_params(settings);
    struct safetensors s = {0};
    struct task t, back;
    struct err e;
    char path[] = "/tmp/grokd-ising-XXXXXX";
    close(mkstemp(path));
    open_task(&t, settings);
    assert_int_equal(task_save(&t, &s, &e), OK);
    assert_int_equal(safetensors_find(&s, "test_spins")->type, ST_I8);
    assert_int_equal(safetensors_write(&s, path, &e), OK);
    if (task_open(&back, &p, path, &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(back.train.count, 10);
    assert_memory_equal(back.train.spin, t.train.spin, 10 * 64);
    assert_memory_equal(back.test.label, t.test.label, 21 * sizeof *t.test.label);
    assert_memory_equal(back.test.temperature, t.test.temperature, 21 * sizeof(double));
    task_close(&back);
    p.lattice = 16;
    assert_int_equal(task_open(&back, &p, path, &e), E_FILE);
    assert_non_null(strstr(e.text, "train_spins: expected an I8 array of shape [N,256]"));
    safetensors_close(&s);
    task_close(&t);
    unlink(path);
}

static void check_refused(const int8_t *spin, const int32_t *label, const char *text)
{
    const size_t two[] = {2, 16};
    struct params p = scene_params((const char *const[]){"task=ising", "lattice=4", NULL});
    struct safetensors s = {0};
    struct task t;
    struct err e;
    char path[] = "/tmp/grokd-ising-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(safetensors_add(&s, "train_spins", ST_I8, 2, two, spin, &e), OK);
    assert_int_equal(safetensors_add(&s, "train_labels", ST_I32, 1, two, label, &e), OK);
    assert_int_equal(safetensors_write(&s, path, &e), OK);
    assert_int_equal(task_open(&t, &p, path, &e), E_FILE);
    if (!strstr(e.text, text) || !strstr(e.text, path)) fail_msg("%s", e.text);
    safetensors_close(&s);
    unlink(path);
}

void test_files_that_are_no_snapshots_are_refused(void **state)
{
    (void)state;
    int8_t spin[32];
    int32_t label[2] = {0, 1};
    memset(spin, 1, sizeof spin);
    check_refused(spin, label, "test_spins: expected");
    label[1] = 2;
    check_refused(spin, label, "train_labels[1] is 2: expected 0 or 1");
    spin[17] = 0;
    check_refused(spin, label, "train_spins[1][1] is 0: expected 1 or -1");
}
