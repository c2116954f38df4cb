// SPDX-License-Identifier: MIT
/* sched_world: a scheduler, and a database that is an array. */
#include "tests/coordinator/sched_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void line(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct world *w, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(w->text + w->size, WORLD_TEXT - w->size, format, list);
    va_end(list);
    assert_true(n >= 0 && w->size + (size_t)n + 2 < WORLD_TEXT);
    w->size += (size_t)n;
    w->text[w->size++] = '\n';
    w->text[w->size] = '\0';
}

/* ---- the database ------------------------------------------------------------------------------
 */

static const char *const sweep_words[] = {"active", "paused", "cancelled", "done"};

static struct save_answer *answer(struct world *w, enum save_kind kind)
{
    assert_true(w->answer_count < WORLD_ANSWERS);
    struct save_answer *a = &w->answers[w->answer_count++];
    memset(a, 0, sizeof *a);
    a->kind = kind;
    return a;
}

static struct save_sweep totals(const struct world *w, int64_t sweep)
{
    struct save_sweep t = w->sweeps[sweep];
    t.waiting = t.running = t.finished = t.failed = t.cancelled = 0;
    for (int64_t i = 1; i <= w->run_count; i++) {
        if (w->runs[i].sweep != sweep) continue;
        switch (w->runs[i].state) {
        case RUN_WAITING: t.waiting++; break;
        case RUN_RUNNING: t.running++; break;
        case RUN_FINISHED: t.finished++; break;
        case RUN_FAILED: t.failed++; break;
        case RUN_CANCELLED: t.cancelled++; break;
        }
    }
    return t;
}

/* As in the real store: a sweep whose runs are all over is done, one with runs again is active. */
static void settle(struct world *w, int64_t sweep)
{
    enum sweep_state *state = &w->sweeps[sweep].state;
    struct save_sweep t = totals(w, sweep);
    bool over = t.waiting + t.running == 0;
    if (*state != SWEEP_CANCELLED && over != (*state == SWEEP_DONE))
        *state = over ? SWEEP_DONE : SWEEP_ACTIVE;
}

/* "6" or "6 3": so many runs, priority; "same" is sweep 1 again, "bad" is refused. */
static void do_sweep(struct world *w, const struct save *s)
{
    struct save_answer *a = answer(w, SAVE_SWEEP);
    long long runs = 0, priority = 0;
    if (!strcmp(s->text, "same")) {
        a->sweep = 1;
        a->totals = totals(w, 1);
    } else if (sscanf(s->text, "%lld %lld", &runs, &priority) < 1) {
        a->verdict = VERDICT_REFUSED;
        snprintf(a->reason, sizeof a->reason, "point 3 cannot be");
    } else {
        assert_int_equal(s->sweep, w->sweep_count + 1);
        assert_true(w->run_count + runs < WORLD_RUNS && s->sweep < WORLD_SWEEPS);
        w->sweep_count++;
        w->sweeps[s->sweep] = (struct save_sweep){.sweep = s->sweep, .priority = priority};
        settings_default(&w->sweeps[s->sweep].settings);
        for (long long i = 0; i < runs; i++)
            w->runs[++w->run_count] = (struct world_run){.sweep = s->sweep, .epochs_done = -1};
        a->sweep = s->sweep;
        a->added = runs;
        a->totals = totals(w, s->sweep);
    }
}

static void do_assign(struct world *w, const struct save *s)
{
    struct world_run *r = &w->runs[s->run];
    assert_int_equal(r->state, RUN_WAITING);
    assert_int_equal(w->sweeps[r->sweep].state, SWEEP_ACTIVE);
    assert_true(s->attempt > r->attempt);
    if (r->epochs_done >= 0) { /* bound to the kernels that made its numbers */
        assert_string_equal(r->blas.family, s->blas.family);
        assert_string_equal(r->blas.fingerprint, s->blas.fingerprint);
    }
    r->state = RUN_RUNNING;
    r->attempt = s->attempt;
    r->worker = s->worker;
    r->blas = s->blas;
    r->held_by = 0;
}

static void do_epochs(struct world *w, const struct save *s, const struct event *ev)
{
    struct world_run *r = &w->runs[s->run];
    struct save_answer *a = answer(w, SAVE_EPOCHS);
    assert_int_equal(s->attempt, ev->attempt);
    a->run = s->run;
    a->attempt = s->attempt;
    a->verdict = w->verdict;
    w->verdict = VERDICT_STORED;
    if (r->state != RUN_RUNNING || r->attempt != s->attempt) a->verdict = VERDICT_STALE;
    if (a->verdict == VERDICT_STORED && ev->first > r->epochs_done + 1) a->verdict = VERDICT_GAP;
    a->epoch = a->verdict == VERDICT_STORED ? ev->last : -1;
    if (a->epoch > r->epochs_done) r->epochs_done = a->epoch;
    if (a->verdict != VERDICT_DIFFERS) return;
    r->state = RUN_FAILED;
    r->worker = 0;
    settle(w, r->sweep);
}

