// SPDX-License-Identifier: MIT
/* keys: who may come in, in files. */
#include "common/keys.h"

#include "common/file.h"
#include "common/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAIR_LIMIT    4096
#define ALLOWED_LIMIT (1 << 20)
#define FIELDS        4

/* ---- files of `name = value` -------------------------------------------------------------------
 */

struct field {
    const char *name;
    char *value; /* "" until read */
    size_t size;
    bool key; /* must be 40 characters of Z85 */
};

/* Cuts spaces off both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t n = strlen(text);
    while (n && strchr(" \t\r", text[n - 1])) text[--n] = 0;
    return text;
}

static int read_field(char *line, struct field *fields, size_t count, struct err *e)
{
    char *equals = strchr(line, '=');
    if (!equals) return err_set(e, E_FILE, "'name = value' expected");
    *equals = 0;
    char *name = trim(line), *value = trim(equals + 1);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) != 0) continue;
        if (fields[i].value[0]) return err_set(e, E_FILE, "second '%s'", name);
        if (fields[i].key && !sock_key_valid(value))
            return err_set(e, E_FILE, "%s: a key of 40 characters of Z85 expected", name);
        if (!*value || strlen(value) >= fields[i].size)
            return err_set(e, E_FILE, "%s: 1 to %zu characters expected", name, fields[i].size - 1);
        memcpy(fields[i].value, value, strlen(value) + 1);
        return OK;
    }
    return err_set(e, E_FILE, "unknown name '%.40s'", name);
}

/* A secret that others can read is none: say so instead of using it. */
static int read_private(const char *path, size_t limit, char **text, struct err *e)
{
    struct stat st;
    size_t size;
    *text = NULL;
    if (stat(path, &st) < 0) return err_errno(e, E_FILE, "%s", path);
    if (st.st_mode & 077)
        return err_set(e, E_FILE, "%s: mode %03o lets others read a secret; chmod 600 %s", path,
                       (unsigned)st.st_mode & 0777, path);
    int rc = file_read(path, limit, text, &size, e);
    if (rc == OK && strlen(*text) != size) {
        free(*text);
        *text = NULL;
        rc = err_set(e, E_FILE, "%s: not a text file", path);
    }
    return rc;
}

/* Takes the next line off *rest; NULL at the end. Comments and empty lines come back empty. */
static char *next_line(char **rest)
{
    char *line = strsep(rest, "\n");
    if (!line) return NULL;
    line = trim(line);
    return *line == '#' ? line + strlen(line) : line;
}

static int read_fields(const char *path, struct field *fields, size_t count, struct err *e)
{
    struct err why = {0};
    char *text, *line;
    int number = 0, rc = read_private(path, PAIR_LIMIT, &text, e);
    if (rc < 0) return rc;
    for (char *rest = text; rc == OK && (line = next_line(&rest));) {
        number++;
        if (*line) rc = read_field(line, fields, count, &why);
    }
    free(text);
    if (rc < 0) return err_set(e, rc, "%s:%d: %s", path, number, why.text);
    for (size_t i = 0; i < count; i++)
        if (!fields[i].value[0])
            return err_set(e, E_FILE, "%s: '%s = ...' is missing", path, fields[i].name);
    return OK;
}

static int write_fields(const char *path, const char *head, const struct field *fields,
                        size_t count, struct err *e)
{
    char text[PAIR_LIMIT];
    int n = snprintf(text, sizeof text, "# %s\n", head);
    for (size_t i = 0; i < count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s = %s\n", fields[i].name,
                      fields[i].value);
    return file_write(path, text, (size_t)n, 0600, e);
}

/* ---- the coordinator's pairs -------------------------------------------------------------------
 */

static int join(char out[PATH_MAX], const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX) return OK;
    return err_set(e, E_FILE, "%s: path too long", dir);
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || errno != ENOENT;
}

/* Reads the pair of a file, or makes both; *made says which. */
static int pair_open(struct keys_pair *p, const char *dir, const char *name, const char *head,
                     bool *made, struct err *e)
{
    char path[PATH_MAX];
    struct field fields[] = {{"public", p->public_key, SOCK_KEY, true},
                             {"secret", p->secret_key, SOCK_KEY, true}};
    int rc = join(path, dir, name, e);
    if (rc < 0) return rc;
    *made = !exists(path);
    if (!*made) return read_fields(path, fields, 2, e);
    rc = sock_keypair(p->public_key, p->secret_key, e);
    return rc < 0 ? rc : write_fields(path, head, fields, 2, e);
}

/* ---- who is allowed ----------------------------------------------------------------------------
 */

