// SPDX-License-Identifier: MIT
/* file: whole files, folders, and the lock of a folder. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What may pass: a disk without room, and a process or a system without a free descriptor. */
static int code_of_errno(void)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EMFILE || errno == ENFILE;
    return full ? E_FULL : E_IO;
}

static int code_of_open(void)
{
    return errno == ENOENT ? E_FILE : code_of_errno();
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Reads to the end; a file that grew past the limit meanwhile is refused too. */
static int read_all(int fd, const char *path, size_t limit, char **data, size_t *size,
                    struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return err_errno(e, E_FILE, "%s", path);
    if (!S_ISREG(st.st_mode)) return err_set(e, E_FILE, "%s: not a regular file", path);
    size_t room = (size_t)st.st_size < limit ? (size_t)st.st_size : limit, got = 0;
    char *text = malloc(room + 2);
    if (!text) return err_set(e, E_NOMEM, "%s: no memory for %zu bytes", path, room);
    while (got < room + 1) {
        ssize_t n = read(fd, text + got, room + 1 - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            free(text);
            return err_errno(e, E_IO, "%s", path);
        }
        if (!n) break;
        got += (size_t)n;
    }
    if (got > room) {
        free(text);
        if (room == limit)
            return err_set(e, E_FILE, "%s: more than %zu bytes, which is the limit", path, limit);
        return err_set(e, E_FILE, "%s: grew while it was read", path);
    }
    text[got] = 0;
    *data = text;
    *size = got;
    return OK;
}

int file_read(const char *path, size_t limit, char **data, size_t *size, struct err *e)
{
    *data = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hold us */
    if (fd < 0) return err_errno(e, E_FILE, "%s", path);
    int rc = read_all(fd, path, limit, data, size, e);
    close(fd);
    return rc;
}

int file_read_at(const char *path, size_t offset, void *data, size_t size, struct err *e)
{
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = OK;
    if (fd < 0) {
        rc = code_of_open();
        return err_errno(e, rc, "%s", path);
    }
    while (got < size && rc == OK) {
        ssize_t n = pread(fd, (char *)data + got, size - got, (off_t)(offset + got));
        if (n > 0) got += (size_t)n;
        if (n == 0) rc = err_set(e, E_FILE, "%s: ends at byte %zu", path, offset + got);
        if (n < 0 && errno != EINTR) rc = err_errno(e, E_IO, "%s", path);
    }
    close(fd);
    return rc;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 1;
    snprintf(out, PATH_MAX, "%.*s", (int)(n ? n : 1), slash ? path : ".");
}

static int open_folder(const char *path)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Takes the descriptor of `beside`: its bytes become durable, then the name theirs. Whatever may
 * pass is found out before the file has its name. */
static int place(int fd, const char *beside, const char *path, struct err *e)
{
    int rc = OK, folder = -1;
    bool synced = fsync(fd) == 0;
    int saved = errno;
    bool closed = close(fd) == 0;
    if (!synced) errno = saved;
    if (!synced || !closed || (folder = open_folder(path)) < 0 || rename(beside, path) < 0) {
        rc = code_of_errno();
        err_errno(e, rc, "write %s", path);
    } else if (fsync(folder) < 0) {
        rc = code_of_errno();
        err_errno(e, rc, "sync the folder of %s", path);
    }
    if (folder >= 0) close(folder);
    return rc;
}

int file_write(const char *path, const void *data, size_t size, mode_t mode, struct err *e)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside)
        return err_set(e, E_FILE, "%s: path too long", path);
    int fd = mkostemp(beside, O_CLOEXEC), rc;
    if (fd < 0) {
        rc = code_of_errno();
        return err_errno(e, rc, "make a file beside %s", path);
    }
    if (fchmod(fd, mode) < 0 || write_all(fd, data, size) < 0) {
        rc = code_of_errno();
        err_errno(e, rc, "write %s", path);
        close(fd);
    } else {
        rc = place(fd, beside, path, e);
    }
    if (rc < 0) unlink(beside); /* not there any more when only the folder was not synced */
    return rc;
}

int file_place(const char *from, const char *path, struct err *e)
{
    int fd = open(from, O_WRONLY | O_CLOEXEC), rc;
    if (fd >= 0) return place(fd, from, path, e);
    rc = code_of_open();
    return err_errno(e, rc, "%s", from);
}

