// SPDX-License-Identifier: MIT
/* keys: who may come in, in files.
 *
 *   DIR/keys/server.key   the server's pair        DIR/access   all that a worker needs: endpoint,
 *   DIR/keys/client.key   the first client's pair               server key, client pair
 *   DIR/keys/allowed      public keys of clients: KEY NAME, one a line
 *
 * Made at the first start, mode 0600 in a directory of 0700, written whole or not at all. A secret
 * that others may read is refused, not used.
 */
#ifndef GROKD_COMMON_KEYS_H
#define GROKD_COMMON_KEYS_H

#include "common/err.h"
#include "common/sock.h"

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

/* Reads an access file, checking mode and every value. */
int access_read(struct access *a, const char *path, struct err *e);

/* The endpoint of grokctl for DIR: ipc://RUNTIME/grokd/HASH.sock, RUNTIME being $XDG_RUNTIME_DIR,
 * or ipc:///tmp/grokd-UID/HASH.sock; makes the folder (mode 0700, ours) or refuses it. The same
 * for every name of the same DIR. */
int keys_control_path(const char *dir, char out[KEYS_PATH], struct err *e);

#endif
