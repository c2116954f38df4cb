// SPDX-License-Identifier: MIT
/* sock: messages between machines. */
#include "common/log.h"
#include "common/sock_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN   "grokd"
#define ID_BYTES 5     /* of a routing id that libzmq chose: a zero and a 32-bit number */
#define DROPS    16    /* bad messages passed over in one call */
#define MESSAGES 100   /* that may wait in one pipe ... */
#define TO_ONE   10000 /* ... and from a router to one peer, which may be sent work for thousands */
#define ENVELOPE 1024  /* bytes that CURVE adds to a frame, and room for its handshake */

/* Debian's libzmq knows the option, its header hides it among the drafts (zmq_setsockopt(3)). */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

static void *context;

int sock_err(struct err *e, int code, const char *what, const char *where)
{
    return err_set(e, code, "%s %s: %s", what, where, zmq_strerror(zmq_errno()));
}

/* ---- the context -------------------------------------------------------------------------------
 */

int sock_start(struct err *e)
{
    if (context) return err_set(e, E_STATE, "sockets are started once");
    context = zmq_ctx_new();
    if (!context) return sock_err(e, E_NOMEM, "start", "ZeroMQ");
    zmq_ctx_set(context, ZMQ_BLOCKY, 0);
    zmq_ctx_set(context, ZMQ_IPV6, 1);
    int rc = zap_start(context, e);
    if (rc < 0) {
        zmq_ctx_term(context);
        context = NULL;
    }
    return rc;
}

void sock_finish(void)
{
    if (!context) return;
    zmq_ctx_shutdown(context);
    zap_stop();
    while (zmq_ctx_term(context) < 0 && zmq_errno() == EINTR) {
    }
    context = NULL;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

int sock_keypair(char public_key[SOCK_KEY], char secret_key[SOCK_KEY], struct err *e)
{
    if (zmq_curve_keypair(public_key, secret_key) == 0) return OK;
    return sock_err(e, E_STATE, "make", "a pair of keys");
}

bool sock_key_valid(const char *text)
{
    uint8_t bytes[32];
    return strnlen(text, SOCK_KEY) == SOCK_KEY - 1 && zmq_z85_decode(bytes, text) != NULL;
}

/* ---- options -----------------------------------------------------------------------------------
 */

struct option {
    int name, value;
};

static bool set_all(void *zmq, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zmq_setsockopt(zmq, options[i].name, &options[i].value, sizeof(int)) < 0) return false;
    return true;
}

static bool set_options(void *zmq, size_t limit)
{
    static const struct option common[] = {
        {ZMQ_LINGER, 1000},
        {ZMQ_SNDHWM, MESSAGES},
        {ZMQ_RCVHWM, MESSAGES},
        {ZMQ_IPV6, 1},
        {ZMQ_BACKLOG, 4096},
        {ZMQ_HANDSHAKE_IVL, 10000}, /* a peer that says nothing holds a descriptor no longer */
        {ZMQ_HEARTBEAT_IVL, 10000}, /* proves the link only: libzmq answers by itself */
        {ZMQ_HEARTBEAT_TIMEOUT, 30000},
        {ZMQ_HEARTBEAT_TTL, 30000},
        {ZMQ_CONNECT_TIMEOUT, 10000},
        {ZMQ_TCP_MAXRT, 60000},
        {ZMQ_RECONNECT_IVL, 500},
        {ZMQ_RECONNECT_IVL_MAX, 30000},
    };
    int64_t most = (int64_t)limit + ENVELOPE;
    return set_all(zmq, common, sizeof common / sizeof *common) &&
           zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
}

/* Without a domain, or with one that is not enforced, libzmq 4.3.4 lets strangers in whenever the
 * ZAP handler cannot be asked. */
static bool set_server(void *zmq, const char *secret_key)
{
    static const struct option server[] = {{ZMQ_CURVE_SERVER, 1}, {ZMQ_ZAP_ENFORCE_DOMAIN, 1}};
    return zmq_setsockopt(zmq, ZMQ_ZAP_DOMAIN, DOMAIN, strlen(DOMAIN)) == 0 &&
           set_all(zmq, server, 2) &&
           zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, secret_key, SOCK_KEY) == 0;
}

static bool set_client(void *zmq, const struct sock_dealer_config *c)
{
    return zmq_setsockopt(zmq, ZMQ_CURVE_SERVERKEY, c->server_key, SOCK_KEY) == 0 &&
           zmq_setsockopt(zmq, ZMQ_CURVE_PUBLICKEY, c->public_key, SOCK_KEY) == 0 &&
           zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, c->secret_key, SOCK_KEY) == 0;
}

