// SPDX-License-Identifier: MIT
#include "tests/test.h"

#include "common/file.h"
#include "common/keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

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

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(in_dir(name), &st), 0);
    return st.st_mode & 07777;
}

void test_the_first_start_makes_keys_and_the_next_finds_them(void **state)
{
    struct keys first, second;
    (void)state;
    make_temp();
    assert_int_equal(keys_open(&first, dir, NULL), OK);
    assert_int_equal(keys_open(&second, dir, NULL), OK);
    assert_true(sock_key_valid(first.server.secret_key));
    assert_string_not_equal(first.server.secret_key, first.client.secret_key);
    assert_memory_equal(&first.server, &second.server, sizeof first.server);
    assert_memory_equal(&first.client, &second.client, sizeof first.client);
    assert_int_equal(second.allowed_count, 1);
    assert_string_equal(second.allowed[0].key, first.client.public_key);
    assert_string_equal(second.allowed[0].user, "client");
    assert_int_equal(mode_of("keys"), 0700);
    assert_int_equal(mode_of("keys/server.key"), 0600);
    assert_int_equal(mode_of("keys/client.key"), 0600);
    assert_int_equal(mode_of("keys/allowed"), 0600);
    keys_free(&first);
    keys_free(&second);
    remove_temp();
}

