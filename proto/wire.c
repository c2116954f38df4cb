// SPDX-License-Identifier: MIT
/* wire: envelopes to bytes and back, and every check on what arrives.
 *
 * protobuf-c checks the structure and the required fields; the rest is here. It keeps a text with a
 * zero byte as the part before it, and the last of a field sent twice: such a message is longer
 * than what it says, and is refused for that.
 */
#include "proto/wire.h"

#include "common/hash.h"
#include "proto/utf8.h"
#include "proto/wire_sketch.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT_LIMIT 4096        /* bytes of one argument of Work or Command */
#define TEXT_LIMIT     (2u << 20)  /* bytes of a sweep file */
#define IDS_LIMIT      256         /* values of one epoch; keeps the search for twins short */
#define FEATURES_LIMIT 2048        /* features of one epoch */
#define HOLDINGS_LIMIT 16384       /* runs of one worker: each is answered */
#define BLAS_LIMIT     64          /* kernel families of one worker */
#define MEMORY_LIMIT   (32u << 20) /* bytes that a message may take once it is decoded */
#define BLOCK_BYTES    16          /* what the C library takes for itself with every block */

int wire_pack(const wire_envelope *m, uint8_t **bytes, size_t *size, struct err *e)
{
    *bytes = NULL;
    *size = grokd__envelope__get_packed_size(m);
    if (*size > WIRE_LIMIT)
        return err_set(e, E_PROTO, "message of %zu bytes; at most %u can be sent", *size,
                       WIRE_LIMIT);
    *bytes = malloc(*size ? *size : 1);
    if (!*bytes) return err_set(e, E_NOMEM, "message of %zu bytes: no memory", *size);
    grokd__envelope__pack(m, *bytes);
    return OK;
}

bool wire_file_fits(size_t size)
{
    return size <= (WIRE_LIMIT - WIRE_SMALL) / 2;
}

/* NULL is an absent optional text. Long texts may have lines and tabs. */
static bool text_ok(const char *text, size_t limit, bool lines)
{
    for (const char *s = text; s && *s;) {
        bool plain = *s >= ' ' && *s <= '~'; /* nearly all there is */
        size_t n = plain ? 1 : utf8_length(s);
        bool layout = lines && strchr("\n\t\r", *s);
        bool control = !plain && !layout && utf8_control(s);
        if (!n || control || (size_t)(s - text) + n > limit) return false;
        s += n;
    }
    return true;
}

void wire_clean(char *text, size_t limit, bool lines)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t n = utf8_length(from);
        char one[5] = {0};
        memcpy(one, from, n ? n : 1);
        if (!n || !text_ok(one, 4, lines)) strcpy(one, "?");
        if ((size_t)(to - text) + strlen(one) > limit) break;
        from += n ? n : 1;
        memcpy(to, one, strlen(one));
        to += strlen(one);
    }
    *to = '\0';
}

static bool name_ok(const char *text)
{
    return text_ok(text, WIRE_NAME - 1, false);
}

static bool blas_ok(const Grokd__Blas *b)
{
    return name_ok(b->family) && name_ok(b->fingerprint);
}

static const char *holdings_fault(Grokd__Holding **h, size_t n)
{
    if (n > HOLDINGS_LIMIT) return "more holdings than a worker can have";
    for (size_t i = 0; i < n; i++)
        if (h[i]->run < 1 || h[i]->attempt < 1 || h[i]->epoch < -1)
            return "a holding of a run or attempt below 1, or an epoch below -1";
    return NULL;
}

static const char *hello_fault(const Grokd__Hello *m)
{
    if (!name_ok(m->uuid) || !name_ok(m->host) || !name_ok(m->cpu) || !name_ok(m->version) ||
        !name_ok(m->git))
        return "a name that is too long or not plain text";
    if (m->n_blas > BLAS_LIMIT) return "more BLAS families than a worker can have";
    for (size_t i = 0; i < m->n_blas; i++)
        if (!blas_ok(m->blas[i])) return "a BLAS name that is too long or not plain text";
    return holdings_fault(m->holdings, m->n_holdings);
}

