// SPDX-License-Identifier: MIT
/* Long runs: what an epoch that reports only losses and accuracies takes in the database. */
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdio.h>

enum { MESSAGES = 100, EPOCHS = 100 }; /* of each message */

/* Losses with all their digits, accuracies of 1,000 samples, as an Ising run reports them. */
static struct row losses(int64_t epoch)
{
    struct row r;
    row_clear(&r, epoch);
    r.value[METRIC_train_loss] = 1 / (3.0 + (double)epoch);
    r.value[METRIC_train_accuracy] = (double)(epoch % 300) / 300;
    r.value[METRIC_test_loss] = 1 / (7.0 + (double)epoch);
    r.value[METRIC_test_accuracy] = (double)(epoch % 1000) / 1000;
    r.value[METRIC_seconds] = 4.5e-4 + 1e-9 / (1.0 + (double)epoch);
    return r;
}

void test_an_epoch_without_measures_takes_at_most_100_bytes(void **state)
{
    (void)state;
    struct help h;
    help_open(&h);
    help_one(&h, help_sweep(1, help_spec("long", 1, 0)));
    help_one(&h, help_worker(1));
    help_one(&h, help_assign(1, 1, 1));
    int64_t before = help_int(&h, "SELECT page_count * page_size FROM pragma_page_count, "
                                  "pragma_page_size");
    for (int64_t m = 0; m < MESSAGES; m++) {
        struct row rows[EPOCHS];
        for (int64_t i = 0; i < EPOCHS; i++) rows[i] = losses(m * EPOCHS + i);
        assert_int_equal(help_one(&h, help_epochs(1, 1, rows, EPOCHS)).verdict, VERDICT_STORED);
    }
    int64_t after = help_int(&h, "SELECT page_count * page_size FROM pragma_page_count, "
                                 "pragma_page_size");
    assert_int_equal(help_int(&h, "SELECT count(*) FROM epochs"), MESSAGES * EPOCHS);
    double bytes = (double)(after - before) / (MESSAGES * EPOCHS);
    if (bytes > 100) fail_msg("%.1f bytes an epoch", bytes);
    printf("# %.1f bytes an epoch\n", bytes);
    help_close(&h);
}