/* Adds "KEY NAME" or "KEY" to the list. */
static int add_client(struct keys *k, char *line, struct err *e)
{
    size_t n = strcspn(line, " \t");
    char *user = trim(line + n);
    if (line[n]) line[n] = 0;
    if (!sock_key_valid(line)) return err_set(e, E_FILE, "a key of 40 characters of Z85 expected");
    if (strlen(user) >= SOCK_USER)
        return err_set(e, E_FILE, "name of at most %d characters expected", SOCK_USER - 1);
    struct sock_client *more = realloc(k->allowed, (k->allowed_count + 1) * sizeof *more);
    if (!more) return err_set(e, E_NOMEM, "no memory for the keys");
    k->allowed = more;
    struct sock_client *c = &more[k->allowed_count++];
    *c = (struct sock_client){0};
    memcpy(c->key, line, SOCK_KEY);
    memcpy(c->user, user, strlen(user) + 1);
    return OK;
}

static int allowed_read(struct keys *k, const char *path, struct err *e)
{
    struct err why = {0};
    char *text, *line;
    int number = 0, rc = read_private(path, ALLOWED_LIMIT, &text, e);
    if (rc < 0) return rc;
    for (char *rest = text; rc == OK && (line = next_line(&rest));) {
        number++;
        if (*line) rc = add_client(k, line, &why);
    }
    free(text);
    return rc < 0 ? err_set(e, rc, "%s:%d: %s", path, number, why.text) : OK;
}

/* The list as it is, with a key behind it. */
static int allowed_append(const char *path, const char *key, const char *name, struct err *e)
{
    static const char head[] = "# Public keys of clients that may come in: KEY NAME, one a line.\n";
    char *old = NULL, *text;
    size_t size = 0;
    int rc = exists(path) ? file_read(path, ALLOWED_LIMIT, &old, &size, e) : OK;
    if (rc < 0) return rc;
    const char *gap = old && size && old[size - 1] != '\n' ? "\n" : "";
    int n = asprintf(&text, "%s%s%s %s\n", old ? old : head, gap, key, name);
    free(old);
    if (n < 0) return err_set(e, E_NOMEM, "%s: no memory", path);
    rc = file_write(path, text, (size_t)n, 0600, e);
    free(text);
    return rc;
}

int keys_open(struct keys *k, const char *dir, struct err *e)
{
    char folder[PATH_MAX], allowed[PATH_MAX];
    bool new_server, new_client;
    *k = (struct keys){0};
    int rc = join(folder, dir, "keys", e);
    if (rc == OK) rc = join(allowed, dir, "keys/allowed", e);
    if (rc == OK) rc = file_make_dir(folder, 0700, e);
    if (rc == OK)
        rc = pair_open(&k->server, folder, "server.key",
                       "The key of this grokd-coord. Whoever has it can pose as it.", &new_server,
                       e);
    if (rc == OK)
        rc = pair_open(&k->client, folder, "client.key",
                       "The first client's key, as in the access file. Whoever has it may come in.",
                       &new_client, e);
    if (rc == OK && (new_client || !exists(allowed)))
        rc = allowed_append(allowed, k->client.public_key, "client", e);
    if (rc == OK) rc = allowed_read(k, allowed, e);
    if (rc < 0) keys_free(k);
    return rc;
}

void keys_free(struct keys *k)
{
    free(k->allowed);
    explicit_bzero(k, sizeof *k);
}

/* ---- the access file ---------------------------------------------------------------------------
 */

static void access_fields(struct access *a, struct field f[FIELDS])
{
    f[0] = (struct field){"endpoint", a->endpoint, sizeof a->endpoint, false};
    f[1] = (struct field){"server", a->server_key, SOCK_KEY, true};
    f[2] = (struct field){"public", a->client.public_key, SOCK_KEY, true};
    f[3] = (struct field){"secret", a->client.secret_key, SOCK_KEY, true};
}

int access_read(struct access *a, const char *path, struct err *e)
{
    struct field fields[FIELDS];
    *a = (struct access){0};
    access_fields(a, fields);
    int rc = read_fields(path, fields, FIELDS, e);
    if (rc == OK && strncmp(a->endpoint, "tcp://", 6) != 0)
        rc = err_set(e, E_FILE, "%s: endpoint %s: tcp://HOST:PORT expected", path, a->endpoint);
    return rc;
}

/* An endpoint that others can connect to; out is zeroed. */
static void reachable(const char *bound, char out[SOCK_ENDPOINT])
{
    static const char *const everywhere[] = {"tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:"};
    char host[HOST_NAME_MAX + 1] = "";
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(everywhere[i]);
        if (strncmp(bound, everywhere[i], n) != 0 || gethostname(host, sizeof host) < 0) continue;
        snprintf(out, SOCK_ENDPOINT, "tcp://%s:%s", host, bound + n);
        return;
    }
    snprintf(out, SOCK_ENDPOINT, "%s", bound);
}