/* (run, attempt) as every message about a run names them. */
static bool token_ok(int64_t run, int64_t attempt)
{
    return run >= 1 && attempt >= 1;
}

static const char *work_fault(const Grokd__Work *m)
{
    if (!token_ok(m->run, m->attempt)) return "a run or attempt below 1";
    if (!blas_ok(m->blas)) return "a BLAS name that is too long or not plain text";
    for (size_t i = 0; i < m->n_arguments; i++)
        if (!text_ok(m->arguments[i], ARGUMENT_LIMIT, false)) return "an argument that is no text";
    if (!m->has_checkpoint_size) return NULL;
    bool odd = m->has_checkpoint || m->checkpoint_size < 1 || m->checkpoint_size > WIRE_FILE;
    return odd ? "a checkpoint that is empty, above 1 GiB, or beside a whole one" : NULL;
}

static bool file_kind_ok(Grokd__FileKind kind)
{
    return kind == GROKD__FILE_KIND__CHECKPOINT || kind == GROKD__FILE_KIND__MODEL;
}

static const char *part_fault(const Grokd__Part *m)
{
    if (!token_ok(m->run, m->attempt) || m->epoch < 0)
        return "a run or attempt below 1, or an epoch below 0";
    if (!file_kind_ok(m->kind)) return "a kind of file that is none";
    if (m->size > WIRE_FILE || m->data.len > WIRE_PART) return "a part or file that is too large";
    if (m->offset > m->size || m->data.len > m->size - m->offset)
        return "a part that is not within its file";
    return m->data.len || (!m->offset && !m->size) ? NULL : "a part of nothing";
}

static const char *got_fault(const Grokd__Got *m)
{
    if (!token_ok(m->run, m->attempt) || m->epoch < 0)
        return "a run or attempt below 1, or an epoch below 0";
    if (!file_kind_ok(m->kind)) return "a kind of file that is none";
    return m->held <= WIRE_FILE ? NULL : "more bytes than a file has";
}

static const char *fetch_fault(const Grokd__Fetch *m)
{
    if (!token_ok(m->run, m->attempt)) return "a run or attempt below 1";
    return m->offset <= WIRE_FILE ? NULL : "an offset beyond any file";
}

static bool file_ok(const Grokd__File *m, bool whole)
{
    if (!m) return true;
    return !whole && m->size >= 1 && m->size <= WIRE_FILE && strlen(m->sha256) == HASH_HEX - 1 &&
           strspn(m->sha256, "0123456789abcdef") == HASH_HEX - 1;
}

static int by_place(const void *a, const void *b)
{
    const Grokd__Pruning *x = *(Grokd__Pruning *const *)a, *y = *(Grokd__Pruning *const *)b;
    int order = strcmp(x->scheme, y->scheme);
    if (!order) order = strcmp(x->layer, y->layer);
    return order ? order : (x->fraction > y->fraction) - (x->fraction < y->fraction);
}

/* Points may come in any order: they are sorted in a list of our own. */
static const char *pruning_fault(Grokd__Pruning *const *points, size_t n)
{
    const char *fault = NULL;
    for (size_t i = 0; i < n; i++)
        if (!name_ok(points[i]->scheme) || !name_ok(points[i]->layer) ||
            !(points[i]->fraction >= 0 && points[i]->fraction <= 1))
            return "a pruning point whose name is no name, or fraction not from 0 to 1";
    if (n < 2) return NULL;
    Grokd__Pruning **sorted = malloc(n * sizeof *sorted);
    if (!sorted) return "more pruning points than there is memory to check";
    memcpy(sorted, points, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 1; i < n && !fault; i++)
        if (!by_place(&sorted[i - 1], &sorted[i]))
            fault = "a pruning point that stands twice in an epoch";
    free(sorted);
    return fault;
}

static int by_name(const void *a, const void *b)
{
    const Grokd__Feature *x = *(Grokd__Feature *const *)a, *y = *(Grokd__Feature *const *)b;
    int order = strcmp(x->layer, y->layer);
    return order ? order : strcmp(x->name, y->name);
}

