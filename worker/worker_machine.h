// SPDX-License-Identifier: MIT
/* worker_machine: what this machine is and can do: its name, its processors, and which of them a
 * slot may be pinned to. */
#ifndef GROKD_WORKER_WORKER_MACHINE_H
#define GROKD_WORKER_WORKER_MACHINE_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

/* Processors that this process may run on. */
struct worker_cpus {
    int *list;
    size_t count;
    int *claims; /* a descriptor for each claimed one; -1: not ours */
};

int worker_cpus_open(struct worker_cpus *c, struct err *e);

/* A processor for slot i: one that no other grokd-worker of this machine has, as long as there are
 * any; then they are shared in turn. The claim lasts until worker_cpus_close or the process ends.
 */
int worker_cpus_claim(struct worker_cpus *c, uint32_t i);

void worker_cpus_close(struct worker_cpus *c);

/* This host's name, and its processor's as the kernel says it; cut to size, "unknown" at worst. */
void worker_host(char *out, size_t size);
void worker_cpu_name(char *out, size_t size);

/* The path of a program beside this one. */
int worker_beside(const char *name, char *out, size_t size, struct err *e);

#endif
