// SPDX-License-Identifier: MIT
/* grokd-coord: keeps sweeps and results, hands runs to workers. */
#include "common/file.h"
#include "coordinator/coord_daemon.h"
#include "proto/grid.h"
#include "version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Every sweep file is read before anything is opened: a bad one leaves no trace. */
static int read_sweeps(struct spec **specs, const struct coord_options *o, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < o->file_count && rc == OK; i++) {
        rc = spec_read(&specs[i], o->files[i], e);
        if (rc == OK) rc = grid_check(specs[i], e);
        for (int k = 0; rc == OK && k < specs[i]->warning_count; k++)
            fprintf(stderr, "grokd-coord: %s\n", specs[i]->warning[k]);
    }
    return rc;
}

/* With the lock of DIR and its keys: opens in order, closes in reverse. */
static int serve(const struct coord_options *o, const struct keys *k, struct spec **specs,
                 struct err *e)
{
    struct coord_daemon *d = calloc(1, sizeof *d);
    if (!d) return err_set(e, E_NOMEM, "no memory");
    int rc = sock_start(e);
    if (rc < 0) goto done;
    rc = sock_allow(k->allowed, k->allowed_count, e);
    if (rc == OK) rc = coord_daemon_open(d, o, k, e);
    for (size_t i = 0; i < o->file_count && rc == OK; i++)
        rc = coord_daemon_submit(d, specs[i]->text, specs[i]->file, e);
    if (rc == OK) rc = coord_daemon_run(d, e);
    coord_daemon_close(d);
    sock_finish();
done:
    free(d);
    return rc;
}

/* The exit code, or a negative code with e filled. */
static int work(const struct coord_options *o, struct err *e)
{
    struct keys keys = {0};
    int lock = -1;
    struct spec **specs = calloc(o->file_count + 1, sizeof *specs);
    int rc = specs ? read_sweeps(specs, o, e) : err_set(e, E_NOMEM, "no memory");
    if (rc == OK) rc = file_make_dir(o->dir, 0755, e);
    if (rc == OK && (rc = file_lock(&lock, o->dir, e)) == E_STATE) rc = E_STORE;
    if (rc == OK) rc = keys_open(&keys, o->dir, e);
    if (rc == OK) rc = serve(o, &keys, specs, e);
    keys_free(&keys);
    if (lock >= 0) close(lock);
    for (size_t i = 0; specs && i < o->file_count; i++) spec_free(&specs[i]);
    free(specs);
    return rc;
}

/* The usual 1,024 are for programs that call select(); here each worker costs one. */
static void raise_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max) return;
    l.rlim_cur = l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
}

int main(int argc, char **argv)
{
    struct coord_options options;
    struct err e = {0};
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    int rc = coord_options_read(&options, argc, argv, &e);
    if (rc == OK && options.help) return fputs(coord_usage, stdout) < 0;
    if (rc == OK && options.version) return printf("grokd-coord %s\n", GROKD_VERSION) < 0;
    if (rc == OK) rc = work(&options, &e);
    if (rc >= 0) return rc;
    fprintf(stderr, "grokd-coord: %s\n", e.text);
    return err_exit_code(rc);
}