static const char *features_fault(const Grokd__Epoch *m)
{
    Grokd__Feature *sorted[FEATURES_LIMIT];
    size_t n = m->n_features;
    if (n > FEATURES_LIMIT) return "more features in an epoch than there can be";
    for (size_t i = 0; i < n; i++) {
        sorted[i] = m->features[i];
        if (!name_ok(sorted[i]->layer) || !name_ok(sorted[i]->name) || isnan(sorted[i]->value))
            return "a feature whose name is no name, or value is NaN";
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 1; i < n; i++)
        if (!by_name(&sorted[i - 1], &sorted[i])) return "a feature that stands twice in an epoch";
    return NULL;
}

static const char *epoch_fault(const Grokd__Epoch *m)
{
    if (m->n_ids != m->n_values) return "values that are not as many as their ids";
    if (m->n_ids > IDS_LIMIT) return "more values in an epoch than there can be";
    for (size_t i = 0; i < m->n_ids; i++)
        for (size_t j = 0; j < i; j++)
            if (m->ids[i] == m->ids[j]) return "an id that stands twice in an epoch";
    for (size_t i = 0; i < m->n_values; i++)
        if (isnan(m->values[i])) return "a value that is NaN; what is not measured is left out";
    if (!file_ok(m->checkpoint_file, m->has_checkpoint) || !file_ok(m->model_file, m->has_model))
        return "a file that is empty, above 1 GiB, beside a whole one, or whose sha256 is not 64 "
               "lower-case hex digits";
    const char *fault = pruning_fault(m->pruning, m->n_pruning);
    if (!fault) fault = features_fault(m);
    return fault ? fault : wire_sketch_fault(m);
}

static const char *epochs_fault(const Grokd__Epochs *m)
{
    if (!token_ok(m->run, m->attempt)) return "a run or attempt below 1";
    if (m->n_epochs < 1) return "no epoch";
    for (size_t i = 0; i < m->n_epochs; i++) {
        const char *fault = epoch_fault(m->epochs[i]);
        if (fault) return fault;
        if (m->epochs[i]->epoch < 0) return "an epoch below 0";
        if (i && m->epochs[i]->epoch - 1 != m->epochs[i - 1]->epoch)
            return "epochs that do not follow each other";
    }
    return NULL;
}

static const char *ended_fault(const Grokd__Ended *m)
{
    if (!token_ok(m->run, m->attempt)) return "a run or attempt below 1";
    if (m->outcome < GROKD__OUTCOME__FINISHED || m->outcome > GROKD__OUTCOME__RETURNED)
        return "an outcome that is none";
    if (m->epoch < -1) return "an epoch below -1";
    if (m->has_seconds && !(m->seconds >= 0 && isfinite(m->seconds))) return "seconds below 0";
    if (!name_ok(m->reason)) return "a reason that is too long or not plain text";
    return text_ok(m->log, WIRE_LOG, true) ? NULL : "a log that is above 1 MiB or no text";
}

static const char *command_fault(const Grokd__Command *m)
{
    if (!name_ok(m->verb)) return "a verb that is no text";
    for (size_t i = 0; i < m->n_arguments; i++)
        if (!text_ok(m->arguments[i], ARGUMENT_LIMIT, false)) return "an argument that is no text";
    return text_ok(m->text, TEXT_LIMIT, true) ? NULL : "a file that is too long or no text";
}

