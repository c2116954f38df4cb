// SPDX-License-Identifier: MIT
/* fuzz_checkpoint: bytes that claim to be a run between two epochs.
 *
 * The first byte says what the others are. Even: a file. Odd: changes to a real checkpoint, three
 * bytes each: where (two, little-endian, modulo its size) and what is put there; an offset of
 * 0xffff cuts off as many hundredths of the end.
 * What is taken as it is resumes with the numbers of the run. Sealed anew, with a hash that holds,
 * it may resume or be refused, and do no harm.
 */
#include "common/hash.h"
#include "worker/train_checkpoint.h"
#include "worker/train_options.h"

#include <stdlib.h>
#include <string.h>

#define SHA256 "checkpoint.sha256"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct {
    struct params params;
    struct settings settings;
    struct blas blas;
    struct checkpoint_owner owner;
    unsigned char *bytes; /* of the checkpoint after epoch 1 */
    size_t size;
    double loss[4]; /* of the training set, by epoch */
    double now;     /* of the epoch that a resumed run told first */
    int64_t epoch;
} real;

static void must(int rc, const struct err *e)
{
    if (rc >= 0) return;
    fprintf(stderr, "%s\n", e->text);
    abort();
}

static int keep(void *ctx, const struct train_epoch *now, struct err *e)
{
    (void)ctx;
    real.loss[now->row->epoch] = now->row->value[METRIC_train_loss];
    if (now->row->epoch != 1) return TRAIN_ON;
    return train_checkpoint_make(now, &real.owner, &real.bytes, &real.size, e);
}

static int look_once(void *ctx, const struct train_epoch *now, struct err *e)
{
    (void)ctx;
    (void)e;
    real.epoch = now->row->epoch;
    real.now = now->row->value[METRIC_train_loss];
    return TRAIN_STOP;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char text[][32] = {
        "modulus=5",        "hidden=4", "batch_size=8", "epochs=3", "gradient_filter=grokfast_ma",
        "grokfast_window=4"};
    char *arguments[sizeof text / sizeof *text];
    struct err e;
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) arguments[i] = text[i];
    must(blas_open(&real.blas, "auto", &e), &e);
    must(train_arguments(&real.params, &real.settings, sizeof arguments / sizeof *arguments,
                         arguments, &e),
         &e);
    real.owner = (struct checkpoint_owner){7, 3, &real.params, &real.settings, &real.blas};
    must(train_run(&real.params, &real.settings, NULL, NULL, NULL,
                   &(struct train_listener){keep, NULL, NULL}, &e),
         &e);
    return 0;
}

static int resume(const struct safetensors *set, struct err *e)
{
    real.epoch = -1;
    return train_run(&real.params, &real.settings, NULL, NULL, set,
                     &(struct train_listener){look_once, NULL, NULL}, e);
}

static void take_as_it_is(const unsigned char *bytes, size_t size)
{
    struct safetensors set = {0};
    struct err e;
    int64_t epoch;
    if (train_checkpoint_take(&set, &epoch, bytes, size, "fuzz", &real.owner, &e) < 0) return;
    must(resume(&set, &e), &e);
    if (epoch != 1 || real.epoch != 2 || real.now != real.loss[2]) abort();
    safetensors_close(&set);
}

/* As train_checkpoint.h says: names, types, shapes and bytes of all others. */
static int seal(struct safetensors *set, struct err *e)
{
    struct hash h;
    char hex[HASH_HEX];
    size_t digits = HASH_HEX - 1;
    hash_start(&h);
    for (size_t i = 0; i < set->count; i++) {
        const struct safetensors_entry *t = &set->entry[i];
        uint64_t frame[] = {t->type, t->rank, t->shape[0], t->shape[1], t->shape[2], t->shape[3]};
        size_t end = i + 1 < set->count ? t[1].offset : set->size;
        hash_add(&h, t->name, strlen(t->name) + 1);
        hash_add(&h, frame, sizeof frame);
        hash_add(&h, safetensors_data(set, t), end - t->offset);
    }
    hash_end(&h, hex);
    return safetensors_add(set, SHA256, ST_U8, 1, &digits, hex, e);
}

/* All arrays but the hash; not every name that is read may be written. */
static int copy(struct safetensors *to, const struct safetensors *from, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < from->count; i++) {
        const struct safetensors_entry *t = &from->entry[i];
        if (strcmp(t->name, SHA256) == 0) continue;
        rc = safetensors_add(to, t->name, t->type, t->rank, t->shape, safetensors_data(from, t), e);
    }
    return rc;
}

static void take_sealed(const unsigned char *bytes, size_t size)
{
    struct safetensors read = {0}, sealed = {0}, set = {0};
    struct err e;
    unsigned char *again;
    size_t n;
    int64_t epoch;
    if (safetensors_parse(&read, bytes, size, "fuzz", &e) < 0) return;
    if (copy(&sealed, &read, &e) == OK && seal(&sealed, &e) == OK) {
        must(safetensors_bytes(&sealed, &again, &n, &e), &e);
        if (train_checkpoint_take(&set, &epoch, again, n, "fuzz", &real.owner, &e) == OK)
            resume(&set, &e);
        resume(&sealed, &e);
        free(again);
    }
    safetensors_close(&set);
    safetensors_close(&sealed);
    safetensors_close(&read);
}

/* The real one, changed (gives). */
static unsigned char *changed(const uint8_t *list, size_t length, size_t *size)
{
    unsigned char *out = malloc(real.size);
    if (!out) abort();
    memcpy(out, real.bytes, real.size);
    *size = real.size;
    for (; length >= 3; list += 3, length -= 3) {
        size_t at = (size_t)list[0] | (size_t)list[1] << 8;
        if (at == 0xffff)
            *size -= *size * (list[2] % 100) / 100;
        else
            out[at % real.size] = list[2];
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1) return 0;
    size_t n = size - 1;
    unsigned char *own = bytes[0] & 1 ? changed(bytes + 1, size - 1, &n) : NULL;
    const unsigned char *file = own ? own : bytes + 1;
    take_as_it_is(file, n);
    take_sealed(file, n);
    free(own);
    return 0;
}
