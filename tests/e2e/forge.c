// SPDX-License-Identifier: MIT
/* forge: a client with a key that keeps to no rule, for tests.
 *
 *   forge ACCESS    connects with the key of an access file
 *
 * A line on standard input is what it says next; at the end of the input it ends:
 *
 *   hello UUID                     as a worker with one slot; its kernels are nobody else's
 *   newer UUID                     the same, with fields that this version does not know
 *   major N                        a Hello of another version of the protocol
 *   heartbeat RUN ATTEMPT          holding this
 *   epochs RUN ATTEMPT FIRST LAST  epochs whose every loss is 12345
 *   finished RUN ATTEMPT EPOCH     the run is over
 *   raw COUNT SIZE                 so many messages of so many bytes that are no envelope
 *   frames COUNT SIZE              one message of so many frames
 *   crowd COUNT                    so many connections more, each a worker of its own
 *
 * Each answer is a line of output: welcome, refuse REASON, work RUN ATTEMPT, stop RUN ATTEMPT,
 * ack RUN ATTEMPT EPOCH, heartbeat; "said" after each line that was carried out, and "crowd COUNT"
 * when so many of the crowd were welcomed.
 */
#include "common/keys.h"
#include "proto/grokd.pb-c.h"
#include "proto/metric.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define LINE   512
#define EPOCHS 1000
#define WRONG  12345.0

static struct {
    void *context, *socket;
    void **crowd;
    int crowd_size, crowd_welcomed;
    struct access access;
} f;

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(4);
}

/* ---- connections ---- */

static void *join(void)
{
    const struct access *a = &f.access;
    void *s = zmq_socket(f.context, ZMQ_DEALER);
    int none = 0;
    if (!s || zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none) < 0 ||
        zmq_setsockopt(s, ZMQ_RCVHWM, &none, sizeof none) < 0 ||
        zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, a->server_key, SOCK_KEY) < 0 ||
        zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, a->client.public_key, SOCK_KEY) < 0 ||
        zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, a->client.secret_key, SOCK_KEY) < 0 ||
        zmq_connect(s, a->endpoint) < 0)
        die("connect");
    return s;
}

static void say_bytes(void *socket, const void *bytes, size_t size, int flags)
{
    if (zmq_send(socket, bytes, size, flags) < 0) die("send");
}

/* An envelope of this version or another, and whatever comes behind it. */
static void say_as(void *socket, unsigned major, wire_envelope *m, Grokd__Envelope__BodyCase body,
                   const void *more, size_t more_size)
{
    m->major = major;
    m->body_case = body;
    uint8_t *bytes = malloc(grokd__envelope__get_packed_size(m) + more_size);
    if (!bytes) abort();
    size_t size = grokd__envelope__pack(m, bytes);
    if (more_size) memcpy(bytes + size, more, more_size);
    say_bytes(socket, bytes, size + more_size, 0);
    free(bytes);
}

static void say(wire_envelope *m, Grokd__Envelope__BodyCase body)
{
    say_as(f.socket, WIRE_MAJOR, m, body, NULL, 0);
}

/* ---- what it says ---- */

static void say_hello(void *socket, unsigned major, char *uuid, const void *more, size_t more_size)
{
    static char text[] = "forge", print[] = "none";
    Grokd__Blas blas = GROKD__BLAS__INIT, *blas_list[] = {&blas};
    Grokd__Hello hello = GROKD__HELLO__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    blas.family = text;
    blas.fingerprint = print;
    hello.uuid = uuid;
    hello.host = hello.cpu = hello.version = text;
    hello.slots = 1;
    hello.n_blas = 1;
    hello.blas = blas_list;
    m.hello = &hello;
    say_as(socket, major, &m, GROKD__ENVELOPE__BODY_HELLO, more, more_size);
}

static void say_heartbeat(int64_t run, int64_t attempt)
{
    Grokd__Holding holding = GROKD__HOLDING__INIT, *list[] = {&holding};
    Grokd__Heartbeat heartbeat = GROKD__HEARTBEAT__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    holding.run = run;
    holding.attempt = attempt;
    heartbeat.n_holdings = 1;
    heartbeat.holdings = list;
    m.heartbeat = &heartbeat;
    say(&m, GROKD__ENVELOPE__BODY_HEARTBEAT);
}

static void say_epochs(int64_t run, int64_t attempt, int64_t first, int64_t last)
{
    static Grokd__Epoch epoch[EPOCHS];
    Grokd__Epoch *list[EPOCHS];
    uint32_t id = METRIC_train_loss;
    double value = WRONG;
    Grokd__Epochs epochs = GROKD__EPOCHS__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    for (int64_t i = first; i <= last && epochs.n_epochs < EPOCHS; i++) {
        Grokd__Epoch *x = &epoch[epochs.n_epochs];
        grokd__epoch__init(x);
        x->epoch = i;
        x->n_ids = x->n_values = 1;
        x->ids = &id;
        x->values = &value;
        list[epochs.n_epochs++] = x;
    }
    epochs.run = run;
    epochs.attempt = attempt;
    epochs.epochs = list;
    m.epochs = &epochs;
    say(&m, GROKD__ENVELOPE__BODY_EPOCHS);
}

static void say_finished(int64_t run, int64_t attempt, int64_t epoch)
{
    Grokd__Ended ended = GROKD__ENDED__INIT;
    wire_envelope m = GROKD__ENVELOPE__INIT;
    ended.run = run;
    ended.attempt = attempt;
    ended.epoch = epoch;
    ended.outcome = GROKD__OUTCOME__FINISHED;
    m.ended = &ended;
    say(&m, GROKD__ENVELOPE__BODY_ENDED);
}

