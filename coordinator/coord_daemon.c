// SPDX-License-Identifier: MIT
/* coord_daemon: router, hub, store and the local worker on one loop. */
#include "coordinator/coord_daemon.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_MS 1000
#define DRAW_MS 200
#define FREE_MS 10000 /* between two looks whether a descriptor is free */
#define WAIT_MS 15000 /* longest time given to the local worker to hand its runs back */

static struct moment now(const struct coord_daemon *d)
{
    return (struct moment){loop_now_ms(d->loop), clock_wall_ms()};
}

/* The first error ends everything. */
static void fail(struct coord_daemon *d, int rc, const struct err *e)
{
    if (rc >= 0 || d->rc < 0) return;
    d->rc = rc;
    d->error = *e;
    loop_stop(d->loop);
}

/* ---- ending ------------------------------------------------------------------------------------
 */

static void begin_end(struct coord_daemon *d)
{
    struct err e = {0};
    if (d->stop_ms >= 0) return;
    d->stop_ms = loop_now_ms(d->loop);
    fail(d, hub_stop(&d->hub, now(d), &e), &e);
    coord_local_end(&d->local);
}

static bool all_done(const struct coord_daemon *d)
{
    struct sched_totals t;
    sched_totals(&d->hub.sched, &t);
    return t.sweeps_open == 0 && t.questions == 0 && hub_quiet(&d->hub) && !d->hub.busy;
}

/* Asked once a turn: whether to begin ending, whether the end is reached. */
static void on_turn(void *ctx)
{
    struct coord_daemon *d = ctx;
    if (d->hub.stop || (d->options->exit_when_done && d->stop_ms < 0 && all_done(d))) begin_end(d);
    if (d->stop_ms < 0) return;
    bool late = loop_now_ms(d->loop) - d->stop_ms >= WAIT_MS;
    if (late || (!coord_local_runs(&d->local) && hub_quiet(&d->hub))) loop_stop(d->loop);
}

static void on_signal(void *ctx, int signal)
{
    struct coord_daemon *d = ctx;
    log_info("signal", "signal=%d", signal);
    if (d->stop_ms >= 0) loop_stop(d->loop); /* the second time: at once */
    begin_end(d);
}

static void on_local_end(void *ctx, const struct err *e)
{
    struct coord_daemon *d = ctx;
    fail(d, e->code, e);
}

/* ---- what happens ------------------------------------------------------------------------------
 */

static void on_message(void *ctx, uint64_t peer, const char *user, wire_envelope *m)
{
    struct coord_daemon *d = ctx;
    struct err e = {0};
    if (d->rc < 0) {
        wire_free(&m);
        return;
    }
    fail(d, hub_message(&d->hub, peer, user, router_is_control(peer), m, now(d), &e), &e);
}

static void on_stored(void *ctx)
{
    struct coord_daemon *d = ctx;
    struct err e = {0};
    fail(d, hub_collect(&d->hub, now(d), &e), &e);
}

/* Each connection is a descriptor. libzmq 4.3.4 says nothing when it has none left for one that
 * waits outside: who is in goes on, the others stand at a door that never opens. */
static void look_for_descriptors(struct coord_daemon *d)
{
    if (loop_now_ms(d->loop) < d->look_ms) return;
    d->look_ms = loop_now_ms(d->loop) + FREE_MS;
    int fd = fcntl(store_fd(d->store), F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) close(fd);
    if (fd >= 0 || errno != EMFILE) return;
    struct rlimit l = {0};
    getrlimit(RLIMIT_NOFILE, &l);
    log_warn("no_descriptors", "limit=%llu reason=%s", (unsigned long long)l.rlim_cur,
             "no further worker can connect; raise ulimit -n or LimitNOFILE, one for each worker");
}

/* Whatever has arrived is heard before anybody is judged. */
static void on_tick(void *ctx)
{
    struct coord_daemon *d = ctx;
    struct err e = {0};
    router_drain_all(d->router);
    look_for_descriptors(d);
    if (d->rc == OK) fail(d, hub_tick(&d->hub, now(d), &e), &e);
}

