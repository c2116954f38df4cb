// SPDX-License-Identifier: MIT
/* train_pipe: the talk of a slot with its worker, the slot in a process of its own. */
#include "worker/train_pipe.h"

#include "tests/worker/pipe_slot.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Everything up to Ended: epochs come in order, of the right run. */
static wire_envelope *hear_run(struct slot *s, int64_t run, int *groups, int64_t *curves)
{
    int64_t next = 0;
    *groups = 0;
    *curves = 0;
    for (;;) {
        wire_envelope *m = hear(s);
        if (m->body_case == GROKD__ENVELOPE__BODY_ENDED) {
            assert_int_equal(m->ended->run, run);
            assert_int_equal(m->ended->attempt, 2);
            assert_int_equal(m->ended->epoch, next - 1);
            return m;
        }
        assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_EPOCHS);
        assert_int_equal(m->epochs->run, run);
        assert_true(m->epochs->n_epochs <= PIPE_EPOCHS);
        for (size_t i = 0; i < m->epochs->n_epochs; i++) {
            assert_int_equal(m->epochs->epochs[i]->epoch, next++);
            *curves += (int64_t)m->epochs->epochs[i]->n_pruning;
        }
        (*groups)++;
        wire_free(&m);
    }
}

void test_runs_are_served_one_after_another(void **state)
{
    (void)state;
    static const char *const more[] = {"epochs=100", "grokd.measure.every=10"};
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    for (int64_t run = 5; run <= 6; run++) {
        say_work(&s, run, s.blas.fingerprint, more, 2);
        wire_envelope *m = hear_run(&s, run, &groups, &curves);
        assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
        assert_int_equal(m->ended->epoch, 100);
        assert_true(m->ended->seconds >= 0);
        assert_null(m->ended->reason);
        assert_int_equal(curves, 21);
        assert_true(groups >= 2 && groups <= 101);
        wire_free(&m);
    }
    assert_int_equal(slot_close(&s), 0);
}

void test_other_kernels_are_a_loss_and_no_failure(void **state)
{
    (void)state;
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 1, "0123456789abcdef0", NULL, 0);
    wire_envelope *m = hear_run(&s, 1, &groups, &curves);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__LOST);
    assert_int_equal(m->ended->epoch, -1);
    assert_non_null(strstr(m->ended->reason, "0123456789abcdef are wanted"));
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
}

/* The coordinator knows these arguments, so another version of the program would. */
void test_arguments_that_are_unknown_here_are_a_loss_and_no_failure(void **state)
{
    (void)state;
    static const char *const bad[] = {"epochs=many", "gradient_lens=3"};
    static const char *const why[] = {"epochs: \"many\" does not fit",
                                      "unknown parameter \"gradient_lens\""};
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    for (int64_t run = 1; run <= 2; run++) {
        say_work(&s, run, s.blas.fingerprint, &bad[run - 1], 1);
        wire_envelope *m = hear_run(&s, run, &groups, &curves);
        assert_int_equal(m->ended->outcome, GROKD__OUTCOME__LOST);
        assert_false(m->ended->final);
        assert_non_null(strstr(m->ended->reason, why[run - 1]));
        wire_free(&m);
    }
    assert_int_equal(slot_close(&s), 0);
}

void test_a_run_that_diverges_fails_for_good(void **state)
{
    (void)state;
    static const char *const diverging[] = {"epochs=9", "beta2=0", "epsilon=0", "weight_decay=0"};
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 2, s.blas.fingerprint, diverging, 4);
    wire_envelope *m = hear_run(&s, 2, &groups, &curves);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FAILED);
    assert_true(m->ended->final);
    assert_string_equal(m->ended->reason, "diverged at epoch 1");
    assert_int_equal(m->ended->epoch, 0);
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
}

