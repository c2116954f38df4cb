// SPDX-License-Identifier: MIT
/* store_keep: checkpoints and models in files beside the database, and what becomes of them when a
 * run goes on, is over, or the disk spoils them. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ProtobufCBinaryData data(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)strdup(text)};
}

/* One epoch with these files; either may be NULL. */
static struct save_answer send(struct help *h, int64_t attempt, int64_t epoch,
                               const char *checkpoint, const char *model)
{
    struct row row = help_row(1, epoch);
    struct save s = help_epochs(1, attempt, &row, 1);
    Grokd__Epoch *m = s.message->epochs->epochs[0];
    m->has_checkpoint = checkpoint != NULL;
    if (checkpoint) m->checkpoint = data(checkpoint);
    m->has_model = model != NULL;
    if (model) m->model = data(model);
    return help_one(h, s);
}

/* The attempt is lost, the next begins: expects this checkpoint in the answer; NULL: none. */
static void go_on(struct help *h, int64_t attempt, int64_t epoch, const char *checkpoint)
{
    struct save saves[] = {help_end(1, attempt, "lost", RUN_WAITING),
                           help_assign(1, attempt + 1, 1)};
    struct store_result r = help_store(h, saves, 2);
    assert_int_equal(r.answer_count, checkpoint ? 2 : 1);
    if (checkpoint) {
        const struct save_answer *a = &r.answers[1];
        assert_int_equal(a->kind, SAVE_ASSIGN);
        assert_int_equal(a->run, 1);
        assert_int_equal(a->attempt, attempt + 1);
        assert_int_equal(a->epoch, epoch);
        assert_int_equal(a->checkpoint_size, strlen(checkpoint));
        assert_memory_equal(a->checkpoint, checkpoint, strlen(checkpoint));
    }
    store_result_free(&r);
}

static char *path(const struct help *h, const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s/%s", h->dir, name);
    return text;
}

static void put(const struct help *h, const char *name, const char *text)
{
    FILE *f = fopen(path(h, name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool there(const struct help *h, const char *name)
{
    return access(path(h, name), F_OK) == 0;
}

void test_the_newest_two_checkpoints_are_kept_and_the_newest_goes_with_the_work(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    go_on(&h, 1, -1, NULL);
    for (int64_t epoch = 0; epoch <= 2; epoch++) {
        char text[] = "epoch 0";
        text[6] = (char)('0' + epoch);
        assert_int_equal(send(&h, 2, epoch, text, NULL).verdict, VERDICT_STORED);
    }
    assert_string_equal(help_text(&h, "SELECT group_concat(path) FROM checkpoints"),
                        "checkpoints/1-1-2.safetensors,checkpoints/1-2-2.safetensors");
    assert_int_equal(help_int(&h, "SELECT sum(bytes) FROM checkpoints"), 14);
    assert_false(there(&h, "checkpoints/1-0-2.safetensors"));
    assert_true(there(&h, "checkpoints/1-1-2.safetensors"));
    go_on(&h, 2, 2, "epoch 2");
    help_reopen(&h);
    go_on(&h, 3, 2, "epoch 2");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 0);
    help_close(&h);
}

void test_a_torn_checkpoint_is_dropped_with_an_event_and_the_one_before_serves(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    send(&h, 1, 0, "epoch 0", NULL);
    send(&h, 1, 1, "epoch 1", NULL);
    put(&h, "checkpoints/1-1-1.safetensors", "epoch_1");
    go_on(&h, 1, 0, "epoch 0");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 1);
    assert_non_null(strstr(help_text(&h, "SELECT text FROM events WHERE kind = 'checkpoint'"),
                           "the checkpoint of epoch 1 is of no use: "));
    assert_false(there(&h, "checkpoints/1-1-1.safetensors"));
    assert_int_equal(unlink(path(&h, "checkpoints/1-0-1.safetensors")), 0);
    go_on(&h, 2, -1, NULL);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 2);
    help_close(&h);
}

void test_a_later_attempt_replaces_the_checkpoint_of_the_same_epoch(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    send(&h, 1, 0, "one", NULL);
    go_on(&h, 1, 0, "one");
    assert_int_equal(send(&h, 2, 0, "other", NULL).verdict, VERDICT_STORED); /* trained again */
    assert_int_equal(send(&h, 2, 0, "other", NULL).verdict, VERDICT_STORED); /* sent again */
    assert_false(there(&h, "checkpoints/1-0-1.safetensors"));
    go_on(&h, 2, 0, "other");
    help_close(&h);
}

void test_no_checkpoint_without_its_epochs(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    send(&h, 1, 0, NULL, NULL);
    assert_int_equal(send(&h, 1, 2, "after a gap", NULL).verdict, VERDICT_GAP);
    go_on(&h, 1, -1, NULL);
    assert_int_equal(send(&h, 1, 1, "of an old attempt", NULL).verdict, VERDICT_STALE);
    struct row wrong = help_row(1, 0);
    wrong.value[METRIC_train_loss] += 1;
    struct save s = help_epochs(1, 2, &wrong, 1);
    s.message->epochs->epochs[0]->has_checkpoint = 1;
    s.message->epochs->epochs[0]->checkpoint = data("of other numbers");
    assert_int_equal(help_one(&h, s).verdict, VERDICT_DIFFERS);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_false(there(&h, "checkpoints"));
    help_close(&h);
}

