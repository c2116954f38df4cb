// SPDX-License-Identifier: MIT
/* run: the run table and its state machine. All orders are sorted arrays of pointers: with the few
 * thousand runs that are held, moving pointers is cheaper than any tree, and a reader sees all.
 */
#include "coordinator/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct run_rule {
    enum run_state from;
    enum run_event event;
    enum run_state to;
    unsigned effects;
} rules[] = {
#define RUN(from, event, to, effects) {RUN_##from, RUN_ON_##event, RUN_##to, effects},
#include "coordinator/run.def"
#undef RUN
};

const char *run_state_name(enum run_state s)
{
    static const char *const names[] = {"waiting", "running", "finished", "failed", "cancelled"};
    return (size_t)s < sizeof names / sizeof *names ? names[s] : "unknown";
}

const char *run_event_name(enum run_event e)
{
    static const char *const names[] = {
#define X(name) #name,
        RUN_EVENTS(X)
#undef X
    };
    return (size_t)e < sizeof names / sizeof *names ? names[e] : "unknown";
}

/* Place of the first run whose number is not below `number`. */
static size_t place_of_number(const struct run_table *t, int64_t number)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->by_number[middle]->is.run < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool run_before(const struct run *a, const struct run *b)
{
    if (a->is.priority != b->is.priority) return a->is.priority > b->is.priority;
    return a->is.run < b->is.run;
}

static size_t place_in_queue(const struct run_queue *q, const struct run *r)
{
    size_t low = 0, high = q->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run_before(q->runs[middle], r))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct run **list, size_t *count, size_t at, struct run *r)
{
    memmove(list + at + 1, list + at, (*count - at) * sizeof *list);
    list[at] = r;
    ++*count;
}

static void take_out(struct run **list, size_t *count, size_t at)
{
    --*count;
    memmove(list + at, list + at + 1, (*count - at) * sizeof *list);
}

struct run *run_find(const struct run_table *t, int64_t number)
{
    size_t at = place_of_number(t, number);
    return at < t->count && t->by_number[at]->is.run == number ? t->by_number[at] : NULL;
}

/* Room for one pointer more. */
static int make_room(struct run ***list, size_t count, size_t *room, struct err *e)
{
    if (count < *room) return OK;
    size_t more = *room ? 2 * *room : 64;
    struct run **grown = realloc(*list, more * sizeof *grown);
    if (!grown) return err_set(e, E_NOMEM, "run table: no memory for %zu runs", more);
    *list = grown;
    *room = more;
    return OK;
}

/* What the run is bound to, else what its sweep asks for. */
static struct save_blas need_of(const struct run *r)
{
    struct save_blas need = r->is.blas;
    if (!need.family[0]) snprintf(need.family, sizeof need.family, "%s", r->family);
    return need;
}

static bool same_need(const struct save_blas *a, const struct save_blas *b)
{
    return !strcmp(a->family, b->family) && !strcmp(a->fingerprint, b->fingerprint);
}

/* The queue for a need, an empty one at first; NULL: no memory. */
static struct run_queue *queue_for(struct run_table *t, const struct save_blas *need)
{
    struct run_queue *empty = NULL;
    for (size_t i = 0; i < t->queue_count; i++) {
        struct run_queue *q = &t->queues[i];
        if (same_need(&q->need, need)) return q;
        if (!q->count && !q->partly) empty = q;
    }
    if (!empty && t->queue_count == t->queue_room) {
        size_t room = t->queue_room ? 2 * t->queue_room : 4;
        struct run_queue *grown = realloc(t->queues, room * sizeof *grown);
        if (!grown) return NULL;
        t->queues = grown;
        t->queue_room = room;
    }
    if (!empty) {
        empty = &t->queues[t->queue_count++];
        *empty = (struct run_queue){0};
    }
    empty->need = *need;
    return empty;
}

static int enqueue(struct run_table *t, struct run *r, struct err *e)
{
    if (r->is.epochs_done < 0) r->is.blas = (struct save_blas){0};
    const struct save_blas need = need_of(r);
    struct run_queue *q = queue_for(t, &need);
    if (!q) return err_set(e, E_NOMEM, "run table: no memory for a queue");
    int rc = make_room(&q->runs, q->count, &q->room, e);
    if (rc < 0) return rc;
    insert(q->runs, &q->count, place_in_queue(q, r), r);
    r->queue = (size_t)(q - t->queues);
    t->waiting++;
    return OK;
}

static void dequeue(struct run_table *t, const struct run *r)
{
    struct run_queue *q = &t->queues[r->queue];
    take_out(q->runs, &q->count, place_in_queue(q, r));
    t->waiting--;
}

int run_add(struct run_table *t, const struct save_run *is, const char *family,
            enum run_state state, int64_t now_ms, struct run **out, struct err *e)
{
    if (state != RUN_WAITING && state != RUN_RUNNING)
        return err_set(e, E_STATE, "run %lld is %s: only waiting and running runs are held",
                       (long long)is->run, run_state_name(state));
    if (run_find(t, is->run))
        return err_set(e, E_STATE, "run %lld is held already", (long long)is->run);
    int rc = make_room(&t->by_number, t->count, &t->room, e);
    if (rc < 0) return rc;
    struct run *r = calloc(1, sizeof *r);
    if (!r) return err_set(e, E_NOMEM, "run %lld: no memory", (long long)is->run);
    r->is = *is;
    r->state = state;
    r->since_ms = now_ms;
    r->lease.epoch = r->lease.stored = r->lease.sent.epoch = -1;
    snprintf(r->family, sizeof r->family, "%s", *family ? family : "auto");
    if (state == RUN_WAITING && (rc = enqueue(t, r, e)) < 0) {
        free(r);
        return rc;
    }
    insert(t->by_number, &t->count, place_of_number(t, is->run), r);
    *out = r;
    return OK;
}

