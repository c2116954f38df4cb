// SPDX-License-Identifier: MIT
/* outbox: what one run reported and the coordinator has not yet acknowledged. The items in flight
 * are always a prefix of the list. */
#include "worker/outbox_file.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *e, size_t bytes)
{
    return err_set(e, E_NOMEM, "outbox: no memory for %zu bytes", bytes);
}

static int item_add(struct outbox *b, size_t size, struct err *e)
{
    struct outbox_item *it = calloc(1, sizeof *it);
    if (it) it->body = malloc(size ? size : 1);
    if (!it || !it->body) {
        free(it);
        return no_memory(e, size);
    }
    it->size = size;
    it->sent_ms = -1;
    if (b->tail)
        b->tail->next = it;
    else
        b->first = it;
    b->tail = it;
    b->bytes += size;
    return OK;
}

static void item_drop_first(struct outbox *b)
{
    struct outbox_item *it = b->first;
    b->first = it->next;
    if (!b->first) b->tail = NULL;
    b->bytes -= it->size;
    if (it->sent_ms >= 0) b->in_flight--;
    free(it->body);
    free(it);
}

/* Room for `size` more bytes at the end of a message that has not left yet. */
static int item_grow(struct outbox *b, size_t size, struct err *e)
{
    uint8_t *body = realloc(b->tail->body, b->tail->size + size);
    if (!body) return no_memory(e, size);
    b->tail->body = body;
    b->tail->size += size;
    b->bytes += size;
    return OK;
}

static void checkpoint_drop(struct outbox *b)
{
    free(b->checkpoint);
    b->checkpoint = NULL;
    b->checkpoint_size = 0;
}

/* A newer one comes. */
static void checkpoint_replace(struct outbox *b)
{
    checkpoint_drop(b);
    outbox_file_drop_waiting(b);
}

static int checkpoint_take(struct outbox *b, Grokd__Epoch *m, struct err *e)
{
    if (!m->has_checkpoint) return OK;
    m->has_checkpoint = 0;
    checkpoint_replace(b);
    b->checkpoint = malloc(m->checkpoint.len + 1);
    if (!b->checkpoint) return no_memory(e, m->checkpoint.len);
    memcpy(b->checkpoint, m->checkpoint.data, m->checkpoint.len);
    b->checkpoint_size = m->checkpoint.len;
    b->checkpoint_epoch = m->epoch;
    return OK;
}

int outbox_part(struct outbox *b, const Grokd__Part *m, struct err *e)
{
    if (m->kind == GROKD__FILE_KIND__CHECKPOINT && m->offset == 0) checkpoint_replace(b);
    return outbox_file_part(b, m, e);
}

static bool names_files(const Grokd__Epochs *m)
{
    for (size_t i = 0; i < m->n_epochs; i++)
        if (m->epochs[i]->checkpoint_file || m->epochs[i]->model_file) return true;
    return false;
}

int outbox_epochs(struct outbox *b, const Grokd__Epochs *m, struct err *e)
{
    bool files = names_files(m);
    if (m->n_epochs == 0) return OK;
    if (b->tail && b->tail->ended)
        return err_set(e, E_STATE, "run %lld: epochs after its end", (long long)m->run);
    int rc = OK;
    for (size_t i = 0; i < m->n_epochs && rc == OK; i++) rc = checkpoint_take(b, m->epochs[i], e);
    if (rc < 0) return rc;
    size_t size = grokd__epochs__get_packed_size(m);
    bool shares = b->tail && b->tail->sent_ms < 0 && !b->tail->files && !files &&
                  b->tail->size + size <= OUTBOX_BATCH;
    rc = shares ? item_grow(b, size, e) : item_add(b, size, e);
    if (rc < 0) return rc;
    if (!shares) b->tail->first = m->epochs[0]->epoch;
    b->tail->files = files;
    grokd__epochs__pack(m, b->tail->body + b->tail->size - size);
    b->tail->last = m->epochs[m->n_epochs - 1]->epoch;
    return OK;
}