static void do_file(struct world *w, const struct save *s)
{
    struct world_run *r = &w->runs[s->run];
    struct save_answer *a = answer(w, s->kind);
    a->run = s->run;
    a->attempt = s->attempt;
    a->held = (size_t)s->count;
    a->verdict = w->verdict;
    w->verdict = VERDICT_STORED;
    if (r->state != RUN_RUNNING || r->attempt != s->attempt) a->verdict = VERDICT_STALE;
}

static void do_end(struct world *w, const struct save *s)
{
    struct world_run *r = &w->runs[s->run];
    struct save_answer *a = answer(w, SAVE_END);
    a->run = s->run;
    a->attempt = s->attempt;
    if (r->state != RUN_RUNNING || r->attempt != s->attempt) {
        a->verdict = VERDICT_STALE;
        return;
    }
    r->state = s->run_state;
    r->failures = s->failures;
    r->losses = s->losses;
    r->worker = 0;
    if (r->state > RUN_RUNNING) settle(w, r->sweep);
}

static void do_forgive(struct world *w, const struct save *s)
{
    struct world_run *r = &w->runs[s->run];
    if (r->state > RUN_RUNNING) return;
    r->failures = r->failures > s->failures ? r->failures - s->failures : 0;
    r->losses = r->losses > s->losses ? r->losses - s->losses : 0;
}

static void do_cancel(struct world *w, const struct save *s)
{
    struct save_answer *a = answer(w, SAVE_CANCEL);
    a->run = s->run;
    bool known = s->run >= 1 && s->run <= w->run_count;
    if (!known || w->runs[s->run].state > RUN_RUNNING) {
        a->verdict = VERDICT_STALE;
        return;
    }
    a->sweep = w->runs[s->run].sweep;
    w->runs[s->run].state = RUN_CANCELLED;
    settle(w, a->sweep);
}

static void do_sweep_state(struct world *w, const struct save *s)
{
    w->sweeps[s->sweep].state = s->sweep_state;
    for (int64_t i = 1; i <= w->run_count && s->sweep_state == SWEEP_CANCELLED; i++)
        if (w->runs[i].sweep == s->sweep && w->runs[i].state == RUN_WAITING)
            w->runs[i].state = RUN_CANCELLED;
    settle(w, s->sweep);
    struct save_answer *a = answer(w, SAVE_SWEEP_STATE);
    a->sweep = s->sweep;
    a->totals = totals(w, s->sweep);
    if (s->sweep_state == SWEEP_DONE) assert_int_equal(a->totals.waiting + a->totals.running, 0);
}

static void do_retry(struct world *w, const struct save *s)
{
    struct save_answer *a = answer(w, SAVE_RETRY);
    bool spared = w->sweeps[s->sweep].state == SWEEP_CANCELLED && !s->revive;
    for (int64_t i = 1; i <= w->run_count && !spared; i++) {
        struct world_run *r = &w->runs[i];
        if (r->sweep != s->sweep || r->state != RUN_FAILED) continue;
        r->state = RUN_WAITING;
        r->failures = r->losses = 0;
        a->added++;
    }
    if (a->added && w->sweeps[s->sweep].state == SWEEP_CANCELLED)
        w->sweeps[s->sweep].state = SWEEP_ACTIVE;
    if (a->added) settle(w, s->sweep);
    a->sweep = s->sweep;
    a->totals = totals(w, s->sweep);
}

static struct save_run as_stored(const struct world *w, int64_t i)
{
    const struct world_run *r = &w->runs[i];
    struct save_run stored = {.run = i,
                              .sweep = r->sweep,
                              .priority = w->sweeps[r->sweep].priority,
                              .attempt = r->attempt,
                              .worker = r->worker,
                              .epochs_done = r->epochs_done,
                              .failures = r->failures,
                              .losses = r->losses,
                              .blas = r->blas,
                              .params = {.epochs = WORLD_EPOCHS}};
    if (r->worker) memcpy(stored.holder, w->uuids[r->worker], SAVE_NAME);
    if (r->worker) memcpy(stored.holder_key, w->keys[r->worker], SAVE_NAME);
    return stored;
}

static bool left_out(const struct world *w, int64_t run, const char *text)
{
    const struct world_run *r = &w->runs[run];
    char line[256];
    if (r->epochs_done < 0)
        snprintf(line, sizeof line, "\nsweep %lld\n", (long long)r->sweep);
    else
        snprintf(line, sizeof line, "\nkernels %s %s\n", r->blas.family, r->blas.fingerprint);
    return text && strstr(text, line);
}

