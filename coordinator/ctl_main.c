// SPDX-License-Identifier: MIT
/* grokctl: asks and steers a coordinator. */
#include "coordinator/ctl.h"

#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct err e;
    signal(SIGPIPE, SIG_DFL); /* `grokctl export | head` ends quietly */
    int code = ctl_run(argc, argv, stdout, &e);
    if (code && *e.text) fprintf(stderr, "grokctl: %s\n", e.text);
    return code;
}