void test_stop_hands_the_run_back_between_epochs(void **state)
{
    (void)state;
    static const char *const endless[] = {"epochs=100000000", "grokd.measure.every=0"};
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    say_stop(&s, 3, 2); /* of a run it does not hold: nothing happens */
    say_work(&s, 4, s.blas.fingerprint, endless, 2);
    say_stop(&s, 4, 1); /* of an older attempt: nothing either */
    wire_envelope *m;
    int64_t last = -1;
    for (int group = 0; group < 3; group++) {
        m = hear(&s);
        assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_EPOCHS);
        last = m->epochs->epochs[m->epochs->n_epochs - 1]->epoch;
        wire_free(&m);
    }
    say_stop(&s, 4, 2);
    while ((m = hear(&s))->body_case == GROKD__ENVELOPE__BODY_EPOCHS) {
        assert_int_equal(m->epochs->epochs[0]->epoch, last + 1);
        last = m->epochs->epochs[m->epochs->n_epochs - 1]->epoch;
        wire_free(&m);
    }
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_ENDED);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__RETURNED);
    assert_int_equal(m->ended->epoch, last);
    wire_free(&m);
    static const char *const one[] = {"epochs=1"};
    say_work(&s, 5, s.blas.fingerprint, one, 1);
    m = hear_run(&s, 5, &groups, &curves);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
}

void test_it_ends_at_once_when_the_worker_closes_its_end(void **state)
{
    (void)state;
    static const char *const endless[] = {"epochs=100000000", "grokd.measure.every=0"};
    struct slot s;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 4, s.blas.fingerprint, endless, 2);
    wire_envelope *m = hear(&s);
    wire_free(&m);
    (void)slot_close(&s); /* returns only when the process has ended */
}

static const char *const chain[] = {"epochs=3", "grokd.measure.every=3",
                                    "grokd.measure.llc.steps=1000000"};

/* A run whose Langevin chain at the end would take minutes; returns when it is in it. */
static void walk_into_a_chain(struct slot *s, ProtobufCBinaryData *saved)
{
    slot_open(s);
    hear_ready(s);
    say_work(s, 4, s->blas.fingerprint, chain, 3);
    for (int64_t last = -1; last < 2;) {
        wire_envelope *m = hear(s);
        assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_EPOCHS);
        const Grokd__Epoch *e = m->epochs->epochs[m->epochs->n_epochs - 1];
        last = e->epoch;
        assert_true(last <= 2);
        assert_int_equal(e->has_checkpoint, last == 2);
        if (last == 2 && saved) {
            saved->len = e->checkpoint.len;
            saved->data = malloc(saved->len);
            memcpy(saved->data, e->checkpoint.data, saved->len);
        }
        wire_free(&m);
    }
}

void test_stop_ends_a_chain_at_the_end_of_a_run_and_another_slot_goes_on_before_it(void **state)
{
    (void)state;
    struct slot s;
    ProtobufCBinaryData saved;
    walk_into_a_chain(&s, &saved);
    say_stop(&s, 4, 1); /* of an older attempt: nothing happens */
    say_stop(&s, 4, 2);
    wire_envelope *m = hear(&s);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_ENDED);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__RETURNED);
    assert_int_equal(m->ended->epoch, 2);
    wire_free(&m);
    say_work_from(&s, 4, s.blas.fingerprint, chain, 3, &saved);
    say_stop(&s, 4, 2);
    m = hear(&s);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_ENDED);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__RETURNED);
    assert_int_equal(m->ended->epoch, 2);
    wire_free(&m);
    free(saved.data);
    assert_int_equal(slot_close(&s), 0);
}

void test_a_chain_ends_at_once_when_the_worker_closes_its_end(void **state)
{
    (void)state;
    struct slot s;
    walk_into_a_chain(&s, NULL);
    (void)slot_close(&s); /* returns only when the process has ended */
}

void test_signals_of_a_whole_service_are_left_to_the_worker(void **state)
{
    (void)state;
    static const char *const some[] = {"epochs=3"};
    struct slot s;
    int groups;
    int64_t curves;
    slot_open(&s);
    hear_ready(&s);
    assert_int_equal(kill(s.pid, SIGTERM), 0);
    assert_int_equal(kill(s.pid, SIGINT), 0);
    assert_int_equal(kill(s.pid, SIGPIPE), 0); /* the worker died, and we wrote to the log */
    say_work(&s, 1, s.blas.fingerprint, some, 1);
    wire_envelope *m = hear_run(&s, 1, &groups, &curves);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
}

void test_a_stream_that_is_no_stream_of_messages_ends_it_with_failure(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1}, bad[] = {3, 0, 0, 0, 8, 9, 0};
    struct slot s;
    slot_open(&s);
    hear_ready(&s);
    assert_int_equal(send(s.fd, huge, sizeof huge, MSG_NOSIGNAL), sizeof huge);
    assert_int_equal(slot_close(&s), 1);
    slot_open(&s);
    hear_ready(&s);
    assert_int_equal(send(s.fd, bad, sizeof bad, MSG_NOSIGNAL), sizeof bad);
    assert_int_equal(slot_close(&s), 1);
}

