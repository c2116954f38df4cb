// SPDX-License-Identifier: MIT
/* grokd-train: trains one run in the foreground, or serves a worker's slot. */
#include "version.h"
#include "worker/num/blas.h"
#include "worker/num/vec.h"
#include "worker/train_options.h"
#include "worker/train_out.h"
#include "worker/train_pipe.h"
#include "worker/train_run.h"

#include <stdio.h>

struct kernels {
    char family[64], fingerprint[65];
};

static int kernels_open(struct kernels *k, struct err *e)
{
    int rc = vec_open(e);
    return rc < 0 ? rc : blas_open(k->family, k->fingerprint, e);
}

static int run(const struct train_options *o, const struct kernels *k, struct err *e)
{
    const struct trainer_source from = {.init_path = o->init_path[0] ? o->init_path : NULL,
                                        .init_prefix = o->init_prefix,
                                        .data_path = o->data_path};
    struct train_out out;
    struct err late;
    int rc = train_out_open(&out, o, k->family, k->fingerprint, e);
    if (rc == OK) {
        const struct train_listener listener = {train_out_epoch, &out};
        rc = train_run(&o->params, &o->settings, &from, &listener, e);
    }
    int closed = train_out_close(&out, &late);
    if (rc < 0 || closed == OK) return rc;
    *e = late;
    return closed;
}

static int carry_out(const struct train_options *o, struct err *e)
{
    struct kernels k;
    int rc;
    if (o->mode == TRAIN_HELP) return train_help(stdout), OK;
    if (o->mode == TRAIN_VERSION)
        return printf("grokd-train %s %s\n", GROKD_VERSION, GROKD_GIT), OK;
    if (o->mode == TRAIN_PIPE && (rc = train_pipe_bind_to_parent(e)) < 0) return rc;
    if ((rc = kernels_open(&k, e)) < 0) return rc;
    if (o->mode == TRAIN_BLAS) return printf("%s %s\n", k.family, k.fingerprint), OK;
    if (o->mode == TRAIN_PIPE) return train_pipe_serve(o->pipe_fd, k.family, k.fingerprint, e);
    return run(o, &k, e);
}

int main(int argc, char **argv)
{
    struct train_options o;
    struct err e = {0};
    int rc = train_options_read(&o, argc, argv, &e);
    if (rc == OK) rc = carry_out(&o, &e);
    if (rc == OK && fflush(stdout) != 0) rc = err_errno(&e, E_IO, "standard output");
    if (rc == OK) return 0;
    fprintf(stderr, "grokd-train: %s\n", e.text);
    return err_exit_code(rc);
}
