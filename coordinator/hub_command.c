// SPDX-License-Identifier: MIT
/* hub_command: what a person typed, as an event. */
#include "coordinator/hub_command.h"

#include "coordinator/stiff.h"
#include "proto/number.h"
#include "proto/spec.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    enum command_kind kind;
    enum event_kind event;
    const char *usage;
} verbs[] = {
    {"submit", COMMAND_EVENT, EVENT_SUBMIT, "submit FILE"},
    {"pause", COMMAND_EVENT, EVENT_PAUSE, "pause SWEEP"},
    {"resume", COMMAND_EVENT, EVENT_RESUME, "resume SWEEP"},
    {"cancel", COMMAND_EVENT, EVENT_CANCEL, "cancel SWEEP, or cancel --runs RUN"},
    {"retry", COMMAND_EVENT, EVENT_RETRY, "retry --failed | --fresh [SWEEP]"},
    {"aggregate", COMMAND_AGGREGATE, EVENT_TICK, "aggregate [SWEEP]"},
    {"stiff", COMMAND_STIFF, EVENT_TICK, "stiff RUN"},
    {"keys", COMMAND_KEYS, EVENT_KEYS, "keys"},
    {"ping", COMMAND_PING, EVENT_TICK, "ping"},
    {"stop", COMMAND_STOP, EVENT_STOP, "stop"},
};

int hub_command_check(const char *text, const char *file, struct err *e)
{
    struct spec *spec = NULL;
    int rc = spec_parse(&spec, text, strlen(text), file, e);
    spec_free(&spec);
    return rc;
}

static bool whole(const char *text, int64_t *out)
{
    struct number n;
    if (!number_read(text, &n) || !n.integral || n.integer < 1) return false;
    *out = n.integer;
    return true;
}

/* One part of a selector, without commas. */
static int read_range(struct event_range *r, const char *part, struct err *e)
{
    char copy[64];
    if (!strcmp(part, "all")) return *r = (struct event_range){RANGE_ALL, 0}, OK;
    if (!strcmp(part, "last")) return *r = (struct event_range){RANGE_LAST, 0}, OK;
    snprintf(copy, sizeof copy, "%s", part);
    char *dash = strchr(copy, '-');
    if (dash) *dash = '\0';
    if (strlen(part) < sizeof copy && whole(copy, &r->from)) {
        r->to = r->from;
        if (!dash || (whole(dash + 1, &r->to) && r->to >= r->from)) return OK;
    }
    return err_set(e, E_USAGE, "cannot read '%.60s': 3, 1-9, 1,4, all or last", part);
}

int hub_command_ranges(struct hub_command *x, const char *text, struct err *e)
{
    char copy[512], *rest = copy;
    if (strlen(text) >= sizeof copy)
        return err_set(e, E_USAGE, "a selection has at most %zu bytes", sizeof copy - 1);
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part; (part = strsep(&rest, ","));) {
        if (x->event.range_count == COMMAND_RANGES)
            return err_set(e, E_USAGE, "a selection has at most %d parts", COMMAND_RANGES);
        int rc = read_range(&x->ranges[x->event.range_count++], part, e);
        if (rc < 0) return rc;
    }
    x->event.ranges = x->ranges;
    return OK;
}

void hub_command_aggregate(const struct hub_command *x, int64_t at_ms, struct save *saves)
{
    for (size_t i = 0; i < x->event.range_count; i++) {
        const struct event_range *r = &x->ranges[i];
        int64_t from = r->from == RANGE_LAST ? INT64_MIN : r->from == RANGE_ALL ? 0 : r->from;
        saves[i] = (struct save){.kind = SAVE_AGGREGATE,
                                 .at_ms = at_ms,
                                 .sweep = from,
                                 .count = r->from < 0 ? INT64_MAX : r->to};
    }
}

static int read_selection(struct hub_command *x, const struct verb *v, const Grokd__Command *m,
                          struct err *e)
{
    size_t i = 0;
    if (v->kind == COMMAND_AGGREGATE && !m->n_arguments) return hub_command_ranges(x, "all", e);
    if (m->n_arguments && !strcmp(m->arguments[0], "--runs") && v->event == EVENT_CANCEL) {
        x->event.kind = EVENT_CANCEL_RUNS;
        i++;
    } else if (v->event == EVENT_RETRY) {
        x->event.fresh = m->n_arguments && !strcmp(m->arguments[0], "--fresh");
        if (!m->n_arguments || (strcmp(m->arguments[0], "--failed") != 0 && !x->event.fresh))
            return err_set(e, E_USAGE, "usage: %s", v->usage);
        if (m->n_arguments == 1) return hub_command_ranges(x, "all", e);
        i++;
    }
    if (i == m->n_arguments) return err_set(e, E_USAGE, "usage: %s", v->usage);
    for (; i < m->n_arguments; i++) {
        int rc = hub_command_ranges(x, m->arguments[i], e);
        if (rc < 0) return rc;
    }
    return OK;
}

/* The text comes from grokctl, which had it computed. */
static int read_stiff(struct hub_command *x, const struct verb *v, const Grokd__Command *m,
                      struct err *e)
{
    if (m->n_arguments != 1 || !m->text || !*m->text || !whole(m->arguments[0], &x->event.run))
        return err_set(e, E_USAGE, "usage: %s", v->usage);
    x->event.text = m->text;
    return stiff_check(m->text, e);
}

int hub_command_read(struct hub_command *x, const Grokd__Command *m, struct err *e)
{
    memset(x, 0, sizeof *x);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct verb *v = &verbs[i];
        if (strcmp(v->name, m->verb) != 0) continue;
        x->kind = v->kind;
        x->event.kind = v->event;
        if (v->kind == COMMAND_PING || v->kind == COMMAND_STOP || v->kind == COMMAND_KEYS)
            return OK;
        if (v->kind == COMMAND_STIFF) return read_stiff(x, v, m, e);
        if (v->event != EVENT_SUBMIT) return read_selection(x, v, m, e);
        if (!m->text || !*m->text) return err_set(e, E_USAGE, "usage: %s", v->usage);
        x->event.text = m->text;
        return hub_command_check(m->text, m->n_arguments ? m->arguments[0] : "sweep", e);
    }
    return err_set(e, E_USAGE,
                   "unknown command '%.60s': submit, pause, resume, cancel, retry, aggregate, "
                   "stiff, keys, ping or stop",
                   m->verb);
}