static int check_endpoint(const char *endpoint, bool curve, struct err *e)
{
    bool tcp = !strncmp(endpoint, "tcp://", 6), ipc = !strncmp(endpoint, "ipc:///", 7);
    if (strlen(endpoint) >= SOCK_ENDPOINT)
        return err_set(e, E_USAGE, "endpoint of %zu characters: at most %d", strlen(endpoint),
                       SOCK_ENDPOINT - 1);
    if (!tcp && !ipc)
        return err_set(e, E_USAGE, "endpoint %s: tcp://HOST:PORT or ipc:///PATH expected",
                       endpoint);
    if (tcp && !curve) return err_set(e, E_USAGE, "endpoint %s: tcp needs keys", endpoint);
    return OK;
}

/* ---- opening and closing -----------------------------------------------------------------------
 */

static int make(struct sock **out, int type, size_t limit, struct err *e)
{
    struct sock *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return err_set(e, E_NOMEM, "socket: no memory");
    zmq_msg_init(&s->body);
    s->router = type == ZMQ_ROUTER;
    s->limit = limit;
    s->zmq = context ? zmq_socket(context, type) : NULL;
    if (!s->zmq || !set_options(s->zmq, limit)) {
        int rc = context ? sock_err(e, E_NET, "open", "a socket")
                         : err_set(e, E_STATE, "a socket is opened after sock_start");
        sock_close(&s);
        return rc;
    }
    *out = s;
    return OK;
}

/* libzmq reports IPv4 as IPv6 sees it, [::ffff:127.0.0.1]; people and access files do not. */
static void plain_ipv4(char *endpoint)
{
    static const char mapped[] = "tcp://[::ffff:";
    char *address = endpoint + sizeof mapped - 1, *end = strchr(endpoint, ']');
    if (strncmp(endpoint, mapped, sizeof mapped - 1) != 0 || !end) return;
    size_t n = (size_t)(end - address);
    memmove(endpoint + 6, address, n);
    memmove(endpoint + 6 + n, end + 1, strlen(end + 1) + 1);
}

static int bind_one(struct sock *s, const char *endpoint, bool curve, struct err *e)
{
    char *bound = s->endpoints[s->endpoint_count];
    size_t size = SOCK_ENDPOINT;
    int rc = check_endpoint(endpoint, curve, e);
    if (rc < 0) return rc;
    if (zmq_bind(s->zmq, endpoint) < 0 ||
        zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, bound, &size) < 0)
        return sock_err(e, E_NET, "bind", endpoint);
    plain_ipv4(bound);
    s->endpoint_count++;
    return OK;
}

int sock_router(struct sock **out, const struct sock_router_config *c, struct err *e)
{
    static const struct option router[] = {{ZMQ_ROUTER_MANDATORY, 1}, {ZMQ_SNDHWM, TO_ONE}};
    struct sock *s;
    *out = NULL;
    int rc = make(&s, ZMQ_ROUTER, c->limit, e);
    if (rc < 0) return rc;
    s->endpoints = calloc(c->endpoint_count, sizeof *s->endpoints);
    if (!s->endpoints) {
        rc = err_set(e, E_NOMEM, "socket: no memory");
        goto fail;
    }
    if (!set_all(s->zmq, router, 2) || (c->secret_key && !set_server(s->zmq, c->secret_key))) {
        rc = sock_err(e, E_NET, "set up", "the server's socket");
        goto fail;
    }
    for (size_t i = 0; i < c->endpoint_count; i++)
        if ((rc = bind_one(s, c->endpoints[i], c->secret_key != NULL, e)) < 0) goto fail;
    *out = s;
    return OK;
fail:
    sock_close(&s);
    return rc;
}

int sock_dealer(struct sock **out, const struct sock_dealer_config *c, struct err *e)
{
    struct sock *s;
    *out = NULL;
    int rc = check_endpoint(c->endpoint, c->server_key != NULL, e);
    if (rc == OK) rc = make(&s, ZMQ_DEALER, c->limit, e);
    if (rc < 0) return rc;
    if (c->server_key && !set_client(s->zmq, c)) {
        rc = sock_err(e, E_NET, "set the keys for", c->endpoint);
        goto fail;
    }
    if ((rc = sock_monitor_open(s, context, e)) < 0) goto fail;
    if (zmq_connect(s->zmq, c->endpoint) < 0) {
        rc = sock_err(e, E_NET, "connect to", c->endpoint);
        goto fail;
    }
    *out = s;
    return OK;
fail:
    sock_close(&s);
    return rc;
}

