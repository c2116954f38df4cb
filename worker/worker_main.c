// SPDX-License-Identifier: MIT
/* grokd-worker: trains the runs that a coordinator hands out. */
#include "common/hash.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/sock.h"
#include "version.h"
#include "worker/worker_blas.h"
#include "worker/worker_daemon.h"
#include "worker/worker_machine.h"
#include "worker/worker_options.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Everything that the session must know of this machine and this command line. */
static int prepare(struct session_settings *set, struct access *access, char *program, size_t size,
                   const struct worker_options *o, struct worker_cpus *cpus, struct err *e)
{
    session_settings_default(set);
    int rc = access_read(access, o->access, e);
    if (rc < 0)
        snprintf(e->text + strlen(e->text), sizeof e->text - strlen(e->text),
                 "; --access names the file that a coordinator wrote, its DIR/access");
    if (rc == OK) rc = worker_cpus_open(cpus, e);
    if (rc == OK) rc = worker_beside("grokd-train", program, size, e);
    if (rc == OK) rc = worker_blas_offers(program, set->blas, SESSION_BLAS, &set->blas_count, e);
    if (rc < 0) return rc;
    if (o->connect) snprintf(access->endpoint, sizeof access->endpoint, "%s", o->connect);
    set->slots = o->slots ? o->slots : (uint32_t)cpus->count;
    set->limit_ms = o->limit_ms;
    set->idle_ms = o->idle_ms;
    hash_uuid(set->uuid);
    hash_random(&set->seed, sizeof set->seed);
    worker_host(set->host, sizeof set->host);
    worker_cpu_name(set->cpu, sizeof set->cpu);
    return OK;
}

/* The exit code, or a negative code with e filled. */
static int work(const struct worker_options *o, struct err *e)
{
    struct session_settings set;
    struct access access;
    struct worker_cpus cpus = {0};
    struct worker_daemon *daemon = NULL;
    char program[4096];
    int rc = prepare(&set, &access, program, sizeof program, o, &cpus, e);
    if (rc == OK) rc = sock_start(e);
    if (rc < 0) goto done;
    struct worker_config config = {
        .program = program, .access = &access, .set = &set, .cpus = &cpus, .ledger = o->ledger};
    log_info("worker", "slots=%u blas=%s endpoint=%s uuid=%s", set.slots, set.blas[0].family,
             access.endpoint, set.uuid);
    rc = worker_daemon_open(&daemon, &config, e);
    if (rc == OK) rc = worker_daemon_run(daemon);
    worker_daemon_close(&daemon);
    sock_finish();
done:
    worker_cpus_close(&cpus);
    return rc;
}

int main(int argc, char **argv)
{
    struct worker_options options;
    struct err e;
    signal(SIGPIPE, SIG_IGN);
    int rc = worker_options_read(&options, argc, argv, &e);
    if (rc == OK && options.help) return fputs(worker_usage, stdout) < 0;
    if (rc == OK && options.version)
        return printf("grokd-worker %s %s\n", GROKD_VERSION, GROKD_GIT) < 0;
    if (rc == OK) rc = work(&options, &e);
    if (rc >= 0) return rc;
    fprintf(stderr, "grokd-worker: %s\n", e.text);
    return err_exit_code(rc);
}
