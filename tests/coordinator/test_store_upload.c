// SPDX-License-Identifier: MIT
/* store_upload: files that come in parts: in order, whole, with the right hash, or not at all. */
#include "common/hash.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT GROKD__FILE_KIND__CHECKPOINT
#define MODEL      GROKD__FILE_KIND__MODEL

static const char text[] = "what a run remembers";

static struct save part_save(int64_t attempt, int64_t epoch, Grokd__FileKind kind, const char *file,
                             size_t size, size_t offset, size_t n)
{
    wire_envelope *m = malloc(sizeof *m);
    Grokd__Part *part = malloc(sizeof *part);
    grokd__envelope__init(m);
    grokd__part__init(part);
    part->run = 1;
    part->attempt = attempt;
    part->epoch = epoch;
    part->kind = kind;
    part->offset = offset;
    part->size = size;
    part->data = (ProtobufCBinaryData){n, malloc(n + 1)};
    memcpy(part->data.data, file + offset, n);
    m->body_case = GROKD__ENVELOPE__BODY_PART;
    m->part = part;
    return (struct save){
        .kind = SAVE_PART, .run = 1, .attempt = attempt, .at_ms = HELP_AT, .message = m};
}

/* A part of `text`; expects the verdict and how much is held then. */
static void part(struct help *h, int64_t attempt, int64_t epoch, Grokd__FileKind kind,
                 size_t offset, size_t n, enum save_verdict verdict, size_t held)
{
    struct save_answer a =
        help_one(h, part_save(attempt, epoch, kind, text, sizeof text, offset, n));
    assert_int_equal(a.kind, SAVE_PART);
    assert_int_equal(a.verdict, verdict);
    assert_int_equal(a.epoch, verdict == VERDICT_STALE ? -1 : epoch);
    assert_int_equal(a.file_kind, verdict == VERDICT_STALE ? CHECKPOINT : kind);
    assert_int_equal(a.held, held);
}

/* The whole of `text` in two parts. */
static void parts(struct help *h, int64_t attempt, int64_t epoch, Grokd__FileKind kind)
{
    part(h, attempt, epoch, kind, 0, 12, VERDICT_STORED, 12);
    part(h, attempt, epoch, kind, 12, sizeof text - 12, VERDICT_STORED, sizeof text);
}

static Grokd__File *name_of(const char *file, size_t size)
{
    Grokd__File *f = malloc(sizeof *f);
    grokd__file__init(f);
    f->size = size;
    f->sha256 = malloc(HASH_HEX);
    hash_sha256_hex(file, size, f->sha256);
    return f;
}

/* An epoch that names such a file. */
static struct save epoch_save(int64_t attempt, int64_t epoch, Grokd__FileKind kind,
                              const char *file, size_t size)
{
    struct row row = help_row(1, epoch);
    struct save s = help_epochs(1, attempt, &row, 1);
    Grokd__Epoch *m = s.message->epochs->epochs[0];
    if (kind == MODEL)
        m->model_file = name_of(file, size);
    else
        m->checkpoint_file = name_of(file, size);
    return s;
}

static struct save_answer name(struct help *h, int64_t attempt, int64_t epoch, Grokd__FileKind kind)
{
    return help_one(h, epoch_save(attempt, epoch, kind, text, sizeof text));
}

static bool there(const struct help *h, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", h->dir, file);
    return access(path, F_OK) == 0;
}

/* The next attempt begins: what it may go on from. */
static struct save_answer go_on(struct help *h, int64_t attempt, struct store_result *r)
{
    struct save saves[] = {help_end(1, attempt, "lost", RUN_WAITING),
                           help_assign(1, attempt + 1, 1)};
    *r = help_store(h, saves, 2);
    return r->answer_count == 2 ? r->answers[1] : (struct save_answer){.epoch = -1};
}

