// SPDX-License-Identifier: MIT
/* ctl_verify: trains a run again and compares every value that is stored of it, bit for bit, and
 * the hashes of its models; timings and sketches apart, and what `grokctl stiff` has added. What is
 * summed up of the epochs is computed from these rows.
 */
#include "coordinator/ctl_replay.h"
#include "proto/metric.h"

#include <inttypes.h>
#include <string.h>

/* Every row of the question is an object that stands in the line, and there are no more. */
static int compare_parts(struct replay *k, struct query *q, const char *select, const char *begin,
                         struct err *e)
{
    char text[REPLAY_LINE], part[512];
    int64_t stored = 0, found = 0;
    snprintf(text, sizeof text, "%s WHERE run_id = ? AND epoch = %" PRId64, select, k->epoch);
    int rc = query_ask_about(q, text, k->run, e);
    while (rc == OK && (rc = query_next(q, e)) == 1) {
        size_t n = 0;
        for (int i = 0; i < query_columns(q) && n < sizeof part; i++)
            n += query_type(q, i) == QUERY_TEXT
                     ? (size_t)snprintf(part + n, sizeof part - n, "%s\"%s\": \"%s\"",
                                        i ? ", " : "{", query_name(q, i), query_text(q, i))
                     : (size_t)snprintf(part + n, sizeof part - n, "%s\"%s\": %.17g",
                                        i ? ", " : "{", query_name(q, i), query_real(q, i));
        stored++;
        k->values++;
        rc = strstr(k->line, part) ? OK : replay_differs(k, "a row", part, "not there", e);
    }
    for (const char *at = k->line; (at = strstr(at, begin)); at++) found++;
    if (rc == OK && stored != found)
        rc = replay_differs(k, "the number of parts", "another", "this", e);
    return rc;
}

static int compare_epoch(struct replay *k, struct query *q, struct err *e)
{
    int rc = replay_compare(k, query_columns(k->rows) - 1, e);
    if (rc == OK)
        rc = compare_parts(k, q, "SELECT scheme, layer, fraction, accuracy, loss FROM pruning",
                           "{\"scheme\": ", e);
    if (rc == OK)
        rc = compare_parts(k, q,
                           "SELECT layer, name, value FROM (SELECT * FROM features "
                           "WHERE layer NOT IN ('stiff', 'sloppy'))",
                           "{\"layer\": ", e);
    return rc;
}

static int make_select(char sql[REPLAY_LINE], struct err *e)
{
    int rc = OK;
    strcpy(sql, "SELECT epoch");
    for (int i = 0; i < METRIC_COUNT && rc == OK; i++)
        if (metric_list[i].kind != METRIC_TIMING)
            rc = replay_append(sql, e, ", %s", metric_list[i].name);
    if (rc < 0) return rc;
    return replay_append(sql, e,
                         " FROM epochs LEFT JOIN geometry USING (run_id, epoch) "
                         "WHERE run_id = ? ORDER BY epoch");
}

/* How many models are stored of the run. */
static int count_models(const struct replay *k, struct query *q, int64_t *models, struct err *e)
{
    int rc = query_ask_about(q, "SELECT count(*) FROM models WHERE run_id = ?", k->run, e);
    if (rc == OK && (rc = query_next(q, e)) == 1) *models = query_integer(q, 0);
    return rc < 0 ? rc : OK;
}

static int compare_model(struct replay *k, const char *stored, struct err *e)
{
    char path[PATH_MAX], now[HASH_HEX];
    replay_weights(k, k->epoch, path);
    int rc = replay_sha256(path, now, e);
    if (rc < 0) return rc;
    return strcmp(now, stored) ? replay_differs(k, "SHA-256 of the model", stored, now, e) : OK;
}

static int compare_models(struct replay *k, struct query *q, struct err *e)
{
    replay_settle(k);
    int rc = query_ask_about(q, "SELECT epoch, sha256 FROM models WHERE run_id = ?", k->run, e);
    while (rc == OK && (rc = query_next(q, e)) == 1) {
        k->epoch = query_integer(q, 0);
        rc = compare_model(k, query_text(q, 1), e);
    }
    return rc;
}

static void say(const struct ctl *c, const struct replay *r, int64_t epochs, int64_t models)
{
    char kept[48] = "";
    if (models)
        snprintf(kept, sizeof kept, ", %" PRId64 " model%s", models, models == 1 ? "" : "s");
    fprintf(c->out,
            "run %" PRId64 ": trained again, %" PRId64 " epochs, %" PRId64 " values%s, equal\n",
            r->run, epochs, r->values, kept);
}

int ctl_verify(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct replay r;
    struct query *parts = NULL;
    char command[REPLAY_LINE], select[REPLAY_LINE];
    int64_t models = 0, epochs;
    (void)v;
    int rc = replay_open(&r, c, command, e);
    if (rc == OK) rc = query_open(&parts, c->dir, e);
    if (rc == OK) rc = make_select(select, e);
    if (rc == OK) rc = count_models(&r, parts, &models, e);
    if (rc == OK && models) rc = replay_folder(&r, command, e);
    if (rc == OK) rc = replay_start(&r, command, select, e);
    while (rc == OK && (rc = replay_next(&r, e)) == 1) rc = compare_epoch(&r, parts, e);
    epochs = r.epoch + 1;
    if (rc == OK && models) rc = compare_models(&r, parts, e);
    if (rc == OK && c->output != CTL_QUIET) say(c, &r, epochs, models);
    query_close(&parts);
    replay_close(&r);
    return rc;
}
