// SPDX-License-Identifier: MIT
/* ctl_aggregate: seed_stats, tradeoff and the map of sweeps, written anew. The coordinator of DIR
 * does it if one runs, between its commits; else this process opens the database itself, under
 * DIR's lock.
 */
#include "common/clock.h"
#include "common/file.h"
#include "coordinator/ctl.h"
#include "coordinator/hub_command.h"
#include "coordinator/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 100

static int read_ranges(const struct ctl *c, struct hub_command *x, struct err *e)
{
    *x = (struct hub_command){0};
    int rc = c->argument_count ? OK : hub_command_ranges(x, "all", e);
    for (int i = 0; i < c->argument_count && rc == OK; i++)
        rc = hub_command_ranges(x, c->arguments[i], e);
    return rc;
}

/* Sweeps that fit the condition: a number, or negative. */
static int64_t count(struct query *q, const char *where, struct err *e)
{
    char sql[CTL_WHERE + 64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sweeps WHERE %s", where);
    int rc = query_ask(q, sql, e);
    if (rc == OK) rc = query_next(q, e);
    return rc < 0 ? rc : query_integer(q, 0);
}

/* ---- by the coordinator ---- */

static int let_it_write(struct ctl *c, const struct ctl_verb *v, struct query *q, const char *where,
                        struct err *e)
{
    char due[CTL_WHERE + 32];
    struct ctl quiet = *c;
    quiet.output = CTL_QUIET;
    int rc = ctl_command(&quiet, v, e);
    c->exit_code = quiet.exit_code;
    if (rc < 0 || c->exit_code) return rc;
    snprintf(due, sizeof due, "%s AND aggregate_due > 0", where);
    for (int64_t left; (left = count(q, due, e)) != 0;) {
        if (left < 0) return (int)left;
        if (file_lock_holder(c->dir) == 0)
            return err_set(e, E_NET,
                           "the coordinator on %s ended before all was written; ask again", c->dir);
        poll(NULL, 0, LOOK_MS);
    }
    return OK;
}

/* ---- by ourselves ---- */

static int wait_until_written(struct store *s, uint64_t ticket, struct err *e)
{
    struct store_result r = {0};
    struct pollfd p = {.fd = store_fd(s), .events = POLLIN};
    do {
        if (poll(&p, 1, -1) < 0 && errno != EINTR) return err_errno(e, E_IO, "poll");
        int rc = store_collect(s, &r, e);
        store_result_free(&r);
        if (rc < 0) return rc;
        if (r.full) return err_set(e, E_FULL, "%s", r.why.text);
    } while (r.ticket < ticket || r.busy);
    return OK;
}

int ctl_save_here(const struct ctl *c, struct save *saves, size_t count, struct err *e)
{
    struct store *store = NULL;
    struct store_state state = {0};
    char path[PATH_MAX];
    int lock = -1, rc = file_lock(&lock, c->dir, e);
    if (rc < 0) return rc == E_STATE ? E_NET : rc;
    if (snprintf(path, sizeof path, "%s/results.db", c->dir) >= (int)sizeof path)
        rc = err_set(e, E_USAGE, "%s: the path is too long", c->dir);
    if (rc == OK) rc = store_open(&store, path, &state, e);
    if (rc == OK) rc = wait_until_written(store, store_submit(store, saves, count), e);
    store_close(&store);
    store_state_free(&state);
    close(lock);
    return rc;
}

static int write_here(const struct ctl *c, const struct hub_command *x, struct err *e)
{
    struct save saves[COMMAND_RANGES] = {0};
    hub_command_aggregate(x, clock_wall_ms(), saves);
    return ctl_save_here(c, saves, x->event.range_count, e);
}

/* ---- the verb ---- */

static int show(struct ctl *c, struct query *q, const char *where, struct err *e)
{
    char sql[CTL_WHERE + 512];
    snprintf(sql, sizeof sql,
             "SELECT s.sweep_id, s.name, q.evaluation_id, q.points, q.kept_1, q.kept_2, q.kept_3, "
             "s.aggregated_at FROM sweeps AS s LEFT JOIN embedding_quality AS q USING (sweep_id) "
             "WHERE %s ORDER BY s.sweep_id, q.evaluation_id",
             where);
    return ctl_show(c, q, sql, NULL, e);
}

int ctl_aggregate(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    char where[CTL_WHERE];
    struct hub_command x;
    struct query *q = NULL;
    int64_t sweeps = 0;
    int rc = read_ranges(c, &x, e);
    if (rc == OK) rc = ctl_where(c, "sweep_id", where, e);
    if (rc == OK) rc = query_open(&q, c->dir, e);
    if (rc == OK && (sweeps = count(q, where, e)) < 0) rc = (int)sweeps;
    if (rc == OK && sweeps == 0 && c->argument_count)
        rc = err_set(e, E_USAGE, "there is no such sweep; see grokctl status");
    bool ours = rc == OK && file_lock_holder(c->dir) == 0;
    if (ours) query_close(&q); /* its view would keep the log from being cut */
    if (rc == OK) rc = ours ? write_here(c, &x, e) : let_it_write(c, v, q, where, e);
    if (rc == OK && ours) rc = query_open(&q, c->dir, e);
    if (rc == OK && !c->exit_code) rc = show(c, q, where, e);
    query_close(&q);
    return rc;
}