static void do_fetch(struct world *w, const struct save *s)
{
    struct save_answer *a = answer(w, SAVE_FETCH);
    a->runs = calloc((size_t)s->count, sizeof *a->runs);
    /* No sweep is named in vain: each costs something for every run that is looked at. */
    for (const char *p = s->text; p && (p = strstr(p, "\nsweep ")); p++)
        assert_int_equal(w->sweeps[strtoll(p + 7, NULL, 10)].state, SWEEP_ACTIVE);
    for (int64_t priority = 9; priority >= 0; priority--)
        for (int64_t i = 1; i <= w->run_count && (int64_t)a->run_count < s->count; i++)
            if (w->runs[i].state == RUN_WAITING &&
                w->sweeps[w->runs[i].sweep].state == SWEEP_ACTIVE &&
                w->sweeps[w->runs[i].sweep].priority == priority && !left_out(w, i, s->text))
                a->runs[a->run_count++] = as_stored(w, i);
}

static void carry_out(struct world *w, const struct action *x, const struct event *ev)
{
    const struct save *s = &x->u.save;
    long long run = s->run, attempt = s->attempt, worker = s->worker, sweep = s->sweep;
    assert_int_equal(x->with_message,
                     s->kind == SAVE_EPOCHS || s->kind == SAVE_PART || s->kind == SAVE_WORKER);
    switch (s->kind) {
    case SAVE_SWEEP: line(w, "save sweep %lld", sweep); return do_sweep(w, s);
    case SAVE_SWEEP_STATE:
        line(w, "save sweep %lld %s", sweep, sweep_words[s->sweep_state]);
        return do_sweep_state(w, s);
    case SAVE_RETRY: line(w, "save retry %lld", sweep); return do_retry(w, s);
    case SAVE_WORKER:
        assert_true(worker < WORLD_RUNS);
        snprintf(w->uuids[worker], SAVE_NAME, "%s", ev->uuid);
        memcpy(w->keys[worker], s->key, SAVE_NAME);
        return line(w, "save worker %lld", worker);
    case SAVE_WORKER_SEEN: return line(w, "save worker %lld seen", worker);
    case SAVE_WORKER_GONE: return line(w, "save worker %lld %s", worker, s->reason);
    case SAVE_ASSIGN:
        line(w, "save assign %lld/%lld worker %lld %s", run, attempt, worker, s->blas.family);
        return do_assign(w, s);
    case SAVE_EPOCHS: line(w, "save epochs %lld/%lld", run, attempt); return do_epochs(w, s, ev);
    case SAVE_PART: line(w, "save part %lld/%lld", run, attempt); return do_file(w, s);
    case SAVE_READ:
        line(w, "save read %lld/%lld %lld", run, attempt, (long long)s->count);
        return do_file(w, s);
    case SAVE_END:
        line(w, "save end %lld/%lld %s %s f%lld l%lld", run, attempt, s->outcome,
             run_state_name(s->run_state), (long long)s->failures, (long long)s->losses);
        return do_end(w, s);
    case SAVE_FORGIVE:
        line(w, "save forgive %lld f%lld l%lld", run, (long long)s->failures, (long long)s->losses);
        return do_forgive(w, s);
    case SAVE_CANCEL: line(w, "save cancel %lld", run); return do_cancel(w, s);
    case SAVE_EVENT: return line(w, "save event %s", s->blas.family);
    case SAVE_STIFF:
    case SAVE_AGGREGATE: break; /* not the scheduler's */
    case SAVE_FETCH: line(w, "save fetch %lld", (long long)s->count); return do_fetch(w, s);
    }
    fail_msg("a save of kind %d", (int)s->kind);
}

static void write_send(struct world *w, const struct send *x)
{
    unsigned long long to = x->peer;
    long long run = x->run, attempt = x->attempt;
    switch (x->kind) {
    case SEND_WELCOME: return line(w, "-> %llu welcome %lld", to, (long long)x->worker);
    case SEND_REFUSE: return line(w, "-> %llu refuse %s", to, x->text);
    case SEND_HEARTBEAT: return line(w, "-> %llu heartbeat", to);
    case SEND_WORK:
        assert_non_null(x->params);
        assert_non_null(x->settings);
        assert_int_equal(w->runs[run].held_by++, 0); /* an attempt has one holder, ever */
        return line(w, "-> %llu work %lld/%lld %s", to, run, attempt, x->blas.family);
    case SEND_ACK:
        assert_true(x->epoch <= w->runs[run].epochs_done);
        return line(w, "-> %llu ack %lld/%lld %lld%s", to, run, attempt, (long long)x->epoch,
                    x->ended ? " ended" : "");
    case SEND_GOT:
        return line(w, "-> %llu got %lld/%lld%s", to, run, attempt,
                    x->file->verdict == VERDICT_GAP ? " gap" : "");
    case SEND_PART: return line(w, "-> %llu part %lld/%lld %zu", to, run, attempt, x->file->held);
    case SEND_STOP: return line(w, "-> %llu stop %lld/%lld", to, run, attempt);
    case SEND_ANSWER: return line(w, "-> %llu answer %d %s", to, x->code, x->text);
    }
    fail_msg("a send of kind %d", (int)x->kind);
}

