// SPDX-License-Identifier: MIT
/* ledger: every acknowledgement that this worker received, on the disk. */
#include "worker/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ledger {
    int fd;
    const char *path;
};

int ledger_open(struct ledger **out, const char *path, struct err *e)
{
    *out = NULL;
    if (!path || !path[0]) return OK;
    struct ledger *l = malloc(sizeof *l);
    if (!l) return err_set(e, E_NOMEM, "no memory for a ledger");
    l->path = path;
    l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (l->fd < 0) {
        free(l);
        return err_errno(e, E_FILE, "the ledger %s", path);
    }
    *out = l;
    return OK;
}

int ledger_note(struct ledger *l, const wire_envelope *m, struct err *e)
{
    char line[96];
    if (!l || m->body_case != GROKD__ENVELOPE__BODY_ACK) return OK;
    const Grokd__Ack *a = m->ack;
    int n = snprintf(line, sizeof line, "%lld %lld %lld %d\n", (long long)a->run,
                     (long long)a->attempt, (long long)a->epoch, a->has_ended && a->ended);
    ssize_t written = write(l->fd, line, (size_t)n);
    if (written >= 0 && written < n) errno = ENOSPC; /* half a line is none */
    if (written == n && fdatasync(l->fd) == 0) return OK;
    return err_errno(e, errno == ENOSPC ? E_FULL : E_IO, "the ledger %s", l->path);
}

void ledger_close(struct ledger **out)
{
    struct ledger *l = *out;
    if (!l) return;
    *out = NULL;
    close(l->fd);
    free(l);
}
