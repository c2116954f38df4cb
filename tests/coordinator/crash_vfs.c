// SPDX-License-Identifier: MIT
/* crash_vfs: a disk that forgets, for SQLite. */
#include "tests/coordinator/crash_vfs.h"

#include "common/file.h"
#include "tests/test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

enum { DATABASE, LOG, FILES, OTHER = FILES };
enum op_kind { WRITE, CUT, SYNC, MARK };

struct op {
    enum op_kind kind;
    int file;
    int64_t offset; /* of a mark: its value; of a cut: the new size */
    size_t size;
    unsigned char *bytes;
};

struct image {
    unsigned char *bytes;
    size_t size, room;
};

static struct {
    sqlite3_vfs vfs, *real;
    pthread_mutex_t lock;
    bool records;
    struct image base[FILES];
    struct op *ops;
    size_t count, room;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct file {
    sqlite3_file base;
    int which;
    sqlite3_file *real; /* behind this */
};

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

/* ---- remembering ---- */

static void remember(enum op_kind kind, int file, int64_t offset, const void *bytes, size_t size)
{
    pthread_mutex_lock(&disk.lock);
    if (disk.records && file != OTHER) {
        if (disk.count == disk.room) {
            disk.room = disk.room ? 2 * disk.room : 1024;
            disk.ops = realloc(disk.ops, disk.room * sizeof *disk.ops);
            assert_non_null(disk.ops);
        }
        struct op *x = &disk.ops[disk.count++];
        *x = (struct op){kind, file, offset, size, size ? malloc(size) : NULL};
        if (size) memcpy(x->bytes, bytes, size);
    }
    pthread_mutex_unlock(&disk.lock);
}

void crash_mark(int64_t value)
{
    remember(MARK, DATABASE, value, NULL, 0);
}

size_t crash_syncs(void)
{
    size_t n = 0;
    pthread_mutex_lock(&disk.lock);
    for (size_t i = 0; i < disk.count; i++) n += disk.ops[i].kind == SYNC;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

static void beside(const char *path, int file, char out[256])
{
    snprintf(out, 256, "%s%s", path, file == LOG ? "-wal" : "");
}

void crash_record(const char *path)
{
    for (int i = 0; i < FILES; i++) {
        char name[256], *bytes;
        struct err e;
        beside(path, i, name);
        if (file_read(name, 1 << 30, &bytes, &disk.base[i].size, &e) < 0) fail_msg("%s", e.text);
        disk.base[i].bytes = (unsigned char *)bytes;
    }
    disk.records = true;
}

/* ---- the file system ---- */

static int on_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int on_read(sqlite3_file *f, void *out, int size, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), out, size, at);
}

static int on_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    remember(WRITE, ((struct file *)f)->which, at, bytes, (size_t)size);
    return real_of(f)->pMethods->xWrite(real_of(f), bytes, size, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    remember(CUT, ((struct file *)f)->which, size, NULL, 0);
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    remember(SYNC, ((struct file *)f)->which, 0, NULL, 0);
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int on_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void on_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int on_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory maps: they would write unseen */
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_traits,
    .xShmMap = on_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_barrier,
    .xShmUnmap = on_unmap,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *x = (struct file *)f;
    (void)vfs;
    x->real = (sqlite3_file *)(x + 1);
    x->which = flags & SQLITE_OPEN_MAIN_DB ? DATABASE : flags & SQLITE_OPEN_WAL ? LOG : OTHER;
    int rc = disk.real->xOpen(disk.real, name, x->real, flags, out);
    f->pMethods = x->real->pMethods ? &methods : NULL;
    return rc;
}

void crash_install(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "crash";
    disk.vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
    disk.vfs.xOpen = on_open;
    sqlite3_vfs_register(&disk.vfs, 1);
}

void crash_remove(void)
{
    sqlite3_vfs_register(disk.real, 1);
    sqlite3_vfs_unregister(&disk.vfs);
    for (size_t i = 0; i < disk.count; i++) free(disk.ops[i].bytes);
    for (int i = 0; i < FILES; i++) free(disk.base[i].bytes);
    free(disk.ops);
    disk.ops = NULL;
    disk.count = disk.room = 0;
    disk.records = false;
    memset(disk.base, 0, sizeof disk.base);
}

/* ---- what is left ---- */

static uint64_t draw(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void resize(struct image *i, size_t size)
{
    if (size > i->room || !i->bytes) {
        i->room = 2 * size + 1;
        i->bytes = realloc(i->bytes, i->room);
        assert_non_null(i->bytes);
    }
    if (size > i->size) memset(i->bytes + i->size, 0, size - i->size);
    i->size = size;
}

/* Carries out an operation; keep: of 1,000 sectors so many arrive, drawn one by one. */
static void carry_out(struct image *i, const struct op *x, unsigned keep, uint64_t *state)
{
    if (x->kind == CUT && draw(state) % 1000 < keep) resize(i, (size_t)x->offset);
    if (x->kind != WRITE) return;
    size_t at = (size_t)x->offset, end = at + x->size;
    while (at < end) {
        size_t next = (at / SECTOR + 1) * SECTOR;
        if (next > end) next = end;
        if (draw(state) % 1000 < keep) {
            if (next > i->size) resize(i, next);
            memcpy(i->bytes + at, x->bytes + (at - (size_t)x->offset), next - at);
        }
        at = next;
    }
}

/* The operation at which the power fails: after sync number - 1, before `number` is done. */
static size_t moment(size_t number, uint64_t *state)
{
    size_t from = 0, to = 0, seen = 0;
    for (; to < disk.count; to++) {
        if (disk.ops[to].kind != SYNC) continue;
        if (seen++ == number) break;
        from = to + 1;
    }
    return draw(state) % 4 ? to : from + draw(state) % (to - from + 1);
}

/* Up to `end`: whole before the last sync of the file, by sectors after it. */
static void replay(struct image *i, int file, size_t end, bool without_syncs, uint64_t *state)
{
    static const unsigned keeps[] = {0, 500, 900, 1000};
    unsigned keep = keeps[draw(state) % 4];
    size_t synced = 0;
    for (size_t k = 0; k < end && !without_syncs; k++)
        if (disk.ops[k].kind == SYNC && disk.ops[k].file == file) synced = k;
    for (size_t k = 0; k < end; k++)
        if (disk.ops[k].file == file) carry_out(i, &disk.ops[k], k < synced ? 1000 : keep, state);
}

int64_t crash_cut(size_t number, uint64_t seed, bool without_syncs, const char *path)
{
    int64_t mark = -1;
    size_t end = moment(number, &seed);
    for (size_t k = 0; k < end; k++)
        if (disk.ops[k].kind == MARK) mark = disk.ops[k].offset;
    for (int f = 0; f < FILES; f++) {
        char name[256];
        struct image i = {0};
        resize(&i, disk.base[f].size);
        memcpy(i.bytes, disk.base[f].bytes, i.size);
        replay(&i, f, end, without_syncs, &seed);
        beside(path, f, name);
        FILE *out = fopen(name, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(i.bytes, 1, i.size, out), i.size);
        assert_int_equal(fclose(out), 0);
        free(i.bytes);
    }
    return mark;
}
