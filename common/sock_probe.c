// SPDX-License-Identifier: MIT
/* sock_probe: how a dealer's connection stands, and the proof that strangers stay outside. */
#include "common/clock.h"
#include "common/sock_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROBE_MS 5000
#define DOUBTS   3 /* connections in a row that broke off in the handshake: it is not our server */

#define EVENTS                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |                             \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                  \
     ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED)

int sock_monitor_open(struct sock *s, void *context, struct err *e)
{
    static uint64_t serial; /* sockets are opened by one thread */
    char name[64];
    int linger = 0;
    snprintf(name, sizeof name, "inproc://monitor-%" PRIu64, ++serial);
    if (zmq_socket_monitor(s->zmq, name, EVENTS) < 0) return sock_err(e, E_NET, "monitor", name);
    s->monitor = zmq_socket(context, ZMQ_PAIR);
    if (!s->monitor || zmq_setsockopt(s->monitor, ZMQ_LINGER, &linger, sizeof linger) < 0 ||
        zmq_connect(s->monitor, name) < 0)
        return sock_err(e, E_NET, "monitor", name);
    return OK;
}

static void note_event(struct sock *s, int event)
{
    if (s->state == SOCK_REFUSED || s->state == SOCK_FAILED) return;
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        s->state = SOCK_READY;
        s->doubts = 0;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        s->state = ++s->doubts < DOUBTS ? SOCK_CONNECTING : SOCK_FAILED;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: s->state = SOCK_REFUSED; break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: s->state = SOCK_FAILED; break;
    default: s->state = SOCK_CONNECTING; break;
    }
}

/* An event is a frame of a 16-bit number and a 32-bit value, and a frame with the endpoint. */
static bool read_event(struct sock *s)
{
    uint16_t event;
    uint8_t frame[6];
    if (zmq_recv(s->monitor, frame, sizeof frame, ZMQ_DONTWAIT) != (int)sizeof frame) return false;
    memcpy(&event, frame, sizeof event);
    zmq_recv(s->monitor, frame, 0, ZMQ_DONTWAIT);
    note_event(s, event);
    return true;
}

void sock_monitor_read(struct sock *s, long wait_ms)
{
    zmq_pollitem_t item = {.socket = s->monitor, .events = ZMQ_POLLIN};
    if (wait_ms > 0) zmq_poll(&item, 1, wait_ms);
    while (read_event(s)) {
    }
}

enum sock_state sock_state(struct sock *s)
{
    if (s->monitor) sock_monitor_read(s, 0);
    return s->state;
}

static int judge(enum sock_state state, const char *endpoint, struct err *e)
{
    switch (state) {
    case SOCK_REFUSED: return OK;
    case SOCK_READY:
        return err_set(e, E_STATE, "%s lets in a stranger's key: nothing is served", endpoint);
    default:
        return err_set(e, E_NET, "%s: a stranger's key was not refused within %d ms", endpoint,
                       PROBE_MS);
    }
}

int sock_self_test(const char *endpoint, const char *server_key, struct err *e)
{
    char public_key[SOCK_KEY], secret_key[SOCK_KEY];
    struct sock_dealer_config config = {.endpoint = endpoint,
                                        .server_key = server_key,
                                        .public_key = public_key,
                                        .secret_key = secret_key,
                                        .limit = 0};
    struct sock *s = NULL;
    int rc = sock_keypair(public_key, secret_key, e);
    if (rc == OK) rc = sock_dealer(&s, &config, e);
    if (rc < 0) return rc;
    int64_t end = clock_now_ms() + PROBE_MS, left = PROBE_MS;
    while (s->state == SOCK_CONNECTING && left > 0) {
        sock_monitor_read(s, (long)left);
        left = end - clock_now_ms();
    }
    rc = judge(s->state, endpoint, e);
    sock_close(&s);
    return rc;
}
