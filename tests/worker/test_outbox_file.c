// SPDX-License-Identifier: MIT
/* Files that leave in parts: before the message that names them, a few at a time, and after a
 * reconnection from where the other side has them. */
#include "tests/test.h"

#include "worker/outbox.h"

#include <stdlib.h>
#include <string.h>

#define CHECKPOINT GROKD__FILE_KIND__CHECKPOINT
#define MODEL      GROKD__FILE_KIND__MODEL
#define PART       4 /* bytes */

static struct err e;
static char sha256[] = "0123456789012345678901234567890123456789012345678901234567890123";

/* The byte at this place of the file of an epoch. */
static uint8_t byte_of(int64_t epoch, size_t at)
{
    return (uint8_t)(7 * epoch + 3 * (int64_t)at);
}

static int part(struct outbox *b, Grokd__FileKind kind, int64_t epoch, size_t offset, size_t size,
                size_t whole)
{
    uint8_t data[64];
    Grokd__Part m = GROKD__PART__INIT;
    for (size_t i = 0; i < size; i++) data[i] = byte_of(epoch, offset + i);
    m.run = 7;
    m.attempt = 2;
    m.epoch = epoch;
    m.kind = kind;
    m.offset = offset;
    m.size = whole;
    m.data = (ProtobufCBinaryData){size, data};
    return outbox_part(b, &m, &e);
}

/* The slot sends a file in two pieces, then the epoch that names it; size 0: none. */
static void add(struct outbox *b, int64_t epoch, size_t checkpoint, size_t model)
{
    Grokd__Epoch x = GROKD__EPOCH__INIT, *list[] = {&x};
    Grokd__Epochs m = GROKD__EPOCHS__INIT;
    Grokd__File names[2] = {GROKD__FILE__INIT, GROKD__FILE__INIT};
    const size_t size[2] = {checkpoint, model};
    for (int k = 0; k < 2; k++) {
        names[k].size = size[k];
        names[k].sha256 = sha256;
        if (!size[k]) continue;
        assert_int_equal(part(b, (Grokd__FileKind)k, epoch, 0, 3, size[k]), OK);
        assert_int_equal(part(b, (Grokd__FileKind)k, epoch, 3, size[k] - 3, size[k]), OK);
    }
    x.epoch = epoch;
    x.checkpoint_file = checkpoint ? &names[0] : NULL;
    x.model_file = model ? &names[1] : NULL;
    m.run = 7;
    m.attempt = 2;
    m.n_epochs = 1;
    m.epochs = list;
    assert_true(outbox_files_came(b, &m));
    assert_int_equal(outbox_epochs(b, &m, &e), OK);
}

static wire_envelope *next(struct outbox *b, size_t window, int64_t now_ms)
{
    uint8_t *bytes;
    size_t size;
    wire_envelope *m;
    assert_int_equal(outbox_next(b, window, now_ms, &bytes, &size, &e), OK);
    if (!bytes) return NULL;
    assert_int_equal(wire_unpack(&m, bytes, size, &e), OK);
    free(bytes);
    return m;
}

static void expect_part(struct outbox *b, size_t window, int64_t now_ms, int64_t epoch,
                        size_t offset, size_t size)
{
    wire_envelope *m = next(b, window, now_ms);
    assert_non_null(m);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_PART);
    assert_int_equal(m->part->run, 7);
    assert_int_equal(m->part->attempt, 2);
    assert_int_equal(m->part->epoch, epoch);
    assert_int_equal(m->part->offset, offset);
    assert_int_equal(m->part->data.len, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(m->part->data.data[i], byte_of(epoch, offset + i));
    wire_free(&m);
}

/* The epochs first..last; whether the last of them names a checkpoint. */
static void expect_epochs(struct outbox *b, int64_t first, int64_t last, bool named)
{
    wire_envelope *m = next(b, 4, 0);
    assert_non_null(m);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_EPOCHS);
    assert_int_equal(m->epochs->epochs[0]->epoch, first);
    assert_int_equal(m->epochs->epochs[m->epochs->n_epochs - 1]->epoch, last);
    assert_int_equal(m->epochs->epochs[m->epochs->n_epochs - 1]->checkpoint_file != NULL, named);
    wire_free(&m);
}

static void got(struct outbox *b, Grokd__FileKind kind, int64_t epoch, size_t held, bool gap)
{
    Grokd__Got m = GROKD__GOT__INIT;
    m.run = 7;
    m.attempt = 2;
    m.epoch = epoch;
    m.kind = kind;
    m.held = held;
    m.has_gap = m.gap = gap;
    outbox_got(b, &m, 50);
}

void test_parts_leave_a_few_at_a_time_before_the_epoch_that_names_them(void **state)
{
    (void)state;
    struct outbox b = {.part_bytes = PART};
    add(&b, 5, 10, 0);
    add(&b, 6, 0, 0);
    expect_part(&b, 2, 10, 5, 0, 4);
    assert_int_equal(outbox_oldest_ms(&b), 10);
    expect_part(&b, 2, 11, 5, 4, 4);
    assert_null(next(&b, 2, 12));
    got(&b, CHECKPOINT, 5, 4, false);
    assert_int_equal(outbox_oldest_ms(&b), 50); /* an answer is a sign of life */
    expect_part(&b, 2, 13, 5, 8, 2);
    assert_null(next(&b, 2, 14));
    got(&b, CHECKPOINT, 5, 8, false);
    assert_null(next(&b, 2, 15));
    got(&b, CHECKPOINT, 5, 10, false);
    expect_epochs(&b, 5, 5, true);
    expect_epochs(&b, 6, 6, false);
    outbox_ack(&b, 5, false);
    assert_null(b.files);
    outbox_free(&b);
}