void run_ending_free(struct run *r)
{
    if (!r->ending) return;
    free(r->ending->log);
    free(r->ending);
    r->ending = NULL;
}

void run_remove(struct run_table *t, struct run *r)
{
    if (r->state == RUN_WAITING) dequeue(t, r);
    take_out(t->by_number, &t->count, place_of_number(t, r->is.run));
    run_ending_free(r);
    free(r);
}

int run_step(struct run_table *t, struct run *r, enum run_event ev, int64_t now_ms,
             unsigned *effects, struct err *e)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct run_rule *rule = &rules[i];
        if (rule->from != r->state || rule->event != ev) continue;
        *effects = rule->effects;
        if (rule->to == rule->from) return OK;
        if (rule->from == RUN_WAITING) dequeue(t, r);
        r->state = rule->to;
        r->since_ms = now_ms;
        return rule->to == RUN_WAITING ? enqueue(t, r, e) : OK;
    }
    return err_set(e, E_STATE, "run %lld is %s: %s is not possible (coordinator/run.def)",
                   (long long)r->is.run, run_state_name(r->state), run_event_name(ev));
}

void run_heard(struct run *r, int64_t last, int64_t now_ms)
{
    struct run_lease *l = &r->lease;
    if (l->begun_ms < 0) l->begun_ms = now_ms;
    if (last <= l->epoch) return;
    int64_t before_ms = l->heard_ms > l->begun_ms ? l->heard_ms : l->begun_ms;
    l->gap_ms[l->gap_next] = (double)(now_ms - before_ms) / (double)(last - l->epoch);
    l->gap_next = (l->gap_next + 1) % RUN_GAPS;
    if (l->gap_count < RUN_GAPS) l->gap_count++;
    l->epoch = last;
    l->heard_ms = now_ms;
}

static bool is_farther(const struct run_files *a, const struct run_files *b)
{
    if (a->epoch != b->epoch) return a->epoch > b->epoch;
    if (a->checkpoint != b->checkpoint) return a->checkpoint;
    return a->held > b->held;
}

void run_filed(struct run *r, const struct save_answer *a, int64_t now_ms)
{
    struct run_lease *l = &r->lease;
    const struct run_files sent = {a->epoch, a->file_kind == GROKD__FILE_KIND__CHECKPOINT, a->held};
    bool part = a->kind == SAVE_PART;
    bool farther = part ? a->epoch <= r->is.params.epochs && is_farther(&sent, &l->sent)
                        : a->held >= l->fetched;
    if (!farther) return;
    if (part)
        l->sent = sent;
    else
        l->fetched = a->held + 1;
    l->heard_ms = now_ms;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int64_t run_patience_ms(const struct run *r, int64_t least_ms)
{
    double sorted[RUN_GAPS];
    int n = r->lease.gap_count;
    if (n == 0) return least_ms;
    memcpy(sorted, r->lease.gap_ms, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, rising);
    double patience = ceil(20 * sorted[n / 2]);
    if (patience >= 1e15) return (int64_t)1e15;
    return patience > (double)least_ms ? (int64_t)patience : least_ms;
}

void run_table_free(struct run_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        run_ending_free(t->by_number[i]);
        free(t->by_number[i]);
    }
    for (size_t i = 0; i < t->queue_count; i++) free(t->queues[i].runs);
    free(t->by_number);
    free(t->queues);
    memset(t, 0, sizeof *t);
}

static bool queue_sound(const struct run_table *t, size_t number, char text[256])
{
    const struct run_queue *q = &t->queues[number];
    for (size_t i = 0; i < number; i++)
        if (same_need(&t->queues[i].need, &q->need))
            return snprintf(text, 256, "two queues for %s", q->need.family), false;
    for (size_t i = 0; i < q->count; i++) {
        const struct run *r = q->runs[i];
        const struct save_blas need = need_of(r);
        if (r->state != RUN_WAITING || r->queue != number || run_find(t, r->is.run) != r ||
            !same_need(&need, &q->need) || (i && !run_before(q->runs[i - 1], r)))
            return snprintf(text, 256, "place %zu of queue %zu is wrong", i, number), false;
    }
    return true;
}

bool run_table_sound(const struct run_table *t, char text[256])
{
    size_t waiting = 0, queued = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct run *r = t->by_number[i];
        waiting += r->state == RUN_WAITING;
        long long number = (long long)r->is.run;
        if (i && t->by_number[i - 1]->is.run >= r->is.run)
            return snprintf(text, 256, "run %lld stands out of order", number), false;
        if (r->state != RUN_WAITING && r->state != RUN_RUNNING)
            return snprintf(text, 256, "run %lld is over and still held", number), false;
        if (r->state == RUN_WAITING && r->ending)
            return snprintf(text, 256, "run %lld waits and holds an ending", number), false;
    }
    for (size_t i = 0; i < t->queue_count; i++) {
        queued += t->queues[i].count;
        if (!queue_sound(t, i, text)) return false;
    }
    if (waiting != t->waiting || waiting != queued)
        return snprintf(text, 256, "%zu runs wait, %zu are counted, %zu queued", waiting,
                        t->waiting, queued),
               false;
    return true;
}
