// SPDX-License-Identifier: MIT
/* coord_options: the command line of grokd-coord. */
#include "coordinator/coord_options.h"

#include "coordinator/sched.h"
#include "proto/number.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_LEAST 400 /* ms; shorter ones could not be told from a slow machine */

const char coord_usage[] =
    "Usage: grokd-coord [OPTION]... [SWEEP.yaml]...\n"
    "Keeps sweeps and all their results in DIR/results.db and hands runs to workers.\n"
    "\n"
    "  --dir DIR            default $GROKD_DIR, else ./grokd-data\n"
    "  --listen ENDPOINT    tcp://HOST:PORT for workers, port 0 picks one; may be repeated;\n"
    "                       default tcp://127.0.0.1:5757\n"
    "  --local N            also start a worker with N slots on this machine\n"
    "  --exit-when-done     end when every run is over\n"
    "  --heartbeat TIME     how often workers say that they live; default 10s\n"
    "  --lease TIME         a worker that is silent for so long loses its runs; default 60s\n"
    "  --network-disk       DIR may lie on a network disk, if no other machine opens results.db\n"
    "  --help, --version\n"
    "\n"
    "Workers need a copy of DIR/access. A sweep file that is known already adds nothing.\n"
    "SIGTERM ends with 0. Exit codes: 0 done, 1 some runs failed, 2 bad usage or bad file,\n"
    "3 cannot bind, 4 storage trouble.\n";

enum {
    OPT_DIR = 256,
    OPT_LISTEN,
    OPT_LOCAL,
    OPT_EXIT,
    OPT_HEARTBEAT,
    OPT_LEASE,
    OPT_NETWORK,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"dir", required_argument, NULL, OPT_DIR},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"local", required_argument, NULL, OPT_LOCAL},
    {"exit-when-done", no_argument, NULL, OPT_EXIT},
    {"heartbeat", required_argument, NULL, OPT_HEARTBEAT},
    {"lease", required_argument, NULL, OPT_LEASE},
    {"network-disk", no_argument, NULL, OPT_NETWORK},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int set_listen(struct coord_options *o, const char *text, struct err *e)
{
    if (strncmp(text, "tcp://", 6) != 0)
        return err_set(e, E_USAGE, "--listen %s: tcp://HOST:PORT is needed", text);
    if (o->endpoint_count == COORD_ENDPOINTS)
        return err_set(e, E_USAGE, "--listen may be given %d times", COORD_ENDPOINTS);
    o->endpoints[o->endpoint_count++] = text;
    return OK;
}

static int set_local(struct coord_options *o, const char *text, struct err *e)
{
    struct number n;
    if (!number_read(text, &n) || !n.integral || n.integer < 1 || n.integer > SCHED_SLOTS)
        return err_set(e, E_USAGE, "--local %s: a number from 1 to %d is needed", text,
                       SCHED_SLOTS);
    o->local = n.integer;
    return OK;
}

static int set_duration(int64_t *ms, const char *name, const char *text, struct err *e)
{
    if (!duration_read(text, ms) || *ms < 1)
        return err_set(e, E_USAGE, "%s %s: a time is needed, as 10s or 5m", name, text);
    return OK;
}

static int set_option(struct coord_options *o, int option, char **argv, struct err *e)
{
    switch (option) {
    case OPT_DIR: o->dir = optarg; return OK;
    case OPT_LISTEN: return set_listen(o, optarg, e);
    case OPT_LOCAL: return set_local(o, optarg, e);
    case OPT_EXIT: o->exit_when_done = true; return OK;
    case OPT_HEARTBEAT: return set_duration(&o->heartbeat_ms, "--heartbeat", optarg, e);
    case OPT_LEASE: return set_duration(&o->lease_ms, "--lease", optarg, e);
    case OPT_NETWORK: o->network_disk = true; return OK;
    case OPT_HELP: o->help = true; return OK;
    case OPT_VERSION: o->version = true; return OK;
    case ':': return err_set(e, E_USAGE, "%s needs a value; see --help", argv[optind - 1]);
    default: return err_set(e, E_USAGE, "%s: no such option; see --help", argv[optind - 1]);
    }
}

static int check(struct coord_options *o, struct err *e)
{
    if (!o->endpoint_count) o->endpoints[o->endpoint_count++] = "tcp://127.0.0.1:5757";
    if (!*o->dir) return err_set(e, E_USAGE, "--dir: the name of a directory is needed");
    if (o->lease_ms < LEASE_LEAST || o->lease_ms < 2 * o->heartbeat_ms)
        return err_set(e, E_USAGE,
                       "a lease of %lld ms is too short: at least %d ms and two heartbeats (%lld "
                       "ms) are needed",
                       (long long)o->lease_ms, LEASE_LEAST, (long long)(2 * o->heartbeat_ms));
    if (o->lease_ms > UINT32_MAX)
        return err_set(e, E_USAGE, "a lease has at most %lld ms", (long long)UINT32_MAX);
    return OK;
}

int coord_options_read(struct coord_options *o, int argc, char **argv, struct err *e)
{
    const struct sched_config config = SCHED_DEFAULTS;
    const char *dir = getenv("GROKD_DIR");
    int option, rc = OK;
    memset(o, 0, sizeof *o);
    o->dir = dir && *dir ? dir : "./grokd-data";
    o->heartbeat_ms = config.heartbeat_ms;
    o->lease_ms = config.lease_ms;
    optind = 0; /* so that a second reading begins anew */
    while (rc == OK && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        rc = set_option(o, option, argv, e);
    o->files = argv + optind;
    o->file_count = (size_t)(argc - optind);
    return rc < 0 ? rc : check(o, e);
}
