// SPDX-License-Identifier: MIT
/* The scheduler: a run belongs to the kernels that made its first numbers, whoever held it. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <string.h>

static void hello_with(struct world *w, uint64_t peer, const char *family, const char *fingerprint)
{
    struct save_blas offer = {0};
    char uuid[16];
    snprintf(uuid, sizeof uuid, "u%llu", (unsigned long long)peer);
    snprintf(offer.family, sizeof offer.family, "%s", family);
    snprintf(offer.fingerprint, sizeof offer.fingerprint, "%s", fingerprint);
    struct event ev = {.kind = EVENT_HELLO,
                       .peer = peer,
                       .user = "key",
                       .uuid = uuid,
                       .slots = 1,
                       .offers = &offer,
                       .offer_count = 1};
    world_on(w, &ev);
    world_answers(w);
}

void test_a_run_goes_on_only_with_the_kernels_that_made_its_first_numbers(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    hello_with(&w, 7, "Haswell", "aa");
    world_epochs(&w, 7, 1, 1, 0, 4);
    world_ended(&w, 7, 1, 1, OUTCOME_RETURNED);
    struct event bye = {.kind = EVENT_GOODBYE, .peer = 7};
    world_on(&w, &bye);
    world_answers(&w);
    hello_with(&w, 8, "Prescott", "bb"); /* another family */
    hello_with(&w, 9, "Haswell", "cc");  /* another version of the same */
    assert_int_equal(w.runs[1].state, RUN_WAITING);
    hello_with(&w, 10, "Haswell", "aa");
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    assert_int_equal(w.runs[1].attempt, 2);
    world_close(&w);
}

void test_a_sweep_may_ask_for_a_family(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2, 0);
    world_family(&w, "Prescott");
    hello_with(&w, 7, "Haswell", "aa");
    assert_int_equal(w.runs[1].state, RUN_WAITING);
    world_hello(&w, 8, 1);
    assert_non_null(strstr(w.text, "-> 8 work 1/1 Prescott"));
    world_close(&w);
}

static void goodbye(struct world *w, uint64_t peer)
{
    world_on(w, &(struct event){.kind = EVENT_GOODBYE, .peer = peer});
}

/* They are on their way to the disk when the worker goes. */
void test_epochs_that_wait_for_the_disk_bind_a_run_to_their_kernels(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    hello_with(&w, 7, "Haswell", "aa");
    hello_with(&w, 9, "Zen", "dd");
    world_on(&w,
             &(struct event){
                 .kind = EVENT_EPOCHS, .peer = 7, .run = 1, .attempt = 1, .first = 0, .last = 2});
    goodbye(&w, 7);
    assert_int_equal(w.runs[1].state, RUN_RUNNING);
    world_answers(&w);
    assert_int_equal(w.runs[1].state, RUN_WAITING); /* a Zen is free and gets nothing */
    hello_with(&w, 10, "Haswell", "aa");
    assert_int_equal(w.runs[1].attempt, 2);
    world_close(&w);
}

void test_a_run_that_reported_nothing_is_free_of_the_kernels_it_began_with(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    hello_with(&w, 7, "Haswell", "aa");
    goodbye(&w, 7);
    world_answers(&w);
    hello_with(&w, 9, "Zen", "dd");
    assert_string_equal(w.runs[1].blas.family, "Zen");
    world_close(&w);
}