/* ---- checkpoints and models ---- */

#define LONG_RUN "epochs=400", "grokd.measure.every=30"

/* Epochs up to Ended; losses by epoch, the last checkpoint (free its data). Gives the Ended. */
static wire_envelope *hear_losses(struct slot *s, double *loss, int64_t *first, int64_t *with,
                                  ProtobufCBinaryData *checkpoint)
{
    *first = *with = -1;
    for (;;) {
        wire_envelope *m = hear(s);
        if (m->body_case == GROKD__ENVELOPE__BODY_ENDED) return m;
        for (size_t i = 0; i < m->epochs->n_epochs; i++) {
            Grokd__Epoch *x = m->epochs->epochs[i];
            if (*first < 0) *first = x->epoch;
            for (size_t k = 0; k < x->n_ids; k++)
                if (x->ids[k] == metric_list[METRIC_train_loss].id) loss[x->epoch] = x->values[k];
            if (!x->has_checkpoint || !checkpoint) continue;
            free(checkpoint->data);
            *checkpoint = x->checkpoint;
            x->checkpoint.data = NULL;
            *with = x->epoch;
        }
        wire_free(&m);
    }
}

void test_a_run_that_is_stopped_says_a_checkpoint_and_another_slot_goes_on(void **state)
{
    (void)state;
    static const char *const more[] = {LONG_RUN};
    static double right[401], is[401];
    ProtobufCBinaryData saved = {0};
    struct slot s;
    int64_t first, with, last;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 4, s.blas.fingerprint, more, 2);
    wire_envelope *m = hear_losses(&s, right, &first, &with, NULL);
    assert_int_equal(m->ended->epoch, 400);
    wire_free(&m);
    say_work(&s, 4, s.blas.fingerprint, more, 2);
    m = hear(&s);
    wire_free(&m);
    say_stop(&s, 4, 2);
    m = hear_losses(&s, is, &first, &with, &saved);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__RETURNED);
    last = m->ended->epoch;
    assert_true(last < 400);
    assert_int_equal(with, last);
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
    slot_open(&s);
    hear_ready(&s);
    say_work_from(&s, 4, s.blas.fingerprint, more, 2, &saved);
    m = hear_losses(&s, is, &first, &with, NULL);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    assert_int_equal(first, last + 1);
    for (int64_t i = first; i <= 400; i++) assert_true(is[i] == right[i]);
    wire_free(&m);
    saved.data[saved.len / 2] ^= 1; /* torn on its way: it costs time, no more */
    say_work_from(&s, 4, s.blas.fingerprint, more, 2, &saved);
    m = hear_losses(&s, is, &first, &with, NULL);
    assert_int_equal(m->ended->outcome, GROKD__OUTCOME__FINISHED);
    assert_int_equal(first, 0);
    wire_free(&m);
    free(saved.data);
    assert_int_equal(slot_close(&s), 0);
}

void test_checkpoints_come_as_often_as_asked_and_models_with_their_epochs(void **state)
{
    (void)state;
    static const char *const more[] = {"epochs=60", "grokd.checkpoint_every=1ms",
                                       "grokd.save_model=0,9,final"};
    struct slot s;
    int checkpoints = 0;
    slot_open(&s);
    hear_ready(&s);
    say_work(&s, 4, s.blas.fingerprint, more, 3);
    wire_envelope *m;
    while ((m = hear(&s))->body_case == GROKD__ENVELOPE__BODY_EPOCHS) {
        for (size_t i = 0; i < m->epochs->n_epochs; i++) {
            const Grokd__Epoch *x = m->epochs->epochs[i];
            bool kept = x->epoch == 0 || x->epoch == 9 || x->epoch == 60;
            checkpoints += x->has_checkpoint;
            assert_int_equal(x->has_model, kept);
            assert_false(x->epoch == 60 && x->has_checkpoint);
        }
        wire_free(&m);
    }
    assert_int_equal(m->ended->epoch, 60);
    assert_true(checkpoints >= 1);
    wire_free(&m);
    assert_int_equal(slot_close(&s), 0);
}
