// SPDX-License-Identifier: MIT
/* train_checkpoint: a run resumed after any epoch gives the rows of one that was never interrupted,
 * bit for bit; bytes that are not whole, or another run's, are refused.
 */
#include "worker/train_checkpoint.h"

#include "tests/test.h"
#include "worker/num/vec.h"
#include "worker/train_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS   16
#define ARGUMENT 12

struct saved {
    unsigned char *bytes;
    size_t size;
};

/* One epoch as it was told, its parts copied as text and numbers. */
struct told {
    double value[METRIC_COUNT];
    char parts[16384];
};

struct scene {
    struct params params;
    struct settings settings;
    struct blas blas;
    struct checkpoint_owner owner;
    struct task_shelf shelf;
    int64_t first, last; /* epochs told */
    bool save;
    struct told told[EPOCHS + 1];
    struct saved saved[EPOCHS + 1];
};

static struct blas kernels; /* opened once: that takes a while */

static struct scene *scene_open(const char *const *arguments)
{
    struct scene *s = calloc(1, sizeof *s);
    char *list[ARGUMENT];
    size_t n = 0;
    struct err e;
    assert_non_null(s);
    for (; arguments[n]; n++) list[n] = (char *)(uintptr_t)arguments[n];
    if (train_arguments(&s->params, &s->settings, n, list, &e) < 0) fail_msg("%s", e.text);
    if (!kernels.family[0] && blas_open(&kernels, "auto", &e) < 0) fail_msg("%s", e.text);
    s->blas = kernels;
    s->owner = (struct checkpoint_owner){7, 3, &s->params, &s->settings, &s->blas};
    return s;
}

static void scene_close(struct scene *s)
{
    for (int i = 0; i <= EPOCHS; i++) free(s->saved[i].bytes);
    task_shelf_close(&s->shelf);
    free(s);
}

static void tell_parts(struct told *t, const struct row *r)
{
    size_t n = 0, room = sizeof t->parts;
    for (size_t i = 0; i < r->pruning_count && n < room; i++)
        n += (size_t)snprintf(t->parts + n, room - n, "%s %s %a %a %a\n", r->pruning[i].scheme,
                              r->pruning[i].layer, r->pruning[i].fraction, r->pruning[i].accuracy,
                              r->pruning[i].loss);
    for (size_t i = 0; i < r->feature_count && n < room; i++)
        n += (size_t)snprintf(t->parts + n, room - n, "%s %s %a\n", r->features[i].layer,
                              r->features[i].name, r->features[i].value);
    assert_true(n < room);
}

static int listen(void *ctx, const struct train_epoch *now, struct err *e)
{
    struct scene *s = ctx;
    int64_t epoch = now->row->epoch;
    assert_in_range(epoch, 0, EPOCHS);
    if (s->first < 0) s->first = epoch;
    s->last = epoch;
    memcpy(s->told[epoch].value, now->row->value, sizeof s->told[epoch].value);
    tell_parts(&s->told[epoch], now->row);
    if (!s->save) return TRAIN_ON;
    return train_checkpoint_make(now, &s->owner, &s->saved[epoch].bytes, &s->saved[epoch].size, e);
}

static void train(struct scene *s, const struct safetensors *resume)
{
    struct err e;
    s->first = s->last = -1;
    memset(s->told, 0, sizeof s->told);
    int rc = train_run(&s->params, &s->settings, NULL, NULL, resume,
                       &(struct train_listener){listen, s, NULL}, &e);
    if (rc != OK) fail_msg("%s", e.text);
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_told(const struct told *is, const struct told *right, int64_t from, int64_t epoch)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (metric_list[i].kind != METRIC_TIMING && !same(is->value[i], right->value[i]))
            fail_msg("resumed after epoch %d: %s of epoch %d is %.17g, was %.17g", (int)from,
                     metric_list[i].name, (int)epoch, is->value[i], right->value[i]);
    assert_string_equal(is->parts, right->parts);
}

/* Trains in one go, then again from after every `step`-th epoch, by turns with the kernels of an
 * older processor. */