/* ---- the scheduler -----------------------------------------------------------------------------
 */

void world_on(struct world *w, const struct event *ev)
{
    struct err e = {0};
    char wrong[256];
    actions_clear(&w->out);
    if (sched_on(&w->s, ev, w->now, &w->out, &e) < 0) fail_msg("%s", e.text);
    if (!sched_sound(&w->s, wrong)) fail_msg("%s", wrong);
    for (size_t i = 0; i < w->out.count; i++) {
        if (w->out.items[i].kind == ACTION_SAVE) carry_out(w, &w->out.items[i], ev);
        if (w->out.items[i].kind == ACTION_SEND) write_send(w, &w->out.items[i].u.send);
    }
    actions_clear(&w->out);
}

void world_answers(struct world *w)
{
    while (w->answer_count) {
        struct save_answer a = w->answers[0];
        struct event ev = {.kind = EVENT_ANSWER, .answer = &a};
        memmove(w->answers, w->answers + 1, --w->answer_count * sizeof a);
        world_on(w, &ev);
        free(a.runs);
    }
}

static void start(struct world *w)
{
    struct save_sweep open[WORLD_SWEEPS];
    struct save_run *running = calloc((size_t)w->run_count + 1, sizeof *running);
    struct event ev = {.kind = EVENT_START,
                       .next_sweep = w->sweep_count + 1,
                       .next_worker = w->s.next_worker > 1 ? w->s.next_worker : 1,
                       .sweeps = open,
                       .runs = running};
    for (int64_t i = 1; i <= w->sweep_count; i++)
        if (w->sweeps[i].state == SWEEP_ACTIVE || w->sweeps[i].state == SWEEP_PAUSED)
            open[ev.sweep_count++] = totals(w, i);
    for (int64_t i = 1; i <= w->run_count; i++)
        if (w->runs[i].state == RUN_RUNNING) running[ev.run_count++] = as_stored(w, i);
    struct sched_config config = w->s.config;
    sched_free(&w->s);
    sched_init(&w->s, &config);
    world_on(w, &ev);
    world_answers(w);
    world_forget(w);
    free(running);
}

void world_open(struct world *w, int64_t runs, size_t window)
{
    struct sched_config config = SCHED_DEFAULTS;
    if (window) config.window = window;
    memset(w, 0, sizeof *w);
    w->runs = calloc(WORLD_RUNS, sizeof *w->runs);
    w->answers = calloc(WORLD_ANSWERS, sizeof *w->answers);
    w->uuids = calloc(WORLD_RUNS, sizeof *w->uuids);
    w->keys = calloc(WORLD_RUNS, sizeof *w->keys);
    w->text = calloc(1, WORLD_TEXT);
    w->now = 1000000;
    w->sweep_count = 1;
    w->sweeps[1].sweep = 1;
    settings_default(&w->sweeps[1].settings);
    for (int64_t i = 1; i <= runs; i++)
        w->runs[i] = (struct world_run){.sweep = 1, .epochs_done = -1};
    w->run_count = runs;
    sched_init(&w->s, &config);
    start(w);
}

void world_restart(struct world *w)
{
    for (size_t i = 0; i < w->answer_count; i++) free(w->answers[i].runs);
    w->answer_count = 0;
    start(w);
}

void world_family(struct world *w, const char *family)
{
    snprintf(w->sweeps[1].settings.blas, sizeof w->sweeps[1].settings.blas, "%s", family);
    world_restart(w);
}

void world_close(struct world *w)
{
    for (size_t i = 0; i < w->answer_count; i++) free(w->answers[i].runs);
    sched_free(&w->s);
    actions_free(&w->out);
    free(w->answers);
    free(w->uuids);
    free(w->keys);
    free(w->runs);
    free(w->text);
}

void world_forget(struct world *w)
{
    w->size = 0;
    w->text[0] = '\0';
}

void world_expect(struct world *w, const char *lines)
{
    assert_string_equal(w->text, lines);
    world_forget(w);
}
