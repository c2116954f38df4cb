// SPDX-License-Identifier: MIT
/* spec: a sweep file, read and checked: its top level and the block `grokd`. */
#include "proto/spec.h"

#include "common/file.h"
#include "common/hash.h"
#include "proto/number.h"
#include "proto/spec_reader.h"
#include "proto/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of W&B that say how runs are launched or ranked: nothing here depends on them. */
static const char ignored_keys[] =
    "program command project entity controller job image_uri apiVersion kind scheduler metric "
    "metrics early_terminate";

static const char known_keys[] = "method parameters name description run_cap grokd";

int spec_wrong(const struct spec_reader *r, const struct yaml *at, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(r->e, E_FILE, "%.90s:%d:%d: %s", r->spec->file, at->line, at->column, what);
}

int spec_warn(const struct spec_reader *r, const struct yaml *at, const char *format, ...)
{
    struct spec *s = r->spec;
    char what[400], line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (s->warning_count == SPEC_WARNINGS) return OK;
    snprintf(line, sizeof line, "%.90s:%d:%d: %s", s->file, at->line, at->column, what);
    char *kept = strdup(line);
    if (!kept) return err_set(r->e, E_NOMEM, "%s: no memory", s->file);
    s->warning[s->warning_count++] = kept;
    return OK;
}

int spec_unknown_key(const struct spec_reader *r, const struct yaml *at, const char *words)
{
    char near[WORDS_SIZE];
    if (words_nearest(words, at->text, near))
        return spec_wrong(r, at, "unknown key \"%.60s\"; did you mean %s?", at->text, near);
    return spec_wrong(r, at, "unknown key \"%.60s\"; expected one of: %s", at->text, words);
}

int spec_scalar(const struct spec_reader *r, const struct yaml *node, const char *name)
{
    bool null = node->kind == YAML_SCALAR && !node->quoted &&
                (!strcmp(node->text, "null") || !strcmp(node->text, "~"));
    const char *what = null ? "nothing" : yaml_what(node);
    if (strcmp(what, "text") != 0)
        return spec_wrong(r, node, "%s is %s; expected a single value", name, what);
    return OK;
}

static int read_whole(const struct spec_reader *r, const struct yaml *node, const char *name,
                      int64_t least, int64_t *out)
{
    struct number n;
    int rc = spec_scalar(r, node, name);
    if (rc < 0) return rc;
    if (node->quoted || !number_read(node->text, &n) || !n.integral || n.integer < least)
        return spec_wrong(r, node,
                          "%s: \"%.60s\" does not fit; expected a whole number from %" PRId64, name,
                          node->text, least);
    *out = n.integer;
    return OK;
}

/* A list of scalars as 10,20,final; a scalar as it stands. Gives. */
static int setting_value(const struct spec_reader *r, const struct yaml *node, const char *name,
                         char **out)
{
    size_t size = 1, n = 0;
    const struct yaml *const *item = (const struct yaml *const *)node->item;
    size_t count = node->count;
    if (node->kind == YAML_SCALAR) {
        item = &node;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = spec_scalar(r, item[i], name);
        if (rc < 0) return rc;
        size += strlen(item[i]->text) + 1;
    }
    *out = calloc(1, size);
    if (!*out) return err_set(r->e, E_NOMEM, "%s: no memory", r->spec->file);
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(*out + n, size - n, "%s%s", i ? "," : "", item[i]->text);
    return OK;
}

static int assign_setting(const struct spec_reader *r, const struct yaml *node, const char *name,
                          const struct yaml *key)
{
    struct err why;
    char *value = NULL;
    int rc = setting_value(r, node, name, &value);
    if (rc < 0) return rc;
    rc = settings_assign(&r->spec->settings, name, value, &why);
    free(value);
    if (rc == OK) return OK;
    return spec_wrong(r, strstr(why.text, "unknown") == why.text ? key : node, "%s", why.text);
}

/* The block `grokd`: nested maps join their names with dots. */
static int read_settings(const struct spec_reader *r, const struct yaml *map, const char *prefix)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml *key = map->key[i], *node = map->item[i];
        char name[256];
        int rc;
        if (snprintf(name, sizeof name, "%s%s", prefix, key->text) >= (int)sizeof name - 1)
            return spec_wrong(r, key, "a name that is too long");
        if (!strcmp(name, "priority")) {
            rc = read_whole(r, node, "grokd.priority", -1000000, &r->spec->priority);
        } else if (node->kind == YAML_MAP) {
            strcat(name, ".");
            rc = read_settings(r, node, name);
        } else {
            rc = assign_setting(r, node, name, key);
        }
        if (rc < 0) return rc;
    }
    return OK;
}

