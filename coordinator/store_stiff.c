// SPDX-License-Identifier: MIT
/* store_stiff: the parts of a finished run's steps, split by the diagonal at its end, take the
 * place of those that were stored before, from their first epoch on.
 */
#include "coordinator/stiff.h"
#include "coordinator/store_db.h"

#include <string.h>

/* Only what is finished has an end: of another run nothing is stored. */
int save_stiff(struct db *d, const struct save *s, size_t *rows, struct err *e)
{
    const char *text = s->text ? s->text : "";
    struct stiff_value v = {.epoch = 0};
    int64_t finished = 0;
    bool first = true;
    int rc = db_integer(d, &finished, 0, SQL_RUN_FINISHED, e, "i", s->run);
    if (rc < 0 || !finished) return rc;
    while ((rc = stiff_next(&text, &v, e)) == 1) {
        rc = first ? db_do(d, SQL_STIFF_DELETE, e, "ii", s->run, v.epoch) : OK;
        if (rc == OK)
            rc =
                db_do(d, SQL_FEATURE_INSERT, e, "iittd", s->run, v.epoch, v.layer, v.name, v.value);
        if (rc < 0) return rc;
        first = false;
        ++*rows;
    }
    return rc == E_USAGE ? E_STORE : rc;
}
