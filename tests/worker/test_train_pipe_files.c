// SPDX-License-Identifier: MIT
/* train_pipe: files that no message can hold, from a slot and to it. */
#include "common/hash.h"
#include "tests/worker/pipe_slot.h"

#include <string.h>

/* Parts of one file, in order, up to its end. */
static void take_part(const Grokd__Part *m, ProtobufCBinaryData *file)
{
    if (m->offset == 0) {
        free(file->data);
        *file = (ProtobufCBinaryData){0, malloc(m->size)};
    }
    assert_int_equal(m->offset, file->len);
    memcpy(file->data + file->len, m->data.data, m->data.len);
    file->len += m->data.len;
    assert_true(m->data.len == WIRE_PART || file->len == m->size);
}

/* To the end of the run: its losses, and the last file of each kind with the epoch that named it.
 */
static wire_envelope *hear_files(struct slot *s, double losses[], ProtobufCBinaryData file[2],
                                 int64_t named[2])
{
    char hex[HASH_HEX];
    for (;;) {
        wire_envelope *m = hear(s);
        if (m->body_case == GROKD__ENVELOPE__BODY_ENDED) return m;
        if (m->body_case == GROKD__ENVELOPE__BODY_PART) take_part(m->part, &file[m->part->kind]);
        for (size_t i = 0; m->body_case == GROKD__ENVELOPE__BODY_EPOCHS && i < m->epochs->n_epochs;
             i++) {
            const Grokd__Epoch *x = m->epochs->epochs[i];
            const Grokd__File *names[] = {x->checkpoint_file, x->model_file};
            losses[x->epoch] = x->values[0];
            assert_false(x->has_checkpoint || x->has_model);
            for (int k = 0; k < 2; k++) {
                if (!names[k]) continue;
                named[k] = x->epoch;
                assert_int_equal(names[k]->size, file[k].len);
                hash_sha256_hex(file[k].data, file[k].len, hex);
                assert_string_equal(names[k]->sha256, hex);
            }
        }
        wire_free(&m);
    }
}

/* The weights take 8.6 MiB, a checkpoint three times that. */
void test_files_too_large_for_a_message_come_and_go_in_parts(void **state)
{
    (void)state;
    if (test_short()) skip(); /* so wide a network takes minutes; outbox and session show it too */
    static const char *const more[] = {"hidden=65536",           "epochs=4",
                                       "batch_size=0",           "grokd.measure.every=0",
                                       "grokd.save_model=final", "grokd.checkpoint_every=1ms"};
    double right[5], is[5] = {0};
    ProtobufCBinaryData file[2] = {{0}}, from;
    int64_t named[2] = {-1, -1};
    struct slot s;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 4, s.blas.fingerprint, more, 6);
    wire_envelope *m = hear_files(&s, right, file, named);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    assert_int_equal(m->ended->epoch, 4);
    assert_int_equal(named[0], 3);
    assert_int_equal(named[1], 4);
    assert_in_range(file[1].len, 4 * 33 * 65536, 4 * 36 * 65536);
    wire_free(&m);
    from = file[0];
    file[0].data = NULL;
    say_work_from(&s, 4, s.blas.fingerprint, more, 6, &from);
    m = hear_files(&s, is, file, named);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    assert_true(is[4] == right[4] && is[3] == 0); /* it went on after epoch 3 */
    wire_free(&m);
    free(from.data);
    free(file[0].data);
    free(file[1].data);
    assert_int_equal(slot_close(&s), 0);
}