/* What is wrong with a decoded message, as the end of "a message with ..."; NULL: nothing. */
static const char *fault(const wire_envelope *m)
{
    static const char bad_text[] = "a text that is too long or not plain";
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_HELLO: return hello_fault(m->hello);
    case GROKD__ENVELOPE__BODY_WELCOME:
        return m->welcome->worker >= 1 && m->welcome->heartbeat_ms && m->welcome->lease_ms
                   ? NULL
                   : "a worker, heartbeat or lease below 1";
    case GROKD__ENVELOPE__BODY_REFUSE: return name_ok(m->refuse->reason) ? NULL : bad_text;
    case GROKD__ENVELOPE__BODY_HEARTBEAT:
        return holdings_fault(m->heartbeat->holdings, m->heartbeat->n_holdings);
    case GROKD__ENVELOPE__BODY_WORK: return work_fault(m->work);
    case GROKD__ENVELOPE__BODY_EPOCHS: return epochs_fault(m->epochs);
    case GROKD__ENVELOPE__BODY_ENDED: return ended_fault(m->ended);
    case GROKD__ENVELOPE__BODY_ACK:
        return token_ok(m->ack->run, m->ack->attempt) && m->ack->epoch >= -1
                   ? NULL
                   : "a run or attempt below 1, or an epoch below -1";
    case GROKD__ENVELOPE__BODY_STOP:
        if (!token_ok(m->stop->run, m->stop->attempt)) return "a run or attempt below 1";
        return name_ok(m->stop->reason) ? NULL : bad_text;
    case GROKD__ENVELOPE__BODY_GOODBYE: return NULL;
    case GROKD__ENVELOPE__BODY_READY: return blas_ok(m->ready->blas) ? NULL : bad_text;
    case GROKD__ENVELOPE__BODY_COMMAND: return command_fault(m->command);
    case GROKD__ENVELOPE__BODY_ANSWER:
        return text_ok(m->answer->text, WIRE_LIMIT, true) ? NULL : bad_text;
    case GROKD__ENVELOPE__BODY_PART: return part_fault(m->part);
    case GROKD__ENVELOPE__BODY_GOT: return got_fault(m->got);
    case GROKD__ENVELOPE__BODY_FETCH: return fetch_fault(m->fetch);
    default: return "no body";
    }
}

static int check_major(uint32_t major, struct err *e)
{
    if (major == WIRE_MAJOR) return OK;
    return err_set(e, E_PROTO, "message of version %" PRIu32 "; this program speaks %d", major,
                   WIRE_MAJOR);
}

/* The version stands first in every message, whatever else a later one may say. */
static uint32_t peek_major(const uint8_t *bytes, size_t size)
{
    uint32_t major = 0;
    if (size < 2 || bytes[0] != 8) return WIRE_MAJOR;
    for (size_t i = 1; i < size && i < 5; i++) {
        major |= (uint32_t)(bytes[i] & 127) << 7 * (i - 1);
        if (bytes[i] < 128) return major;
    }
    return WIRE_MAJOR;
}

/* Fields of later minor versions are kept by protobuf-c and count in the packed size. */
static int check(const wire_envelope *m, size_t size, struct err *e)
{
    int rc = check_major(m->major, e);
    if (rc < 0) return rc;
    const char *wrong = fault(m);
    if (!wrong && grokd__envelope__get_packed_size(m) != size) wrong = "more bytes than it says";
    if (wrong) return err_set(e, E_PROTO, "message of %zu bytes with %s", size, wrong);
    return OK;
}

/* Memory for one message, from the C library, up to a limit: two bytes can decode to a hundred. */
struct budget {
    size_t left;
    bool spent;  /* the limit was reached */
    bool failed; /* the library had no more */
};

static void *budget_alloc(void *ctx, size_t size)
{
    struct budget *b = ctx;
    b->spent = b->spent || size > b->left || b->left - size < BLOCK_BYTES;
    if (b->spent) return NULL;
    b->left -= size + BLOCK_BYTES;
    void *block = malloc(size);
    b->failed = b->failed || !block;
    return block;
}

static void budget_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

int wire_unpack(wire_envelope **m, const uint8_t *bytes, size_t size, struct err *e)
{
    struct budget b = {.left = MEMORY_LIMIT};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
    *m = NULL;
    if (size > WIRE_LIMIT)
        return err_set(e, E_PROTO, "message of %zu bytes; at most %u are read", size, WIRE_LIMIT);
    int rc = check_major(peek_major(bytes, size), e);
    if (rc < 0) return rc;
    *m = grokd__envelope__unpack(&allocator, size, bytes);
    if (!*m && b.spent)
        return err_set(e, E_PROTO, "message of %zu bytes that takes more than %u in memory", size,
                       MEMORY_LIMIT);
    if (!*m && b.failed) return err_set(e, E_NOMEM, "no memory for a message of %zu bytes", size);
    if (!*m) return err_set(e, E_PROTO, "message of %zu bytes that is no Envelope", size);
    rc = check(*m, size, e);
    if (rc < 0) wire_free(m);
    return rc;
}

