// SPDX-License-Identifier: MIT
/* ctl_stiff: the stiff and the sloppy part of a run's steps, told apart as arXiv 2502.01739 does,
 * by the diagonal Fisher information at the end of the run.
 *
 * The run must be finished. Its last weights are taken from the folder of models if save_model kept
 * them, else the run is trained once for them; then it is trained with them and measured
 * (grokd-train --stiff), its losses and steps compared with the stored ones, bit for bit. What is
 * found takes the place of what was found before, in features: the coordinator of DIR writes it if
 * one runs, else this process under DIR's lock.
 */
#include "common/clock.h"
#include "common/file.h"
#include "coordinator/ctl_replay.h"
#include "coordinator/save.h"
#include "coordinator/stiff.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTION (1 << 20) /* bytes of text handed over at a time, about */

struct split {
    struct replay replay;
    char command[REPLAY_LINE];
    char weights[PATH_MAX]; /* the last of the run */
    char *text;             /* lines of stiff.h */
    size_t size;
    int64_t steps; /* epochs with a step */
    double share;  /* of the parameters, that are stiff */
};

/* ---- the weights at the end ---- */

static int need_finished(struct split *s, struct err *e)
{
    struct query *q = s->replay.rows;
    int rc = query_ask_about(q, "SELECT state FROM runs WHERE run_id = ?", s->replay.run, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc < 0) return rc;
    if (!strcmp(query_text(q, 0), "finished")) return OK;
    return err_set(e, E_USAGE, "run %" PRId64 " is %s: only a finished run has an end to split by",
                   s->replay.run, query_text(q, 0));
}

/* Weights that are not those of the run would split its steps wrongly. */
static int check_model(const struct split *s, const char *sha256, struct err *e)
{
    char now[HASH_HEX];
    int rc = replay_sha256(s->weights, now, e);
    if (rc < 0 || !strcmp(now, sha256)) return rc;
    return err_set(e, E_FILE, "%s: is not the file that was stored: its SHA-256 is another",
                   s->weights);
}

/* 1: they are kept; 0: they are not. */
static int find_model(struct split *s, const char *dir, struct err *e)
{
    struct query *q = s->replay.rows;
    int rc = query_ask_about(q,
                             "SELECT m.path, m.sha256 FROM models AS m JOIN runs AS r USING "
                             "(run_id) WHERE run_id = ? AND m.epoch = r.epochs_done",
                             s->replay.run, e);
    if (rc == OK) rc = query_next(q, e);
    if (rc <= 0) return rc;
    if (snprintf(s->weights, sizeof s->weights, "%s/%s", dir, query_text(q, 0)) >= PATH_MAX)
        return err_set(e, E_USAGE, "%s: the path is too long", dir);
    if (access(s->weights, F_OK) < 0) return 0; /* somebody made room */
    rc = check_model(s, query_text(q, 1), e);
    return rc < 0 ? rc : 1;
}

/* The first pass: training alone. */
static int train_for_model(struct split *s, struct err *e)
{
    char command[REPLAY_LINE];
    strcpy(command, s->command);
    int rc = replay_append(
        command, e, " grokd.measure.every=0 grokd.measure.llc.steps=0 grokd.save_model=final");
    if (rc == OK) rc = replay_folder(&s->replay, command, e);
    if (rc < 0) return rc;
    replay_weights(&s->replay, s->replay.epochs, s->weights);
    rc = replay_start(&s->replay, command, NULL, e);
    return rc < 0 ? rc : replay_finish(&s->replay, e);
}

/* ---- the second pass ---- */

static void take_line(struct split *s, FILE *text)
{
    const char *at = s->replay.line;
    struct stiff_value v = {.epoch = s->replay.epoch};
    bool step = false;
    while (stiff_of_json(&at, &v)) {
        stiff_write(text, &v);
        step = step || !strcmp(v.name, "step_fisher");
        if (!strcmp(v.name, "parameters") && !strcmp(v.layer, "stiff")) s->share = v.value;
    }
    s->steps += step;
}

