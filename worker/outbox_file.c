// SPDX-License-Identifier: MIT
/* outbox_file: files that leave in parts, each before the message that names it. */
#include "worker/outbox_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_model(const struct outbox_file *f)
{
    return f->kind == GROKD__FILE_KIND__MODEL;
}

static struct outbox_file *find(const struct outbox *b, Grokd__FileKind kind, int64_t epoch)
{
    struct outbox_file *f = b->files;
    while (f && (f->kind != kind || f->epoch != epoch)) f = f->next;
    return f;
}

static void drop(struct outbox *b, struct outbox_file *f)
{
    struct outbox_file **at = &b->files;
    while (*at != f) at = &(*at)->next;
    *at = f->next;
    if (is_model(f)) b->bytes -= f->filled;
    free(f->data);
    free(f);
}

static struct outbox_file *begin(struct outbox *b, const Grokd__Part *m)
{
    struct outbox_file *f = calloc(1, sizeof *f), **last = &b->files;
    if (!f || !(f->data = malloc(m->size + 1))) {
        free(f);
        return NULL;
    }
    f->kind = m->kind;
    f->run = m->run;
    f->attempt = m->attempt;
    f->epoch = m->epoch;
    f->size = m->size;
    f->part_bytes = b->part_bytes ? b->part_bytes : WIRE_PART;
    f->sent_ms = -1;
    while (*last) last = &(*last)->next;
    return *last = f;
}

int outbox_file_part(struct outbox *b, const Grokd__Part *m, struct err *e)
{
    struct outbox_file *f = find(b, m->kind, m->epoch);
    if (m->size == 0) return err_set(e, E_PROTO, "part of a file of no bytes");
    if (!f && m->offset == 0 && !(f = begin(b, m)))
        return err_set(e, E_NOMEM, "outbox: no memory for %" PRIu64 " bytes", m->size);
    if (!f || f->size != m->size || f->filled != m->offset || m->data.len > f->size - f->filled)
        return err_set(e, E_PROTO, "part of a file at byte %" PRIu64 ", expected %zu", m->offset,
                       f ? f->filled : 0);
    memcpy(f->data + f->filled, m->data.data, m->data.len);
    f->filled += m->data.len;
    if (is_model(f)) b->bytes += m->data.len;
    return OK;
}

struct outbox_file *outbox_file_before(const struct outbox *b, int64_t first, int64_t last)
{
    struct outbox_file *f = b->files;
    while (f && (f->epoch < first || f->epoch > last || f->got == f->size)) f = f->next;
    return f;
}

int outbox_file_next(struct outbox_file *f, size_t window, int64_t now_ms, uint8_t **bytes,
                     size_t *size, struct err *e)
{
    size_t out = (f->sent - f->got + f->part_bytes - 1) / f->part_bytes, left = f->size - f->sent;
    if (!left || out >= (f->asking ? 1 : window)) return OK;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part part = GROKD__PART__INIT;
    part.run = f->run;
    part.attempt = f->attempt;
    part.epoch = f->epoch;
    part.kind = f->kind;
    part.offset = f->sent;
    part.size = f->size;
    part.data =
        (ProtobufCBinaryData){left < f->part_bytes ? left : f->part_bytes, f->data + f->sent};
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_PART;
    m.part = &part;
    int rc = wire_pack(&m, bytes, size, e);
    if (rc < 0) return rc;
    f->sent += part.data.len;
    f->sent_ms = now_ms;
    return OK;
}

/* That something is missing can only be believed of the one part that asked. */
void outbox_got(struct outbox *b, const Grokd__Got *m, int64_t now_ms)
{
    struct outbox_file *f = find(b, m->kind, m->epoch);
    bool gap = m->has_gap && m->gap;
    if (!f || f->sent_ms < 0) return;
    if (gap ? !f->asking || m->held >= f->sent : m->held <= f->got || m->held > f->size) return;
    f->got = m->held;
    if (gap || f->sent < f->got) f->sent = f->got;
    f->asking = false;
    f->sent_ms = f->got == f->sent ? -1 : now_ms;
}

bool outbox_files_came(const struct outbox *b, const Grokd__Epochs *m)
{
    for (size_t i = 0; i < m->n_epochs; i++) {
        const Grokd__File *named[] = {m->epochs[i]->checkpoint_file, m->epochs[i]->model_file};
        for (Grokd__FileKind k = GROKD__FILE_KIND__CHECKPOINT; k <= GROKD__FILE_KIND__MODEL; k++) {
            const struct outbox_file *f = find(b, k, m->epochs[i]->epoch);
            if (named[k] && (!f || f->filled != f->size || f->size != named[k]->size)) return false;
        }
    }
    return true;
}

void outbox_file_drop_waiting(struct outbox *b)
{
    for (struct outbox_file *f = b->files, *next; f; f = next) {
        next = f->next;
        if (!is_model(f) && f->sent == 0) drop(b, f);
    }
}

void outbox_file_forget_dropped(const struct outbox *b, Grokd__Epochs *m)
{
    for (size_t i = 0; i < m->n_epochs; i++) {
        Grokd__Epoch *x = m->epochs[i];
        if (!x->checkpoint_file || find(b, GROKD__FILE_KIND__CHECKPOINT, x->epoch)) continue;
        grokd__file__free_unpacked(x->checkpoint_file, NULL);
        x->checkpoint_file = NULL;
    }
}

void outbox_file_ack(struct outbox *b, int64_t epoch)
{
    for (struct outbox_file *f = b->files, *next; f; f = next) {
        next = f->next;
        if (f->epoch <= epoch) drop(b, f);
    }
}

/* One that had begun asks with one part how much is held: the next, or the last once more. */
void outbox_file_rewind(struct outbox *b)
{
    for (struct outbox_file *f = b->files; f; f = f->next) {
        f->asking = f->sent > 0;
        if (f->got == f->size) f->got = (f->size - 1) / f->part_bytes * f->part_bytes;
        f->sent = f->got;
        f->sent_ms = -1;
    }
}

int64_t outbox_file_oldest_ms(const struct outbox *b)
{
    for (const struct outbox_file *f = b->files; f; f = f->next)
        if (f->sent_ms >= 0) return f->sent_ms;
    return -1;
}

void outbox_file_free(struct outbox *b)
{
    while (b->files) drop(b, b->files);
}
