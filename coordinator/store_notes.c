// SPDX-License-Identifier: MIT
/* store_notes: what is said of values that should not be as they are. The row stays, and so does
 * the run; an event says so, since a NULL or a number alone tells nobody.
 */
#include "common/clock.h"
#include "coordinator/store_db.h"
#include "proto/sketch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* What every epoch has must be a number: the column is NULL, and an event says so. */
static int note_not_finite(struct db *d, const struct save *s, const struct row *r, struct err *e)
{
    static const int always[] = {METRIC_train_loss, METRIC_train_accuracy, METRIC_test_loss,
                                 METRIC_test_accuracy};
    char at[CLOCK_UTC];
    int rc = OK;
    clock_utc(s->at_ms, at);
    for (size_t i = 0; i < sizeof always / sizeof *always && rc == OK; i++)
        if (isnan(r->value[always[i]]))
            rc = db_do(d, SQL_EVENT_NOT_FINITE, e, "tiit", at, s->run, r->epoch,
                       metric_list[always[i]].name);
    return rc;
}

/* A map that does not keep distances is a broken program. */
static int note_sketch(struct db *d, const struct save *s, const struct row *r, struct err *e)
{
    char text[SAVE_REASON], at[CLOCK_UTC];
    double error = r->value[METRIC_sketch_error];
    if (isnan(error) || fabs(error) <= SKETCH_TOLERANCE) return OK;
    snprintf(text, sizeof text,
             "epoch %" PRId64
             ": the squared distance of the sketch from truth is off by %.3g of it; "
             "expected at most %.3g; later epochs with that have no event",
             r->epoch, error, SKETCH_TOLERANCE);
    clock_utc(s->at_ms, at);
    return db_do(d, SQL_EVENT_SKETCH, e, "tit", at, s->run, text);
}

int save_notes(struct db *d, const struct save *s, const struct row *r, struct err *e)
{
    int rc = note_not_finite(d, s, r, e);
    return rc < 0 ? rc : note_sketch(d, s, r, e);
}
