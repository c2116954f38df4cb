// SPDX-License-Identifier: MIT
/* train_checkpoint: a run between two epochs as bytes, and back. */
#include "worker/train_checkpoint.h"

#include "common/file.h"
#include "common/hash.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT       "checkpoint.about"
#define SHA256      "checkpoint.sha256"
#define ABOUT_TEXT  1024
#define FILE_LIMIT  ((size_t)1 << 32)
#define HEX_SHOWN   12 /* digits of a hash that tell two apart for a person */
#define VALUE_SHOWN 40

/* ---- what stands in it ------------------------------------------------------------------------
 */

/* Hash of the settings that decide what is remembered between epochs and where the run ends; how
 * often a checkpoint is made and which models are kept are the reader's choice. */
static void hash_settings(const struct settings *s, char hex[HASH_HEX])
{
    struct settings kept = *s;
    char text[SETTINGS_TEXT];
    kept.checkpoint_every_ms = 0;
    kept.save_model.count = 0;
    settings_text(&kept, text);
    hash_sha256_hex(text, strlen(text), hex);
}

static void write_about(char out[ABOUT_TEXT], const struct checkpoint_owner *o, int64_t epoch)
{
    char config[HASH_HEX], settings[HASH_HEX];
    params_hash(o->params, config);
    hash_settings(o->settings, settings);
    snprintf(out, ABOUT_TEXT,
             "format=%d\nrun=%" PRId64 "\nattempt=%" PRId64 "\nepoch=%" PRId64
             "\nconfig_hash=%s\nsettings_hash=%s\nblas=%s\nblas_fingerprint=%s\n",
             CHECKPOINT_FORMAT, o->run, o->attempt, epoch, config, settings, o->blas->family,
             o->blas->fingerprint);
}

/* Of every array but the hash itself, in the order of their bytes. */
static void hash_set(const struct safetensors *s, char hex[HASH_HEX])
{
    struct hash h;
    hash_start(&h);
    for (size_t i = 0; i < s->count; i++) {
        const struct safetensors_entry *t = &s->entry[i];
        if (!strcmp(t->name, SHA256)) continue;
        const uint64_t frame[2 + SAFETENSORS_RANK] = {t->type,     t->rank,     t->shape[0],
                                                      t->shape[1], t->shape[2], t->shape[3]};
        size_t next = i + 1 < s->count ? s->entry[i + 1].offset : s->size;
        hash_add(&h, t->name, strlen(t->name) + 1);
        hash_add(&h, frame, sizeof frame);
        hash_add(&h, safetensors_data(s, t), next - t->offset);
    }
    hash_end(&h, hex);
}

int train_checkpoint_make(const struct train_epoch *now, const struct checkpoint_owner *o,
                          unsigned char **bytes, size_t *size, struct err *e)
{
    struct safetensors s = {0};
    char about[ABOUT_TEXT], hex[HASH_HEX];
    size_t length, digits = HASH_HEX - 1;
    write_about(about, o, now->row->epoch);
    length = strlen(about);
    int rc = train_save(now, &s, e);
    if (rc == OK) rc = safetensors_add(&s, ABOUT, ST_U8, 1, &length, about, e);
    if (rc == OK) {
        hash_set(&s, hex);
        rc = safetensors_add(&s, SHA256, ST_U8, 1, &digits, hex, e);
    }
    if (rc == OK) rc = safetensors_bytes(&s, bytes, size, e);
    safetensors_close(&s);
    return rc;
}

/* ---- back -------------------------------------------------------------------------------------
 */

/* A text array of at most ABOUT_TEXT - 1 bytes. */
static int read_text(const struct safetensors *s, const char *name, char out[ABOUT_TEXT],
                     const char *origin, struct err *e)
{
    const struct safetensors_entry *t = safetensors_find(s, name);
    if (!t || t->type != ST_U8 || t->rank != 1 || t->count >= ABOUT_TEXT)
        return err_set(e, E_FILE, "%s: no checkpoint: expected a text %s", origin, name);
    memcpy(out, safetensors_data(s, t), t->count);
    out[t->count] = '\0';
    return OK;
}

/* The value of a line name=value, cut to size; "" when there is none. */
static const char *value_of(const char *about, const char *name, char out[ABOUT_TEXT])
{
    size_t n = strlen(name);
    out[0] = '\0';
    for (const char *line = about; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, n) || line[n] != '=') continue;
        snprintf(out, ABOUT_TEXT, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
        break;
    }
    return out;
}

/* Line by line against what the owner would write now. */
static int check_about(const char *about, const struct checkpoint_owner *o, const char *origin,
                       struct err *e)
{
    static const char *const lines[] = {"format",        "run",  "config_hash",
                                        "settings_hash", "blas", "blas_fingerprint"};
    char right[ABOUT_TEXT], is[ABOUT_TEXT], wanted[ABOUT_TEXT];
    write_about(right, o, 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        value_of(about, lines[i], is);
        value_of(right, lines[i], wanted);
        if (strcmp(is, wanted) == 0) continue;
        int shown = strlen(wanted) == HASH_HEX - 1 ? HEX_SHOWN : VALUE_SHOWN;
        return err_set(e, E_FILE, "%s: a checkpoint with %s %.*s: expected %.*s", origin, lines[i],
                       shown, is, shown, wanted);
    }
    return OK;
}

static int check_set(const struct safetensors *s, int64_t *epoch, const char *origin,
                     const struct checkpoint_owner *o, struct err *e)
{
    char about[ABOUT_TEXT], stored[ABOUT_TEXT], text[ABOUT_TEXT], hex[HASH_HEX];
    int rc = read_text(s, ABOUT, about, origin, e);
    if (rc == OK) rc = read_text(s, SHA256, stored, origin, e);
    if (rc < 0) return rc;
    hash_set(s, hex);
    if (strcmp(hex, stored) != 0)
        return err_set(e, E_FILE, "%s: torn: its bytes have SHA-256 %.*s: expected %.*s", origin,
                       HEX_SHOWN, hex, HEX_SHOWN, stored);
    if ((rc = check_about(about, o, origin, e)) < 0) return rc;
    *epoch = strtoll(value_of(about, "epoch", text), NULL, 10);
    return OK;
}

int train_checkpoint_take(struct safetensors *set, int64_t *epoch, const void *bytes, size_t size,
                          const char *origin, const struct checkpoint_owner *o, struct err *e)
{
    int rc = safetensors_parse(set, bytes, size, origin, e);
    if (rc == OK) rc = check_set(set, epoch, origin, o, e);
    if (rc < 0) safetensors_close(set);
    return rc;
}

int train_checkpoint_read(struct safetensors *set, int64_t *epoch, const char *path,
                          const struct checkpoint_owner *o, struct err *e)
{
    char *bytes;
    size_t size;
    *set = (struct safetensors){0};
    int rc = file_read(path, FILE_LIMIT, &bytes, &size, e);
    if (rc < 0) return rc;
    rc = train_checkpoint_take(set, epoch, bytes, size, path, o, e);
    free(bytes);
    return rc;
}
