// SPDX-License-Identifier: MIT
/* store_save: what each kind of save does to the tables, within the transaction that is open. */
#include "common/clock.h"
#include "coordinator/store_keep.h"
#include "coordinator/store_upload.h"

#include <stdio.h>
#include <string.h>

const char *save_run_word(enum run_state s)
{
    static const char *const words[] = {"waiting", "running", "finished", "failed", "cancelled"};
    return words[s];
}

const char *save_sweep_word(enum sweep_state s)
{
    static const char *const words[] = {"active", "paused", "cancelled", "done"};
    return words[s];
}

const char *save_text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

int save_event(struct db *d, const struct save *s, const char *kind, const char *text,
               struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    return db_do(d, SQL_EVENT, e, "ttiit", at, kind, s->run, s->worker, text);
}

static int worker(struct db *d, const struct save *s, struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    if (!s->message || s->message->body_case != GROKD__ENVELOPE__BODY_HELLO)
        return err_set(e, E_STORE, "worker %lld: no Hello to store", (long long)s->worker);
    const Grokd__Hello *h = s->message->hello;
    return db_do(d, SQL_WORKER_PUT, e, "itttitttt", s->worker, h->uuid, h->host, h->cpu,
                 (int64_t)h->slots, h->version, h->git, at, s->key);
}

static int worker_seen(struct db *d, const struct save *s, struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    return db_do(d, SQL_WORKER_SEEN, e, "it", s->worker, at);
}

static int worker_gone(struct db *d, const struct save *s, struct err *e)
{
    static const char *const states[] = {"left", "lost", "quarantined"};
    const char *state = "lost";
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(s->reason, states[i]) == 0) state = states[i];
    return db_do(d, SQL_WORKER_GONE, e, "itt", s->worker, state, at);
}

/* The attempt rises and the run waits, or this is a fault of the scheduler: nothing is stored.
 * Where the run can go on is the answer. */
static int assign(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    int rc = db_do(d, SQL_RUN_ASSIGN, e, "iiittt", s->run, s->attempt, s->worker, s->blas.family,
                   s->blas.fingerprint, at);
    if (rc < 0) return rc;
    if (sqlite3_changes(d->handle) != 1)
        return err_set(e, E_STORE, "%s: run %lld does not wait for attempt %lld", d->path,
                       (long long)s->run, (long long)s->attempt);
    rc = db_do(d, SQL_ATTEMPT_INSERT, e, "iiittt", s->run, s->attempt, s->worker, at,
               s->blas.family, s->blas.fingerprint);
    return rc < 0 ? rc : keep_find(d, s, a, e);
}

static int cancel(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    char at[CLOCK_UTC];
    clock_utc(s->at_ms, at);
    int rc = db_do(d, SQL_RUN_CANCEL, e, "itt", s->run, save_text_or_null(s->reason), at);
    if (rc < 0) return rc;
    upload_end(d, s->run);
    if (sqlite3_changes(d->handle) == 0) a->verdict = VERDICT_STALE;
    if (a->verdict == VERDICT_STORED && (rc = keep_forget(d, s->run, e)) < 0) return rc;
    rc = db_do(d, SQL_ATTEMPT_CANCEL, e, "itt", s->run, at, save_text_or_null(s->reason));
    if (rc < 0) return rc;
    rc = db_integer(d, &a->sweep, 0, SQL_RUN_SWEEP, e, "i", s->run);
    return rc < 0 ? rc : save_sweep_settle(d, a->sweep, e);
}

/* Whether the attempt is the run's current one. */
static int current(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    int64_t done;
    int rc = db_integer(d, &done, INT64_MIN, SQL_RUN_CURRENT, e, "ii", s->run, s->attempt);
    if (rc == OK && done == INT64_MIN) a->verdict = VERDICT_STALE;
    return rc;
}

/* A part of a file that is stored already is not needed. */
static int save_part(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    bool has;
    if (!s->message || s->message->body_case != GROKD__ENVELOPE__BODY_PART)
        return err_set(e, E_STORE, "run %lld: no Part to store", (long long)s->run);
    const Grokd__Part *m = s->message->part;
    int rc = current(d, s, a, e);
    if (rc < 0 || a->verdict == VERDICT_STALE) return rc;
    struct place place = {.run = s->run, .attempt = s->attempt, .epoch = m->epoch, .kind = m->kind};
    a->file_kind = m->kind;
    a->epoch = m->epoch;
    rc = keep_has(d, &place, &has, e);
    if (rc < 0 || !has) return rc < 0 ? rc : upload_part(d, &place, m, a, e);
    a->held = m->size;
    return OK;
}

static int save_read(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    int rc = current(d, s, a, e);
    return rc < 0 || a->verdict == VERDICT_STALE ? rc : keep_read(d, s, a, e);
}

int save_fetch(struct db *d, const struct save *s, struct save_answer *a, struct err *e)
{
    sqlite3_stmt *rows = db_bind(d, SQL_RUNS_TO_SERVE, e, "it", s->count, s->text ? s->text : "");
    return rows ? load_runs(d, rows, &a->runs, &a->run_count, e) : E_STORE;
}

int save_apply(struct db *d, const struct save *s, struct save_answer *a, bool *answered,
               size_t *rows, struct err *e)
{
    *a = (struct save_answer){
        .kind = s->kind, .sweep = s->sweep, .run = s->run, .attempt = s->attempt, .epoch = -1};
    int rc;
    *answered = true;
    *rows += 1;
    switch (s->kind) {
    case SAVE_SWEEP: return save_sweep(d, s, a, rows, e);
    case SAVE_SWEEP_STATE: return save_sweep_state(d, s, a, e);
    case SAVE_RETRY: return save_retry(d, s, a, e);
    case SAVE_EPOCHS: return save_epochs(d, s, a, rows, e);
    case SAVE_PART: return save_part(d, s, a, e);
    case SAVE_READ: return save_read(d, s, a, e);
    case SAVE_END: return save_end(d, s, a, e);
    case SAVE_FETCH: return save_fetch(d, s, a, e);
    case SAVE_WORKER: *answered = false; return worker(d, s, e);
    case SAVE_WORKER_SEEN: *answered = false; return worker_seen(d, s, e);
    case SAVE_WORKER_GONE: *answered = false; return worker_gone(d, s, e);
    case SAVE_ASSIGN:
        rc = assign(d, s, a, e);
        *answered = a->checkpoint || a->file_size;
        return rc;
    case SAVE_FORGIVE:
        *answered = false;
        return db_do(d, SQL_RUN_FORGIVE, e, "iii", s->run, s->failures, s->losses);
    case SAVE_CANCEL: return cancel(d, s, a, e);
    case SAVE_AGGREGATE:
        *answered = false;
        return db_do(d, SQL_SWEEPS_AGGREGATE, e, "ni", s->sweep, s->count);
    case SAVE_STIFF: *answered = false; return save_stiff(d, s, rows, e);
    case SAVE_EVENT:
        *answered = false;
        return save_event(d, s, s->blas.family, s->text ? s->text : "", e);
    }
    return err_set(e, E_STORE, "save of unknown kind %d", (int)s->kind);
}
