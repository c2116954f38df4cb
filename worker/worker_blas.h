// SPDX-License-Identifier: MIT
/* worker_blas: which families of matrix kernels work on this machine, asked of grokd-train itself.
 *
 * OpenBLAS falls back silently when a family is not there, so each is tried in a process of its own
 * that says which kernels it really got and the hash of fixed products computed with them.
 */
#ifndef GROKD_WORKER_WORKER_BLAS_H
#define GROKD_WORKER_WORKER_BLAS_H

#include "common/err.h"
#include "worker/session.h"

#include <stddef.h>

#define WORKER_BLAS_MS 30000 /* all of them together may take so long at most */

/* Runs `program --blas grokd.blas=FAMILY` for the program's own choice, auto, which comes first,
 * and for every family of OpenBLAS that we know, all at once. E_FILE when the program cannot be run
 * or names no kernels at all. */
int worker_blas_offers(const char *program, struct session_blas *out, size_t room, size_t *count,
                       struct err *e);

#endif