static void say_raw(int64_t count, int64_t size)
{
    uint8_t *bytes = calloc(1, (size_t)size + 1);
    if (!bytes) abort();
    for (int64_t i = 0; i < count; i++) say_bytes(f.socket, bytes, (size_t)size, 0);
    free(bytes);
}

static void say_frames(int64_t count, int64_t size)
{
    uint8_t *bytes = calloc(1, (size_t)size + 1);
    if (!bytes) abort();
    for (; count > 0; count--)
        say_bytes(f.socket, bytes, (size_t)size, count > 1 ? ZMQ_SNDMORE : 0);
    free(bytes);
}

static void say_crowd(int64_t count)
{
    f.crowd = calloc((size_t)count, sizeof *f.crowd);
    if (!f.crowd) abort();
    for (f.crowd_size = 0; f.crowd_size < count; f.crowd_size++) {
        char uuid[64];
        snprintf(uuid, sizeof uuid, "crowd-%d-%d", (int)getpid(), f.crowd_size);
        f.crowd[f.crowd_size] = join();
        say_hello(f.crowd[f.crowd_size], WIRE_MAJOR, uuid, NULL, 0);
    }
}

static void carry_out(const char *line)
{
    /* Fields 1000 (a number) and 1001 (bytes). */
    static const uint8_t unknown[] = {0xc0, 0x3e, 0x05, 0xca, 0x3e, 0x02, 'h', 'i'};
    char verb[16], uuid[64];
    int64_t n[4] = {0};
    if (sscanf(line, "%15s %63s", verb, uuid) < 1) return;
    sscanf(line, "%*s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, n, n + 1, n + 2, n + 3);
    if (!strcmp(verb, "hello")) say_hello(f.socket, WIRE_MAJOR, uuid, NULL, 0);
    if (!strcmp(verb, "newer")) say_hello(f.socket, WIRE_MAJOR, uuid, unknown, sizeof unknown);
    if (!strcmp(verb, "major")) say_hello(f.socket, (unsigned)n[0], uuid, NULL, 0);
    if (!strcmp(verb, "heartbeat")) say_heartbeat(n[0], n[1]);
    if (!strcmp(verb, "epochs")) say_epochs(n[0], n[1], n[2], n[3]);
    if (!strcmp(verb, "finished")) say_finished(n[0], n[1], n[2]);
    if (!strcmp(verb, "raw")) say_raw(n[0], n[1]);
    if (!strcmp(verb, "frames")) say_frames(n[0], n[1]);
    if (!strcmp(verb, "crowd")) say_crowd(n[0]);
    puts("said");
}

/* ---- what it hears ---- */

static void tell(const wire_envelope *m)
{
    switch (m->body_case) {
    case GROKD__ENVELOPE__BODY_WELCOME: puts("welcome"); break;
    case GROKD__ENVELOPE__BODY_REFUSE: printf("refuse %s\n", m->refuse->reason); break;
    case GROKD__ENVELOPE__BODY_HEARTBEAT: puts("heartbeat"); break;
    case GROKD__ENVELOPE__BODY_WORK:
        printf("work %" PRId64 " %" PRId64 "\n", m->work->run, m->work->attempt);
        break;
    case GROKD__ENVELOPE__BODY_STOP:
        printf("stop %" PRId64 " %" PRId64 "\n", m->stop->run, m->stop->attempt);
        break;
    case GROKD__ENVELOPE__BODY_ACK:
        printf("ack %" PRId64 " %" PRId64 " %" PRId64 "\n", m->ack->run, m->ack->attempt,
               m->ack->epoch);
        break;
    default: printf("message %d\n", (int)m->body_case); break;
    }
}

/* The next message that waits; NULL: none. */
static wire_envelope *hear(void *socket)
{
    wire_envelope *m = NULL;
    zmq_msg_t in;
    zmq_msg_init(&in);
    if (zmq_msg_recv(&in, socket, ZMQ_DONTWAIT) >= 0)
        m = grokd__envelope__unpack(NULL, zmq_msg_size(&in), zmq_msg_data(&in));
    zmq_msg_close(&in);
    return m;
}

static void hear_all(void)
{
    wire_envelope *m;
    while ((m = hear(f.socket))) {
        tell(m);
        grokd__envelope__free_unpacked(m, NULL);
    }
    int before = f.crowd_welcomed;
    for (int i = 0; i < f.crowd_size && f.crowd_welcomed < f.crowd_size; i++)
        while ((m = hear(f.crowd[i]))) {
            f.crowd_welcomed += m->body_case == GROKD__ENVELOPE__BODY_WELCOME;
            grokd__envelope__free_unpacked(m, NULL);
        }
    if (f.crowd_welcomed > before) printf("crowd %d\n", f.crowd_welcomed);
}

/* One line of standard input at a time: nothing is buffered that poll would not see. */
static bool read_line(char line[LINE])
{
    size_t n = 0;
    char c = 0;
    while (n + 1 < LINE && read(0, &c, 1) == 1 && c != '\n') line[n++] = c;
    line[n] = '\0';
    return n > 0 || c == '\n';
}

int main(int argc, char **argv)
{
    char line[LINE];
    struct err e;
    if (argc != 2 || access_read(&f.access, argv[1], &e) < 0) {
        fprintf(stderr, "%s\n", argc == 2 ? e.text : "forge ACCESS");
        return 2;
    }
    f.context = zmq_ctx_new();
    zmq_ctx_set(f.context, ZMQ_MAX_SOCKETS, 65535);
    f.socket = join();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        zmq_pollitem_t items[] = {{.fd = 0, .events = ZMQ_POLLIN},
                                  {.socket = f.socket, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, f.crowd_welcomed < f.crowd_size ? 20 : -1) < 0) die("poll");
        if (items[0].revents && !read_line(line)) return 0;
        if (items[0].revents) carry_out(line);
        hear_all();
    }
}
