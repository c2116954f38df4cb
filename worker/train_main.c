// SPDX-License-Identifier: MIT
/* grokd-train: trains one run in the foreground, or serves a worker's slot. */
#include "version.h"
#include "worker/num/blas.h"
#include "worker/train_options.h"
#include "worker/train_out.h"
#include "worker/train_pipe.h"
#include "worker/train_run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* OpenBLAS chooses its kernels when it is loaded: for other ones this program begins again. */
static int begin_again_for(const char *family, char **argv, struct err *e)
{
    const char *asked = getenv("OPENBLAS_CORETYPE");
    if (!strcmp(family, "auto") || !strcmp(family, BLAS_OURS)) return OK;
    if (!strcmp(family, blas_library_family()) || (asked && !strcmp(asked, family))) return OK;
    setenv("OPENBLAS_CORETYPE", family, 1);
    execv("/proc/self/exe", argv);
    return err_errno(e, E_IO, "/proc/self/exe");
}

/* A worker and its slot compare families themselves: for them it is no mistake of the user. */
static int check_family(const char *wanted, const struct blas *b, struct err *e)
{
    if (!strcmp(wanted, "auto") || !strcmp(wanted, b->family)) return OK;
    return err_set(e, E_USAGE,
                   "grokd.blas: \"%s\" is no family that OpenBLAS has here; expected "
                   "auto, or for instance %s",
                   wanted, b->family);
}

static int carry_out(const struct train_options *o, char **argv, struct err *e)
{
    struct blas b;
    int rc = OK;
    if (o->mode == TRAIN_HELP) return train_help(stdout), OK;
    if (o->mode == TRAIN_VERSION)
        return printf("grokd-train %s %s\n", GROKD_VERSION, GROKD_GIT), OK;
    if (o->mode == TRAIN_PIPE) rc = train_pipe_bind_to_parent(e);
    if (rc == OK) rc = begin_again_for(o->settings.blas, argv, e);
    if (rc == OK) rc = blas_open(&b, o->settings.blas, e);
    if (rc < 0) return rc;
    if (o->mode == TRAIN_BLAS) return printf("%s %s\n", b.family, b.fingerprint), OK;
    if (o->mode == TRAIN_PIPE) return train_pipe_serve(o->pipe_fd, &b, e);
    rc = check_family(o->settings.blas, &b, e);
    return rc < 0 ? rc : train_out_run(o, &b, e);
}

int main(int argc, char **argv)
{
    struct train_options o;
    struct err e = {0};
    int rc = train_options_read(&o, argc, argv, &e);
    if (rc == OK) rc = carry_out(&o, argv, &e);
    if (rc >= 0 && fflush(stdout) != 0) rc = err_errno(&e, E_IO, "standard output");
    if (rc == OK) return 0;
    if (rc == TRAIN_STOP) return signal(train_out_signal(), SIG_DFL), raise(train_out_signal());
    fprintf(stderr, "grokd-train: %s\n", e.text);
    return err_exit_code(rc);
}