int keys_endpoint_update(const struct keys *k, const char *dir, const char *endpoint, struct err *e)
{
    struct access now = {.client = k->client}, old;
    struct field fields[FIELDS];
    char path[PATH_MAX];
    int rc = join(path, dir, "access", e);
    if (rc < 0) return rc;
    memcpy(now.server_key, k->server.public_key, SOCK_KEY);
    reachable(endpoint, now.endpoint);
    if (access_read(&old, path, NULL) == OK && !memcmp(&old, &now, sizeof now)) return OK;
    access_fields(&now, fields);
    return write_fields(path,
                        "grokd access: what a grokd-worker needs to come in. Copy it to the "
                        "machines of your workers,\n# show it to nobody else.",
                        fields, FIELDS, e);
}

/* ---- changing the list -------------------------------------------------------------------------
 */

int keys_allowed(const char *dir, struct sock_client **list, size_t *count, struct err *e)
{
    char path[PATH_MAX];
    struct keys k = {0};
    int rc = join(path, dir, "keys/allowed", e);
    if (rc == OK && !exists(path))
        rc = err_set(e, E_FILE, "%s: no keys yet; start grokd-coord --dir %s once", path, dir);
    if (rc == OK) rc = allowed_read(&k, path, e);
    if (rc < 0) free(k.allowed);
    *list = rc < 0 ? NULL : k.allowed;
    *count = rc < 0 ? 0 : k.allowed_count;
    return rc;
}

/* One change at a time: the folder of keys is locked, and the list read. */
struct change {
    int lock;
    char path[PATH_MAX]; /* of the list */
    struct sock_client *list;
    size_t count;
};

static int change_begin(struct change *c, const char *dir, struct err *e)
{
    char folder[PATH_MAX];
    *c = (struct change){.lock = -1};
    int rc = join(folder, dir, "keys", e);
    if (rc == OK) rc = join(c->path, dir, "keys/allowed", e);
    if (rc < 0) return rc;
    c->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->lock >= 0 && flock(c->lock, LOCK_EX) < 0) return err_errno(e, E_FILE, "lock %s", folder);
    return keys_allowed(dir, &c->list, &c->count, e);
}

static void change_end(struct change *c)
{
    free(c->list);
    if (c->lock >= 0) close(c->lock);
}

static const struct sock_client *listed(const struct change *c, const char *which)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->list[i].key, which) || !strcmp(c->list[i].user, which)) return &c->list[i];
    return NULL;
}

/* A name is part of a file's name. */
static int check_name(const char *name, struct err *e)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = strlen(name);
    if (n && n < SOCK_USER && *name != '-' && *name != '.' && strspn(name, letters) == n) return OK;
    return err_set(e, E_USAGE,
                   "name '%.60s': 1 to %d of letters, digits, '_', '.', '-' expected, the first "
                   "a letter, digit or '_'",
                   name, SOCK_USER - 1);
}

static int check_new(const struct change *c, const char *key, const char *name, struct err *e)
{
    int rc = *name ? check_name(name, e) : OK;
    if (rc < 0) return rc;
    if (*name && listed(c, name))
        return err_set(e, E_USAGE, "a key named %s is allowed already", name);
    if (key && listed(c, key)) return err_set(e, E_USAGE, "the key %s is allowed already", key);
    return OK;
}

int keys_add(const char *dir, const char *key, const char *name, struct err *e)
{
    struct change c;
    if (!sock_key_valid(key))
        return err_set(e, E_USAGE, "'%.60s': a key of 40 characters of Z85 expected", key);
    int rc = change_begin(&c, dir, e);
    if (rc == OK) rc = check_new(&c, key, name, e);
    if (rc == OK) rc = allowed_append(c.path, key, name, e);
    change_end(&c);
    return rc;
}

/* The list without the lines of one key, comments kept. */
static int allowed_remove(const char *path, const char *key, struct err *e)
{
    char *old, *text, *line;
    size_t n = 0;
    int rc = read_private(path, ALLOWED_LIMIT, &old, e);
    if (rc < 0) return rc;
    text = malloc(strlen(old) + 2);
    for (char *rest = old; text && (line = strsep(&rest, "\n"));) {
        if (!strncmp(line + strspn(line, " \t"), key, SOCK_KEY - 1) || (!rest && !*line)) continue;
        n += (size_t)sprintf(text + n, "%s\n", line);
    }
    rc = text ? file_write(path, text, n, 0600, e) : err_set(e, E_NOMEM, "%s: no memory", path);
    free(text);
    free(old);
    return rc;
}

