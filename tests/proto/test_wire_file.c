// SPDX-License-Identifier: MIT
/* wire: messages about files and logs: what cannot be is refused. */
#include "proto/wire.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static struct err e;

/* Whether it is refused when it arrives. */
static int refused(const wire_envelope *m)
{
    uint8_t *bytes;
    size_t size;
    wire_envelope *back;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    int rc = wire_unpack(&back, bytes, size, &e);
    free(bytes);
    wire_free(&back);
    if (rc < 0) assert_int_equal(rc, E_PROTO);
    return rc < 0;
}

static int part_refused(int64_t run, int64_t epoch, int kind, uint64_t offset, uint64_t size,
                        size_t n)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part x = GROKD__PART__INIT;
    static uint8_t data[WIRE_PART + 1];
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_PART;
    m.part = &x;
    x.run = run;
    x.attempt = 1;
    x.epoch = epoch;
    x.kind = (Grokd__FileKind)kind;
    x.offset = offset;
    x.size = size;
    x.data = (ProtobufCBinaryData){n, data};
    return refused(&m);
}

void test_parts_lie_within_their_file(void **state)
{
    (void)state;
    assert_false(part_refused(1, 0, 0, 0, 1, 1));
    assert_false(part_refused(1, 0, 1, WIRE_FILE - WIRE_PART, WIRE_FILE, WIRE_PART));
    assert_false(part_refused(1, 0, 0, 0, 0, 0)); /* there is no such file */
    assert_true(part_refused(0, 0, 0, 0, 1, 1));
    assert_true(part_refused(1, -1, 0, 0, 1, 1));
    assert_non_null(strstr(e.text, "a run or attempt below 1, or an epoch below 0"));
    assert_true(part_refused(1, 0, 2, 0, 1, 1));
    assert_true(part_refused(1, 0, 0, 0, 8, 0));
    assert_true(part_refused(1, 0, 0, 1, 8, 8));
    assert_true(part_refused(1, 0, 0, 9, 8, 1));
    assert_true(part_refused(1, 0, 0, UINT64_MAX, 8, 2));
    assert_true(part_refused(1, 0, 0, 0, WIRE_FILE + 1, 1));
    assert_true(part_refused(1, 0, 0, 0, 2 * WIRE_PART, WIRE_PART + 1));
}

void test_questions_and_answers_about_files_stay_within_what_can_be(void **state)
{
    (void)state;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Got got = GROKD__GOT__INIT;
    Grokd__Fetch fetch = GROKD__FETCH__INIT;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_GOT;
    m.got = &got;
    got.run = got.attempt = 1;
    got.held = WIRE_FILE;
    assert_false(refused(&m));
    got.held++;
    assert_true(refused(&m));
    got.held = 0;
    got.epoch = -1;
    assert_true(refused(&m));
    m.body_case = GROKD__ENVELOPE__BODY_FETCH;
    m.fetch = &fetch;
    fetch.run = fetch.attempt = 1;
    assert_false(refused(&m));
    fetch.offset = (uint64_t)WIRE_FILE + 1;
    assert_true(refused(&m));
    fetch.offset = 0;
    fetch.attempt = 0;
    assert_true(refused(&m));
}

/* An epoch with the name of a checkpoint or model: beside the file itself it makes no sense. */
static int named_refused(bool model, bool whole, uint64_t size, char *sha256)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Epochs x = GROKD__EPOCHS__INIT;
    Grokd__Epoch epoch = GROKD__EPOCH__INIT, *list[] = {&epoch};
    Grokd__File file = GROKD__FILE__INIT;
    file.size = size;
    file.sha256 = sha256;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_EPOCHS;
    m.epochs = &x;
    x.run = x.attempt = 1;
    x.n_epochs = 1;
    x.epochs = list;
    epoch.has_model = model && whole;
    epoch.has_checkpoint = !model && whole;
    if (model)
        epoch.model_file = &file;
    else
        epoch.checkpoint_file = &file;
    return refused(&m);
}

void test_names_of_files_are_hashes_of_what_is_not_there_itself(void **state)
{
    (void)state;
    static char right[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                brief[] = "0123456789abcdef",
                upper[] = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
                other[] = "0123456789abcdef0123456789abcdefg123456789abcdef0123456789abcdef",
                further[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";
    for (int model = 0; model < 2; model++) {
        assert_false(named_refused(model, false, 1, right));
        assert_false(named_refused(model, false, WIRE_FILE, right));
        assert_true(named_refused(model, true, 1, right));
        assert_true(named_refused(model, false, 0, right));
        assert_true(named_refused(model, false, WIRE_FILE + 1, right));
        assert_true(named_refused(model, false, 1, brief));
        assert_true(named_refused(model, false, 1, upper));
        assert_true(named_refused(model, false, 1, other));
        assert_true(named_refused(model, false, 1, further));
        assert_non_null(strstr(e.text, "64 lower-case hex digits"));
    }
}

void test_work_has_a_checkpoint_or_says_how_large_it_is(void **state)
{
    (void)state;
    static char name[] = "grokd";
    static uint8_t byte;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Work x = GROKD__WORK__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    blas.family = blas.fingerprint = name;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_WORK;
    m.work = &x;
    x.run = x.attempt = 1;
    x.blas = &blas;
    x.has_checkpoint_size = 1;
    x.checkpoint_size = WIRE_FILE;
    assert_false(refused(&m));
    x.checkpoint_size++;
    assert_true(refused(&m));
    assert_non_null(strstr(e.text, "a checkpoint that is empty, above 1 GiB, or beside a whole"));
    x.checkpoint_size = 0;
    assert_true(refused(&m));
    x.checkpoint_size = 1;
    x.has_checkpoint = 1;
    x.checkpoint = (ProtobufCBinaryData){1, &byte};
    assert_true(refused(&m));
}

void test_a_log_is_a_mebibyte_at_most(void **state)
{
    (void)state;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Ended x = GROKD__ENDED__INIT;
    x.log = malloc(WIRE_LOG + 2);
    assert_non_null(x.log);
    memset(x.log, 'x', WIRE_LOG + 1);
    x.log[WIRE_LOG] = '\0';
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_ENDED;
    m.ended = &x;
    x.run = x.attempt = 1;
    assert_false(refused(&m));
    x.log[WIRE_LOG] = 'x';
    x.log[WIRE_LOG + 1] = '\0';
    assert_true(refused(&m));
    assert_non_null(strstr(e.text, "a log that is above 1 MiB or no text"));
    free(x.log);
}
