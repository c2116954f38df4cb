// SPDX-License-Identifier: MIT
/* The store when files beside the database cannot be had for a while: every descriptor is taken, as
 * by strangers on the port, or a file does not let itself be read. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT 256

static bool taken[LIMIT];

static void take_descriptors(void)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
    l.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;) taken[fd] = true;
}

static void leave_descriptors(void)
{
    for (int fd = 0; fd < LIMIT; fd++)
        if (taken[fd]) close(fd);
    memset(taken, 0, sizeof taken);
}

static ProtobufCBinaryData data(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)strdup(text)};
}

/* One epoch of run 1 with these files; either may be NULL. */
static struct save epoch(int64_t attempt, int64_t number, const char *checkpoint, const char *model)
{
    struct row row = help_row(1, number);
    struct save s = help_epochs(1, attempt, &row, 1);
    Grokd__Epoch *m = s.message->epochs->epochs[0];
    m->has_checkpoint = checkpoint != NULL;
    if (checkpoint) m->checkpoint = data(checkpoint);
    m->has_model = model != NULL;
    if (model) m->model = data(model);
    return s;
}

/* A part of the model of epoch 0, which has so many bytes. */
static struct save part(size_t offset, size_t size, const char *text)
{
    Grokd__Part part = GROKD__PART__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    uint8_t *bytes;
    size_t packed;
    struct err e;
    struct save s = {.kind = SAVE_PART, .run = 1, .attempt = 1, .at_ms = HELP_AT};
    part.run = part.attempt = 1;
    part.kind = GROKD__FILE_KIND__MODEL;
    part.offset = offset;
    part.size = size;
    part.data = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_PART;
    m.part = &part;
    if (wire_pack(&m, &bytes, &packed, &e) < 0 || wire_unpack(&s.message, bytes, packed, &e) < 0)
        fail_msg("%s", e.text);
    free(bytes);
    return s;
}

/* Hands over saves while every descriptor is taken: the store waits, and goes on when they are
 * free. The last answer (its checkpoint: free). */
static struct save_answer waits_for_descriptors(struct help *h, struct save *saves, size_t count)
{
    struct err e;
    struct store_result r = {0};
    struct save_answer last = {.epoch = -2};
    take_descriptors();
    uint64_t ticket = store_submit(h->store, saves, count);
    struct pollfd p = {.fd = store_fd(h->store), .events = POLLIN};
    while (r.ticket < ticket) {
        int rc = poll(&p, 1, 10000) == 1 ? store_collect(h->store, &r, &e) : E_STATE;
        if (r.full && !strstr(r.why.text, "Too many open files"))
            fail_msg("it says '%s'", r.why.text);
        if (r.full || rc < 0) leave_descriptors();
        if (rc < 0) fail_msg("%s", rc == E_STATE ? "nothing came of it" : e.text);
        assert_true(r.ticket < ticket || !taken[LIMIT - 1]);
        if (r.answer_count) {
            last = r.answers[r.answer_count - 1];
            r.answers[r.answer_count - 1].checkpoint = NULL;
        }
        store_result_free(&r);
    }
    return last;
}

static char *path(const struct help *h, const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s/%s", h->dir, name);
    return text;
}

/* The attempt is lost, the next one begins. */
static void go_on(int64_t attempt, struct save saves[2])
{
    saves[0] = help_end(1, attempt, "lost", RUN_WAITING);
    saves[1] = help_assign(1, attempt + 1, 1);
}