void test_the_checkpoints_of_a_run_that_is_over_go(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    send(&h, 1, 0, "epoch 0", "weights");
    help_one(&h, help_end(1, 1, "finished", RUN_FINISHED));
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_false(there(&h, "checkpoints/1-0-1.safetensors"));
    assert_true(there(&h, "models/1-0.safetensors"));
    help_close(&h);
    help_open_run(&h, 1);
    send(&h, 1, 0, "epoch 0", NULL);
    help_one(&h, (struct save){.kind = SAVE_CANCEL, .run = 1, .at_ms = HELP_AT});
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_false(there(&h, "checkpoints/1-0-1.safetensors"));
    help_close(&h);
}

void test_the_next_start_removes_what_a_crash_left_and_nothing_else(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    send(&h, 1, 0, "epoch 0", "weights");
    put(&h, "checkpoints/1-0-2.safetensors", "never committed");
    put(&h, "checkpoints/9-5-1.safetensors.Ab3dEf", "half of it");
    put(&h, "models/1-3.safetensors", "never committed");
    put(&h, "models/README", "of the user");
    help_reopen(&h);
    assert_false(there(&h, "checkpoints/1-0-2.safetensors"));
    assert_false(there(&h, "checkpoints/9-5-1.safetensors.Ab3dEf"));
    assert_false(there(&h, "models/1-3.safetensors"));
    assert_true(there(&h, "models/README"));
    assert_true(there(&h, "models/1-0.safetensors"));
    go_on(&h, 1, 0, "epoch 0");
    help_close(&h);
}

void test_a_model_trained_again_must_be_the_same(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    assert_int_equal(send(&h, 1, 0, NULL, "weights").verdict, VERDICT_STORED);
    assert_string_equal(help_text(&h, "SELECT path || ' ' || sha256 FROM models"),
                        "models/1-0.safetensors "
                        "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c");
    assert_int_equal(send(&h, 1, 0, NULL, "weights").verdict, VERDICT_STORED);
    struct save_answer a = send(&h, 1, 0, NULL, "Weights");
    assert_int_equal(a.verdict, VERDICT_DIFFERS);
    assert_non_null(strstr(a.reason, "SHA-256 of the model was stored as "));
    help_close(&h);
}

/* The first page of the table of models is spoiled: which files it names is not known. */
void test_a_database_that_cannot_be_asked_costs_no_file(void **state)
{
    (void)state;
    struct help h;
    struct err e = {0};
    char junk[64], command[256];
    help_open_run(&h, 1);
    send(&h, 1, 0, NULL, "model 0");
    send(&h, 1, 1, "epoch 1", "model 1");
    int64_t size = help_int(&h, "PRAGMA page_size");
    int64_t root = help_int(&h, "SELECT rootpage FROM sqlite_schema WHERE name = 'models'");
    store_close(&h.store);
    store_state_free(&h.state);
    snprintf(command, sizeof command, "cd %s && cp results.db copy", h.dir);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(h.path, "r+");
    memset(junk, 0xff, sizeof junk);
    assert_int_equal(fseek(f, (root - 1) * size, SEEK_SET), 0);
    assert_int_equal(fwrite(junk, sizeof junk, 1, f), 1);
    fclose(f);
    assert_int_equal(store_open(&h.store, h.path, &h.state, &e), E_STORE);
    assert_non_null(strstr(e.text, "malformed"));
    assert_true(there(&h, "models/1-0.safetensors") && there(&h, "models/1-1.safetensors"));
    assert_int_equal(rename(path(&h, "copy"), h.path), 0);
    help_reopen(&h);
    assert_true(there(&h, "models/1-0.safetensors") && there(&h, "models/1-1.safetensors"));
    go_on(&h, 1, 1, "epoch 1");
    help_close(&h);
}

void test_a_checkpoint_that_cannot_be_written_stops_nothing(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    put(&h, "checkpoints", "a file in the way");
    assert_int_equal(send(&h, 1, 0, "epoch 0", NULL).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT epochs_done FROM runs"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_non_null(strstr(help_text(&h, "SELECT text FROM events WHERE kind = 'checkpoint'"),
                           "the checkpoint of epoch 0 could not be written: "));
    help_close(&h);
}

void test_a_fresh_retry_begins_anew_with_nothing_of_the_failed_run_left(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 2);
    help_one(&h, help_assign(2, 1, 1));
    assert_int_equal(help_rows(&h, 2, 1, 0, 1).verdict, VERDICT_STORED);
    send(&h, 1, 0, "epoch 0", "weights");
    help_one(&h, help_end(1, 1, "failed", RUN_FAILED));
    struct save retry = {.kind = SAVE_RETRY, .sweep = 1, .fresh = true, .at_ms = HELP_AT};
    assert_int_equal(help_one(&h, retry).added, 1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE run_id = 1"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM geometry WHERE run_id = 1"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM models"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs WHERE run_id = 2"), 2);
    assert_false(there(&h, "checkpoints/1-0-1.safetensors"));
    assert_false(there(&h, "models/1-0.safetensors"));
    assert_string_equal(help_text(&h, "SELECT state || epochs_done || attempt || ifnull(blas, '-') "
                                      "FROM runs WHERE run_id = 1"),
                        "waiting-11-");
    struct save again = help_assign(1, 2, 1);
    struct store_result r = help_store(&h, &again, 1);
    assert_int_equal(r.answer_count, 0);
    store_result_free(&r);
    assert_int_equal(send(&h, 2, 0, NULL, "other weights").verdict, VERDICT_STORED);
    help_close(&h);
}
