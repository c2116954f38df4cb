// SPDX-License-Identifier: MIT
/* file: whole files, folders, and the lock of a folder. Every descriptor is close-on-exec. Where
 * E_FULL is returned, the disk has no room or no descriptor is free, and the same may succeed
 * later.
 */
#ifndef GROKD_COMMON_FILE_H
#define GROKD_COMMON_FILE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a regular file of at most `limit` bytes; a zero byte follows the last. Gives (free). */
int file_read(const char *path, size_t limit, char **data, size_t *size, struct err *e);

/* Writes a file whole or not at all, durably: beside it, fsync, rename, fsync of the folder.
 * E_FULL, E_IO. */
int file_write(const char *path, const void *data, size_t size, mode_t mode, struct err *e);

/* Adds bytes at the end of a file that has `offset` bytes, or at its beginning, whatever was there;
 * not durably. E_FILE: it has another length, or is gone; E_FULL, E_IO. After an error it is as
 * long as before, or gone. */
int file_add(const char *path, size_t offset, const void *data, size_t size, mode_t mode,
             struct err *e);

/* Makes a file durable and gives it its name, in the same folder. E_FILE: it is gone; E_FULL, E_IO.
 */
int file_place(const char *from, const char *path, struct err *e);

/* Reads exactly `size` bytes that begin at `offset`. E_FILE: there are fewer, or no such file;
 * E_FULL, E_IO: what is there is not known. */
int file_read_at(const char *path, size_t offset, void *data, size_t size, struct err *e);

/* Makes a folder and those above it, durably (mode for the last, 0777 and umask above); fine if it
 * is there. E_FILE, E_FULL, E_IO. */
int file_make_dir(const char *path, mode_t mode, struct err *e);

/* Takes DIR/lock until the descriptor is closed or the process ends; E_STATE with the holder's
 * number if another process has it, E_FILE if we may not write there, E_IO or E_FULL if nobody can.
 */
int file_lock(int *fd, const char *dir, struct err *e);

/* The process that holds DIR/lock; 0: nobody, -1: somebody, number unknown. */
pid_t file_lock_holder(const char *dir);

/* The name of the network file system that holds path ("NFS", "Lustre", ...), or NULL: it is
 * local. Locks and shared memory cannot be trusted on the former. */
const char *file_network(const char *path);

#endif
