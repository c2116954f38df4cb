// SPDX-License-Identifier: MIT
/* proxy: a TCP connection with faults, for tests.
 *
 *   proxy PORT      listens on a free port of 127.0.0.1, says "listening on PORT", and passes every
 *                   connection on to PORT of 127.0.0.1
 *
 * A line on standard input changes what happens from then on; at its end the proxy ends:
 *
 *   delay MS        every byte arrives so much later
 *   tiny            bytes arrive in segments of one to seven
 *   hold up|down    no byte is taken in that direction (up: to PORT); the sender's window fills
 *   drop up|down    bytes vanish in that direction; a connection that lost some is reset by `pass`,
 *                   since a stream with a hole is none
 *   cut             every connection is reset in the middle of what is under way
 *   half            PORT's side of every connection is reset, the other side stays open and silent
 *   shut            new connections are reset
 *   pass            all of this ends
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 512
#define CHUNK 16384
#define CROWD (1 << 20) /* bytes under way in one direction; above no more are taken */

enum { UP, DOWN }; /* UP: what the side that connected says */

struct chunk {
    struct chunk *next;
    int64_t due_ms;
    size_t from, size;
    char bytes[CHUNK];
};

struct way {
    struct chunk *first, **last;
    size_t bytes;
    bool lost;  /* some vanished */
    bool ended; /* the sender says no more */
};

/* side[UP] is the socket that UP's bytes are read from, and DOWN's are written to. */
struct pair {
    int side[2];
    struct way way[2];
};

static struct {
    struct pair pair[PAIRS];
    int count, listener;
    uint16_t port;
    int64_t delay_ms;
    bool tiny, shut, hold[2], drop[2];
} p;

