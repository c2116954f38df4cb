// SPDX-License-Identifier: MIT
/* sock_private: what sock, sock_zap and sock_probe share and nobody else sees. */
#ifndef GROKD_COMMON_SOCK_PRIVATE_H
#define GROKD_COMMON_SOCK_PRIVATE_H

#include "common/sock.h"

#include <zmq.h>

struct sock {
    void *zmq;
    void *monitor; /* of a dealer: events of its connection */
    enum sock_state state;
    int doubts; /* handshakes in a row that broke off */
    bool router;
    size_t limit;   /* bytes of the largest message */
    zmq_msg_t body; /* lent out by sock_recv */
    char (*endpoints)[SOCK_ENDPOINT];
    size_t endpoint_count;
};

/* Fills e from zmq_errno and returns code. */
int sock_err(struct err *e, int code, const char *what, const char *where);

/* The ZAP handler of the context: bound when this returns, so that no CURVE socket can be bound
 * before it. zap_stop is called after zmq_ctx_shutdown, which ends its thread. */
int zap_start(void *context, struct err *e);
void zap_stop(void);

/* The name of a key on the list now, or false: it may not come in (any more). */
bool zap_name(const char *key, char user[SOCK_USER]);

/* Follows a dealer's connection; waits up to wait_ms for the first event. */
int sock_monitor_open(struct sock *s, void *context, struct err *e);
void sock_monitor_read(struct sock *s, long wait_ms);

#endif
