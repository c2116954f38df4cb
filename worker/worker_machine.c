// SPDX-License-Identifier: MIT
/* worker_machine: what this machine is and can do.
 *
 * Two workers on one machine should not pin their slots to the same processors. A claim is an
 * abstract Unix socket named after the processor: the kernel lets one process have it and gives it
 * free when that process ends, however it ends. */
#include "worker/worker_machine.h"

#include "proto/wire.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int worker_cpus_open(struct worker_cpus *c, struct err *e)
{
    cpu_set_t mask;
    memset(c, 0, sizeof *c);
    if (sched_getaffinity(0, sizeof mask, &mask) < 0)
        return err_errno(e, E_IO, "which processors we may use");
    size_t n = (size_t)CPU_COUNT(&mask);
    c->list = calloc(n, sizeof *c->list);
    c->claims = calloc(n, sizeof *c->claims);
    if (!c->list || !c->claims) {
        worker_cpus_close(c);
        return err_set(e, E_NOMEM, "no memory for a list of %zu processors", n);
    }
    for (int cpu = 0; cpu < CPU_SETSIZE && c->count < n; cpu++) {
        if (!CPU_ISSET(cpu, &mask)) continue;
        c->claims[c->count] = -1;
        c->list[c->count++] = cpu;
    }
    return OK;
}

static int claim_socket(int cpu)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "grokd-worker/cpu%d", cpu);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&name, size) == 0) return fd;
    close(fd);
    return -1;
}

int worker_cpus_claim(struct worker_cpus *c, uint32_t i)
{
    for (size_t k = 0; k < c->count; k++) {
        if (c->claims[k] >= 0) continue;
        c->claims[k] = claim_socket(c->list[k]);
        if (c->claims[k] >= 0) return c->list[k];
    }
    return c->count ? c->list[i % c->count] : -1;
}

void worker_cpus_close(struct worker_cpus *c)
{
    for (size_t k = 0; k < c->count; k++)
        if (c->claims[k] >= 0) close(c->claims[k]);
    free(c->list);
    free(c->claims);
    memset(c, 0, sizeof *c);
}

void worker_host(char *out, size_t size)
{
    if (gethostname(out, size) < 0 || !out[0]) snprintf(out, size, "unknown");
    out[size - 1] = '\0';
    wire_clean(out, size - 1, false);
}

void worker_cpu_name(char *out, size_t size)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%.*s", (int)size - 1, colon + 1 + strspn(colon + 1, " \t"));
        break;
    }
    if (f) fclose(f);
    wire_clean(out, size - 1, false);
}

int worker_beside(const char *name, char *out, size_t size, struct err *e)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_errno(e, E_FILE, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    int m = snprintf(out, size, "%.*s/%s", slash ? (int)(slash - self) : 0, self, name);
    if (m < 0 || (size_t)m >= size)
        return err_set(e, E_FILE, "%s: its path is longer than %zu bytes", name, size - 1);
    return OK;
}