int keys_revoke(const char *dir, const char *which, struct err *e)
{
    struct change c;
    char path[PATH_MAX], file[SOCK_USER + 16];
    int rc = change_begin(&c, dir, e);
    const struct sock_client *x = rc == OK ? listed(&c, which) : NULL;
    if (rc == OK && !x)
        rc = err_set(e, E_USAGE, "no key '%.60s' is allowed; grokctl key list", which);
    for (size_t i = 0; i < c.count && rc == OK; i++)
        if (!strcmp(c.list[i].key, which) || !strcmp(c.list[i].user, which))
            rc = allowed_remove(c.path, c.list[i].key, e);
    if (rc == OK && check_name(x->user, NULL) == OK) {
        snprintf(file, sizeof file, "keys/%s.access", x->user);
        if ((rc = join(path, dir, file, e)) == OK) unlink(path);
    }
    change_end(&c);
    return rc;
}

/* The access file of one worker: that of all with another pair. */
static int write_worker(const char *dir, const char *path, struct access *a, struct err *e)
{
    struct keys_pair pair = a->client;
    struct field fields[FIELDS];
    char shared[PATH_MAX];
    if (exists(path)) return err_set(e, E_USAGE, "%s is there already", path);
    int rc = join(shared, dir, "access", e);
    if (rc == OK) rc = access_read(a, shared, e);
    if (rc < 0) return rc;
    a->client = pair;
    access_fields(a, fields);
    return write_fields(path, "grokd access of one worker: its machine needs this file alone.",
                        fields, FIELDS, e);
}

/* The first worker-N that nobody has. */
static int free_name(const struct change *c, const char *dir, char name[SOCK_USER], struct err *e)
{
    char path[PATH_MAX], file[SOCK_USER + 16];
    for (unsigned n = 1;; n++) {
        snprintf(name, SOCK_USER, "worker-%u", n);
        snprintf(file, sizeof file, "keys/%s.access", name);
        int rc = join(path, dir, file, e);
        if (rc < 0 || (!listed(c, name) && !exists(path))) return rc;
    }
}

int keys_new(const char *dir, const char *wanted, const char *file, bool allow,
             char name[SOCK_USER], char key[SOCK_KEY], char path[PATH_MAX], struct err *e)
{
    struct access a = {0};
    struct change c;
    char own[SOCK_USER + 16];
    int rc = change_begin(&c, dir, e);
    if (rc == OK && !wanted) rc = free_name(&c, dir, name, e);
    if (rc == OK && wanted && (rc = check_name(wanted, e)) == OK)
        snprintf(name, SOCK_USER, "%s", wanted);
    if (rc == OK) rc = check_new(&c, NULL, name, e);
    if (rc == OK) {
        snprintf(own, sizeof own, "keys/%s.access", name);
        rc = file ? join(path, ".", file, e) : join(path, dir, own, e);
        if (rc == OK && file) snprintf(path, PATH_MAX, "%s", file);
    }
    if (rc == OK) rc = sock_keypair(a.client.public_key, a.client.secret_key, e);
    if (rc == OK) rc = write_worker(dir, path, &a, e);
    if (rc == OK && allow) rc = allowed_append(c.path, a.client.public_key, name, e);
    if (rc == OK) memcpy(key, a.client.public_key, SOCK_KEY);
    explicit_bzero(&a, sizeof a);
    change_end(&c);
    return rc;
}

/* ---- grokctl's endpoint ------------------------------------------------------------------------
 */

static bool is_ours(const char *folder)
{
    struct stat st;
    return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 077);
}

/* Where this user's sockets live. systemd's folder is found without the variable too, so that a
 * login shell and a batch job meet. */
static void runtime_folder(char *out, size_t size)
{
    char systemd[64];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    snprintf(systemd, sizeof systemd, "/run/user/%lu", (unsigned long)geteuid());
    if (!runtime || runtime[0] != '/' || strlen(runtime) > 64 || !is_ours(runtime))
        runtime = is_ours(systemd) ? systemd : NULL;
    if (runtime)
        snprintf(out, size, "%s/grokd", runtime);
    else
        snprintf(out, size, "/tmp/grokd-%lu", (unsigned long)geteuid());
}

int keys_control_path(const char *dir, char out[KEYS_PATH], struct err *e)
{
    char folder[80], hex[HASH_HEX], *real = realpath(dir, NULL);
    if (!real) return err_errno(e, E_FILE, "%s", dir);
    hash_sha256_hex(real, strlen(real), hex);
    free(real);
    runtime_folder(folder, sizeof folder);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(e, E_FILE, "make folder %s", folder);
    if (!is_ours(folder))
        return err_set(e, E_FILE, "%s: not a folder of yours with mode 700", folder);
    snprintf(out, KEYS_PATH, "ipc://%s/%.16s.sock", folder, hex);
    return OK;
}
