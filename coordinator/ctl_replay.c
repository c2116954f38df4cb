// SPDX-License-Identifier: MIT
/* ctl_replay: the command line of a run, its output beside the stored rows. */
#include "coordinator/ctl_replay.h"

#include "common/file.h"
#include "proto/metric.h"
#include "proto/number.h"
#include "proto/param.h"
#include "proto/spec.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WEIGHTS_LIMIT ((size_t)1 << 31) /* bytes of a file of weights */

/* ---- the command ---- */

int replay_append(char out[REPLAY_LINE], struct err *e, const char *format, ...)
{
    size_t n = strlen(out);
    va_list list;
    va_start(list, format);
    int more = vsnprintf(out + n, REPLAY_LINE - n, format, list);
    va_end(list);
    return more >= 0 && (size_t)more < REPLAY_LINE - n ? OK
                                                       : err_set(e, E_USAGE, "a line is too long");
}

/* The program beside this one, quoted for the shell. */
static int add_program(char *out, struct err *e)
{
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_errno(e, E_FILE, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash || strchr(self, '\''))
        return err_set(e, E_FILE, "%s: cannot be named to a shell", self);
    *slash = '\0';
    return replay_append(out, e, "'%s/grokd-train'", self);
}

/* Numbers as they read back to the same bits; words as they are. */
static int add_param(char *out, struct query *q, int column, struct err *e)
{
    char number[NUMBER_TEXT];
    const char *name = query_name(q, column);
    if (query_type(q, column) == QUERY_NULL) return OK;
    if (param_list[column].kind == PARAM_BOOL)
        return replay_append(out, e, " %s=%s", name, query_integer(q, column) ? "true" : "false");
    if (query_type(q, column) == QUERY_REAL)
        return replay_append(out, e, " %s=%s", name, number_text(query_real(q, column), number));
    return replay_append(out, e, " %s=%s", name, query_text(q, column));
}

static int add_settings(char *out, const char *spec_text, int64_t task, struct err *e)
{
    struct spec *spec = NULL;
    char text[SETTINGS_TEXT], *rest = text;
    int rc = spec_parse(&spec, spec_text, strlen(spec_text), "sweep", e);
    if (rc < 0) return rc;
    settings_follow(&spec->settings, task);
    settings_text(&spec->settings, text);
    spec_free(&spec);
    for (char *line; rc == OK && (line = strsep(&rest, "\n"));)
        if (*line) rc = replay_append(out, e, " '%s'", line);
    return rc;
}

static int make_command(struct replay *k, char *out, struct err *e)
{
    char sql[REPLAY_LINE] = "SELECT ",
         sweep[] = "SELECT spec, task, blas, epochs_done FROM runs JOIN sweeps "
                   "USING (sweep_id) WHERE run_id = ?";
    union param_value task;
    int rc = query_ask_about(k->rows, sweep, k->run, e);
    if (rc == OK) rc = query_next(k->rows, e);
    if (rc < 0) return rc;
    if (!rc) return err_set(e, E_USAGE, "there is no run %" PRId64, k->run);
    k->epochs = query_integer(k->rows, 3);
    if (k->epochs < 0) return err_set(e, E_USAGE, "run %" PRId64 " has no epoch yet", k->run);
    if ((rc = add_program(out, e)) < 0) return rc;
    if ((rc = param_read(PARAM_task, query_text(k->rows, 1), &task, e)) < 0) return rc;
    if (query_type(k->rows, 2) == QUERY_TEXT)
        rc = replay_append(out, e, " grokd.blas=%s", query_text(k->rows, 2));
    if (rc == OK) rc = add_settings(out, query_text(k->rows, 0), task.integer, e);
    for (int i = 0; i < PARAM_COUNT && rc == OK; i++)
        rc = replay_append(sql, e, "%s%s", i ? ", " : "", param_list[i].name);
    if (rc == OK) rc = replay_append(sql, e, " FROM runs WHERE run_id = ?");
    if (rc == OK) rc = query_ask_about(k->rows, sql, k->run, e);
    if (rc == OK && (rc = query_next(k->rows, e)) == 1) rc = OK;
    for (int i = 0; i < query_columns(k->rows) && rc == OK; i++) rc = add_param(out, k->rows, i, e);
    return rc;
}

int replay_open(struct replay *r, const struct ctl *c, char command[REPLAY_LINE], struct err *e)
{
    struct number n;
    *r = (struct replay){0};
    *command = '\0';
    if (!number_read(c->arguments[0], &n) || !n.integral || n.integer < 1)
        return err_set(e, E_USAGE, "'%.60s' is no number of a run", c->arguments[0]);
    r->run = n.integer;
    int rc = query_open(&r->rows, c->dir, e);
    return rc < 0 ? rc : make_command(r, command, e);
}

