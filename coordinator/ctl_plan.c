// SPDX-License-Identifier: MIT
/* ctl_plan: what a sweep file would do, before it does it. */
#include "coordinator/ctl.h"
#include "proto/grid.h"
#include "proto/spec.h"

#include <inttypes.h>

#define SHOWN 5 /* points */

static void say_axes(struct ctl *c, const struct spec *s)
{
    char n[32];
    for (int i = 0; i < s->axis_count; i++) {
        const struct axis *a = &s->axis[i];
        if (a->distribution == SPEC_CONSTANT) continue;
        if (s->method == SPEC_GRID)
            snprintf(n, sizeof n, "%" PRId64 " values", a->count);
        else
            snprintf(n, sizeof n, "drawn");
        fprintf(c->out, "  %s: %s\n", param_list[a->param].name, n);
    }
}

/* The parameters that vary, of one point. */
static void say_point(struct ctl *c, const struct spec *s, int64_t i, const struct params *p)
{
    char text[PARAM_TEXT_SIZE];
    fprintf(c->out, "  point %" PRId64 ":", i);
    for (int k = 0; k < s->axis_count; k++)
        if (s->axis[k].distribution != SPEC_CONSTANT && param_belongs(s->axis[k].param, p->task))
            fprintf(c->out, " %s=%s", param_list[s->axis[k].param].name,
                    param_text(p, s->axis[k].param, text));
    fputs("\n", c->out);
}

static void say_point_json(struct ctl *c, int64_t i, const struct params *p)
{
    char text[PARAM_TEXT_SIZE];
    fprintf(c->out, "%s{\"point\": %" PRId64, i ? ",\n  " : "", i);
    for (int k = 0; k < PARAM_COUNT; k++) {
        param_text(p, k, text);
        fprintf(c->out, ", \"%s\": ", param_list[k].name);
        if (!param_belongs(k, p->task))
            fputs("null", c->out);
        else if (param_list[k].kind == PARAM_CHOICE)
            export_json_text(c->out, text);
        else
            fputs(text, c->out);
    }
    fputs("}", c->out);
}

static int say_points(struct ctl *c, const struct spec *s, int64_t count, struct err *e)
{
    for (int64_t i = 0; i < count && i < SHOWN; i++) {
        struct params p;
        int rc = grid_point(s, i, &p, e);
        if (rc < 0) return rc;
        if (c->output == CTL_JSON)
            say_point_json(c, i, &p);
        else
            say_point(c, s, i, &p);
    }
    if (c->output == CTL_HUMAN && count > SHOWN)
        fprintf(c->out, "  ... and %" PRId64 " more\n", count - SHOWN);
    return OK;
}

static void say_warnings_json(struct ctl *c, const struct spec *s)
{
    fputs("],\n \"warnings\": [", c->out);
    for (int i = 0; i < s->warning_count; i++) {
        if (i) fputs(", ", c->out);
        export_json_text(c->out, s->warning[i]);
    }
    fputs("]}\n", c->out);
}

static int say_plan(struct ctl *c, const struct spec *s, struct err *e)
{
    int64_t count = grid_count(s);
    int rc;
    switch (c->output) {
    case CTL_QUIET: fprintf(c->out, "%" PRId64 "\n", count); return OK;
    case CTL_JSON:
        fputs("{\"name\": ", c->out);
        export_json_text(c->out, s->name);
        fprintf(c->out, ", \"runs\": %" PRId64 ",\n \"points\": [", count);
        rc = say_points(c, s, count, e);
        say_warnings_json(c, s);
        return rc;
    case CTL_HUMAN: break;
    }
    for (int i = 0; i < s->warning_count; i++) fprintf(c->out, "warning: %s\n", s->warning[i]);
    fprintf(c->out, "%s: %" PRId64 " runs (%s)\n", *s->name ? s->name : "sweep", count,
            s->method == SPEC_GRID ? "grid" : "random");
    say_axes(c, s);
    return say_points(c, s, count, e);
}

int ctl_plan(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct spec *s = NULL;
    (void)v;
    int rc = spec_read(&s, c->arguments[0], e);
    if (rc == OK) rc = grid_check(s, e);
    if (rc == OK) rc = say_plan(c, s, e);
    spec_free(&s);
    return rc;
}
