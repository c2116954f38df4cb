// SPDX-License-Identifier: MIT
/* The scheduler: whose word counts when more than one Hello speaks for a worker. */
#include "tests/coordinator/sched_world.h"

#include <string.h>

/* welcoming: the answer to the last one still waits for the store. */
static void say_again(struct world *w, uint64_t peer, uint64_t number, bool welcoming)
{
    struct save_blas offer = {"Haswell", "aa"};
    struct event ev = {.kind = EVENT_HELLO,
                       .peer = peer,
                       .user = "key",
                       .uuid = "u",
                       .number = number,
                       .welcoming = welcoming,
                       .slots = 1,
                       .offers = &offer,
                       .offer_count = 1};
    world_on(w, &ev);
    world_answers(w);
}

static void say_hello(struct world *w, uint64_t peer, uint64_t number)
{
    say_again(w, peer, number, false);
}

void test_a_hello_that_was_overtaken_on_its_way_says_nothing(void **state)
{
    (void)state;
    struct world w;
    struct event bye = {.kind = EVENT_GOODBYE, .peer = 8};
    world_open(&w, 1, 0);
    say_hello(&w, 8, 2); /* the first one stuck in a connection that was given up */
    world_forget(&w);
    say_hello(&w, 7, 1);
    world_expect(&w, "");
    say_hello(&w, 8, 2); /* twice the same */
    world_expect(&w, "");
    world_epochs(&w, 8, 1, 1, 0, 0);
    world_expect(&w, "save epochs 1/1\n-> 8 ack 1/1 0\n");
    say_hello(&w, 9, 3);
    assert_non_null(strstr(w.text, "-> 8 refuse another connection"));
    assert_int_equal(w.s.workers[0].peer, 9);
    bye.peer = 9;
    world_on(&w, &bye);
    world_forget(&w);
    say_hello(&w, 8, 2); /* whoever is gone may begin again: its memory was put back, say */
    assert_non_null(strstr(w.text, "-> 8 welcome 1\n"));
    world_close(&w);
}

/* One that is passed over because it is about to be answered has been said all the same. */
void test_a_hello_that_decided_nothing_overtakes_older_ones_too(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1, 0);
    say_hello(&w, 8, 2);
    world_forget(&w);
    say_again(&w, 8, 4, true);
    say_hello(&w, 7, 3);
    world_expect(&w, "");
    say_hello(&w, 7, 5);
    assert_non_null(strstr(w.text, "-> 7 welcome 1\n"));
    world_close(&w);
}

void test_after_a_restart_a_uuid_still_belongs_to_the_key_that_brought_it(void **state)
{
    (void)state;
    struct world w;
    struct save_blas offer = {"Haswell", "aa"};
    struct event_holding holds[] = {{1, 1}};
    struct event thief = {.kind = EVENT_HELLO,
                          .peer = 8,
                          .user = "other",
                          .uuid = "u",
                          .slots = 1,
                          .offers = &offer,
                          .offer_count = 1,
                          .holdings = holds,
                          .holding_count = 1};
    world_open(&w, 1, 0);
    world_hello_as(&w, 7, "u", 1, NULL, 0);
    world_restart(&w);
    world_on(&w, &thief);
    world_expect(&w, "-> 8 refuse this uuid belongs to a worker with another key\n");
    world_hello_as(&w, 9, "u", 1, holds, 1);
    world_expect(&w, "save worker 1\n-> 9 welcome 1\n");
    world_close(&w);
}
