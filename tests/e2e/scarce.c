// SPDX-License-Identifier: MIT
/* scarce: memory that runs out, to be loaded before a program (LD_PRELOAD), for tests.
 *
 *   SCARCE_AT=N      the N-th request for memory since the program began fails
 *   SCARCE_FROM=N    ... and every one after it
 *   SCARCE_COUNT=F   at the end the number of requests is written to F
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

static atomic_long asked;
static long at, from;
static bool begun;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    at = number("SCARCE_AT");
    from = number("SCARCE_FROM");
    begun = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("SCARCE_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!f) return;
    fprintf(f, "%ld\n", asked);
    fclose(f);
}

static bool fails(void)
{
    if (!begun) return false;
    long n = atomic_fetch_add(&asked, 1) + 1;
    if (n != at && (from == 0 || n < from)) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
