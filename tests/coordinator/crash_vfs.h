// SPDX-License-Identifier: MIT
/* crash_vfs: a disk that forgets, for SQLite. It stands before the real file system and remembers
 * each write, cut and sync of a database and its log. Afterwards it can say what a power failure at
 * any moment could have left: all that was synced, and of everything else any sectors of 512 bytes.
 *
 * One database at a time. The log's index is memory: a power failure leaves none.
 */
#ifndef GROKD_TESTS_COORDINATOR_CRASH_VFS_H
#define GROKD_TESTS_COORDINATOR_CRASH_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every connection that is opened from now on goes through it. */
void crash_install(void);
void crash_remove(void); /* forgets all; the connections are closed */

/* Remembers from here on; what is in the file at path and its log now counts as synced. */
void crash_record(const char *path);

/* Somebody was told that everything up to `value` is durable. */
void crash_mark(int64_t value);

/* Syncs so far. */
size_t crash_syncs(void);

/* What is left when the power fails somewhere between sync `number` (from 0) and the one before it:
 * database and log are written to path. Unsynced sectors are drawn by the seed. without_syncs:
 * of a disk that does not do what it is told. Returns the last mark before the failure. */
int64_t crash_cut(size_t number, uint64_t seed, bool without_syncs, const char *path);

#endif