void test_only_a_checkpoint_that_waits_gives_way_to_a_newer_one(void **state)
{
    (void)state;
    struct outbox b = {.part_bytes = PART};
    add(&b, 1, 8, 0);
    expect_part(&b, 1, 0, 1, 0, 4);
    add(&b, 2, 8, 0); /* waits behind the one that has begun to leave */
    add(&b, 3, 8, 0); /* and gives way to this one */
    got(&b, CHECKPOINT, 1, 4, false);
    expect_part(&b, 1, 0, 1, 4, 4);
    got(&b, CHECKPOINT, 1, 8, false);
    expect_epochs(&b, 1, 1, true);
    expect_epochs(&b, 2, 2, false);
    expect_part(&b, 4, 0, 3, 0, 4);
    expect_part(&b, 4, 0, 3, 4, 4);
    got(&b, CHECKPOINT, 3, 8, false);
    expect_epochs(&b, 3, 3, true);
    outbox_free(&b);
}

/* The other side may hold all that it was sent, some of it, or nothing. */
void test_after_a_reconnection_one_part_asks_how_much_is_held(void **state)
{
    (void)state;
    static const struct {
        size_t held; /* as answered to the part at 4 */
        bool gap;
        size_t on; /* the next part */
    } cases[] = {{8, false, 8}, {12, false, 12}, {0, true, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct outbox b = {.part_bytes = PART};
        add(&b, 5, 16, 0);
        for (size_t at = 0; at < 12; at += 4) expect_part(&b, 4, 0, 5, at, 4);
        got(&b, CHECKPOINT, 5, 4, false);
        outbox_rewind(&b);
        assert_int_equal(outbox_oldest_ms(&b), -1);
        got(&b, CHECKPOINT, 5, 8, false); /* of before: nothing was asked yet */
        expect_part(&b, 4, 60, 5, 4, 4);
        assert_null(next(&b, 4, 60));
        got(&b, CHECKPOINT, 5, cases[i].held, cases[i].gap);
        for (size_t at = cases[i].on; at < 16; at += 4) expect_part(&b, 4, 70, 5, at, 4);
        got(&b, CHECKPOINT, 5, 0, true); /* none of these asked */
        assert_null(next(&b, 4, 80));
        got(&b, CHECKPOINT, 5, 16, false);
        expect_epochs(&b, 5, 5, true);
        outbox_rewind(&b); /* the epoch too may have been lost: the last part asks */
        expect_part(&b, 4, 90, 5, 12, 4);
        got(&b, CHECKPOINT, 5, 16, false);
        expect_epochs(&b, 5, 5, true);
        outbox_free(&b);
    }
}

void test_answers_that_cannot_be_change_nothing(void **state)
{
    (void)state;
    struct outbox b = {.part_bytes = PART};
    add(&b, 5, 8, 0);
    got(&b, CHECKPOINT, 5, 8, false); /* before anything was sent */
    expect_part(&b, 1, 0, 5, 0, 4);
    got(&b, CHECKPOINT, 4, 4, false);
    got(&b, MODEL, 5, 4, false);
    got(&b, CHECKPOINT, 5, 9, false);
    assert_null(next(&b, 1, 0));
    got(&b, CHECKPOINT, 5, 4, false);
    expect_part(&b, 1, 0, 5, 4, 4);
    outbox_free(&b);
}

void test_a_model_counts_in_the_outbox_and_stays_beside_a_newer_checkpoint(void **state)
{
    (void)state;
    struct outbox b = {.part_bytes = PART};
    add(&b, 1, 0, 8);
    size_t with = b.bytes;
    add(&b, 2, 8, 0);
    expect_part(&b, 4, 0, 1, 0, 4);
    expect_part(&b, 4, 0, 1, 4, 4);
    got(&b, MODEL, 1, 8, false);
    expect_epochs(&b, 1, 1, false);
    assert_true(with > 8);
    size_t before = b.bytes;
    outbox_ack(&b, 1, false);
    assert_true(before - b.bytes == with);
    outbox_free(&b);
}

void test_parts_that_do_not_follow_are_refused_and_files_that_never_came_are_missed(void **state)
{
    (void)state;
    struct outbox b = {.part_bytes = PART};
    Grokd__File name = GROKD__FILE__INIT;
    Grokd__Epoch x = GROKD__EPOCH__INIT, *list[] = {&x};
    Grokd__Epochs m = GROKD__EPOCHS__INIT;
    name.size = 8;
    name.sha256 = sha256;
    x.epoch = 5;
    x.checkpoint_file = &name;
    m.n_epochs = 1;
    m.epochs = list;
    assert_false(outbox_files_came(&b, &m));
    assert_int_equal(part(&b, CHECKPOINT, 5, 0, 0, 0), E_PROTO); /* how a file is said to be gone */
    assert_null(b.files);
    assert_int_equal(part(&b, CHECKPOINT, 5, 4, 4, 8), E_PROTO);
    assert_int_equal(part(&b, CHECKPOINT, 5, 0, 4, 8), OK);
    assert_false(outbox_files_came(&b, &m));
    assert_int_equal(part(&b, CHECKPOINT, 5, 5, 3, 8), E_PROTO);
    assert_int_equal(part(&b, CHECKPOINT, 5, 4, 5, 8), E_PROTO);
    assert_int_equal(part(&b, CHECKPOINT, 5, 4, 4, 9), E_PROTO);
    assert_int_equal(part(&b, CHECKPOINT, 5, 4, 4, 8), OK);
    assert_true(outbox_files_came(&b, &m));
    name.size = 9;
    assert_false(outbox_files_came(&b, &m));
    outbox_free(&b);
}
