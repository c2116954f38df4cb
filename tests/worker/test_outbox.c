// SPDX-License-Identifier: MIT
/* The outbox of one run: order, window, gathering, cumulative acknowledgement. */
#include "tests/test.h"

#include "worker/outbox.h"

#include <stdlib.h>
#include <string.h>

static struct err e;

static void add(struct outbox *b, int64_t first, int64_t last)
{
    Grokd__Epoch epoch[64], *list[64];
    Grokd__Epochs m = GROKD__EPOCHS__INIT;
    m.run = 7;
    m.attempt = 2;
    m.epochs = list;
    for (int64_t k = first; k <= last; k++) {
        grokd__epoch__init(&epoch[m.n_epochs]);
        epoch[m.n_epochs].epoch = k;
        list[m.n_epochs] = &epoch[m.n_epochs];
        m.n_epochs++;
    }
    assert_int_equal(outbox_epochs(b, &m, &e), OK);
}

static void end(struct outbox *b, int64_t epoch)
{
    Grokd__Ended m = GROKD__ENDED__INIT;
    m.run = 7;
    m.attempt = 2;
    m.epoch = epoch;
    assert_int_equal(outbox_ended(b, &m, &e), OK);
}

/* The next message must be these epochs; first -1: the Ended; last -2: none at all. */
static void expect(struct outbox *b, size_t window, int64_t now_ms, int64_t first, int64_t last)
{
    uint8_t *bytes;
    size_t size;
    wire_envelope *m;
    assert_int_equal(outbox_next(b, window, now_ms, &bytes, &size, &e), OK);
    if (last == -2) {
        assert_null(bytes);
        return;
    }
    assert_non_null(bytes);
    assert_int_equal(wire_unpack(&m, bytes, size, &e), OK);
    free(bytes);
    if (first == -1) {
        assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_ENDED);
        assert_int_equal(m->ended->epoch, last);
    } else {
        assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_EPOCHS);
        assert_int_equal(m->epochs->run, 7);
        assert_int_equal(m->epochs->attempt, 2);
        assert_int_equal(m->epochs->epochs[0]->epoch, first);
        assert_int_equal(m->epochs->epochs[m->epochs->n_epochs - 1]->epoch, last);
        assert_int_equal(m->epochs->n_epochs, last - first + 1);
    }
    wire_free(&m);
}

void test_an_empty_outbox_has_nothing_to_send(void **state)
{
    (void)state;
    struct outbox b = {0};
    expect(&b, 4, 0, 0, -2);
    assert_int_equal(outbox_oldest_ms(&b), -1);
    outbox_ack(&b, 100, true);
    outbox_rewind(&b);
    outbox_free(&b);
}

void test_messages_leave_in_order_through_the_window(void **state)
{
    (void)state;
    struct outbox b = {0};
    add(&b, 0, 0);
    expect(&b, 2, 10, 0, 0);
    add(&b, 1, 2);
    expect(&b, 2, 20, 1, 2);
    add(&b, 3, 3);
    add(&b, 4, 6);
    end(&b, 6);
    expect(&b, 2, 30, 0, -2);
    assert_int_equal(outbox_oldest_ms(&b), 10);
    outbox_ack(&b, 0, false);
    assert_int_equal(outbox_oldest_ms(&b), 20);
    expect(&b, 2, 40, 3, 6); /* gathered while they waited */
    expect(&b, 2, 40, 0, -2);
    outbox_ack(&b, 6, false); /* cumulative */
    expect(&b, 2, 50, -1, 6);
    outbox_ack(&b, 6, false); /* not the Ended */
    assert_int_equal(outbox_oldest_ms(&b), 50);
    outbox_ack(&b, 6, true);
    assert_int_equal(b.bytes, 0);
    assert_null(b.first);
    outbox_free(&b);
}

void test_everything_unacknowledged_is_sent_again_in_the_same_order(void **state)
{
    (void)state;
    struct outbox b = {0};
    add(&b, 0, 0);
    expect(&b, 4, 1, 0, 0);
    add(&b, 1, 1);
    expect(&b, 4, 2, 1, 1);
    end(&b, 1);
    expect(&b, 4, 3, -1, 1);
    outbox_ack(&b, 0, false);
    for (int again = 0; again < 3; again++) {
        outbox_rewind(&b);
        assert_int_equal(outbox_oldest_ms(&b), -1);
        expect(&b, 4, 10, 1, 1);
        expect(&b, 4, 11, -1, 1);
        expect(&b, 4, 12, 0, -2);
    }
    outbox_free(&b);
}

