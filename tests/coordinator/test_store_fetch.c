// SPDX-License-Identifier: MIT
/* The store: which waiting runs are fetched when some kinds of them are left out. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sweep 1: run 1 is bound by its epochs, run 2 was handed out and reported nothing, run 3 never was
 * handed out. Sweep 2: runs 4 and 5. */
static void open_five(struct help *h)
{
    struct row row = help_row(1, 0);
    help_open_run(h, 3);
    struct save saves[] = {help_epochs(1, 1, &row, 1), help_end(1, 1, "lost", RUN_WAITING),
                           help_assign(2, 1, 1), help_end(2, 1, "lost", RUN_WAITING),
                           help_sweep(2, help_spec("other", 2, 0))};
    struct store_result r = help_store(h, saves, sizeof saves / sizeof *saves);
    store_result_free(&r);
}

static void fetches(struct help *h, const char *left_out, const char *runs)
{
    struct save fetch = {.kind = SAVE_FETCH, .count = 9, .text = strdup(left_out)};
    struct store_result r = help_store(h, &fetch, 1);
    char text[64] = "";
    for (size_t i = 0; i < r.answers[0].run_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d ",
                 (int)r.answers[0].runs[i].run);
    assert_string_equal(text, runs);
    store_result_free(&r);
}

void test_kinds_of_runs_that_are_left_out_are_not_fetched(void **state)
{
    (void)state;
    struct help h;
    struct save bound = help_assign(1, 2, 1);
    char line[256];
    open_five(&h);
    snprintf(line, sizeof line, "\nkernels %s %s\n", bound.blas.family, bound.blas.fingerprint);
    fetches(&h, "", "1 2 3 4 5 ");
    fetches(&h, line, "2 3 4 5 ");
    fetches(&h, "\nsweep 1\n", "1 4 5 ");
    fetches(&h, "\nsweep 11\nsweep 2\n", "1 2 3 ");
    strcat(line, "sweep 1\nsweep 2\n");
    fetches(&h, line, "");
    help_close(&h);
}