void test_a_model_waits_for_a_descriptor(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    struct save s = epoch(1, 0, NULL, "model");
    assert_int_equal(waits_for_descriptors(&h, &s, 1).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT bytes FROM models"), 5);
    assert_int_equal(access(path(&h, "models/1-0.safetensors"), F_OK), 0);
    help_close(&h);
}

void test_a_model_in_parts_waits_for_a_descriptor(void **state)
{
    (void)state;
    struct help h;
    Grokd__File file = GROKD__FILE__INIT;
    char sha256[] = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"; /* model */
    help_open_run(&h, 1);
    struct save s = part(0, 5, "mod");
    assert_int_equal(waits_for_descriptors(&h, &s, 1).held, 3);
    s = part(3, 5, "el");
    assert_int_equal(waits_for_descriptors(&h, &s, 1).held, 5);
    s = epoch(1, 0, NULL, NULL);
    file.size = 5;
    file.sha256 = sha256;
    s.message->epochs->epochs[0]->model_file = &file;
    wire_envelope *named = NULL;
    uint8_t *bytes;
    size_t size;
    assert_int_equal(wire_pack(s.message, &bytes, &size, NULL), OK);
    s.message->epochs->epochs[0]->model_file = NULL;
    wire_free(&s.message);
    assert_int_equal(wire_unpack(&named, bytes, size, NULL), OK);
    free(bytes);
    s.message = named;
    assert_int_equal(waits_for_descriptors(&h, &s, 1).verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT bytes FROM models"), 5);
    help_close(&h);
}

void test_parts_that_are_gone_are_asked_for_again(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    assert_int_equal(help_one(&h, part(0, 5, "mod")).held, 3);
    assert_int_equal(unlink(path(&h, "models/1-0-1.part")), 0);
    struct save_answer a = help_one(&h, part(3, 5, "el"));
    assert_int_equal(a.verdict, VERDICT_GAP);
    assert_int_equal(a.held, 0);
    assert_int_equal(help_one(&h, part(0, 5, "mod")).held, 3);
    assert_int_equal(help_one(&h, part(3, 5, "el")).held, 5);
    help_close(&h);
}

/* A run needs none: it goes on, and so does everybody else. */
void test_a_checkpoint_that_finds_no_descriptor_is_passed_over(void **state)
{
    (void)state;
    struct help h;
    help_open_run(&h, 1);
    take_descriptors();
    struct save_answer a = help_one(&h, epoch(1, 0, "epoch 0", NULL));
    leave_descriptors();
    assert_int_equal(a.verdict, VERDICT_STORED);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 0);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 1);
    help_close(&h);
}

void test_work_waits_for_a_descriptor_to_read_its_checkpoint(void **state)
{
    (void)state;
    struct help h;
    struct save saves[2];
    help_open_run(&h, 1);
    help_one(&h, epoch(1, 0, "epoch 0", NULL));
    help_one(&h, epoch(1, 1, "epoch 1", NULL));
    go_on(1, saves);
    struct save_answer a = waits_for_descriptors(&h, saves, 2);
    assert_int_equal(a.epoch, 1);
    assert_memory_equal(a.checkpoint, "epoch 1", 7);
    free(a.checkpoint);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 2);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM events WHERE kind = 'checkpoint'"), 0);
    help_close(&h);
}

/* Expects the checkpoint of an epoch with the work; -1: none. */
static void goes_on_from(struct help *h, int64_t attempt, int64_t number)
{
    struct save saves[2];
    go_on(attempt, saves);
    struct store_result r = help_store(h, saves, 2);
    assert_int_equal(r.answer_count, number < 0 ? 1 : 2);
    if (number >= 0) assert_int_equal(r.answers[1].epoch, number);
    store_result_free(&r);
}

/* Links that lead to themselves: what cannot be read today may be read tomorrow. */
void test_a_checkpoint_that_cannot_be_read_is_passed_over_and_kept(void **state)
{
    (void)state;
    struct help h;
    char command[256];
    help_open_run(&h, 1);
    help_one(&h, epoch(1, 0, "epoch 0", NULL));
    help_one(&h, epoch(1, 1, "epoch 1", NULL));
    snprintf(command, sizeof command,
             "cd %s/checkpoints && mkdir away && mv 1-1* away && ln -s 1-1-1.safetensors "
             "1-1-1.safetensors",
             h.dir);
    assert_int_equal(system(command), 0);
    goes_on_from(&h, 1, 0);
    assert_non_null(strstr(help_text(&h, "SELECT text FROM events WHERE kind = 'checkpoint'"),
                           "the checkpoint of epoch 1 could not be read and is kept: "));
    snprintf(command, sizeof command,
             "cd %s/checkpoints && mv 1-0* away && ln -s 1-0-1.safetensors 1-0-1.safetensors",
             h.dir);
    assert_int_equal(system(command), 0);
    goes_on_from(&h, 2, -1);
    assert_int_equal(help_int(&h, "SELECT count(*) FROM checkpoints"), 2);
    snprintf(command, sizeof command, "cd %s/checkpoints && mv -f away/* .", h.dir);
    assert_int_equal(system(command), 0);
    goes_on_from(&h, 3, 1);
    help_close(&h);
}
