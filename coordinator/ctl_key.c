// SPDX-License-Identifier: MIT
/* ctl_key: who may come in. The verbs change files of DIR/keys, whether a coordinator runs or not;
 * one that runs then reads the list anew.
 */
#include "common/keys.h"
#include "coordinator/ctl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int usage(const struct ctl_verb *v, struct err *e)
{
    return err_set(e, E_USAGE, "Usage: grokctl %s %s", v->name, v->usage);
}

/* One JSON object of texts. */
static void say_json(FILE *out, const char *const *names, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s\"%s\": ", i ? ", " : "{", names[i]);
        export_json_text(out, texts[i]);
    }
    fputs("}", out);
}

static int key_new(struct ctl *c, struct err *e)
{
    char path[PATH_MAX], name[SOCK_USER], key[SOCK_KEY];
    const char *wanted = c->argument_count > 1 ? c->arguments[1] : NULL;
    int rc = keys_new(c->dir, wanted, c->file, !c->unlisted, name, key, path, e);
    if (rc == OK && !c->unlisted) rc = ctl_tell_keys(c, e);
    if (rc < 0) return rc;
    if (c->output == CTL_JSON) {
        say_json(c->out, (const char *[]){"name", "key", "file"}, (const char *[]){name, key, path},
                 3);
        fputs("\n", c->out);
    } else if (c->output == CTL_QUIET)
        fprintf(c->out, "%s\n", path);
    else if (c->unlisted)
        fprintf(c->out, "%s: not allowed yet; grokctl key add '%s' %s\n", path, key, name);
    else
        fprintf(c->out, "%s: move it to the worker's machine; there: grokd-worker --access FILE\n",
                path);
    return OK;
}

static int key_add(struct ctl *c, struct err *e)
{
    const char *name = c->argument_count > 2 ? c->arguments[2] : "";
    int rc = keys_add(c->dir, c->arguments[1], name, e);
    if (rc == OK) rc = ctl_tell_keys(c, e);
    if (rc == OK && c->output == CTL_HUMAN)
        fprintf(c->out, "%s may come in\n", *name ? name : c->arguments[1]);
    return rc;
}

static int key_revoke(struct ctl *c, struct err *e)
{
    int rc = keys_revoke(c->dir, c->arguments[1], e);
    if (rc == OK) rc = ctl_tell_keys(c, e);
    if (rc == OK && c->output == CTL_HUMAN)
        fprintf(c->out, "%s may not come in any more\n", c->arguments[1]);
    return rc;
}

static int key_list(struct ctl *c, struct err *e)
{
    struct sock_client *list;
    size_t count;
    int rc = keys_allowed(c->dir, &list, &count, e);
    if (rc < 0) return rc;
    if (c->output == CTL_JSON) fputs("[", c->out);
    for (size_t i = 0; i < count; i++) {
        const char *name = list[i].user[0] ? list[i].user : list[i].key;
        if (c->output == CTL_JSON) {
            fputs(i ? ", " : "", c->out);
            say_json(c->out, (const char *[]){"name", "key"}, (const char *[]){name, list[i].key},
                     2);
        } else if (c->output == CTL_QUIET)
            fprintf(c->out, "%s\n", name);
        else
            fprintf(c->out, "%s  %s\n", list[i].key, list[i].user);
    }
    if (c->output == CTL_JSON) fputs("]\n", c->out);
    free(list);
    return OK;
}

int ctl_key(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    const char *what = c->arguments[0];
    int n = c->argument_count;
    bool made = !strcmp(what, "new");
    if (!made && (c->file || c->unlisted)) return usage(v, e);
    if (made && n <= 2) return key_new(c, e);
    if (!strcmp(what, "add") && n >= 2) return key_add(c, e);
    if (!strcmp(what, "list") && n == 1) return key_list(c, e);
    if (!strcmp(what, "revoke") && n == 2) return key_revoke(c, e);
    return usage(v, e);
}
