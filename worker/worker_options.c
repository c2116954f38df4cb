// SPDX-License-Identifier: MIT
/* worker_options: the command line of grokd-worker. */
#include "worker/worker_options.h"

#include "proto/number.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char worker_usage[] =
    "Usage: grokd-worker [OPTION]...\n"
    "Trains the runs that a grokd coordinator hands out, until it is told to leave.\n"
    "\n"
    "  --access FILE        how to reach the coordinator, with the keys; default $GROKD_ACCESS,\n"
    "                       $GROKD_DIR/access or ./grokd-data/access\n"
    "  --connect ENDPOINT   tcp://HOST:PORT instead of the endpoint in the access file\n"
    "  -j, --slots N        runs at the same time; default: the processors it may use\n"
    "  --time-limit TIME    leave in time before so long has passed (3h, 90m): the runs are "
    "handed\n"
    "                       back unharmed\n"
    "  --idle-timeout TIME  leave after so long without work\n"
    "  --help, --version\n"
    "\n"
    "$GROKD_LEDGER names a file to which every acknowledgement is added as it arrives.\n"
    "SIGTERM hands every run back and ends with 0; a second one ends at once.\n"
    "Exit codes: 0 done, 1 refused by the coordinator, 2 bad usage or bad file, 3 bad endpoint,\n"
    "4 no memory or no files left.\n";

enum { OPT_ACCESS = 256, OPT_CONNECT, OPT_LIMIT, OPT_IDLE, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
    {"access", required_argument, NULL, OPT_ACCESS},
    {"connect", required_argument, NULL, OPT_CONNECT},
    {"slots", required_argument, NULL, 'j'},
    {"time-limit", required_argument, NULL, OPT_LIMIT},
    {"idle-timeout", required_argument, NULL, OPT_IDLE},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int set_path(struct worker_options *o, const char *dir, const char *name, struct err *e)
{
    const char *slash = name[0] && dir[0] ? "/" : "";
    int n = snprintf(o->access, sizeof o->access, "%s%s%s", dir, slash, name);
    if (n < 0 || (size_t)n >= sizeof o->access)
        return err_set(e, E_USAGE, "access file: the path is longer than %zu bytes",
                       sizeof o->access - 1);
    return OK;
}

static int set_default_access(struct worker_options *o, struct err *e)
{
    const char *file = getenv("GROKD_ACCESS"), *dir = getenv("GROKD_DIR");
    if (file && file[0]) return set_path(o, file, "", e);
    if (dir && dir[0]) return set_path(o, dir, "access", e);
    return set_path(o, "./grokd-data", "access", e);
}

static int set_slots(struct worker_options *o, const char *text, struct err *e)
{
    struct number n;
    if (!number_read(text, &n) || !n.integral || n.integer < 1 || n.integer > WORKER_SLOTS)
        return err_set(e, E_USAGE, "-j %s: a number from 1 to %d is needed", text, WORKER_SLOTS);
    o->slots = (uint32_t)n.integer;
    return OK;
}

static int set_duration(int64_t *ms, const char *name, const char *text, struct err *e)
{
    if (!duration_read(text, ms))
        return err_set(e, E_USAGE, "%s %s: a time is needed, as 90m or 3h", name, text);
    return OK;
}

static int set_option(struct worker_options *o, int option, char **argv, struct err *e)
{
    switch (option) {
    case OPT_ACCESS: return set_path(o, optarg, "", e);
    case OPT_CONNECT: o->connect = optarg; return OK;
    case 'j': return set_slots(o, optarg, e);
    case OPT_LIMIT: return set_duration(&o->limit_ms, "--time-limit", optarg, e);
    case OPT_IDLE: return set_duration(&o->idle_ms, "--idle-timeout", optarg, e);
    case OPT_HELP: o->help = true; return OK;
    case OPT_VERSION: o->version = true; return OK;
    case ':': return err_set(e, E_USAGE, "%s needs a value; see --help", argv[optind - 1]);
    default: return err_set(e, E_USAGE, "%s: no such option; see --help", argv[optind - 1]);
    }
}

int worker_options_read(struct worker_options *o, int argc, char **argv, struct err *e)
{
    memset(o, 0, sizeof *o);
    o->ledger = getenv("GROKD_LEDGER");
    optind = 0; /* so that a second reading begins anew */
    int option, rc = set_default_access(o, e);
    while (rc == OK && (option = getopt_long(argc, argv, ":j:", long_options, NULL)) != -1)
        rc = set_option(o, option, argv, e);
    if (rc == OK && optind < argc)
        rc = err_set(e, E_USAGE, "%s: grokd-worker takes no files; see --help", argv[optind]);
    return rc;
}