void sock_close(struct sock **out)
{
    struct sock *s = *out;
    if (!s) return;
    *out = NULL;
    zmq_msg_close(&s->body);
    if (s->zmq) {
        zmq_socket_monitor(s->zmq, NULL, 0);
        zmq_close(s->zmq);
    }
    if (s->monitor) zmq_close(s->monitor);
    free(s->endpoints);
    free(s);
}

const char *sock_endpoint(const struct sock *s, size_t i)
{
    return i < s->endpoint_count ? s->endpoints[i] : "";
}

/* ---- receiving ---------------------------------------------------------------------------------
 */

int sock_fd(const struct sock *s)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt(s->zmq, ZMQ_FD, &fd, &size);
    return fd;
}

bool sock_pending(struct sock *s)
{
    int events = 0;
    size_t size = sizeof events;
    zmq_getsockopt(s->zmq, ZMQ_EVENTS, &events, &size);
    return events & ZMQ_POLLIN;
}

/* One frame into s->body; false: none waits. */
static bool read_frame(struct sock *s)
{
    int n;
    do n = zmq_msg_recv(&s->body, s->zmq, ZMQ_DONTWAIT);
    while (n < 0 && zmq_errno() == EINTR);
    return n >= 0;
}

/* Numbers that libzmq gave out start with a zero byte, names that a peer chose cannot. */
static bool read_peer(zmq_msg_t *frame, uint64_t *peer)
{
    const uint8_t *id = zmq_msg_data(frame);
    if (zmq_msg_size(frame) != ID_BYTES || id[0]) return false;
    *peer = (uint64_t)id[1] << 24 | (uint64_t)id[2] << 16 | (uint64_t)id[3] << 8 | id[4];
    return true;
}

static void drop_rest(struct sock *s, const char *why)
{
    int frames = 1;
    while (zmq_msg_more(&s->body) && read_frame(s)) frames++;
    log_warn("message_dropped", "reason=%s frames=%d", why, frames);
}

/* 1: a message, 0: none waits, -1: one that was dropped. */
static int read_message(struct sock *s, struct sock_message *m)
{
    bool known = true;
    *m = (struct sock_message){0};
    if (!read_frame(s)) return 0;
    if (s->router) {
        known = read_peer(&s->body, &m->peer);
        if (!zmq_msg_more(&s->body) || !read_frame(s)) return -1;
    }
    if (!known || zmq_msg_more(&s->body)) {
        drop_rest(s, known ? "more than one frame" : "its sender chose a name for itself");
        return -1;
    }
    if (zmq_msg_size(&s->body) > s->limit) {
        drop_rest(s, "too long");
        return -1;
    }
    /* Only the body has it for sure in libzmq 4.3.4: on the first frame it is missing after
     * ZMQ_EVENTS was read. Absent when plain. */
    const char *key = zmq_msg_gets(&s->body, "User-Id");
    if (key && *key && !zap_name(key, m->user)) {
        m->revoked = true;
        snprintf(m->user, sizeof m->user, "%s", key);
    }
    m->bytes = zmq_msg_data(&s->body);
    m->size = zmq_msg_size(&s->body);
    return 1;
}

int sock_recv(struct sock *s, struct sock_message *m)
{
    int rc = -1;
    for (int i = 0; rc < 0 && i < DROPS; i++) rc = read_message(s, m);
    return rc > 0;
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static enum sock_sent send_frame(void *zmq, const void *bytes, size_t size, int flags)
{
    int n;
    do n = zmq_send(zmq, bytes, size, flags | ZMQ_DONTWAIT);
    while (n < 0 && zmq_errno() == EINTR);
    if (n >= 0) return SOCK_SENT;
    return zmq_errno() == EAGAIN ? SOCK_FULL : SOCK_GONE;
}

enum sock_sent sock_send(struct sock *s, uint64_t peer, const void *bytes, size_t size)
{
    if (s->router) {
        uint8_t id[ID_BYTES] = {0, (uint8_t)(peer >> 24), (uint8_t)(peer >> 16),
                                (uint8_t)(peer >> 8), (uint8_t)peer};
        enum sock_sent sent = send_frame(s->zmq, id, sizeof id, ZMQ_SNDMORE);
        if (sent != SOCK_SENT) return sent;
    }
    return send_frame(s->zmq, bytes, size, 0);
}