void test_parts_become_a_checkpoint_with_the_epoch_that_names_it(void **state)
{
    (void)state;
    struct help h;
    struct store_result r;
    help_open_run(&h, 1);
    parts(&h, 1, 0, CHECKPOINT);
    assert_true(there(&h, "checkpoints/1-0-1.part"));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_int_equal(name(&h, 1, 0, CHECKPOINT).verdict, VERDICT_STORED);
    assert_false(there(&h, "checkpoints/1-0-1.part"));
    assert_int_equal(help_int(&h, "SELECT bytes FROM checkpoints"), sizeof text);
    struct save_answer a = go_on(&h, 1, &r);
    assert_int_equal(a.epoch, 0);
    assert_int_equal(a.checkpoint_size, sizeof text);
    assert_memory_equal(a.checkpoint, text, sizeof text);
    store_result_free(&r);
    help_close(&h);
}

void test_parts_are_taken_in_order_and_once(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    part(&h, 1, 0, CHECKPOINT, 4, 4, VERDICT_GAP, 0);
    part(&h, 1, 0, CHECKPOINT, 0, 4, VERDICT_STORED, 4);
    part(&h, 1, 0, CHECKPOINT, 8, 4, VERDICT_GAP, 4);
    part(&h, 1, 0, CHECKPOINT, 4, 8, VERDICT_STORED, 12);
    part(&h, 1, 0, CHECKPOINT, 4, 8, VERDICT_STORED, 12); /* twice on its way */
    part(&h, 1, 0, CHECKPOINT, 0, 4, VERDICT_STORED, 12);
    part(&h, 2, 0, CHECKPOINT, 12, 4, VERDICT_STALE, 0); /* an attempt that never was */
    part(&h, 1, 0, CHECKPOINT, 12, sizeof text - 12, VERDICT_STORED, sizeof text);
    assert_int_equal(name(&h, 1, 0, CHECKPOINT).verdict, VERDICT_STORED);
    part(&h, 1, 0, CHECKPOINT, 12, 4, VERDICT_STORED, sizeof text); /* it is stored already */
    assert_int_equal(name(&h, 1, 0, CHECKPOINT).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 0);
    help_close(&h);
}

/* Each kind of file has its own place; a newer one of a kind takes that of the older. */
void test_one_file_of_each_kind_is_under_way(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    part(&h, 1, 0, CHECKPOINT, 0, 4, VERDICT_STORED, 4);
    part(&h, 1, 0, MODEL, 0, 4, VERDICT_STORED, 4);
    part(&h, 1, 1, CHECKPOINT, 0, 4, VERDICT_STORED, 4);
    assert_false(there(&h, "checkpoints/1-0-1.part"));
    assert_true(there(&h, "checkpoints/1-1-1.part"));
    assert_true(there(&h, "models/1-0-1.part"));
    part(&h, 1, 0, CHECKPOINT, 4, 4, VERDICT_GAP, 0);
    help_one(&h, help_end(1, 1, "failed", RUN_FAILED));
    assert_false(there(&h, "checkpoints/1-1-1.part"));
    assert_false(there(&h, "models/1-0-1.part"));
    help_close(&h);
}

void test_a_checkpoint_that_did_not_come_whole_is_passed_over_with_an_event(void **state)
{
    (void)state;
    static const char *const why[] = {"0 of 21 bytes", "12 of 21 bytes", "has SHA-256"};
    for (int i = 0; i < 3; i++) {
        struct help h;
        help_open_run(&h, 1);
        if (i == 1) part(&h, 1, 0, CHECKPOINT, 0, 12, VERDICT_STORED, 12);
        if (i == 2) parts(&h, 1, 0, CHECKPOINT);
        struct save s =
            epoch_save(1, 0, CHECKPOINT, i == 2 ? "what a run forgets??" : text, sizeof text);
        assert_int_equal(help_one(&h, s).verdict, VERDICT_STORED);
        assert_int_equal(help_int(&h, "SELECT epochs_done FROM runs"), 0);
        assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
        assert_non_null(
            strstr(help_text(&h, "SELECT text FROM events WHERE kind = 'checkpoint'"), why[i]));
        help_close(&h);
    }
}

