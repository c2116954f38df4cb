// SPDX-License-Identifier: MIT
/* store_place: where the files of an epoch are, beside the database; private to store*.c.
 *
 *   checkpoints/RUN-EPOCH-ATTEMPT.safetensors   models/RUN-EPOCH.safetensors   whole
 *   checkpoints/RUN-EPOCH-ATTEMPT.part          models/RUN-EPOCH-ATTEMPT.part  while its parts come
 */
#ifndef GROKD_COORDINATOR_STORE_PLACE_H
#define GROKD_COORDINATOR_STORE_PLACE_H

#include "coordinator/store_db.h"

#include <limits.h>

/* A file of an epoch: of a checkpoint each attempt has its own. */
struct place {
    int64_t run, attempt, epoch;
    Grokd__FileKind kind;
};

/* The folder of a kind, and the names of a file within that of the database. */
const char *place_folder(Grokd__FileKind kind);
void place_name(const struct place *p, char out[KEEP_NAME]);
void place_part_name(const struct place *p, char out[KEEP_NAME]);

/* The path of what has such a name. */
void place_path(const struct db *d, const char *name, char out[PATH_MAX]);

/* Makes the folder of a path, if there is none. E_FILE, E_FULL, E_IO. */
int place_make_folder(const char *path, struct err *e);

#endif