int outbox_ended(struct outbox *b, const Grokd__Ended *m, struct err *e)
{
    if (b->tail && b->tail->ended)
        return err_set(e, E_STATE, "run %lld: ended twice", (long long)m->run);
    size_t size = grokd__ended__get_packed_size(m);
    int rc = item_add(b, size, e);
    if (rc < 0) return rc;
    grokd__ended__pack(m, b->tail->body);
    b->tail->last = m->epoch;
    b->tail->ended = true;
    return OK;
}

static int ended_pack(const struct outbox_item *it, wire_envelope *m, uint8_t **bytes, size_t *size,
                      struct err *e)
{
    m->body_case = GROKD__ENVELOPE__BODY_ENDED;
    m->ended = grokd__ended__unpack(NULL, it->size, it->body);
    if (!m->ended) return no_memory(e, it->size);
    int rc = wire_pack(m, bytes, size, e);
    grokd__ended__free_unpacked(m->ended, NULL);
    return rc;
}

/* The checkpoint is lent to its epoch while that is packed. */
static int epochs_pack(const struct outbox *b, const struct outbox_item *it, wire_envelope *m,
                       uint8_t **bytes, size_t *size, struct err *e)
{
    Grokd__Epoch *with = NULL;
    m->body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    m->epochs = grokd__epochs__unpack(NULL, it->size, it->body);
    if (!m->epochs) return no_memory(e, it->size);
    if (b->checkpoint && b->checkpoint_epoch >= it->first && b->checkpoint_epoch <= it->last) {
        with = m->epochs->epochs[b->checkpoint_epoch - it->first];
        with->has_checkpoint = 1;
        with->checkpoint = (ProtobufCBinaryData){b->checkpoint_size, b->checkpoint};
    }
    outbox_file_forget_dropped(b, m->epochs);
    int rc = wire_pack(m, bytes, size, e);
    if (with) with->checkpoint.data = NULL;
    grokd__epochs__free_unpacked(m->epochs, NULL);
    return rc;
}

static int item_pack(const struct outbox *b, const struct outbox_item *it, uint8_t **bytes,
                     size_t *size, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    m.major = WIRE_MAJOR;
    return it->ended ? ended_pack(it, &m, bytes, size, e) : epochs_pack(b, it, &m, bytes, size, e);
}

int outbox_next(struct outbox *b, size_t window, int64_t now_ms, uint8_t **bytes, size_t *size,
                struct err *e)
{
    *bytes = NULL;
    if (b->in_flight >= window) return OK;
    struct outbox_item *it = b->first;
    while (it && it->sent_ms >= 0) it = it->next;
    if (!it) return OK;
    struct outbox_file *f = it->ended ? NULL : outbox_file_before(b, it->first, it->last);
    if (f) return outbox_file_next(f, window - b->in_flight, now_ms, bytes, size, e);
    int rc = item_pack(b, it, bytes, size, e);
    if (rc < 0) return rc;
    it->sent_ms = now_ms;
    b->in_flight++;
    return OK;
}

void outbox_ack(struct outbox *b, int64_t epoch, bool ended)
{
    while (b->first && (b->first->ended ? ended : b->first->last <= epoch)) item_drop_first(b);
    if (b->checkpoint && b->checkpoint_epoch <= epoch) checkpoint_drop(b);
    outbox_file_ack(b, epoch);
}

void outbox_rewind(struct outbox *b)
{
    for (struct outbox_item *it = b->first; it; it = it->next) it->sent_ms = -1;
    b->in_flight = 0;
    outbox_file_rewind(b);
}

/* Parts leave before the first item that has not. */
int64_t outbox_oldest_ms(const struct outbox *b)
{
    if (!b->first) return -1;
    return b->first->sent_ms >= 0 ? b->first->sent_ms : outbox_file_oldest_ms(b);
}

void outbox_free(struct outbox *b)
{
    while (b->first) item_drop_first(b);
    checkpoint_drop(b);
    outbox_file_free(b);
}