static int read_grokd(const struct spec_reader *r, const struct yaml *root)
{
    struct err why;
    const struct yaml *node = yaml_get(root, "grokd");
    if (!node) return OK;
    if (node->kind != YAML_MAP)
        return spec_wrong(r, node, "grokd is %s; expected a map of settings", yaml_what(node));
    int rc = read_settings(r, node, "");
    if (rc < 0) return rc;
    if (settings_check(&r->spec->settings, &why) < 0) return spec_wrong(r, node, "%s", why.text);
    return OK;
}

static int read_method(const struct spec_reader *r, const struct yaml *root)
{
    const struct yaml *node = yaml_get(root, "method");
    if (!node) return spec_wrong(r, root, "no method; expected method: grid or random");
    int rc = spec_scalar(r, node, "method");
    if (rc < 0) return rc;
    if (!strcmp(node->text, "grid"))
        r->spec->method = SPEC_GRID;
    else if (!strcmp(node->text, "random"))
        r->spec->method = SPEC_RANDOM;
    else
        return spec_wrong(r, node, "method %.60s is not supported; use grid or random", node->text);
    return OK;
}

static int read_keys(const struct spec_reader *r, const struct yaml *root)
{
    for (size_t i = 0; i < root->count; i++) {
        const struct yaml *key = root->key[i];
        if (words_find(known_keys, key->text) >= 0) continue;
        if (words_find(ignored_keys, key->text) < 0) return spec_unknown_key(r, key, known_keys);
        int rc = spec_warn(r, key, "%s is ignored: grokd does not use it", key->text);
        if (rc < 0) return rc;
    }
    return OK;
}

/* The name without folders and ending. */
static void default_name(struct spec *s, const char *file)
{
    const char *slash = strrchr(file, '/');
    snprintf(s->name, sizeof s->name, "%.100s", slash ? slash + 1 : file);
    char *dot = strrchr(s->name, '.');
    if (dot && dot > s->name) *dot = '\0';
}

static int read_names(const struct spec_reader *r, const struct yaml *root)
{
    const struct yaml *name = yaml_get(root, "name"), *about = yaml_get(root, "description");
    int rc;
    if (name && (rc = spec_scalar(r, name, "name")) < 0) return rc;
    if (about && (rc = spec_scalar(r, about, "description")) < 0) return rc;
    if (name && (!name->text[0] || strlen(name->text) >= SPEC_NAME || strchr(name->text, '\n')))
        return spec_wrong(r, name, "name does not fit; expected one line of 1 to %d bytes",
                          SPEC_NAME - 1);
    if (name) strcpy(r->spec->name, name->text);
    r->spec->description = strdup(about ? about->text : "");
    return r->spec->description ? OK : err_set(r->e, E_NOMEM, "%s: no memory", r->spec->file);
}

static int by_name(const void *a, const void *b)
{
    const struct axis *x = a, *y = b;
    return strcmp(param_list[x->param].name, param_list[y->param].name);
}

/* Whether a point of the sweep can be of the task. */
static bool names_task(const struct spec *s, int64_t task)
{
    for (int i = 0; i < s->axis_count; i++) {
        const struct axis *a = &s->axis[i];
        if (a->param != PARAM_task) continue;
        for (int64_t k = 0; k < a->count; k++)
            if (a->value[k].integer == task) return true;
        return false;
    }
    return task == s->base[0].task;
}

/* Every parameter is one of a task of this sweep. */
static int check_tasks(const struct spec_reader *r)
{
    const struct spec *s = r->spec;
    for (int i = 0; i < s->axis_count; i++) {
        const struct axis *a = &s->axis[i];
        const struct yaml at = {.line = a->line, .column = a->column};
        bool belongs = false;
        struct err why = {0};
        for (int64_t task = 0; task < PARAM_TASKS; task++)
            if (names_task(s, task)) belongs |= param_expect(a->param, task, &why) == OK;
        if (!belongs) return spec_wrong(r, &at, "%s", why.text);
    }
    return OK;
}

