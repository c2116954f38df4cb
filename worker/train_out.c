// SPDX-License-Identifier: MIT
/* train_out: where the rows of a run in the foreground go: standard output, a folder, the bar. */
#include "worker/train_out.h"

#include "common/clock.h"
#include "common/file.h"
#include "worker/train_bar.h"
#include "worker/train_checkpoint.h"
#include "worker/train_json.h"
#include "worker/train_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT "checkpoint.safetensors"

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
}

int train_out_signal(void)
{
    return caught;
}

struct train_out {
    const struct train_options *options;
    struct checkpoint_owner owner;
    FILE *epochs; /* NULL: no folder */
    bool begun;   /* a row of this process was seen */
    int64_t saved_ms;
    struct train_bar bar;
};

/* A second signal ends the process as it would have done without us. */
static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
}

static int path_in(char *out, size_t size, const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, size, "%s/%s", dir, name) < (int)size) return OK;
    return err_set(e, E_USAGE, "--out %.100s...: the path is too long", dir);
}

static int open_in(FILE **out, const char *dir, const char *name, const char *mode, struct err *e)
{
    char path[4096];
    int rc = path_in(path, sizeof path, dir, name, e);
    if (rc < 0) return rc;
    *out = fopen(path, mode);
    return *out ? OK : err_errno(e, E_FILE, "%s", path);
}

static int close_written(FILE *f, const char *what, struct err *e)
{
    int failed = ferror(f);
    failed |= fclose(f);
    return failed ? err_errno(e, E_IO, "%s could not be written", what) : OK;
}

/* Rows written after the checkpoint are written again: the file is cut behind its epoch. */
static int cut_behind(FILE *f, int64_t epoch, struct err *e)
{
    char *line = NULL;
    size_t room = 0;
    long keep = 0;
    for (int64_t rows = 0; rows <= epoch && getline(&line, &room, f) > 0; rows++) keep = ftell(f);
    free(line);
    if (keep < 0 || ftruncate(fileno(f), keep) < 0 || fseek(f, keep, SEEK_SET) < 0)
        return err_errno(e, E_IO, "epochs.jsonl");
    return OK;
}

static int open_epochs(struct train_out *o, int64_t resumed, struct err *e)
{
    const char *dir = o->options->out;
    char path[4096];
    int rc = path_in(path, sizeof path, dir, "epochs.jsonl", e);
    if (rc < 0) return rc;
    bool goes_on = resumed >= 0 && access(path, F_OK) == 0;
    rc = open_in(&o->epochs, dir, "epochs.jsonl", goes_on ? "r+e" : "we", e);
    return rc < 0 || !goes_on ? rc : cut_behind(o->epochs, resumed, e);
}

/* resumed: the last epoch of the checkpoint that the run goes on from; -1: none. */
static int out_open(struct train_out *o, const struct train_options *options, const struct blas *b,
                    int64_t resumed, struct err *e)
{
    *o = (struct train_out){.options = options,
                            .owner = {0, 0, &options->params, &options->settings, b},
                            .saved_ms = clock_now_ms()};
    train_bar_open(&o->bar);
    if (!options->out) return OK;
    FILE *run = NULL;
    int rc = file_make_dir(options->out, 0777, e);
    if (rc == OK) rc = open_in(&run, options->out, "run.json", "we", e);
    if (rc < 0) return rc;
    train_json_run(run, &options->params, b);
    rc = close_written(run, "run.json", e);
    if (rc == OK) catch_signals();
    return rc < 0 ? rc : open_epochs(o, resumed, e);
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

/* Now and then, and when the run is to stop; a run that is over needs none. */
static int keep_checkpoint(struct train_out *o, const struct train_epoch *now, struct err *e)
{
    int64_t every_ms = o->options->settings.checkpoint_every_ms, now_ms = clock_now_ms();
    bool due = caught || (every_ms > 0 && now_ms - o->saved_ms >= every_ms) ||
               train_save_before_the_end(now, &o->options->settings);
    char path[4096];
    unsigned char *bytes;
    size_t size;
    if (!due && !now->final) return OK;
    int rc = path_in(path, sizeof path, o->options->out, CHECKPOINT, e);
    if (rc < 0) return rc;
    if (now->final) return unlink(path), OK;
    if ((rc = train_checkpoint_make(now, &o->owner, &bytes, &size, e)) < 0) return rc;
    rc = file_write(path, bytes, size, 0644, e);
    free(bytes);
    o->saved_ms = clock_now_ms();
    return rc;
}

static int write_folder(struct train_out *o, const struct train_epoch *now, struct err *e)
{
    const struct settings *s = &o->options->settings;
    int rc = OK;
    train_json_row(o->epochs, now->row);
    if (fflush(o->epochs) != 0) return err_errno(e, E_IO, "epochs.jsonl");
    if (!o->begun) rc = write_data(o, now, e);
    if (rc == OK && epoch_list_holds(&s->save_model, now->row->epoch, now->epochs))
        rc = write_weights(o, now, e);
    return rc < 0 ? rc : keep_checkpoint(o, now, e);
}

static int out_epoch(void *ctx, const struct train_epoch *now, struct err *e)
{
    struct train_out *o = ctx;
    int rc = OK;
    train_bar_clear(&o->bar);
    train_json_row(stdout, now->row);
    if (fflush(stdout) != 0) return err_errno(e, E_IO, "standard output");
    if (o->epochs) rc = write_folder(o, now, e);
    o->begun = true;
    train_bar_draw(&o->bar, now);
    return rc < 0 || !caught ? rc : TRAIN_STOP;
}

static int out_enough(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return caught ? TRAIN_STOP : TRAIN_ON;
}

static int out_close(struct train_out *o, struct err *e)
{
    train_bar_close(&o->bar);
    if (!o->epochs) return OK;
    int rc = close_written(o->epochs, "epochs.jsonl", e);
    o->epochs = NULL;
    return rc;
}

int train_out_run(const struct train_options *o, const struct blas *b, struct err *e)
{
    const struct trainer_source from = {.init_path = o->init_path[0] ? o->init_path : NULL,
                                        .init_prefix = o->init_prefix,
                                        .data_path = o->data_path};
    const struct checkpoint_owner owner = {0, 0, &o->params, &o->settings, b};
    struct train_out out = {0};
    struct safetensors saved = {0};
    struct err late;
    int64_t resumed = -1;
    int rc = o->resume ? train_checkpoint_read(&saved, &resumed, o->resume, &owner, e) : OK;
    if (rc == OK) rc = out_open(&out, o, b, resumed, e);
    if (rc == OK) {
        const struct train_listener listener = {out_epoch, &out, out_enough};
        rc = train_run(&o->params, &o->settings, &from, o->stiff, o->resume ? &saved : NULL,
                       &listener, e);
    }
    safetensors_close(&saved);
    int closed = out_close(&out, &late);
    if (rc < 0 || closed == OK) return rc;
    *e = late;
    return closed;
}
