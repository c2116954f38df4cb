// SPDX-License-Identifier: MIT
/* sock_zap: who may come in. Answers libzmq's questions about client keys (ZeroMQ RFC 27) from a
 * list in memory, in a thread of its own, without any other input or output.
 *
 * libzmq 4.3.4 lets everybody in when nobody answers, so the thread lives as long as the context.
 */
#include "common/sock_private.h"
#include "common/thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define KEY_BYTES    32
#define ID_BYTES     64

/* Frames of a request, in order. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, FRAMES };

struct request {
    size_t id_size;
    uint8_t id[ID_BYTES];
    bool curve;
    char key[SOCK_KEY]; /* "" if none was given */
};

static struct {
    void *socket;
    struct thread *thread;
    struct lock *lock; /* guards clients */
    struct sock_client *clients;
    size_t count;
} zap;

static _Atomic uint64_t refused;

/* ---- the list ----------------------------------------------------------------------------------
 */

static int check_clients(const struct sock_client *clients, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (!sock_key_valid(clients[i].key))
            return err_set(e, E_FILE, "key %zu of those allowed is no key: 40 characters of Z85",
                           i + 1);
    return OK;
}

int sock_allow(const struct sock_client *clients, size_t count, struct err *e)
{
    struct sock_client *copy = NULL;
    if (!zap.lock) return err_set(e, E_STATE, "keys are allowed after sock_start");
    int rc = check_clients(clients, count, e);
    if (rc < 0) return rc;
    if (count) {
        copy = calloc(count, sizeof *copy);
        if (!copy) return err_set(e, E_NOMEM, "no memory for %zu keys", count);
        memcpy(copy, clients, count * sizeof *copy);
    }
    lock_take(zap.lock);
    struct sock_client *old = zap.clients;
    zap.clients = copy;
    zap.count = count;
    lock_leave(zap.lock);
    free(old);
    return OK;
}

uint64_t sock_refused_count(void)
{
    return refused;
}

bool zap_name(const char *key, char user[SOCK_USER])
{
    bool found = false;
    lock_take(zap.lock);
    for (size_t i = 0; i < zap.count && !found; i++) {
        const struct sock_client *c = &zap.clients[i];
        found = strcmp(c->key, key) == 0;
        if (found) memcpy(user, c->user[0] ? c->user : c->key, c->user[0] ? SOCK_USER : SOCK_KEY);
    }
    lock_leave(zap.lock);
    user[SOCK_USER - 1] = 0;
    return found;
}

/* ---- questions and answers ---------------------------------------------------------------------
 */

static void keep_frame(struct request *r, int index, zmq_msg_t *frame)
{
    const void *data = zmq_msg_data(frame);
    size_t size = zmq_msg_size(frame);
    if (index == REQUEST_ID && size <= ID_BYTES) {
        memcpy(r->id, data, size);
        r->id_size = size;
    } else if (index == MECHANISM) {
        r->curve = size == 5 && !memcmp(data, "CURVE", 5);
    } else if (index == CREDENTIALS && size == KEY_BYTES) {
        zmq_z85_encode(r->key, data, KEY_BYTES);
    }
}

/* Reads one request; false when the context ends. */
static bool read_request(void *socket, struct request *r)
{
    zmq_msg_t frame;
    bool ok = true, more = true;
    *r = (struct request){0};
    zmq_msg_init(&frame);
    for (int i = 0; ok && more; i++) {
        do ok = zmq_msg_recv(&frame, socket, 0) >= 0;
        while (!ok && zmq_errno() == EINTR);
        if (ok) keep_frame(r, i, &frame);
        more = ok && zmq_msg_more(&frame);
    }
    zmq_msg_close(&frame);
    return ok;
}

static void answer(void *socket, const struct request *r)
{
    char user[SOCK_USER] = "";
    bool in = r->curve && r->key[0] && zap_name(r->key, user);
    if (!in) refused++;
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, r->id, r->id_size, ZMQ_SNDMORE);
    zmq_send(socket, in ? "200" : "400", 3, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    /* The key, not its name: a name may be given to another key while this connection lasts. */
    zmq_send(socket, r->key, in ? strlen(r->key) : 0, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void handle(void *socket)
{
    struct request r;
    while (read_request(socket, &r)) answer(socket, &r);
    zmq_close(socket);
}

int zap_start(void *context, struct err *e)
{
    int linger = 0;
    int rc = lock_open(&zap.lock, e);
    if (rc < 0) return rc;
    zap.socket = zmq_socket(context, ZMQ_REP);
    if (!zap.socket || zmq_setsockopt(zap.socket, ZMQ_LINGER, &linger, sizeof linger) < 0 ||
        zmq_bind(zap.socket, ZAP_ENDPOINT) < 0) {
        rc = sock_err(e, E_NET, "bind", ZAP_ENDPOINT);
        goto fail;
    }
    rc = thread_start(&zap.thread, "zap", handle, zap.socket, e);
    if (rc == OK) return OK;
fail:
    if (zap.socket) zmq_close(zap.socket);
    lock_close(&zap.lock);
    return rc;
}

void zap_stop(void)
{
    thread_join(&zap.thread);
    free(zap.clients);
    zap.clients = NULL;
    zap.count = 0;
    lock_close(&zap.lock);
}
