// SPDX-License-Identifier: MIT
/* store_upload: files that come in parts, before the message that names them; private to store*.c.
 *
 * The bytes gather in a file of their own beside the one that they become, and are hashed as they
 * come. What is under way is known in memory only: after a crash it begins anew. One file of each
 * kind is under way for a run; a new one takes the place of the last, unless that has its name.
 */
#ifndef GROKD_COORDINATOR_STORE_UPLOAD_H
#define GROKD_COORDINATOR_STORE_UPLOAD_H

#include "common/hash.h"
#include "coordinator/store_place.h"

struct upload {
    struct place place;
    size_t size, held;
    struct hash hash; /* of what is held */
    struct err why;   /* of a checkpoint that could not be written: the code is not OK */
    bool placed;      /* it has its name: only a commit is missing */
    bool over;        /* nobody will ask for it again once the transaction is committed */
};

/* Takes a part; fills a->held, and a->verdict with VERDICT_GAP if the part does not follow that. A
 * checkpoint that cannot be written counts as held, so that its run goes on; a model: E_FULL,
 * E_STORE. */
int upload_part(struct db *d, const struct place *place, const Grokd__Part *m,
                struct save_answer *a, struct err *e);

/* Makes the file durable under `path`, if all of it is there and its hash is right; else E_FILE
 * with what is wrong, or what the disk said, be it to a part. May be called again until the commit.
 */
int upload_place(struct db *d, const struct place *place, const Grokd__File *file, const char *path,
                 struct err *e);

/* The attempt has ended: nothing of it comes any more. */
void upload_end(struct db *d, int64_t run);

/* After a commit what was placed or ended is forgotten, after a rollback it is not. */
void upload_settle(struct db *d, bool committed);

/* Forgets what is under way, its bytes too. */
void upload_free(struct db *d);

#endif