void wire_free(wire_envelope **m)
{
    if (*m) grokd__envelope__free_unpacked(*m, NULL);
    *m = NULL;
}

static Grokd__Pruning *pruning_message(const struct pruning_point *point)
{
    Grokd__Pruning *p = malloc(sizeof *p);
    if (!p) return NULL;
    grokd__pruning__init(p);
    p->scheme = strdup(point->scheme);
    p->layer = strdup(point->layer);
    p->fraction = point->fraction;
    p->accuracy = point->accuracy;
    p->loss = point->loss;
    if (p->scheme && p->layer) return p;
    grokd__pruning__free_unpacked(p, NULL);
    return NULL;
}

static bool fill_pruning(Grokd__Epoch *m, const struct row *r)
{
    m->pruning = calloc(r->pruning_count, sizeof *m->pruning);
    while (m->pruning && m->n_pruning < r->pruning_count) {
        Grokd__Pruning *p = pruning_message(&r->pruning[m->n_pruning]);
        if (!p) return false;
        m->pruning[m->n_pruning++] = p;
    }
    return m->pruning != NULL;
}

static Grokd__Feature *feature_message(const struct feature *feature)
{
    Grokd__Feature *f = malloc(sizeof *f);
    if (!f) return NULL;
    grokd__feature__init(f);
    f->layer = strdup(feature->layer);
    f->name = strdup(feature->name);
    f->value = feature->value;
    if (f->layer && f->name) return f;
    grokd__feature__free_unpacked(f, NULL);
    return NULL;
}

static bool fill_features(Grokd__Epoch *m, const struct row *r)
{
    m->features = calloc(r->feature_count, sizeof *m->features);
    if (!m->features) return false;
    for (size_t i = 0; i < r->feature_count; i++) {
        if (isnan(r->features[i].value)) continue;
        Grokd__Feature *f = feature_message(&r->features[i]);
        if (!f) return false;
        m->features[m->n_features++] = f;
    }
    return true;
}

static bool fill_values(Grokd__Epoch *m, const struct row *r)
{
    m->ids = calloc(METRIC_COUNT, sizeof *m->ids);
    m->values = calloc(METRIC_COUNT, sizeof *m->values);
    if (!m->ids || !m->values) return false;
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (isnan(r->value[i])) continue;
        m->ids[m->n_ids++] = metric_list[i].id;
        m->values[m->n_values++] = r->value[i];
    }
    return true;
}

Grokd__Epoch *wire_epoch(const struct row *r)
{
    Grokd__Epoch *m = malloc(sizeof *m);
    if (!m) return NULL;
    grokd__epoch__init(m);
    m->epoch = r->epoch;
    if (fill_values(m, r) && (!r->pruning_count || fill_pruning(m, r)) &&
        (!r->feature_count || fill_features(m, r)) && wire_sketch_fill(m, r))
        return m;
    grokd__epoch__free_unpacked(m, NULL);
    return NULL;
}

void wire_row(const Grokd__Epoch *m, struct row *r, struct pruning_point *points,
              struct feature *features)
{
    row_clear(r, m->epoch);
    for (size_t i = 0; i < m->n_ids; i++) {
        int at = metric_find(m->ids[i]);
        if (at >= 0) r->value[at] = m->values[i];
    }
    for (size_t i = 0; i < m->n_pruning; i++) {
        const Grokd__Pruning *p = m->pruning[i];
        points[i] = (struct pruning_point){p->scheme, p->layer, p->fraction, p->accuracy, p->loss};
    }
    r->pruning_count = m->n_pruning;
    r->pruning = m->n_pruning ? points : NULL;
    for (size_t i = 0; i < m->n_features; i++) {
        const Grokd__Feature *f = m->features[i];
        features[i] = (struct feature){f->layer, f->name, f->value};
    }
    r->feature_count = m->n_features;
    r->features = m->n_features ? features : NULL;
    wire_sketch_row(m, r);
}
