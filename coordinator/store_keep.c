// SPDX-License-Identifier: MIT
/* store_keep: files beside the database: checkpoints and models. */
#include "coordinator/store_keep.h"

#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "coordinator/store_upload.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of an epoch as its message brings it: whole, or as what its parts must have become. */
struct keep_file {
    struct place place;
    char name[KEEP_NAME];
    const ProtobufCBinaryData *whole; /* or */
    const Grokd__File *parts;
    char sha256[HASH_HEX];
    int64_t bytes;
};

static struct keep_file file_of(const struct save *s, const Grokd__Epoch *m, Grokd__FileKind kind)
{
    bool model = kind == GROKD__FILE_KIND__MODEL;
    struct keep_file f = {
        .place = {.run = s->run, .attempt = s->attempt, .epoch = m->epoch, .kind = kind},
        .whole = model ? &m->model : &m->checkpoint,
        .parts = model ? m->model_file : m->checkpoint_file};
    place_name(&f.place, f.name);
    if (f.parts) {
        f.bytes = (int64_t)f.parts->size;
        snprintf(f.sha256, sizeof f.sha256, "%s", f.parts->sha256);
    } else {
        f.bytes = (int64_t)f.whole->len;
        hash_sha256_hex(f.whole->data, f.whole->len, f.sha256);
    }
    return f;
}

static int write_file(struct db *d, const struct keep_file *f, struct err *e)
{
    char path[PATH_MAX];
    place_path(d, f->name, path);
    if (f->parts) return upload_place(d, &f->place, f->parts, path, e);
    int rc = place_make_folder(path, e);
    return rc < 0 ? rc : file_write(path, f->whole->data, f->whole->len, 0644, e);
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
    upload_settle(d, committed);
    for (size_t i = 0; committed && i < d->doomed_count; i++) {
        place_path(d, d->doomed[i], path);
        unlink(path);
    }
    free(d->doomed);
    d->doomed = NULL;
    d->doomed_count = 0;
}

/* The path that a row gives the file of an epoch; "": there is none. */
static int stored_path(struct db *d, Grokd__FileKind kind, int64_t run, int64_t epoch,
                       char out[KEEP_NAME], struct err *e)
{
    bool model = kind == GROKD__FILE_KIND__MODEL;
    sqlite3_stmt *q = db_bind(d, model ? SQL_MODEL_GET : SQL_CHECKPOINT_GET, e, "ii", run, epoch);
    int rc = q ? db_step(d, q, e) : E_STORE;
    *out = '\0';
    if (rc != 1) return rc;
    db_text(q, 0, out, KEEP_NAME);
    db_done(q);
    return OK;
}

static int clean_file(struct db *d, Grokd__FileKind kind, const char *file, struct err *e)
{
    char path[PATH_MAX], name[KEEP_NAME], stored[KEEP_NAME] = "";
    long long run, epoch;
    int rc = OK, n = snprintf(name, sizeof name, "%s/%s", place_folder(kind), file);
    if (n >= (int)sizeof name || !isdigit((unsigned char)*file)) return OK;
    if (sscanf(file, "%lld-%lld", &run, &epoch) == 2) /* every name begins so */
        rc = stored_path(d, kind, run, epoch, stored, e);
    if (rc < 0 || strcmp(stored, name) == 0) return rc;
    place_path(d, name, path);
    log_info("file_removed", "path=%s reason=%s", path, "no row names it");
    unlink(path);
    return OK;
}

static int clean_folder(struct db *d, Grokd__FileKind kind, struct err *e)
{
    char path[PATH_MAX];
    int rc = OK;
    place_path(d, place_folder(kind), path);
    DIR *list = opendir(path);
    for (struct dirent *x; list && rc == OK && (x = readdir(list));)
        rc = clean_file(d, kind, x->d_name, e);
    if (list) closedir(list);
    return rc;
}

int keep_clean(struct db *d, struct err *e)
{
    int rc = clean_folder(d, GROKD__FILE_KIND__CHECKPOINT, e);
    return rc < 0 ? rc : clean_folder(d, GROKD__FILE_KIND__MODEL, e);
}

