// SPDX-License-Identifier: MIT
/* store_keep: files beside the database: checkpoints and models. */
#include "coordinator/store_keep.h"

#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path of a file in the folder of the database. */
static void full_path(const struct db *d, const char *name, char out[PATH_MAX])
{
    const char *slash = strrchr(d->path, '/');
    int folder = slash ? (int)(slash - d->path) : 1;
    snprintf(out, PATH_MAX, "%.*s/%s", folder ? folder : 1, slash ? d->path : ".", name);
}

static void checkpoint_name(const struct save *s, int64_t epoch, char out[KEEP_NAME])
{
    snprintf(out, KEEP_NAME, "checkpoints/%" PRId64 "-%" PRId64 "-%" PRId64 ".safetensors", s->run,
             epoch, s->attempt);
}

static void model_name(int64_t run, int64_t epoch, char out[KEEP_NAME])
{
    snprintf(out, KEEP_NAME, "models/%" PRId64 "-%" PRId64 ".safetensors", run, epoch);
}

/* The folder is made when there is something to be put into it. */
static int write_file(const struct db *d, const char *name, const ProtobufCBinaryData *b,
                      struct err *e)
{
    char path[PATH_MAX], folder[PATH_MAX];
    full_path(d, name, path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    int rc = access(folder, F_OK) == 0 ? OK : file_make_dir(folder, 0777, e);
    return rc < 0 ? rc : file_write(path, b->data, b->len, 0644, e);
}

/* ---- files that go ---- */

static int doom(struct db *d, const char *name, struct err *e)
{
    void *more = realloc(d->doomed, (d->doomed_count + 1) * sizeof *d->doomed);
    if (!more) return err_set(e, E_NOMEM, "no memory for names of files");
    d->doomed = more;
    snprintf(d->doomed[d->doomed_count++], KEEP_NAME, "%s", name);
    return OK;
}

/* Every path of a statement's rows. */
static int doom_all(struct db *d, sqlite3_stmt *s, struct err *e)
{
    char name[KEEP_NAME];
    int rc = s ? OK : E_STORE;
    while (rc == OK && (rc = db_step(d, s, e)) == 1) {
        db_text(s, 0, name, sizeof name);
        if ((rc = doom(d, name, e)) < 0) db_done(s);
    }
    return rc;
}

void keep_settle(struct db *d, bool committed)
{
    char path[PATH_MAX];
    for (size_t i = 0; committed && i < d->doomed_count; i++) {
        full_path(d, d->doomed[i], path);
        unlink(path);
    }
    free(d->doomed);
    d->doomed = NULL;
    d->doomed_count = 0;
}

/* Whether a row names the file; a name begins with run and epoch. */
static bool is_named(struct db *d, enum sql which, const char *name, const char *file)
{
    long long run, epoch;
    char stored[KEEP_NAME];
    if (sscanf(file, "%lld-%lld", &run, &epoch) != 2) return false;
    sqlite3_stmt *s = db_bind(d, which, NULL, "ii", (int64_t)run, (int64_t)epoch);
    if (!s || db_step(d, s, NULL) != 1) return false;
    db_text(s, 0, stored, sizeof stored);
    db_done(s);
    return strcmp(stored, name) == 0;
}

static void clean_folder(struct db *d, const char *folder, enum sql which)
{
    char path[PATH_MAX], name[KEEP_NAME];
    full_path(d, folder, path);
    DIR *list = opendir(path);
    for (struct dirent *x; list && (x = readdir(list));) {
        if (!isdigit((unsigned char)*x->d_name)) continue;
        int n = snprintf(name, sizeof name, "%s/%s", folder, x->d_name);
        if (n >= (int)sizeof name || is_named(d, which, name, x->d_name)) continue;
        full_path(d, name, path);
        log_info("file_removed", "path=%s reason=%s", path, "no row names it");
        unlink(path);
    }
    if (list) closedir(list);
}

void keep_clean(struct db *d)
{
    clean_folder(d, "checkpoints", SQL_CHECKPOINT_GET);
    clean_folder(d, "models", SQL_MODEL_GET);
}

/* ---- checkpoints ---- */

static int put_row(struct db *d, enum sql which, const struct save *s, int64_t epoch,
                   const char *name, const ProtobufCBinaryData *b, struct err *e)
{
    char hex[HASH_HEX];
    hash_sha256_hex(b->data, b->len, hex);
    return db_do(d, which, e, "iiitti", s->run, epoch, s->attempt, name, hex, (int64_t)b->len);
}

/* Another attempt's at the same epoch gives way, and all but the newest two. */
static int drop_older(struct db *d, int64_t run, struct err *e)
{
    int rc = doom_all(d, db_bind(d, SQL_CHECKPOINTS_OLD, e, "i", run), e);
    return rc < 0 ? rc : db_do(d, SQL_CHECKPOINTS_OLD_DROP, e, "i", run);
}

static int passed_over(struct db *d, const struct save *s, int64_t epoch, const struct err *why,
                       struct err *e)
{
    char text[sizeof why->text + 64];
    log_warn("checkpoint_lost", "run=%lld epoch=%lld error=%s", (long long)s->run, (long long)epoch,
             why->text);
    snprintf(text, sizeof text, "the checkpoint of epoch %" PRId64 " could not be written: %s",
             epoch, why->text);
    return save_event(d, s, "checkpoint", text, e);
}

int keep_checkpoint(struct db *d, const struct save *s, const Grokd__Epoch *m, struct err *e)
{
    char name[KEEP_NAME], before[KEEP_NAME] = "";
    struct err why;
    checkpoint_name(s, m->epoch, name);
    if (write_file(d, name, &m->checkpoint, &why) < 0) return passed_over(d, s, m->epoch, &why, e);
    sqlite3_stmt *q = db_bind(d, SQL_CHECKPOINT_GET, e, "ii", s->run, m->epoch);
    int rc = q ? db_step(d, q, e) : E_STORE;
    if (rc < 0) return rc;
    if (rc == 1) {
        db_text(q, 0, before, sizeof before);
        db_done(q);
    }
    rc = *before && strcmp(before, name) != 0 ? doom(d, before, e) : OK;
    if (rc == OK) rc = put_row(d, SQL_CHECKPOINT_PUT, s, m->epoch, name, &m->checkpoint, e);
    return rc < 0 ? rc : drop_older(d, s->run, e);
}

int keep_forget(struct db *d, int64_t run, struct err *e)
{
    int rc = doom_all(d, db_bind(d, SQL_CHECKPOINTS_OF_RUN, e, "i", run), e);
    return rc < 0 ? rc : db_do(d, SQL_CHECKPOINTS_DROP, e, "i", run);
}

/* The bytes of a file if their hash is the stored one (gives). */
static int read_checked(const struct db *d, const char *name, const char *sha256,
                        struct save_answer *a, struct err *e)
{
    char path[PATH_MAX], hex[HASH_HEX], *bytes;
    full_path(d, name, path);
    int rc = file_read(path, WIRE_LIMIT, &bytes, &a->checkpoint_size, e);
    if (rc < 0) return rc;
    hash_sha256_hex(bytes, a->checkpoint_size, hex);
    if (strcmp(hex, sha256) == 0) {
        a->checkpoint = (uint8_t *)bytes;
        return OK;
    }
    free(bytes);
    return err_set(e, E_FILE, "%s: torn: its SHA-256 begins %.12s, the stored one %.12s", path, hex,
                   sha256);
}

/* The newest one: 1 and it was tried; 0: there is none. */
static int try_newest(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char name[KEEP_NAME], sha256[HASH_HEX], text[sizeof e->text + 64];
    struct err why;
    sqlite3_stmt *q = db_bind(d, SQL_CHECKPOINT_NEWEST, e, "i", s->run);
    int rc = q ? db_step(d, q, e) : E_STORE;
    if (rc != 1) return rc;
    a->epoch = sqlite3_column_int64(q, 0);
    db_text(q, 1, name, sizeof name);
    db_text(q, 2, sha256, sizeof sha256);
    db_done(q);
    if (read_checked(d, name, sha256, a, &why) == OK) return 1;
    snprintf(text, sizeof text, "the checkpoint of epoch %" PRId64 " is of no use: %s", a->epoch,
             why.text);
    log_warn("checkpoint_torn", "run=%lld epoch=%lld error=%s", (long long)s->run,
             (long long)a->epoch, why.text);
    rc = save_event(d, s, "checkpoint", text, e);
    if (rc == OK) rc = doom(d, name, e);
    if (rc == OK) rc = db_do(d, SQL_CHECKPOINT_DROP, e, "ii", s->run, a->epoch);
    return rc < 0 ? rc : 1;
}

int keep_find(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    int rc = 1;
    while (rc == 1 && !a->checkpoint) rc = try_newest(d, s, a, e);
    return rc < 0 ? rc : OK;
}

/* ---- models ---- */

int keep_model(struct db *d, const struct save *s, const Grokd__Epoch *m, struct err *e)
{
    char name[KEEP_NAME];
    model_name(s->run, m->epoch, name);
    int rc = write_file(d, name, &m->model, e);
    if (rc == E_FULL) return rc;
    if (rc < 0) return e->code = E_STORE;
    return put_row(d, SQL_MODEL_INSERT, s, m->epoch, name, &m->model, e);
}

/* ---- runs that begin anew ---- */

/* Maps in memory are read again from what is left. */
static int drop_clouds(struct db *d, int64_t sweep, struct err *e)
{
    sqlite3_stmt *s = db_bind(d, SQL_FAILED_EVALUATIONS, e, "i", sweep);
    int rc = s ? OK : E_STORE;
    while (rc == OK && (rc = db_step(d, s, e)) == 1) {
        if (d->clouds) clouds_drop(clouds_find(d->clouds, sweep, sqlite3_column_int64(s, 0)));
        rc = OK;
    }
    return rc;
}

int keep_wipe_failed(struct db *d, int64_t sweep, struct err *e)
{
    static const enum sql drops[] = {SQL_FAILED_DROP_EPOCHS,      SQL_FAILED_DROP_GEOMETRY,
                                     SQL_FAILED_DROP_PRUNING,     SQL_FAILED_DROP_FEATURES,
                                     SQL_FAILED_DROP_PREDICTIONS, SQL_FAILED_DROP_SUMMARIES,
                                     SQL_FAILED_DROP_EMBEDDING,   SQL_FAILED_DROP_CHECKPOINTS,
                                     SQL_FAILED_DROP_MODELS,      SQL_FAILED_BLANK};
    int rc = drop_clouds(d, sweep, e);
    if (rc == OK) rc = doom_all(d, db_bind(d, SQL_FAILED_FILES, e, "i", sweep), e);
    for (size_t i = 0; i < sizeof drops / sizeof *drops && rc == OK; i++)
        rc = db_do(d, drops[i], e, "i", sweep);
    return rc;
}
