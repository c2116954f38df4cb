// SPDX-License-Identifier: MIT
/* sock: messages between machines. The door of ZeroMQ, with sock_zap.
 *
 * A message is one frame of at most `limit` bytes; anything else that arrives is dropped whole and
 * logged. Sending never waits and is no proof of arrival: who needs proof asks for an answer and
 * sends again. Every tcp endpoint uses CURVE (Curve25519 keys, in Z85 text): a ROUTER lets in the
 * keys of sock_allow and nobody else, none at first. One thread uses all sockets.
 */
#ifndef GROKD_COMMON_SOCK_H
#define GROKD_COMMON_SOCK_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCK_KEY      41 /* 40 characters of Z85 and the end */
#define SOCK_USER     64
#define SOCK_ENDPOINT 256

struct sock;

/* A client that may come in. User is what sock_message.user says; "": its key. */
struct sock_client {
    char key[SOCK_KEY]; /* public */
    char user[SOCK_USER];
};

struct sock_router_config {
    const char *const *endpoints; /* tcp://HOST:PORT, port 0 picks one; or ipc://PATH */
    size_t endpoint_count;
    const char *secret_key; /* of this server; NULL: plain, allowed on ipc only */
    size_t limit;           /* bytes of the largest message */
};

struct sock_dealer_config {
    const char *endpoint;
    const char *server_key; /* public; NULL: plain, allowed on ipc only */
    const char *public_key, *secret_key;
    size_t limit;
};

struct sock_message {
    uint64_t peer;        /* who, until it disconnects (32 bits are used); 0 on a dealer */
    char user[SOCK_USER]; /* of sock_allow; "" when plain; the key itself when revoked */
    bool revoked;         /* came in with a key that is no longer on the list: do not believe it */
    const uint8_t *bytes; /* lends until the next sock_recv or sock_close */
    size_t size;
};

enum sock_sent {
    SOCK_SENT,
    SOCK_FULL, /* too much waits already: try later */
    SOCK_GONE  /* no such peer (any more) */
};

/* How the one connection of a dealer stands, as far as was heard. */
enum sock_state {
    SOCK_CONNECTING, /* or again after a loss: that goes on by itself */
    SOCK_READY,      /* both sides proved their keys */
    SOCK_REFUSED,    /* our key is not on the list: this socket will not try again */
    SOCK_FAILED      /* what answers is not our server, or the server has another key */
};

/* The one context of a process: before the first socket, and after the last is closed. */
int sock_start(struct err *e);
void sock_finish(void);

/* A new pair of keys. */
int sock_keypair(char public_key[SOCK_KEY], char secret_key[SOCK_KEY], struct err *e);

/* Whether text is a key: 40 characters of Z85. */
bool sock_key_valid(const char *text);

/* Replaces the list of who may come in; copies. Whoever is inside already cannot be shut out by
 * libzmq 4.3.4: from now on its messages say that they are revoked. */
int sock_allow(const struct sock_client *clients, size_t count, struct err *e);

/* Connections refused since the start. */
uint64_t sock_refused_count(void);

int sock_router(struct sock **out, const struct sock_router_config *c, struct err *e); /* gives */
int sock_dealer(struct sock **out, const struct sock_dealer_config *c, struct err *e); /* gives */

/* Closes; what is queued has up to a second to leave in the background. NULL is fine. */
void sock_close(struct sock **s);

/* The i-th endpoint as bound, with its real port (lends). */
const char *sock_endpoint(const struct sock *s, size_t i);

/* For loop.h's edge source: the descriptor, and whether sock_recv has something. */
int sock_fd(const struct sock *s);
bool sock_pending(struct sock *s);

/* 1 and a message, or 0: none now. */
int sock_recv(struct sock *s, struct sock_message *m);

/* To a peer of a router; a dealer's peer is 0. Copies. */
enum sock_sent sock_send(struct sock *s, uint64_t peer, const void *bytes, size_t size);

/* Of a dealer. After SOCK_REFUSED or SOCK_FAILED, close it and open another, later. */
enum sock_state sock_state(struct sock *s);

/* Proves that a stranger's key is refused at a bound endpoint of this server: E_STATE if it was
 * let in, E_NET if nothing was heard within five seconds. Takes milliseconds. */
int sock_self_test(const char *endpoint, const char *server_key, struct err *e);

#endif