/* The link takes one write, for which there is no room, and is gone. */
static void leave_no_room_for(const struct help *h, const char *folder, const char *file)
{
    char command[256];
    snprintf(command, sizeof command, "mkdir -p %s/%s && ln -s /dev/full %s/%s/%s", h->dir, folder,
             h->dir, folder, file);
    assert_int_equal(system(command), 0);
}

/* Its parts are taken for held, so that its run goes on. */
void test_a_checkpoint_that_finds_no_room_is_passed_over_and_its_event_says_why(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    leave_no_room_for(&h, "checkpoints", "1-0-1.part");
    part(&h, 1, 0, CHECKPOINT, 0, 4, VERDICT_STORED, sizeof text);
    part(&h, 1, 0, CHECKPOINT, 4, 8, VERDICT_STORED, sizeof text); /* was on its way */
    part(&h, 1, 0, CHECKPOINT, 0, 4, VERDICT_STORED, sizeof text);
    assert_int_equal(name(&h, 1, 0, CHECKPOINT).verdict, VERDICT_STORED);
    assert_false(there(&h, "checkpoints/1-0-1.part"));
    assert_int_equal(help_int(&h, "SELECT epochs_done FROM runs"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 1);
    const char *said = help_text(&h, "SELECT text FROM events WHERE kind = 'checkpoint'");
    if (!strstr(said, "could not be written: add to ") || !strstr(said, "No space left on device"))
        fail_msg("%s", said);
    parts(&h, 1, 1, CHECKPOINT);
    assert_int_equal(name(&h, 1, 1, CHECKPOINT).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 1);
    help_close(&h);
}

/* The row of its epoch would promise it: neither is stored. */
void test_a_model_that_did_not_come_whole_is_a_gap(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    part(&h, 1, 0, MODEL, 0, 12, VERDICT_STORED, 12);
    struct save_answer a = name(&h, 1, 0, MODEL);
    assert_int_equal(a.verdict, VERDICT_GAP);
    assert_non_null(strstr(a.reason, "12 of 21 bytes"));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), 0);
    part(&h, 1, 0, MODEL, 12, sizeof text - 12, VERDICT_STORED, sizeof text);
    assert_int_equal(name(&h, 1, 0, MODEL).verdict, VERDICT_STORED);
    assert_true(there(&h, "models/1-0.safetensors"));
    assert_int_equal(name(&h, 1, 0, MODEL).verdict, VERDICT_STORED); /* compared, not sent again */
    struct save other = epoch_save(1, 0, MODEL, "what a run forgets??", sizeof text);
    assert_int_equal(help_one(&h, other).verdict, VERDICT_DIFFERS);
    help_close(&h);
}

void test_after_a_restart_parts_begin_anew(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    part(&h, 1, 0, CHECKPOINT, 0, 12, VERDICT_STORED, 12);
    help_reopen(&h);
    assert_false(there(&h, "checkpoints/1-0-1.part"));
    part(&h, 1, 0, CHECKPOINT, 12, sizeof text - 12, VERDICT_GAP, 0);
    parts(&h, 1, 0, CHECKPOINT);
    assert_int_equal(name(&h, 1, 0, CHECKPOINT).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 1);
    help_close(&h);
}

