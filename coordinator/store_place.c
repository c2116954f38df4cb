// SPDX-License-Identifier: MIT
/* store_place: where the files of an epoch are. */
#include "coordinator/store_place.h"

#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *place_folder(Grokd__FileKind kind)
{
    return kind == GROKD__FILE_KIND__MODEL ? "models" : "checkpoints";
}

void place_name(const struct place *p, char out[KEEP_NAME])
{
    int n = snprintf(out, KEEP_NAME, "%s/%" PRId64 "-%" PRId64, place_folder(p->kind), p->run,
                     p->epoch);
    if (p->kind == GROKD__FILE_KIND__CHECKPOINT)
        n += snprintf(out + n, KEEP_NAME - (size_t)n, "-%" PRId64, p->attempt);
    snprintf(out + n, KEEP_NAME - (size_t)n, ".safetensors");
}

void place_part_name(const struct place *p, char out[KEEP_NAME])
{
    snprintf(out, KEEP_NAME, "%s/%" PRId64 "-%" PRId64 "-%" PRId64 ".part", place_folder(p->kind),
             p->run, p->epoch, p->attempt);
}

void place_path(const struct db *d, const char *name, char out[PATH_MAX])
{
    const char *slash = strrchr(d->path, '/');
    int folder = slash ? (int)(slash - d->path) : 1;
    snprintf(out, PATH_MAX, "%.*s/%s", folder ? folder : 1, slash ? d->path : ".", name);
}

int place_make_folder(const char *path, struct err *e)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(folder, F_OK) == 0 ? OK : file_make_dir(folder, 0777, e);
}