static int read_parameters(const struct spec_reader *r, const struct yaml *root)
{
    struct spec *s = r->spec;
    const struct yaml *node = yaml_get(root, "parameters");
    if (!node) return spec_wrong(r, root, "no parameters; expected parameters: and a map");
    if (node->kind != YAML_MAP)
        return spec_wrong(r, node, "parameters is %s; expected a map of parameters",
                          yaml_what(node));
    for (size_t i = 0; i < node->count; i++) {
        int rc = spec_axis(r, node->key[i]->text, node->key[i], node->item[i]);
        if (rc < 0) return rc;
    }
    qsort(s->axis, (size_t)s->axis_count, sizeof s->axis[0], by_name);
    return check_tasks(r);
}

static int check_count(const struct spec_reader *r, const struct yaml *root)
{
    struct spec *s = r->spec;
    const struct yaml *at = yaml_get(root, "parameters");
    if (s->method == SPEC_RANDOM && s->run_cap < 0)
        return spec_wrong(r, root, "method random without run_cap; expected how many points");
    if (s->method == SPEC_RANDOM && s->settings.sample_seed < 0)
        return spec_wrong(r, root,
                          "method random without grokd.sample_seed; expected a seed, so "
                          "that the same file always gives the same points");
    double points = s->method == SPEC_RANDOM ? (double)s->run_cap : 1;
    for (int i = 0; s->method == SPEC_GRID && i < s->axis_count; i++)
        points *= (double)s->axis[i].count;
    if (s->run_cap >= 0 && points > (double)s->run_cap) points = (double)s->run_cap;
    if (points > SPEC_POINTS)
        return spec_wrong(r, at, "a sweep of %.6g points; expected at most %d", points,
                          SPEC_POINTS);
    return OK;
}

static int read_root(const struct spec_reader *r, const struct yaml *root)
{
    const struct yaml *cap = yaml_get(root, "run_cap");
    int rc;
    if (root->kind != YAML_MAP)
        return spec_wrong(r, root, "the file is %s; expected a map with method and parameters",
                          yaml_what(root));
    if ((rc = read_keys(r, root)) < 0 || (rc = read_method(r, root)) < 0) return rc;
    if ((rc = read_names(r, root)) < 0 || (rc = read_grokd(r, root)) < 0) return rc;
    if (cap && (rc = read_whole(r, cap, "run_cap", 1, &r->spec->run_cap)) < 0) return rc;
    if ((rc = read_parameters(r, root)) < 0) return rc;
    return check_count(r, root);
}

static struct spec *new_spec(const char *text, size_t size, const char *file)
{
    struct spec *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->text = malloc(size + 1);
    if (!s->text) {
        free(s);
        return NULL;
    }
    memcpy(s->text, text, size);
    s->text[size] = '\0';
    s->size = size;
    snprintf(s->file, sizeof s->file, "%s", file);
    default_name(s, file);
    s->run_cap = -1;
    settings_default(&s->settings);
    for (int64_t task = 0; task < PARAM_TASKS; task++) params_of_task(&s->base[task], task);
    hash_sha256_hex(text, size, s->hash);
    return s;
}

int spec_parse(struct spec **out, const char *text, size_t size, const char *file, struct err *e)
{
    struct yaml *root = NULL;
    *out = NULL;
    if (size > SPEC_BYTES)
        return err_set(e, E_FILE, "%s: %zu bytes; expected at most %u", file, size, SPEC_BYTES);
    struct spec *s = new_spec(text, size, file);
    if (!s) return err_set(e, E_NOMEM, "%s: no memory", file);
    struct spec_reader r = {s, e};
    int rc = yaml_parse(&root, s->text, size, s->file, e);
    if (rc == OK) rc = read_root(&r, root);
    yaml_free(&root);
    if (rc < 0) spec_free(&s);
    *out = s;
    return rc;
}

int spec_read(struct spec **out, const char *path, struct err *e)
{
    char *text;
    size_t size;
    *out = NULL;
    int rc = file_read(path, SPEC_BYTES, &text, &size, e);
    if (rc < 0) return rc;
    rc = spec_parse(out, text, size, path, e);
    free(text);
    return rc;
}

void spec_free(struct spec **s)
{
    struct spec *gone = *s;
    *s = NULL;
    if (!gone) return;
    for (int i = 0; i < gone->axis_count; i++) {
        free(gone->axis[i].value);
        free(gone->axis[i].probability);
    }
    for (int i = 0; i < gone->warning_count; i++) free(gone->warning[i]);
    free(gone->description);
    free(gone->text);
    free(gone);
}