/* ---- what it writes ---- */

int replay_folder(struct replay *r, char command[REPLAY_LINE], struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    if (strchr(tmp, '\'') || strlen(tmp) > PATH_MAX - 100)
        return err_set(e, E_FILE, "%.100s: cannot be named to a shell", tmp);
    snprintf(r->folder, sizeof r->folder, "%s/grokctl-XXXXXX", tmp);
    if (mkdtemp(r->folder))
        return replay_append(command, e, " grokd.checkpoint_every=0 --out '%s'", r->folder);
    int rc = err_errno(e, E_FILE, "%s", r->folder);
    *r->folder = '\0';
    return rc;
}

void replay_weights(const struct replay *r, int64_t epoch, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%.4000s/weights-%" PRId64 ".safetensors", r->folder, epoch);
}

int replay_sha256(const char *path, char hex[HASH_HEX], struct err *e)
{
    char *data;
    size_t size;
    int rc = file_read(path, WEIGHTS_LIMIT, &data, &size, e);
    if (rc < 0) return rc;
    hash_sha256_hex(data, size, hex);
    free(data);
    return OK;
}

static void remove_folder(const struct replay *r)
{
    char path[PATH_MAX + NAME_MAX + 2];
    DIR *d = *r->folder ? opendir(r->folder) : NULL;
    for (const struct dirent *x; d && (x = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", r->folder, x->d_name);
        if (*x->d_name != '.') unlink(path);
    }
    if (d) closedir(d);
    if (*r->folder) rmdir(r->folder);
}

/* ---- comparing ---- */

int replay_differs(const struct replay *r, const char *what, const char *was, const char *is,
                   struct err *e)
{
    return err_set(e, E_RUN,
                   "run %" PRId64 ", epoch %" PRId64 ": %s was stored as %s and is now %.*s",
                   r->run, r->epoch, what, was, (int)strcspn(is, ",}\n"), is);
}

/* One column against its value in the line. */
static int compare_value(struct replay *k, int column, struct err *e)
{
    char mark[128], was[128];
    const char *name = query_name(k->rows, column);
    snprintf(mark, sizeof mark, "\"%s\": ", name);
    const char *is = strstr(k->line, mark);
    is = is ? is + strlen(mark) : "nothing";
    bool equal;
    if (query_type(k->rows, column) == QUERY_NULL) {
        snprintf(was, sizeof was, "nothing");
        equal = !strncmp(is, "null", 4);
    } else if (query_type(k->rows, column) == QUERY_TEXT) {
        snprintf(was, sizeof was, "\"%.100s\"", query_text(k->rows, column));
        equal = !strncmp(is, was, strlen(was));
    } else {
        snprintf(was, sizeof was, "%.17g", query_real(k->rows, column));
        char *end;
        equal = strtod(is, &end) == query_real(k->rows, column) && end != is;
    }
    k->values++;
    return equal ? OK : replay_differs(k, name, was, is, e);
}

int replay_compare(struct replay *r, int columns, struct err *e)
{
    int rc = OK;
    for (int i = 1; i <= columns && rc == OK; i++) rc = compare_value(r, i, e);
    return rc;
}

int replay_start(struct replay *r, const char *command, const char *select, struct err *e)
{
    if (select) {
        int rc = query_ask_about(r->rows, select, r->run, e);
        if (rc < 0) return rc;
    }
    r->train = popen(command, "re");
    return r->train ? OK : err_errno(e, E_IO, "grokd-train");
}

int replay_next(struct replay *r, struct err *e)
{
    char mark[64];
    int rc = query_next(r->rows, e);
    if (rc <= 0) return rc;
    r->epoch = query_integer(r->rows, 0);
    if (getline(&r->line, &r->room, r->train) < 0)
        return err_set(e, E_RUN, "run %" PRId64 ": grokd-train ended before epoch %" PRId64, r->run,
                       r->epoch);
    int n = snprintf(mark, sizeof mark, "{\"epoch\": %" PRId64 ",", r->epoch);
    return strncmp(r->line, mark, (size_t)n) ? replay_differs(r, "epoch", mark, r->line, e) : 1;
}

void replay_settle(struct replay *r)
{
    if (getline(&r->line, &r->room, r->train) < 0) *r->line = '\0';
}

int replay_finish(struct replay *r, struct err *e)
{
    while (getline(&r->line, &r->room, r->train) >= 0) continue;
    int status = pclose(r->train);
    r->train = NULL;
    if (status == 0) return OK;
    return err_set(e, E_RUN, "run %" PRId64 ": grokd-train ended with %d", r->run,
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void replay_close(struct replay *r)
{
    if (r->train) pclose(r->train); /* one that would go on ends with its pipe */
    remove_folder(r);
    free(r->line);
    query_close(&r->rows);
    *r = (struct replay){0};
}