static void die(const char *what)
{
    perror(what);
    exit(4);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_up(int fd)
{
    int one = 1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Not closed in good order: the other end gets a reset. */
static void reset(int *fd)
{
    const struct linger now = {1, 0};
    if (*fd < 0) return;
    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(*fd);
    *fd = -1;
}

/* ---- pairs ---- */

static void way_clear(struct way *w)
{
    while (w->first) {
        struct chunk *c = w->first;
        w->first = c->next;
        free(c);
    }
    *w = (struct way){0};
}

static void pair_end(int i)
{
    struct pair *x = &p.pair[i];
    for (int d = UP; d <= DOWN; d++) {
        reset(&x->side[d]);
        way_clear(&x->way[d]);
    }
    *x = p.pair[--p.count];
}

static int call(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        close(fd);
        return -1;
    }
    set_up(fd);
    return fd;
}

static void welcome(void)
{
    int fd = accept(p.listener, NULL, NULL);
    if (fd < 0) return;
    set_up(fd);
    int other = p.shut || p.count == PAIRS ? -1 : call();
    if (other < 0) return reset(&fd);
    p.pair[p.count++] = (struct pair){.side = {fd, other}};
}

/* ---- bytes ---- */

static void way_add(struct way *w, struct chunk *c)
{
    c->next = NULL;
    c->due_ms = now_ms() + p.delay_ms;
    w->bytes += c->size;
    if (!w->first)
        w->first = c;
    else
        *w->last = c;
    w->last = &c->next;
}

/* False: the connection is at its end. */
static bool take(struct pair *x, int d)
{
    struct way *w = &x->way[d];
    struct chunk *c = malloc(sizeof *c);
    if (!c) die("memory");
    c->from = 0;
    ssize_t n = read(x->side[d], c->bytes, CHUNK);
    c->size = n > 0 ? (size_t)n : 0;
    if (n > 0 && !p.drop[d]) {
        way_add(w, c);
        return true;
    }
    free(c);
    w->lost |= n > 0;
    w->ended |= n == 0;
    return n >= 0 || errno == EAGAIN;
}

static bool give(struct pair *x, int d)
{
    struct way *w = &x->way[d];
    while (w->first && w->first->due_ms <= now_ms()) {
        struct chunk *c = w->first;
        size_t size = p.tiny && c->size > 7 ? 1 + c->from % 7 : c->size;
        ssize_t n = write(x->side[!d], c->bytes + c->from, size);
        if (n < 0) return errno == EAGAIN;
        w->bytes -= (size_t)n;
        c->from += (size_t)n;
        c->size -= (size_t)n;
        if (c->size) continue;
        w->first = c->next;
        free(c);
    }
    return !(w->ended && !w->first);
}

/* ---- commands ---- */

/* Half of what waits arrives first, so that the reset falls into a message. */
static void cut(int i)
{
    struct pair *x = &p.pair[i];
    for (int d = UP; d <= DOWN; d++) {
        const struct chunk *c = x->way[d].first;
        if (!c || c->size < 2) continue;
        if (write(x->side[!d], c->bytes + c->from, c->size / 2) < 0) continue;
    }
    pair_end(i);
}

static void pass(void)
{
    p.delay_ms = 0;
    p.tiny = p.shut = false;
    for (int d = UP; d <= DOWN; d++) p.hold[d] = p.drop[d] = false;
    for (int i = p.count; i-- > 0;) {
        const struct pair *x = &p.pair[i];
        bool half = x->side[UP] < 0 || x->side[DOWN] < 0;
        if (x->way[UP].lost || x->way[DOWN].lost || half) pair_end(i);
    }
}

static void obey(const char *line)
{
    int d = strstr(line, " down") ? DOWN : UP;
    if (!strncmp(line, "delay ", 6)) p.delay_ms = atoi(line + 6);
    if (!strncmp(line, "hold ", 5)) p.hold[d] = true;
    if (!strncmp(line, "drop ", 5)) p.drop[d] = true;
    if (!strncmp(line, "tiny", 4)) p.tiny = true;
    if (!strncmp(line, "shut", 4)) p.shut = true;
    if (!strncmp(line, "pass", 4)) pass();
    for (int i = p.count; i-- > 0 && !strncmp(line, "cut", 3);) cut(i);
    for (int i = p.count; i-- > 0 && !strncmp(line, "half", 4);) reset(&p.pair[i].side[DOWN]);
}

static void listen_to_orders(void)
{
    static char line[256];
    static size_t size;
    ssize_t n = read(0, line + size, sizeof line - 1 - size);
    if (n <= 0) exit(0);
    size += (size_t)n;
    line[size] = '\0';
    for (char *end; (end = strchr(line, '\n'));) {
        *end = '\0';
        obey(line);
        size -= (size_t)(end + 1 - line);
        memmove(line, end + 1, size + 1);
    }
    if (size == sizeof line - 1) size = 0;
}

/* ---- the loop ---- */

static int wait_ms(void)
{
    int64_t now = now_ms(), wait = 1000;
    for (int i = 0; i < p.count; i++)
        for (int d = UP; d <= DOWN; d++) {
            const struct chunk *c = p.pair[i].way[d].first;
            if (c && c->due_ms > now && c->due_ms - now < wait) wait = c->due_ms - now;
        }
    return (int)wait;
}

/* What a side waits for: bytes of its own to take, room for those of the other one. */
static struct pollfd interest(const struct pair *x, int d)
{
    struct pollfd f = {.fd = x->side[d]};
    const struct way *in = &x->way[d], *out = &x->way[!d];
    bool alone = x->side[!d] < 0;
    if (!p.hold[d] && !in->ended && in->bytes < CROWD && !alone) f.events |= POLLIN;
    if (out->first && out->first->due_ms <= now_ms() && !alone) f.events |= POLLOUT;
    if (!f.events) f.fd = -1;
    return f;
}

static void serve(int i, const struct pollfd *f)
{
    struct pair *x = &p.pair[i];
    bool lives = true;
    for (int d = UP; d <= DOWN && lives; d++) {
        if (f[d].revents & (POLLIN | POLLHUP | POLLERR) && f[d].events & POLLIN) lives = take(x, d);
        if (lives && f[d].revents & (POLLOUT | POLLERR) && f[d].events & POLLOUT)
            lives = give(x, !d);
        if (lives && x->way[d].ended && !x->way[d].first) lives = false;
    }
    if (!lives) pair_end(i);
}

static void open_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (p.listener < 0 || bind(p.listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(p.listener, 128) < 0 || getsockname(p.listener, (struct sockaddr *)&at, &size) < 0)
        die("listen");
    set_up(p.listener);
    printf("listening on %d\n", ntohs(at.sin_port));
    fflush(stdout);
}

int main(int count, char **word)
{
    static struct pollfd f[2 + 2 * PAIRS];
    if (count != 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    p.port = (uint16_t)atoi(word[1]);
    open_listener();
    for (;;) {
        int pairs = p.count;
        f[0] = (struct pollfd){.fd = 0, .events = POLLIN};
        f[1] = (struct pollfd){.fd = p.listener, .events = POLLIN};
        for (int i = 0; i < pairs; i++)
            for (int d = UP; d <= DOWN; d++) f[2 + 2 * i + d] = interest(&p.pair[i], d);
        if (poll(f, (nfds_t)(2 + 2 * pairs), wait_ms()) < 0 && errno != EINTR) die("poll");
        for (int i = pairs; i-- > 0;) serve(i, &f[2 + 2 * i]);
        if (f[1].revents) welcome();
        if (f[0].revents) listen_to_orders();
    }
}
