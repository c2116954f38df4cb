// SPDX-License-Identifier: MIT
/* keys: who may come in, in files.
 *
 *   DIR/keys/server.key   the server's pair        DIR/access   all that a worker needs: endpoint,
 *   DIR/keys/client.key   the first client's pair               server key, client pair
 *   DIR/keys/allowed      public keys of clients: KEY NAME, one a line
 *   DIR/keys/NAME.access  as DIR/access, with a pair of its own: for one worker
 *
 * Made at the first start, mode 0600 in a directory of 0700, written whole or not at all. A secret
 * that others may read is refused, not used.
 */
#ifndef GROKD_COMMON_KEYS_H
#define GROKD_COMMON_KEYS_H

#include "common/err.h"
#include "common/sock.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define KEYS_PATH 128 /* ipc:// and the 107 bytes of a socket's path */

struct keys_pair {
    char public_key[SOCK_KEY], secret_key[SOCK_KEY];
};

/* The coordinator's side. */
struct keys {
    struct keys_pair server, client;
    struct sock_client *allowed; /* keys_free frees */
    size_t allowed_count;
};

/* The worker's side. */
struct access {
    char endpoint[SOCK_ENDPOINT];
    char server_key[SOCK_KEY]; /* public */
    struct keys_pair client;
};

/* Reads DIR/keys, making what is missing (all of it, or nothing but `allowed`). DIR exists. */
int keys_open(struct keys *k, const char *dir, struct err *e);
void keys_free(struct keys *k);

/* Writes DIR/access with this endpoint, as bound; an address for every interface (0.0.0.0, [::], *)
 * becomes this host's name. Leaves a file that says the same alone. */
int keys_endpoint_update(const struct keys *k, const char *dir, const char *endpoint,
                         struct err *e);

/* The list of DIR (gives, free); what keys_new, keys_add and keys_revoke change, one at a time. */
int keys_allowed(const char *dir, struct sock_client **list, size_t *count, struct err *e);

/* Allows a key; name "": none. Refuses a key or a name that is on the list. */
int keys_add(const char *dir, const char *key, const char *name, struct err *e);

/* Takes a key off the list, by itself, or every key of a name, and removes DIR/keys/NAME.access. */
int keys_revoke(const char *dir, const char *which, struct err *e);

/* A pair of keys for one worker: writes `file`, or NULL: DIR/keys/NAME.access, which must not be
 * there; wanted NULL: the first free worker-N. Says name, public key and path of the file. */
int keys_new(const char *dir, const char *wanted, const char *file, bool allow,
             char name[SOCK_USER], char key[SOCK_KEY], char path[PATH_MAX], struct err *e);

/* Reads an access file, checking mode and every value. */
int access_read(struct access *a, const char *path, struct err *e);

/* The endpoint of grokctl for DIR: ipc://RUNTIME/grokd/HASH.sock, RUNTIME being $XDG_RUNTIME_DIR,
 * or ipc:///tmp/grokd-UID/HASH.sock; makes the folder (mode 0700, ours) or refuses it. The same
 * for every name of the same DIR. */
int keys_control_path(const char *dir, char out[KEYS_PATH], struct err *e);

#endif