void test_the_access_file_holds_what_a_worker_needs(void **state)
{
    struct keys k;
    struct access a;
    struct stat before, after;
    (void)state;
    make_temp();
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:4711", NULL), OK);
    assert_int_equal(mode_of("access"), 0600);
    assert_int_equal(access_read(&a, in_dir("access"), NULL), OK);
    assert_string_equal(a.endpoint, "tcp://127.0.0.1:4711");
    assert_string_equal(a.server_key, k.server.public_key);
    assert_memory_equal(&a.client, &k.client, sizeof a.client);

    assert_int_equal(stat(in_dir("access"), &before), 0);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:4711", NULL), OK);
    assert_int_equal(stat(in_dir("access"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:4712", NULL), OK);
    assert_int_equal(access_read(&a, in_dir("access"), NULL), OK);
    assert_string_equal(a.endpoint, "tcp://127.0.0.1:4712");
    keys_free(&k);
    remove_temp();
}

void test_an_endpoint_of_every_interface_is_written_with_the_hosts_name(void **state)
{
    static const char *const bound[] = {"tcp://0.0.0.0:4711", "tcp://[::]:4711", "tcp://*:4711"};
    struct keys k;
    struct access a;
    char host[HOST_NAME_MAX + 1] = "", want[SOCK_ENDPOINT];
    (void)state;
    make_temp();
    gethostname(host, sizeof host);
    snprintf(want, sizeof want, "tcp://%s:4711", host);
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(keys_endpoint_update(&k, dir, bound[i], NULL), OK);
        assert_int_equal(access_read(&a, in_dir("access"), NULL), OK);
        assert_string_equal(a.endpoint, want);
    }
    keys_free(&k);
    remove_temp();
}

void test_a_secret_that_others_may_read_is_refused_with_the_cure(void **state)
{
    struct keys k;
    struct access a;
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:1", NULL), OK);
    keys_free(&k);
    assert_int_equal(chmod(in_dir("access"), 0640), 0);
    assert_int_equal(access_read(&a, in_dir("access"), &e), E_FILE);
    assert_non_null(strstr(e.text, "mode 640"));
    assert_non_null(strstr(e.text, "chmod 600"));
    assert_int_equal(chmod(in_dir("keys/server.key"), 0604), 0);
    assert_int_equal(keys_open(&k, dir, &e), E_FILE);
    assert_non_null(strstr(e.text, "server.key"));
    assert_int_equal(chmod(in_dir("keys/server.key"), 0600), 0);
    assert_int_equal(chmod(in_dir("keys/allowed"), 0666), 0);
    assert_int_equal(keys_open(&k, dir, &e), E_FILE);
    remove_temp();
}

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static void refuse_access(const char *text, const char *why)
{
    struct access a;
    struct err e = {0};
    assert_int_equal(file_write(in_dir("access"), text, strlen(text), 0600, NULL), OK);
    assert_int_equal(access_read(&a, in_dir("access"), &e), E_FILE);
    if (!strstr(e.text, why)) fail_msg("'%s' does not say '%s'", e.text, why);
}

void test_an_access_file_that_is_wrong_is_refused_with_its_line(void **state)
{
    struct access a;
    struct err e;
    (void)state;
    make_temp();
    refuse_access("", "'endpoint = ...' is missing");
    refuse_access("# x\nendpoint tcp://a:1\n", "access:2: 'name = value' expected");
    refuse_access("endpoint = tcp://a:1\nendpoint = tcp://a:1\n", "access:2: second 'endpoint'");
    refuse_access("server = abc\n", "access:1: server: a key of 40 characters");
    refuse_access("colour = red\n", "access:1: unknown name 'colour'");
    refuse_access("endpoint =\n", "endpoint: 1 to 255 characters");
    refuse_access("endpoint = tcp://a:1\nserver = " KEY "\npublic = " KEY "\n", "'secret = ...'");
    refuse_access("endpoint = ipc:///x\nserver = " KEY "\npublic = " KEY "\nsecret = " KEY "\n",
                  "tcp://HOST:PORT expected");
    assert_int_equal(file_write(in_dir("access"), "a\0b", 3, 0600, NULL), OK);
    assert_int_equal(access_read(&a, in_dir("access"), &e), E_FILE);
    assert_int_equal(access_read(&a, in_dir("none"), &e), E_FILE);
    char *big = calloc(1, 5000);
    memset(big, '#', 4999);
    refuse_access(big, "more than 4096 bytes");
    free(big);
    remove_temp();
}

void test_spaces_comments_and_windows_line_ends_do_not_matter(void **state)
{
    static const char text[] = "\n  # a comment\r\n endpoint=tcp://a:1 \r\nserver =\t" KEY
                               "\r\npublic= " KEY "\nsecret = " KEY;
    struct access a;
    (void)state;
    make_temp();
    assert_int_equal(file_write(in_dir("access"), text, sizeof text - 1, 0600, NULL), OK);
    assert_int_equal(access_read(&a, in_dir("access"), NULL), OK);
    assert_string_equal(a.endpoint, "tcp://a:1");
    assert_string_equal(a.client.secret_key, KEY);
    remove_temp();
}

void test_the_list_of_allowed_keys_is_the_owners(void **state)
{
    static const char mine[] = "# mine\n" KEY " node 7\n\n" KEY;
    static const char bad[] = KEY "\nnokey bob\n";
    struct keys k;
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    keys_free(&k);
    assert_int_equal(file_write(in_dir("keys/allowed"), mine, sizeof mine - 1, 0600, NULL), OK);
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(k.allowed_count, 2);
    assert_string_equal(k.allowed[0].user, "node 7");
    assert_string_equal(k.allowed[1].user, "");
    keys_free(&k);
    assert_int_equal(file_write(in_dir("keys/allowed"), "", 0, 0600, NULL), OK);
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(k.allowed_count, 0);
    keys_free(&k);
    assert_int_equal(file_write(in_dir("keys/allowed"), bad, sizeof bad - 1, 0600, NULL), OK);
    assert_int_equal(keys_open(&k, dir, &e), E_FILE);
    assert_non_null(strstr(e.text, "allowed:2:"));
    remove_temp();
}

void test_a_client_key_made_anew_is_added_to_the_list(void **state)
{
    struct keys k;
    (void)state;
    make_temp();
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    keys_free(&k);
    assert_int_equal(unlink(in_dir("keys/client.key")), 0);
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(k.allowed_count, 2);
    assert_string_equal(k.allowed[1].key, k.client.public_key);
    keys_free(&k);
    remove_temp();
}

void test_the_control_path_is_short_private_and_the_same_by_every_name(void **state)
{
    char a[KEYS_PATH], b[KEYS_PATH], other[KEYS_PATH], folder[128];
    struct err e;
    (void)state;
    make_temp();
    assert_int_equal(mkdir(in_dir("run"), 0700), 0);
    assert_int_equal(mkdir(in_dir("data"), 0700), 0);
    setenv("XDG_RUNTIME_DIR", in_dir("run"), 1);
    snprintf(folder, sizeof folder, "ipc://%s/run/grokd/", dir);
    assert_int_equal(keys_control_path(in_dir("data"), a, NULL), OK);
    assert_int_equal(keys_control_path(in_dir("run/../data/"), b, NULL), OK);
    assert_int_equal(keys_control_path(dir, other, NULL), OK);
    assert_string_equal(a, b);
    assert_string_not_equal(a, other);
    assert_memory_equal(a, folder, strlen(folder));
    assert_true(strlen(a) - strlen("ipc://") <= 107);
    assert_int_equal(mode_of("run/grokd"), 0700);
    assert_int_equal(chmod(in_dir("run/grokd"), 0755), 0);
    assert_int_equal(keys_control_path(in_dir("data"), a, &e), E_FILE);
    assert_non_null(strstr(e.text, "mode 700"));
    assert_int_equal(keys_control_path(in_dir("none"), a, &e), E_FILE);
    unsetenv("XDG_RUNTIME_DIR");
    remove_temp();
}

/* Whether DIR/keys/allowed says this; gives back the count. */
static size_t allowed_count(void)
{
    struct sock_client *list;
    size_t count;
    struct err e = {0};
    if (keys_allowed(dir, &list, &count, &e) < 0) fail_msg("%s", e.text);
    free(list);
    return count;
}

void test_a_worker_can_have_a_key_of_its_own_and_lose_it(void **state)
{
    (void)state;
    char name[SOCK_USER], key[SOCK_KEY], path[PATH_MAX];
    struct keys k;
    struct access a;
    struct stat st;
    struct err e = {0};
    make_temp();
    assert_int_equal(keys_new(dir, "gpu1", NULL, true, name, key, path, &e), E_FILE);
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:5757", NULL), OK);
    assert_int_equal(keys_new(dir, "gpu1", NULL, true, name, key, path, &e), OK);
    assert_int_equal(access_read(&a, path, NULL), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(a.client.public_key, key);
    assert_string_not_equal(key, k.client.public_key);
    assert_string_equal(a.endpoint, "tcp://127.0.0.1:5757");
    assert_int_equal(allowed_count(), 2);
    assert_int_equal(keys_new(dir, "gpu1", NULL, true, name, key, path, &e), E_USAGE);
    assert_int_equal(keys_new(dir, NULL, NULL, false, name, key, path, &e), OK);
    assert_string_equal(name, "worker-1");
    assert_int_equal(allowed_count(), 2);
    assert_int_equal(keys_add(dir, key, name, NULL), OK);
    assert_int_equal(keys_add(dir, key, "again", NULL), E_USAGE);
    assert_int_equal(allowed_count(), 3);
    assert_int_equal(keys_revoke(dir, key, NULL), OK);
    assert_int_equal(keys_revoke(dir, "gpu1", NULL), OK);
    assert_int_equal(allowed_count(), 1);
    assert_int_equal(keys_revoke(dir, "gpu1", &e), E_USAGE);
    assert_int_equal(keys_new(dir, "gpu1", NULL, true, name, key, path, &e), OK);
    assert_string_not_equal(a.client.public_key, key);
    keys_free(&k);
    remove_temp();
}

void test_names_of_keys_cannot_leave_the_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "../x", "a/b", "-x", ".x", "a b", "a\nb", "a'b"};
    char name[SOCK_USER], key[SOCK_KEY], path[PATH_MAX];
    struct keys k;
    struct err e;
    make_temp();
    assert_int_equal(keys_open(&k, dir, NULL), OK);
    assert_int_equal(keys_endpoint_update(&k, dir, "tcp://127.0.0.1:5757", NULL), OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(keys_new(dir, bad[i], NULL, true, name, key, path, &e), E_USAGE);
        if (*bad[i]) assert_int_equal(keys_add(dir, k.server.public_key, bad[i], &e), E_USAGE);
    }
    assert_int_equal(allowed_count(), 1);
    keys_free(&k);
    remove_temp();
}
