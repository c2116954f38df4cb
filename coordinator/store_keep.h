// SPDX-License-Identifier: MIT
/* store_keep: files beside the database: checkpoints/ and models/ in its folder; private to
 * store*.c.
 *
 * A file is durable before the row that names it is committed, and is removed only after the row
 * has gone: a crash in between leaves a file that no row names, which the next start removes. A
 * name is never written twice with other bytes, but for a model whose row was never committed.
 */
#ifndef GROKD_COORDINATOR_STORE_KEEP_H
#define GROKD_COORDINATOR_STORE_KEEP_H

#include "coordinator/store_place.h"

/* Keeps the checkpoint of an epoch of s->run and s->attempt, and of all the newest two. One that
 * cannot be written is passed over, with a row of events: a run needs none. */
int keep_checkpoint(struct db *d, const struct save *s, const Grokd__Epoch *m, struct err *e);

/* The newest checkpoint of s->run whose epoch is stored and whose hash is right, into the answer
 * (gives; of one too large for a message the size); older ones if need be, with a row of events for
 * each that was torn, and is dropped, or could not be read, and stays. E_FULL: no descriptor is
 * free to look. */
int keep_find(struct db *d, const struct save *s, struct save_answer *a, struct err *e);

/* A part of the newest checkpoint of s->run from byte s->count on into the answer (gives); none
 * when there is no such file any more. E_FULL as above. */
int keep_read(struct db *d, const struct save *s, struct save_answer *a, struct err *e);

/* Whether a row names the file of this epoch: of a checkpoint, by this attempt. */
int keep_has(struct db *d, const struct place *p, bool *has, struct err *e);

/* Forgets all checkpoints of a run. */
int keep_forget(struct db *d, int64_t run, struct err *e);

/* Deletes everything that the failed runs of a sweep reported, rows and files. */
int keep_wipe_failed(struct db *d, int64_t sweep, struct err *e);

/* Keeps the weights of an epoch; E_FULL, E_STORE, E_FILE: what should have come before is missing.
 */
int keep_model(struct db *d, const struct save *s, const Grokd__Epoch *m, struct err *e);

/* After a commit the files of dropped rows are removed, after a rollback they stay. */
void keep_settle(struct db *d, bool committed);

/* Removes what a crash left behind; nothing more once the database cannot be asked what it names.
 */
int keep_clean(struct db *d, struct err *e);

#endif
