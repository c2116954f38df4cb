// SPDX-License-Identifier: MIT
/* store_upload: files that come in parts. */
#include "coordinator/store_upload.h"

#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void part_path(const struct db *d, const struct upload *u, char out[PATH_MAX])
{
    char name[KEEP_NAME];
    place_part_name(&u->place, name);
    place_path(d, name, out);
}

static bool same_kind(const struct place *a, const struct place *b)
{
    return a->run == b->run && a->kind == b->kind;
}

static struct upload *find(const struct db *d, const struct place *p, size_t size)
{
    for (size_t i = 0; i < d->upload_count; i++) {
        struct upload *u = &d->uploads[i];
        if (same_kind(&u->place, p) && u->place.attempt == p->attempt &&
            u->place.epoch == p->epoch && u->size == size)
            return u;
    }
    return NULL;
}

static void drop(struct db *d, struct upload *u)
{
    char path[PATH_MAX];
    part_path(d, u, path);
    if (!u->placed) unlink(path);
    *u = d->uploads[--d->upload_count];
}

/* Of a run and kind one is under way; those that have their names wait for the commit beside it. */
static void make_way(struct db *d, const struct place *coming)
{
    for (size_t i = d->upload_count; i-- > 0;) {
        struct upload *u = &d->uploads[i];
        if (same_kind(&u->place, coming) && !u->placed) drop(d, u);
    }
}

static struct upload *begin(struct db *d, const struct place *p, size_t size)
{
    make_way(d, p);
    struct upload *more = realloc(d->uploads, (d->upload_count + 1) * sizeof *more);
    if (!more) return NULL;
    d->uploads = more;
    struct upload *u = &more[d->upload_count++];
    *u = (struct upload){.place = *p, .size = size};
    hash_start(&u->hash);
    return u;
}

static int add(struct db *d, struct upload *u, const Grokd__Part *m, struct err *e)
{
    char path[PATH_MAX];
    part_path(d, u, path);
    int rc = u->held ? OK : place_make_folder(path, e);
    if (rc == OK) rc = file_add(path, u->held, m->data.data, m->data.len, 0644, e);
    if (rc < 0) return rc;
    hash_add(&u->hash, m->data.data, m->data.len);
    u->held += m->data.len;
    return OK;
}

/* It counts as held; when its epoch names it, this is why it is not there. */
static void lose(const struct db *d, struct upload *u, const struct err *why)
{
    char path[PATH_MAX];
    part_path(d, u, path);
    unlink(path);
    u->why = *why;
    u->held = u->size;
}

/* What was held is gone, or is not what was written: it is asked for from its beginning. */
static int again(struct db *d, struct upload *u, struct save_answer *a)
{
    a->held = 0;
    a->verdict = VERDICT_GAP;
    drop(d, u);
    return OK;
}

int upload_part(struct db *d, const struct place *place, const Grokd__Part *m,
                struct save_answer *a, struct err *e)
{
    struct upload *u = find(d, place, m->size);
    if (!u && !m->offset && !(u = begin(d, place, m->size)))
        return err_set(e, E_NOMEM, "no memory for a file in parts");
    a->held = u ? u->held : 0;
    if (m->offset > a->held) a->verdict = VERDICT_GAP;
    if (!u || m->offset != u->held) return OK;
    int rc = add(d, u, m, e);
    a->held = u->held;
    if (rc == OK) return rc;
    if (place->kind == GROKD__FILE_KIND__CHECKPOINT) {
        lose(d, u, e);
        a->held = u->held;
        return OK;
    }
    if (rc == E_FILE && u->held) return again(d, u, a);
    return rc == E_FULL ? rc : (e->code = E_STORE);
}

int upload_place(struct db *d, const struct place *place, const Grokd__File *file, const char *path,
                 struct err *e)
{
    char beside[PATH_MAX], hex[HASH_HEX];
    struct upload *u = find(d, place, file->size);
    if (!u || u->held != u->size)
        return err_set(e, E_FILE, "%zu of %" PRIu64 " bytes of %s came", u ? u->held : 0,
                       file->size, path);
    if (u->placed) return OK;
    if (u->why.code != OK) return err_set(e, u->why.code, "%s", u->why.text);
    struct hash end = u->hash;
    hash_end(&end, hex);
    if (strcmp(hex, file->sha256) != 0)
        return err_set(e, E_FILE, "%s: what came has SHA-256 %.12s, expected %.12s", path, hex,
                       file->sha256);
    part_path(d, u, beside);
    int rc = file_place(beside, path, e);
    u->placed = rc == OK;
    return rc;
}

void upload_end(struct db *d, int64_t run)
{
    for (size_t i = 0; i < d->upload_count; i++)
        if (d->uploads[i].place.run == run) d->uploads[i].over = true;
}

void upload_settle(struct db *d, bool committed)
{
    for (size_t i = d->upload_count; i-- > 0;) {
        struct upload *u = &d->uploads[i];
        if (committed && (u->placed || u->over))
            drop(d, u);
        else
            u->over = false;
    }
}

void upload_free(struct db *d)
{
    while (d->upload_count) drop(d, d->uploads);
    free(d->uploads);
    d->uploads = NULL;
}