int keep_has(struct db *d, const struct place *p, bool *has, struct err *e)
{
    char name[KEEP_NAME], stored[KEEP_NAME];
    place_name(p, name);
    int rc = stored_path(d, p->kind, p->run, p->epoch, stored, e);
    *has = rc == OK && strcmp(stored, name) == 0;
    return rc;
}

/* ---- checkpoints ---- */

static int put_row(struct db *d, enum sql which, const struct keep_file *f, struct err *e)
{
    const struct place *p = &f->place;
    return db_do(d, which, e, "iiitti", p->run, p->epoch, p->attempt, f->name, f->sha256, f->bytes);
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
    char before[KEEP_NAME];
    struct err why;
    struct keep_file f = file_of(s, m, GROKD__FILE_KIND__CHECKPOINT);
    int rc = stored_path(d, f.place.kind, s->run, m->epoch, before, e);
    bool again = strcmp(before, f.name) == 0;
    if (rc < 0 || (again && f.parts)) return rc; /* its parts are not sent twice */
    if (write_file(d, &f, &why) < 0) return passed_over(d, s, m->epoch, &why, e);
    if (*before && !again) rc = doom(d, before, e);
    if (rc == OK) rc = put_row(d, SQL_CHECKPOINT_PUT, &f, e);
    return rc < 0 ? rc : drop_older(d, s->run, e);
}

int keep_forget(struct db *d, int64_t run, struct err *e)
{
    int rc = doom_all(d, db_bind(d, SQL_CHECKPOINTS_OF_RUN, e, "i", run), e);
    return rc < 0 ? rc : db_do(d, SQL_CHECKPOINTS_DROP, e, "i", run);
}

/* A checkpoint as its row describes it; the newest one of an epoch before `before`. */
struct keep_row {
    int64_t epoch, bytes;
    char name[KEEP_NAME], sha256[HASH_HEX];
};

static int newest(struct db *d, int64_t run, int64_t before, struct keep_row *r, struct err *e)
{
    sqlite3_stmt *q = db_bind(d, SQL_CHECKPOINT_NEWEST, e, "ii", run, before);
    int rc = q ? db_step(d, q, e) : E_STORE;
    if (rc != 1) return rc;
    r->epoch = sqlite3_column_int64(q, 0);
    db_text(q, 1, r->name, sizeof r->name);
    db_text(q, 2, r->sha256, sizeof r->sha256);
    r->bytes = sqlite3_column_int64(q, 3);
    db_done(q);
    return 1;
}

/* The hash of a file of so many bytes, read piece by piece; the bytes too (gives), if out. */
static int hash_file(const char *path, size_t bytes, char hex[HASH_HEX], uint8_t **out,
                     struct err *e)
{
    size_t piece = out ? bytes : WIRE_PART;
    uint8_t *data = malloc(piece + 1);
    struct hash h;
    int rc = data ? OK : err_set(e, E_NOMEM, "%s: no memory for %zu bytes", path, piece);
    hash_start(&h);
    for (size_t at = 0, n; at < bytes && rc == OK; at += n) {
        n = bytes - at < piece ? bytes - at : piece;
        rc = file_read_at(path, at, data, n, e);
        if (rc == OK) hash_add(&h, data, n);
    }
    hash_end(&h, hex);
    if (rc == OK && out)
        *out = data;
    else
        free(data);
    return rc;
}

/* The file into the answer if its hash is the stored one. */
static int read_checked(const struct db *d, const struct keep_row *r, struct save_answer *a,
                        struct err *e)
{
    char path[PATH_MAX], hex[HASH_HEX];
    uint8_t *data = NULL;
    size_t bytes = (size_t)r->bytes;
    bool fits = wire_file_fits(bytes);
    place_path(d, r->name, path);
    int rc = hash_file(path, bytes, hex, fits ? &data : NULL, e);
    if (rc == OK && strcmp(hex, r->sha256) != 0)
        rc = err_set(e, E_FILE, "%s: torn: its SHA-256 begins %.12s, the stored one %.12s", path,
                     hex, r->sha256);
    if (rc < 0) {
        free(data);
        return rc;
    }
    a->epoch = r->epoch;
    a->checkpoint = data;
    a->checkpoint_size = fits ? bytes : 0;
    a->file_size = fits ? 0 : bytes;
    return OK;
}

