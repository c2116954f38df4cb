// SPDX-License-Identifier: MIT
#include "tests/test.h"

#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

/* Folders that were synced, and when that begins to fail; in the place of the system's. */
static ino_t synced[8];
static size_t syncs;
static bool sync_fails;

int fsync(int fd)
{
    struct stat st;
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && syncs < sizeof synced / sizeof *synced)
        synced[syncs++] = st.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void make_temp(void)
{
    strcpy(dir, "/tmp/grokd-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static void remove_temp(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static int count_files(void)
{
    DIR *d = opendir(dir);
    int n = -2;
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

void test_a_file_comes_back_as_it_was_written(void **state)
{
    char *data;
    size_t size;
    struct stat st;
    (void)state;
    make_temp();
    assert_int_equal(file_write(in_dir("a"), "x\0y", 3, 0600, NULL), OK);
    assert_int_equal(file_write(in_dir("a"), "new\0text", 8, 0640, NULL), OK);
    assert_int_equal(file_read(in_dir("a"), 8, &data, &size, NULL), OK);
    assert_int_equal(size, 8);
    assert_memory_equal(data, "new\0text", 9);
    free(data);
    assert_int_equal(stat(in_dir("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_files(), 1);
    remove_temp();
}

void test_a_file_longer_than_the_limit_is_refused(void **state)
{
    char *data;
    size_t size;
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(file_write(in_dir("a"), "12345", 5, 0600, NULL), OK);
    assert_int_equal(file_read(in_dir("a"), 4, &data, &size, &e), E_FILE);
    assert_null(data);
    assert_non_null(strstr(e.text, "more than 4 bytes"));
    remove_temp();
}

void test_only_regular_files_are_read(void **state)
{
    char *data;
    size_t size;
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_int_equal(file_read(in_dir("fifo"), 10, &data, &size, &e), E_FILE);
    assert_int_equal(file_read(dir, 10, &data, &size, &e), E_FILE);
    assert_int_equal(file_read(in_dir("none"), 10, &data, &size, &e), E_FILE);
    assert_non_null(strstr(e.text, "No such file"));
    remove_temp();
}

void test_a_write_that_fails_leaves_the_old_file_and_no_other(void **state)
{
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(mkdir(in_dir("a"), 0700), 0);
    assert_int_equal(file_write(in_dir("a"), "x", 1, 0600, &e), E_IO);
    assert_int_equal(count_files(), 1);
    assert_int_equal(file_write(in_dir("none/a"), "x", 1, 0600, &e), E_IO);
    remove_temp();
}

void test_folders_are_made_with_those_above_them(void **state)
{
    struct err e;
    struct stat st;
    (void)state;
    make_temp();
    assert_int_equal(file_make_dir(in_dir("a//b/c"), 0700, NULL), OK);
    assert_int_equal(file_make_dir(in_dir("a/b/c/"), 0700, NULL), OK);
    assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(file_write(in_dir("f"), "", 0, 0600, NULL), OK);
    assert_int_equal(file_make_dir(in_dir("f"), 0700, &e), E_FILE);
    assert_int_equal(file_make_dir(in_dir("f/g"), 0700, &e), E_FILE);
    assert_int_equal(file_make_dir("", 0700, &e), E_FILE);
    remove_temp();
}

void test_the_names_of_new_folders_are_durable(void **state)
{
    struct err e;
    struct stat above, st;
    (void)state;
    make_temp();
    assert_int_equal(stat(dir, &above), 0);
    syncs = 0;
    assert_int_equal(file_make_dir(in_dir("a/b"), 0700, NULL), OK);
    assert_int_equal(stat(in_dir("a"), &st), 0);
    assert_int_equal(syncs, 2);
    assert_int_equal(synced[0], above.st_ino);
    assert_int_equal(synced[1], st.st_ino);
    sync_fails = true;
    assert_int_equal(file_make_dir(in_dir("a/c"), 0700, &e), E_IO);
    sync_fails = false;
    assert_int_equal(access(in_dir("a/c"), F_OK), -1);
    assert_int_equal(file_make_dir(in_dir("a/c"), 0700, NULL), OK);
    assert_int_equal(synced[2], st.st_ino);
    remove_temp();
}

/* What another process is told when it asks for the lock. */
static int lock_elsewhere(struct err *e)
{
    int report[2], fd, status;
    assert_int_equal(pipe(report), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err why = {0};
        why.code = file_lock(&fd, dir, &why);
        _exit(write(report[1], &why, sizeof why) != sizeof why);
    }
    assert_int_equal(read(report[0], e, sizeof *e), sizeof *e);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(report[0]);
    close(report[1]);
    return e->code;
}

void test_a_lock_held_here_is_refused_elsewhere_and_names_the_holder(void **state)
{
    char holder[32];
    struct err e;
    int fd, second;
    (void)state;
    make_temp();
    assert_int_equal(file_lock_holder(dir), 0);
    assert_int_equal(file_lock(&fd, dir, NULL), OK);
    assert_int_equal(file_lock_holder(dir), getpid());
    assert_int_equal(lock_elsewhere(&e), E_STATE);
    snprintf(holder, sizeof holder, "in use by process %ld", (long)getpid());
    assert_non_null(strstr(e.text, holder));
    assert_int_equal(file_lock(&second, dir, &e), E_STATE);
    assert_int_equal(second, -1);
    assert_int_equal(lock_elsewhere(&e), E_STATE);
    close(fd);
    assert_int_equal(file_lock_holder(dir), 0);
    assert_int_equal(lock_elsewhere(&e), OK);
    assert_int_equal(file_lock(&second, in_dir("none"), &e), E_FILE);
    assert_non_null(strstr(e.text, "none/lock: a folder that can be written is needed"));
    remove_temp();
}

void test_a_lock_ends_with_the_process_that_held_it(void **state)
{
    int fd, ready[2], status;
    char c;
    (void)state;
    make_temp();
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (file_lock(&fd, dir, NULL) < 0 || write(ready[1], "x", 1) != 1) _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(file_lock_holder(dir), pid);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(file_lock(&fd, dir, NULL), OK);
    close(fd);
    close(ready[0]);
    close(ready[1]);
    remove_temp();
}

void test_a_local_folder_is_not_taken_for_a_network_disk(void **state)
{
    (void)state;
    assert_null(file_network("/proc"));
    assert_null(file_network("/nowhere/at/all"));
}