static void check_resumed(const char *const *arguments, int64_t step)
{
    struct scene *s = scene_open(arguments);
    struct told *right = malloc(sizeof s->told);
    const struct vec *best = vec;
    assert_non_null(right);
    s->save = true;
    train(s, NULL);
    assert_int_equal(s->first, 0);
    int64_t last = s->last;
    memcpy(right, s->told, sizeof s->told);
    s->save = false;
    for (int64_t from = 0; from <= last; from += step) {
        struct safetensors set;
        struct err e;
        int64_t epoch;
        s->owner.attempt++;
        vec = from % 2 ? best : vec_level(3);
        if (train_checkpoint_take(&set, &epoch, s->saved[from].bytes, s->saved[from].size, "it",
                                  &s->owner, &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(epoch, from);
        train(s, &set);
        safetensors_close(&set);
        assert_int_equal(s->first, from < last ? from + 1 : -1);
        assert_int_equal(s->last, from < last ? last : -1);
        for (int64_t i = from + 1; i <= last; i++) check_told(&s->told[i], &right[i], from, i);
    }
    vec = best;
    free(right);
    scene_close(s);
}

#define MODULAR "modulus=7", "hidden=8", "batch_size=8", "epochs=16"

void test_a_run_resumed_after_any_epoch_gives_the_same_bits(void **state)
{
    (void)state;
    static const char *const arguments[] = {MODULAR, "grokd.measure.curve_epochs=1,2,3,9,final",
                                            NULL};
    check_resumed(arguments, 1);
}

void test_measures_between_which_epochs_lie_go_on_as_well(void **state)
{
    (void)state;
    static const char *const arguments[] = {MODULAR, "grokd.measure.every=3",
                                            "grokd.measure.dense_until=2", NULL};
    check_resumed(arguments, 1);
}

void test_the_stop_rule_holds_over_a_resume(void **state)
{
    (void)state;
    static const char *const arguments[] = {MODULAR, "grokd.stop.test_accuracy=0",
                                            "grokd.stop.after=9", NULL};
    struct scene *s = scene_open(arguments);
    train(s, NULL);
    assert_int_equal(s->last, 9);
    scene_close(s);
    check_resumed(arguments, 2);
}

void test_a_shuffled_order_goes_on_where_it_was(void **state)
{
    (void)state;
    static const char *const arguments[] = {MODULAR, "shuffle=true", "grokd.measure.every=0", NULL};
    check_resumed(arguments, 1);
}

void test_an_ising_run_resumed_after_some_epochs_gives_the_same_bits(void **state)
{
    (void)state;
    static const char *const arguments[] = {"task=ising",
                                            "train_size=10",
                                            "test_size=10",
                                            "batch_size=5",
                                            "epochs=4",
                                            "grokd.measure.every=2",
                                            "grokd.measure.snapshots=20",
                                            "grokd.measure.pruning.points=3",
                                            "glauber_sweeps=64",
                                            NULL};
    check_resumed(arguments, 2);
}

/* ---- what is refused ---- */

/* The checkpoint after epoch 2 of a short run. */
static struct scene *with_checkpoint(void)
{
    static const char *const arguments[] = {"modulus=5", "hidden=4", "batch_size=0", "epochs=3",
                                            NULL};
    struct scene *s = scene_open(arguments);
    s->save = true;
    train(s, NULL);
    return s;
}

static void refuses(const struct saved *c, const struct checkpoint_owner *o, const char *why)
{
    struct safetensors set;
    struct err e = {0};
    int64_t epoch;
    int rc = train_checkpoint_take(&set, &epoch, c->bytes, c->size, "it", o, &e);
    if (rc == OK) fail_msg("taken: expected \"%s\"", why);
    assert_int_equal(rc, E_FILE);
    if (!strstr(e.text, why)) fail_msg("\"%s\": expected \"%s\"", e.text, why);
}

void test_every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    struct scene *s = with_checkpoint();
    struct saved c = s->saved[2];
    for (size_t i = 0; i < c.size; i += 1 + i % 97) {
        if (c.bytes[i] == ' ') continue; /* white space of the header says nothing */
        c.bytes[i] ^= (unsigned char)(1 << i % 8);
        refuses(&c, &s->owner, "it: ");
        c.bytes[i] ^= (unsigned char)(1 << i % 8);
    }
    for (c.size = 0; c.size < s->saved[2].size; c.size += 61) refuses(&c, &s->owner, "it: ");
    scene_close(s);
}

void test_the_checkpoint_of_another_run_is_refused(void **state)
{
    (void)state;
    struct scene *s = with_checkpoint();
    struct checkpoint_owner o = s->owner;
    struct params params = s->params;
    struct settings settings = s->settings;
    struct blas blas = s->blas;
    o.run = 8;
    refuses(&s->saved[2], &o, "a checkpoint with run 7: expected 8");
    o = s->owner;
    o.params = &params;
    params.learning_rate *= 2;
    refuses(&s->saved[2], &o, "a checkpoint with config_hash ");
    o = s->owner;
    o.settings = &settings;
    settings.measure_every = 2;
    refuses(&s->saved[2], &o, "a checkpoint with settings_hash ");
    o = s->owner;
    o.blas = &blas;
    blas.fingerprint[0] = blas.fingerprint[0] == 'a' ? 'b' : 'a';
    refuses(&s->saved[2], &o, "a checkpoint with blas_fingerprint ");
    scene_close(s);
}

void test_what_is_kept_and_how_often_may_change(void **state)
{
    (void)state;
    struct scene *s = with_checkpoint();
    struct safetensors set;
    struct err e;
    int64_t epoch;
    s->settings.checkpoint_every_ms = 1;
    s->settings.save_model = (struct epoch_list){1, {2}};
    int rc = train_checkpoint_take(&set, &epoch, s->saved[2].bytes, s->saved[2].size, "it",
                                   &s->owner, &e);
    if (rc < 0) fail_msg("%s", e.text);
    assert_int_equal(epoch, 2);
    safetensors_close(&set);
    scene_close(s);
}

void test_weights_alone_are_no_checkpoint(void **state)
{
    (void)state;
    struct scene *s = with_checkpoint();
    struct safetensors set = {0};
    struct saved c;
    struct err e;
    const size_t one = 1;
    assert_int_equal(safetensors_add(&set, "fc1.weight", ST_F32, 1, &one, "\0\0\0", &e), OK);
    assert_int_equal(safetensors_bytes(&set, &c.bytes, &c.size, &e), OK);
    refuses(&c, &s->owner, "it: no checkpoint: ");
    free(c.bytes);
    safetensors_close(&set);
    scene_close(s);
}