void test_parts_their_epoch_and_the_end_fit_into_one_transaction(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct save saves[] = {part_save(1, 0, MODEL, text, sizeof text, 0, 12),
                           part_save(1, 0, MODEL, text, sizeof text, 12, sizeof text - 12),
                           epoch_save(1, 0, MODEL, text, sizeof text),
                           help_end(1, 1, "failed", RUN_FAILED)};
    struct store_result r = help_store(&h, saves, 4);
    assert_int_equal(r.answer_count, 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(r.answers[i].verdict, VERDICT_STORED);
    store_result_free(&r);
    assert_true(there(&h, "models/1-0.safetensors"));
    help_close(&h);
}

/* One too large for a message goes out in parts too, as it was stored. */
void test_a_large_checkpoint_is_read_part_by_part(void **state)
{
    (void)state;
    enum { SIZE = 8 * WIRE_PART + 5 };
    struct help h;
    struct store_result r;
    char *file = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) file[i] = (char)(i * 7 + i / 1000);
    help_open_run(&h, 1);
    for (size_t at = 0; at < SIZE; at += WIRE_PART) {
        size_t n = SIZE - at < WIRE_PART ? SIZE - at : WIRE_PART;
        struct save_answer a = help_one(&h, part_save(1, 0, CHECKPOINT, file, SIZE, at, n));
        assert_int_equal(a.held, at + n);
    }
    assert_int_equal(help_one(&h, epoch_save(1, 0, CHECKPOINT, file, SIZE)).verdict,
                     VERDICT_STORED);
    struct save_answer a = go_on(&h, 1, &r);
    assert_int_equal(a.epoch, 0);
    assert_int_equal(a.file_size, SIZE);
    assert_null(a.checkpoint);
    store_result_free(&r);
    for (size_t at = 0; at <= SIZE; at += WIRE_PART) {
        struct save s = {.kind = SAVE_READ, .run = 1, .attempt = 2, .count = (int64_t)at};
        r = help_store(&h, &s, 1);
        assert_int_equal(r.answers[0].held, at);
        assert_int_equal(r.answers[0].file_size, SIZE);
        assert_int_equal(r.answers[0].checkpoint_size,
                         SIZE - at < WIRE_PART ? SIZE - at : WIRE_PART);
        assert_memory_equal(r.answers[0].checkpoint, file + at, r.answers[0].checkpoint_size);
        store_result_free(&r);
    }
    struct save old = {.kind = SAVE_READ, .run = 1, .attempt = 1};
    assert_int_equal(help_one(&h, old).verdict, VERDICT_STALE);
    struct save beyond = {.kind = SAVE_READ, .run = 1, .attempt = 2, .count = SIZE};
    assert_int_equal(help_one(&h, beyond).file_size, 0);
    free(file);
    help_close(&h);
}

/* Its epoch is stored in one transaction with parts of the next files. The link takes one write,
 * for which there is no room, and is gone: all is rolled back and carried out again. */
static void placed_when_the_room_ends(Grokd__FileKind kind, const char *bytes)
{
    struct help h;
    help_open_run(&h, 1);
    parts(&h, 1, 0, kind);
    leave_no_room_for(&h, "models", "1-1-1.part");
    struct save saves[] = {epoch_save(1, 0, kind, text, sizeof text),
                           part_save(1, 1, kind, text, sizeof text, 0, 12),
                           part_save(1, 1, MODEL, text, sizeof text, 0, 12)};
    struct store_result r = help_store(&h, saves, 3);
    assert_int_equal(r.answer_count, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(r.answers[i].verdict, VERDICT_STORED);
    for (size_t i = 1; i < 3; i++) assert_int_equal(r.answers[i].held, 12);
    store_result_free(&r);
    assert_int_equal(help_int(&h, bytes), sizeof text);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 0);
    part(&h, 1, 1, kind, 12, sizeof text - 12, VERDICT_STORED, sizeof text);
    assert_int_equal(name(&h, 1, 1, kind).verdict, VERDICT_STORED);
    help_close(&h);
}

void test_a_model_that_has_its_name_waits_for_its_epoch(void **state)
{
    (void)state;
    placed_when_the_room_ends(MODEL, "SELECT bytes FROM models");
}

void test_a_checkpoint_that_has_its_name_waits_for_its_epoch(void **state)
{
    (void)state;
    placed_when_the_room_ends(CHECKPOINT, "SELECT bytes FROM checkpoints");
}