static int door_send(void *ctx, uint64_t peer, const wire_envelope *m, struct err *e)
{
    struct coord_daemon *d = ctx;
    return router_send(d->router, peer, m, e);
}

static int door_keys(void *ctx, struct event *ev, struct err *e)
{
    struct coord_daemon *d = ctx;
    struct sock_client *list;
    size_t count;
    int rc = keys_allowed(d->options->dir, &list, &count, e);
    if (rc < 0) return rc;
    const char **users = calloc(count + 1, sizeof *users);
    rc = users ? sock_allow(list, count, e) : err_set(e, E_NOMEM, "no memory for the keys");
    if (rc < 0) {
        free(users);
        free(list);
        return rc;
    }
    for (size_t i = 0; i < count; i++) users[i] = list[i].user[0] ? list[i].user : list[i].key;
    free(d->users);
    free(d->allowed);
    d->allowed = list;
    d->users = users;
    ev->users = users;
    ev->user_count = count;
    return OK;
}

/* What became of a sweep of the command line. */
static void door_answer(void *ctx, int code, const char *text)
{
    struct coord_daemon *d = ctx;
    struct err e = {0};
    if (code) fail(d, err_set(&e, E_FILE, "%s", text), &e);
    if (d->terminal) fputs("\r\033[K", stderr);
    if (!code) printf("%s\n", text), fflush(stdout);
}

/* ---- progress ----------------------------------------------------------------------------------
 */

static void measure(struct coord_daemon *d, struct progress *p)
{
    struct sched_totals t;
    sched_totals(&d->hub.sched, &t);
    *p = (struct progress){
        .runs = t.waiting + t.running + t.finished + t.failed + t.cancelled,
        .over = t.finished + t.failed + t.cancelled,
        .running = t.running < (int64_t)t.slots ? t.running : (int64_t)t.slots, /* no prefetched */
        .failed = t.failed,
        .epochs_left = sched_epochs_left(&d->hub.sched),
        .epochs_per_s = progress_speed(&d->speed, d->hub.epochs, loop_now_ms(d->loop)),
        .workers = t.workers,
        .stalled = d->hub.full,
    };
}

static void on_draw(void *ctx)
{
    struct coord_daemon *d = ctx;
    struct progress p;
    struct winsize size;
    char text[PROGRESS_TEXT];
    measure(d, &p);
    if (d->terminal) {
        bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        fprintf(stderr, "\r\033[K%s", progress_text(&p, known ? size.ws_col - 1 : 79, text));
        fflush(stderr);
    } else if (progress_milestone(&d->told, &p)) {
        d->told = p;
        log_info("progress", "text=%s", progress_text(&p, 100, text));
    }
}

/* ---- opening and closing -----------------------------------------------------------------------
 */

/* SQLite's locks reach as far as its shared memory: this machine. */
static int check_disk(const struct coord_options *o, struct err *e)
{
    const char *network = file_network(o->dir);
    if (!network) return OK;
    if (!o->network_disk)
        return err_set(e, E_STORE,
                       "%s: lies on %s, where other machines see neither SQLite's locks nor its "
                       "log: use a local disk, or --network-disk if none of them opens results.db",
                       o->dir, network);
    log_warn("network_disk", "dir=%s system=%s reason=%s", o->dir, network,
             "read results.db on this machine only");
    return OK;
}

static int open_hub(struct coord_daemon *d, struct err *e)
{
    const struct coord_options *o = d->options;
    struct sched_config config = SCHED_DEFAULTS;
    const struct hub_door door = {door_send, door_answer, door_keys, d};
    struct store_state state = {0};
    char path[PATH_MAX];
    config.heartbeat_ms = o->heartbeat_ms;
    config.lease_ms = o->lease_ms;
    if (snprintf(path, sizeof path, "%s/results.db", o->dir) >= (int)sizeof path)
        return err_set(e, E_USAGE, "--dir: the path is longer than %d bytes", PATH_MAX - 12);
    int rc = check_disk(o, e);
    if (rc == OK) rc = store_open(&d->store, path, &state, e);
    if (rc == OK) rc = hub_open(&d->hub, d->store, &state, &config, &door, now(d), e);
    store_state_free(&state);
    if (rc == OK) rc = watch_open(&d->stored, d->loop, store_fd(d->store), on_stored, d, e);
    return rc;
}

