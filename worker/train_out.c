// SPDX-License-Identifier: MIT
/* train_out: where the rows of a run in the foreground go: standard output, a folder, the bar. */
#include "worker/train_out.h"

#include "common/file.h"
#include "worker/train_json.h"

#include <inttypes.h>
#include <string.h>

static int path_in(char *out, size_t size, const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, size, "%s/%s", dir, name) < (int)size) return OK;
    return err_set(e, E_USAGE, "--out %.100s...: the path is too long", dir);
}

static int open_in(FILE **out, const char *dir, const char *name, struct err *e)
{
    char path[4096];
    int rc = path_in(path, sizeof path, dir, name, e);
    if (rc < 0) return rc;
    *out = fopen(path, "we");
    return *out ? OK : err_errno(e, E_FILE, "%s", path);
}

static int close_written(FILE *f, const char *what, struct err *e)
{
    int failed = ferror(f);
    failed |= fclose(f);
    return failed ? err_errno(e, E_IO, "%s could not be written", what) : OK;
}

int train_out_open(struct train_out *o, const struct train_options *options, const struct blas *b,
                   struct err *e)
{
    *o = (struct train_out){.options = options};
    train_bar_open(&o->bar);
    if (!options->out) return OK;
    FILE *run = NULL;
    int rc = file_make_dir(options->out, 0777, e);
    if (rc == OK) rc = open_in(&run, options->out, "run.json", e);
    if (rc < 0) return rc;
    train_json_run(run, &options->params, b);
    rc = close_written(run, "run.json", e);
    return rc < 0 ? rc : open_in(&o->epochs, options->out, "epochs.jsonl", e);
}

static int write_set(struct train_out *o, const struct safetensors *s, const char *name,
                     struct err *e)
{
    char path[4096];
    int rc = path_in(path, sizeof path, o->options->out, name, e);
    return rc < 0 ? rc : safetensors_write(s, path, e);
}

static int write_data(struct train_out *o, const struct train_epoch *now, struct err *e)
{
    struct safetensors s = {0};
    int rc = task_save(trainer_task(now->trainer), &s, e);
    if (rc == OK) rc = write_set(o, &s, "data.safetensors", e);
    safetensors_close(&s);
    return rc;
}

static int write_weights(struct train_out *o, const struct train_epoch *now, struct err *e)
{
    struct safetensors s = {0};
    char name[64];
    snprintf(name, sizeof name, "weights-%" PRId64 ".safetensors", now->row->epoch);
    int rc = trainer_save_weights(now->trainer, "", &s, e);
    if (rc == OK) rc = write_set(o, &s, name, e);
    safetensors_close(&s);
    return rc;
}

int train_out_epoch(void *ctx, const struct train_epoch *now, struct err *e)
{
    struct train_out *o = ctx;
    const struct settings *s = &o->options->settings;
    int rc = OK;
    train_bar_clear(&o->bar);
    train_json_row(stdout, now->row);
    if (fflush(stdout) != 0) return err_errno(e, E_IO, "standard output");
    if (o->epochs) {
        train_json_row(o->epochs, now->row);
        if (fflush(o->epochs) != 0) return err_errno(e, E_IO, "epochs.jsonl");
        if (now->row->epoch == 0) rc = write_data(o, now, e);
        if (rc == OK && epoch_list_holds(&s->save_model, now->row->epoch, now->epochs))
            rc = write_weights(o, now, e);
    }
    train_bar_draw(&o->bar, now);
    return rc;
}

int train_out_close(struct train_out *o, struct err *e)
{
    train_bar_close(&o->bar);
    if (!o->epochs) return OK;
    int rc = close_written(o->epochs, "epochs.jsonl", e);
    o->epochs = NULL;
    return rc;
}