int file_add(const char *path, size_t offset, const void *data, size_t size, mode_t mode,
             struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | (offset ? 0 : O_CREAT | O_TRUNC), mode), rc;
    if (fd < 0) {
        rc = code_of_open();
        return err_errno(e, rc, "%s", path);
    }
    off_t end = lseek(fd, 0, SEEK_END);
    if (end != (off_t)offset) {
        rc = err_set(e, E_FILE, "%s: has %lld bytes, expected %zu", path, (long long)end, offset);
    } else if ((rc = write_all(fd, data, size)) < 0) {
        rc = code_of_errno();
        err_errno(e, rc, "add to %s", path);
        if (ftruncate(fd, end) < 0) unlink(path); /* of no use to anybody */
    }
    if (close(fd) < 0 && rc == OK) { /* NFS says only here that there is no room */
        rc = code_of_errno();
        err_errno(e, rc, "add to %s", path);
        unlink(path); /* how long it is now, nobody knows */
    }
    return rc;
}

/* What stands in a folder that may not be read cannot be synced by us. */
static int sync_above(const char *path)
{
    int folder = open_folder(path);
    if (folder < 0) return errno == EACCES ? 0 : -1;
    int rc = fsync(folder), saved = errno;
    close(folder);
    errno = saved;
    return rc;
}

/* A folder whose name is not durable goes again: the next try would take it for an old one. */
static int make_one(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    bool made = mkdir(path, mode) == 0;
    if (made && sync_above(path) == 0) return OK;
    if (made || errno != EEXIST) {
        int rc = code_of_errno() == E_FULL ? E_FULL : made ? E_IO : E_FILE;
        err_errno(e, rc, "make folder %s", path);
        if (made) rmdir(path);
        return rc;
    }
    if (stat(path, &st) < 0) return err_errno(e, E_FILE, "%s", path);
    return S_ISDIR(st.st_mode) ? OK : err_set(e, E_FILE, "%s: is there and no folder", path);
}

int file_make_dir(const char *path, mode_t mode, struct err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (!n || n >= sizeof part) return err_set(e, E_FILE, "folder '%s': bad path", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/' || part[i - 1] == '/') continue;
        part[i] = 0;
        int rc = make_one(part, 0777, e);
        if (rc < 0) return rc;
        part[i] = '/';
    }
    return make_one(path, mode, e);
}

/* ---- the lock of a folder ----------------------------------------------------------------------
 */

/* The number in the lock file; 0 if there is none yet. */
static pid_t read_holder(int fd)
{
    char text[32] = "";
    if (pread(fd, text, sizeof text - 1, 0) <= 0) return 0;
    long n = strtol(text, NULL, 10);
    return n > 0 && n <= INT_MAX ? (pid_t)n : 0;
}

/* An open-file lock of the system: it belongs to the descriptor, so that another open of the same
 * file in this process neither shares nor drops it, and it works where flock does not. */
static int try_lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole);
}

static int note_holder(int fd, const char *path, struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n) return OK;
    int rc = code_of_errno();
    return err_errno(e, rc, "write %s", path);
}

int file_lock(int *fd, const char *dir, struct err *e)
{
    char path[PATH_MAX];
    int rc;
    *fd = -1;
    if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path)
        return err_set(e, E_FILE, "%s: path too long", dir);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        bool denied = errno == EACCES || errno == EPERM || errno == ENOENT || errno == ENOTDIR;
        rc = denied ? E_FILE : code_of_errno();
        return err_errno(e, rc, "%s: a folder that can be written is needed", path);
    }
    if (try_lock(lock) < 0) {
        bool taken = errno == EAGAIN || errno == EACCES;
        rc = taken
                 ? err_set(e, E_STATE, "%s is in use by process %ld", dir, (long)read_holder(lock))
                 : err_errno(e, E_FILE, "lock %s", path);
    } else {
        rc = note_holder(lock, path, e);
    }
    if (rc < 0)
        close(lock);
    else
        *fd = lock;
    return rc;
}

pid_t file_lock_holder(const char *dir)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    pid_t holder = held ? read_holder(fd) : 0;
    close(fd);
    return held && !holder ? -1 : holder;
}

/* ---- file systems ------------------------------------------------------------------------------
 */

/* Numbers of statfs(2) and of the file systems' own headers. FUSE is not among them: it is local as
 * often as not. */
static const struct {
    uint32_t magic;
    const char *name;
} network_systems[] = {
    {0x6969, "NFS"},       {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},  {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},  {0x517B, "SMB"},        {0x00C36400, "Ceph"},  {0x19830326, "BeeGFS"},
    {0x5346414F, "AFS"},   {0x73757245, "Coda"},   {0x01021997, "9P"},    {0x20030528, "PVFS2"},
    {0x7461636f, "OCFS2"}, {0x01161970, "GFS2"},   {0xAAD7AAEA, "PanFS"}, {0x564c, "NCP"},
};

const char *file_network(const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs) < 0) return NULL;
    for (size_t i = 0; i < sizeof network_systems / sizeof *network_systems; i++)
        if ((uint32_t)fs.f_type == network_systems[i].magic) return network_systems[i].name;
    return NULL;
}