static int measure(struct split *s, FILE *text, struct err *e)
{
    char command[REPLAY_LINE];
    strcpy(command, s->command);
    int rc = strchr(s->weights, '\'')
                 ? err_set(e, E_FILE, "%.200s: cannot be named to a shell", s->weights)
                 : replay_append(command, e,
                                 " grokd.measure.fisher.variants=regression "
                                 "grokd.measure.llc.steps=0 --stiff '%s'",
                                 s->weights);
    if (rc == OK)
        rc = replay_start(&s->replay, command,
                          "SELECT epoch, train_loss, train_accuracy, test_loss, test_accuracy, "
                          "step_fisher FROM epochs LEFT JOIN geometry USING (run_id, "
                          "epoch) WHERE run_id = ? ORDER BY epoch",
                          e);
    while (rc == OK && (rc = replay_next(&s->replay, e)) == 1) {
        /* A step in the metric of the split is stored if that was asked for. */
        bool stored = query_type(s->replay.rows, 5) != QUERY_NULL;
        rc = replay_compare(&s->replay, stored ? 5 : 4, e);
        if (rc == OK) take_line(s, text);
    }
    return rc < 0 ? rc : replay_finish(&s->replay, e);
}

/* ---- writing ---- */

static int hand_over(struct ctl *c, const struct split *s, const char *from, const char *to,
                     struct err *e)
{
    char *text = strndup(from, (size_t)(to - from));
    if (!text) return err_set(e, E_NOMEM, "no memory for the steps");
    int rc;
    if (file_lock_holder(c->dir) != 0) {
        rc = ctl_tell_stiff(c, s->replay.run, text, e);
        free(text);
        return rc;
    }
    struct save save = {
        .kind = SAVE_STIFF, .run = s->replay.run, .at_ms = clock_wall_ms(), .text = text};
    return ctl_save_here(c, &save, 1, e);
}

/* In portions of whole epochs: each replaces what was stored from its first epoch on. */
static int write_all(struct ctl *c, const struct split *s, struct err *e)
{
    const char *from = s->text;
    int rc = OK;
    while (*from && rc == OK) {
        const char *to = from;
        for (long epoch = -1, next; *to; to = strchr(to, '\n') + 1, epoch = next) {
            next = strtol(to, NULL, 10);
            if (next != epoch && to - from > PORTION) break;
        }
        rc = hand_over(c, s, from, to, e);
        from = to;
    }
    return rc;
}

/* A run that was begun anew meanwhile is not the one that was split. */
static int check_written(struct ctl *c, struct split *s, struct err *e)
{
    int64_t lines = 0;
    for (size_t i = 0; i < s->size; i++) lines += s->text[i] == '\n';
    int rc = query_open(&s->replay.rows, c->dir, e);
    if (rc == OK)
        rc = query_ask_about(s->replay.rows,
                             "SELECT count(*) FROM features WHERE run_id = ? AND layer IN "
                             "('stiff', 'sloppy')",
                             s->replay.run, e);
    if (rc == OK) rc = query_next(s->replay.rows, e);
    if (rc < 0 || query_integer(s->replay.rows, 0) == lines) return rc < 0 ? rc : OK;
    return err_set(e, E_STATE, "run %" PRId64 " is no longer what was split; ask again",
                   s->replay.run);
}

static void say(const struct ctl *c, const struct split *s)
{
    if (c->output == CTL_HUMAN)
        fprintf(c->out,
                "run %" PRId64 ": %.3g%% of its parameters are stiff at epoch %" PRId64 "; %" PRId64
                " steps split, in features of layers stiff and sloppy\n",
                s->replay.run, 100 * s->share, s->replay.epochs, s->steps);
    if (c->output == CTL_JSON)
        fprintf(c->out,
                "{\"run_id\": %" PRId64 ", \"epoch\": %" PRId64
                ", \"stiff\": %.17g, \"steps\": %" PRId64 "}\n",
                s->replay.run, s->replay.epochs, s->share, s->steps);
}

int ctl_stiff(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct split s = {.share = 0};
    (void)v;
    FILE *text = open_memstream(&s.text, &s.size);
    if (!text) return err_errno(e, E_NOMEM, "the steps");
    int rc = replay_open(&s.replay, c, s.command, e);
    if (rc == OK) rc = need_finished(&s, e);
    if (rc == OK && (rc = find_model(&s, c->dir, e)) == 0) rc = train_for_model(&s, e);
    if (rc >= 0) rc = measure(&s, text, e);
    if (fclose(text) != 0 && rc == OK) rc = err_errno(e, E_NOMEM, "the steps");
    query_close(&s.replay.rows); /* its view would keep the log from being cut */
    if (rc == OK && !s.steps)
        rc = err_set(e, E_USAGE, "run %" PRId64 " has no step: it measured one epoch at most",
                     s.replay.run);
    if (rc == OK) rc = write_all(c, &s, e);
    if (rc == OK) rc = check_written(c, &s, e);
    if (rc == OK) say(c, &s);
    replay_close(&s.replay);
    free(s.text);
    return rc;
}