void test_an_ack_within_a_message_keeps_it(void **state)
{
    (void)state;
    struct outbox b = {0};
    add(&b, 0, 9);
    expect(&b, 4, 1, 0, 9);
    outbox_ack(&b, 8, true);
    assert_non_null(b.first);
    outbox_ack(&b, 9, false);
    assert_null(b.first);
    outbox_free(&b);
}

void test_messages_gather_only_up_to_their_limit(void **state)
{
    (void)state;
    struct outbox b = {0};
    size_t messages = 0;
    for (int64_t k = 0; k < 32000; k += 32) add(&b, k, k + 31);
    for (struct outbox_item *it = b.first; it; it = it->next) {
        assert_in_range(it->size, 1, OUTBOX_BATCH);
        messages++;
    }
    assert_in_range(messages, 2, 1 + b.bytes / (OUTBOX_BATCH - 1000));
    outbox_free(&b);
    assert_int_equal(b.bytes, 0);
}

void test_nothing_follows_an_end(void **state)
{
    (void)state;
    struct outbox b = {0};
    Grokd__Epoch epoch = GROKD__EPOCH__INIT, *list[] = {&epoch};
    Grokd__Epochs m = GROKD__EPOCHS__INIT;
    Grokd__Ended ended = GROKD__ENDED__INIT;
    m.n_epochs = 1;
    m.epochs = list;
    end(&b, -1);
    assert_int_equal(outbox_epochs(&b, &m, &e), E_STATE);
    assert_int_equal(outbox_ended(&b, &ended, &e), E_STATE);
    expect(&b, 4, 0, -1, -1);
    outbox_free(&b);
}

/* ---- checkpoints ---- */

static void add_checkpoint(struct outbox *b, int64_t epoch, const char *text)
{
    Grokd__Epoch x = GROKD__EPOCH__INIT, *list[] = {&x};
    Grokd__Epochs m = GROKD__EPOCHS__INIT;
    x.epoch = epoch;
    x.has_checkpoint = 1;
    x.checkpoint = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    m.run = 7;
    m.attempt = 2;
    m.epochs = list;
    m.n_epochs = 1;
    assert_int_equal(outbox_epochs(b, &m, &e), OK);
}

/* The next message holds `first`..`last`, and of these `with` the checkpoint; -1: none. */
static void expect_checkpoint(struct outbox *b, int64_t first, int64_t last, int64_t with,
                              const char *text)
{
    uint8_t *bytes;
    size_t size;
    wire_envelope *m;
    assert_int_equal(outbox_next(b, 4, 10, &bytes, &size, &e), OK);
    assert_non_null(bytes);
    assert_int_equal(wire_unpack(&m, bytes, size, &e), OK);
    free(bytes);
    assert_int_equal(m->epochs->n_epochs, last - first + 1);
    for (size_t i = 0; i < m->epochs->n_epochs; i++) {
        const Grokd__Epoch *x = m->epochs->epochs[i];
        assert_int_equal(x->epoch, first + (int64_t)i);
        assert_int_equal(x->has_checkpoint, x->epoch == with);
        if (!x->has_checkpoint) continue;
        assert_int_equal(x->checkpoint.len, strlen(text));
        assert_memory_equal(x->checkpoint.data, text, strlen(text));
    }
    wire_free(&m);
}

void test_only_the_newest_checkpoint_is_kept_and_sent_with_its_epoch(void **state)
{
    (void)state;
    struct outbox b = {0};
    add(&b, 0, 1);
    size_t bare = b.bytes;
    add_checkpoint(&b, 2, "older");
    expect_checkpoint(&b, 0, 2, 2, "older");
    assert_true(b.bytes < bare + 32); /* it does not count */
    add(&b, 3, 3);
    add_checkpoint(&b, 4, "newer");
    add(&b, 5, 5);
    expect_checkpoint(&b, 3, 5, 4, "newer");
    outbox_rewind(&b); /* a new connection: all again, but not what is outdated */
    expect_checkpoint(&b, 0, 2, -1, NULL);
    expect_checkpoint(&b, 3, 5, 4, "newer");
    outbox_ack(&b, 3, false);
    assert_non_null(b.checkpoint);
    outbox_ack(&b, 4, false);
    assert_null(b.checkpoint);
    outbox_rewind(&b);
    expect_checkpoint(&b, 3, 5, -1, NULL);
    outbox_free(&b);
}