static int drop_torn(struct db *d, int64_t run, const struct keep_row *r, struct err *e)
{
    int rc = doom(d, r->name, e);
    return rc < 0 ? rc : db_do(d, SQL_CHECKPOINT_DROP, e, "ii", run, r->epoch);
}

/* A file that is torn or gone is dropped with its row; one that could not be read, for whatever
 * reason, may be whole: it is passed over this time. */
static int no_use(struct db *d, const struct save *s, const struct keep_row *r,
                  const struct err *why, struct err *e)
{
    char text[sizeof why->text + 96];
    bool torn = why->code == E_FILE;
    snprintf(text, sizeof text, "the checkpoint of epoch %" PRId64 " %s: %s", r->epoch,
             torn ? "is of no use" : "could not be read and is kept", why->text);
    log_warn(torn ? "checkpoint_torn" : "checkpoint_unread", "run=%lld epoch=%lld error=%s",
             (long long)s->run, (long long)r->epoch, why->text);
    int rc = save_event(d, s, "checkpoint", text, e);
    return rc == OK && torn ? drop_torn(d, s->run, r, e) : rc;
}

/* The newest one before an epoch, which is then its own: 1 and it was tried; 0: there is none.
 * Parts are read from the newest of all: one that needs them does not serve when that was passed
 * over. */
static int try_newest(struct db *d, const struct save *s, int64_t *before, bool *passed,
                      struct save_answer *a, struct err *e)
{
    struct keep_row r;
    struct err why = {0};
    int rc = newest(d, s->run, *before, &r, e);
    if (rc == 1 && *passed && !wire_file_fits((size_t)r.bytes)) rc = 0;
    if (rc != 1 || read_checked(d, &r, a, &why) == OK) return rc;
    if (why.code == E_FULL) return err_set(e, E_FULL, "%s", why.text);
    *before = r.epoch;
    *passed |= why.code != E_FILE;
    rc = no_use(d, s, &r, &why, e);
    return rc < 0 ? rc : 1;
}

int keep_read(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char path[PATH_MAX];
    struct keep_row r;
    struct err why;
    int rc = newest(d, s->run, INT64_MAX, &r, e);
    a->epoch = 0;
    if (rc != 1 || s->count >= r.bytes) return rc < 0 ? rc : OK;
    size_t left = (size_t)(r.bytes - s->count), n = left < WIRE_PART ? left : WIRE_PART;
    uint8_t *data = malloc(n);
    if (!data) return err_set(e, E_NOMEM, "no memory for %zu bytes of a checkpoint", n);
    place_path(d, r.name, path);
    if ((rc = file_read_at(path, (size_t)s->count, data, n, &why)) < 0) {
        free(data);
        if (rc == E_FULL) return err_set(e, rc, "%s", why.text);
        log_warn("checkpoint_gone", "run=%lld error=%s", (long long)s->run, why.text);
        return OK;
    }
    a->epoch = r.epoch;
    a->checkpoint = data;
    a->checkpoint_size = n;
    a->held = (size_t)s->count;
    a->file_size = (size_t)r.bytes;
    return OK;
}

int keep_find(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    int64_t before = INT64_MAX;
    bool passed = false;
    int rc = 1;
    while (rc == 1 && !a->checkpoint && !a->file_size)
        rc = try_newest(d, s, &before, &passed, a, e);
    return rc < 0 ? rc : OK;
}

/* ---- models ---- */

int keep_model(struct db *d, const struct save *s, const Grokd__Epoch *m, struct err *e)
{
    struct keep_file f = file_of(s, m, GROKD__FILE_KIND__MODEL);
    int rc = write_file(d, &f, e);
    if (rc == E_FULL || (rc == E_FILE && f.parts)) return rc;
    if (rc < 0) return e->code = E_STORE;
    return put_row(d, SQL_MODEL_INSERT, &f, e);
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