static int open_router(struct coord_daemon *d, const struct keys *k, struct err *e)
{
    const struct coord_options *o = d->options;
    char control[KEYS_PATH];
    int rc = keys_control_path(o->dir, control, e);
    if (rc < 0) return rc;
    struct router_config c = {.endpoints = o->endpoints,
                              .endpoint_count = o->endpoint_count,
                              .secret_key = k->server.secret_key,
                              .public_key = k->server.public_key,
                              .control = control};
    rc = router_open(&d->router, d->loop, &c, on_message, d, e);
    if (rc == OK) rc = keys_endpoint_update(k, o->dir, router_endpoint(d->router, 0), e);
    for (size_t i = 0; i < o->endpoint_count && rc == OK; i++)
        printf("listening on %s\n", router_endpoint(d->router, i));
    fflush(stdout);
    return rc;
}

static void open_progress(struct coord_daemon *d)
{
    d->terminal = isatty(STDERR_FILENO);
    timer_start(&d->draw, d->loop, DRAW_MS, DRAW_MS, on_draw, d);
    if (!d->terminal) return;
    log_set_before("\r\033[K");
    if (!getenv("GROKD_LOG")) log_set_level(LOG_WARN); /* the bar says the rest */
}

int coord_daemon_open(struct coord_daemon *d, const struct coord_options *o, const struct keys *k,
                      struct err *e)
{
    memset(d, 0, sizeof *d);
    d->options = o;
    d->stop_ms = -1;
    d->local.log_fd = -1;
    d->local.on_end = on_local_end;
    d->local.ctx = d;
    int64_t tick_ms = o->lease_ms / 8 < TICK_MS ? o->lease_ms / 8 : TICK_MS;
    int rc = loop_open(&d->loop, e);
    if (rc == OK) rc = loop_on_signal(d->loop, SIGTERM, on_signal, d, e);
    if (rc == OK) rc = loop_on_signal(d->loop, SIGINT, on_signal, d, e);
    if (rc == OK) rc = open_hub(d, e);
    if (rc == OK) rc = open_router(d, k, e);
    if (rc < 0) return rc;
    timer_start(&d->tick, d->loop, tick_ms, tick_ms, on_tick, d);
    loop_on_turn(d->loop, on_turn, d);
    open_progress(d);
    return OK;
}

int coord_daemon_submit(struct coord_daemon *d, const char *text, const char *file, struct err *e)
{
    return hub_submit(&d->hub, text, file, now(d), e);
}

int coord_daemon_run(struct coord_daemon *d, struct err *e)
{
    const struct coord_options *o = d->options;
    struct sched_totals t;
    int rc = OK;
    if (o->local)
        rc = coord_local_open(&d->local, d->loop, o->dir, router_endpoint(d->router, 0), o->local,
                              e);
    if (rc == OK) loop_run(d->loop);
    if (d->terminal && rc == OK) on_draw(d), fputc('\n', stderr);
    if (rc == OK && d->rc < 0) rc = err_set(e, d->rc, "%s", d->error.text);
    if (rc < 0) return rc;
    sched_totals(&d->hub.sched, &t);
    return o->exit_when_done && t.sweeps_open == 0 && t.failed > 0;
}

void coord_daemon_close(struct coord_daemon *d)
{
    coord_local_close(&d->local);
    if (d->loop) loop_on_turn(d->loop, NULL, NULL);
    timer_stop(&d->tick);
    timer_stop(&d->draw);
    router_close(&d->router);
    watch_close(&d->stored);
    store_close(&d->store);
    hub_close(&d->hub);
    loop_close(&d->loop);
    free(d->users);
    free(d->allowed);
}
