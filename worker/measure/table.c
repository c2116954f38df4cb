// SPDX-License-Identifier: MIT
/* table: lists the inputs by part, names them by their hash, and sketches the landmarks. */
#include "worker/measure/table.h"

#include "common/philox.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parts ---- */

/* Of modular addition: a part for each pair of operands, TABLE_WHOLE for those in neither set. */
static uint8_t *part_of_pairs(const struct task *task)
{
    size_t P = task->modulus;
    uint8_t *part = calloc(P * P, sizeof *part);
    for (size_t s = 0; part && s < task->test.count; s++)
        part[(size_t)task->test.pair[s][0] * P + (size_t)task->test.pair[s][1] - P] = TABLE_TEST;
    for (size_t s = 0; part && s < task->train.count; s++)
        part[(size_t)task->train.pair[s][0] * P + (size_t)task->train.pair[s][1] - P] = TABLE_TRAIN;
    return part;
}

/* Lists the training pairs first, then the test pairs, then the rest. */
static int list_pairs(struct table *t, const struct task *task, struct err *e)
{
    static const uint8_t order[] = {TABLE_TRAIN, TABLE_TEST, TABLE_WHOLE};
    size_t P = task->modulus, next = 0;
    uint8_t *part = part_of_pairs(task);
    if (!part) return err_set(e, E_NOMEM, "evaluation table: no memory");
    for (int k = 0; k < TABLE_PARTS; k++) {
        t->part[order[k]].from = next;
        for (size_t s = 0; s < t->samples; s++) {
            const int32_t *pair = t->whole->pair[s];
            if (part[(size_t)pair[0] * P + (size_t)pair[1] - P] == order[k])
                t->place[s] = (uint32_t)next++;
        }
        t->part[order[k]].count = next - t->part[order[k]].from;
    }
    free(part);
    t->part[TABLE_WHOLE] = (struct table_part){0, t->samples};
    return OK;
}

static void list_sets(struct table *t)
{
    size_t from = 0;
    for (size_t k = 0; k < t->set_count; k++) {
        t->part[k] = (struct table_part){from, t->set[k]->count};
        from += t->set[k]->count;
    }
    for (size_t s = 0; s < t->samples; s++) t->place[s] = (uint32_t)s;
}

/* ---- the sketch of a model, and those of the landmarks ---- */

/* Of VEC_FLOATS inputs of the table, [classes][VEC_FLOATS]. */
static void make_words(const struct table *t, size_t first)
{
    vec->philox(t->words, (t->classes + 3) / 4 * 4, SKETCH_SEED, (uint32_t)first, PHILOX_SKETCH, 0);
}

void table_sketch(const struct table *t, struct sketch *s, const float *psi, size_t chunk,
                  size_t count)
{
    for (size_t at = 0; at < count && !t->kept; at += VEC_FLOATS) {
        make_words(t, chunk * VEC_LANES + at);
        for (size_t c = 0; c < t->classes; c++)
            sketch_add(s, (const uint32_t *)t->words + c * VEC_FLOATS, psi + c * VEC_LANES + at,
                       VEC_FLOATS);
    }
    for (size_t c = 0; c < t->classes && t->kept; c++)
        sketch_add(s, (const uint32_t *)t->kept + (chunk * t->classes + c) * VEC_LANES,
                   psi + c * VEC_LANES, VEC_ROUND(count));
}

void table_sketch_read(const struct table *t, const struct sketch *s, float y[SKETCH_ROWS])
{
    sketch_read(s, 1 / sqrt((double)t->whole->count), y);
}

/* Roots of a chunk: the same for every class, or 1 at the label. */
static void landmark(const struct table *t, float *psi, size_t first, size_t count, bool truth)
{
    float flat = (float)(1 / sqrt((double)t->classes));
    memset(psi, 0, t->classes * VEC_LANES * sizeof *psi);
    for (size_t s = 0; s < count; s++)
        for (size_t c = 0; c < t->classes; c++)
            psi[c * VEC_LANES + s] = !truth                                    ? flat
                                     : c == (size_t)t->whole->label[first + s] ? 1
                                                                               : 0;
}

static int sketch_landmarks(struct table *t, struct err *e)
{
    size_t n = t->whole->count;
    float *psi = vec_alloc(t->classes * VEC_LANES);
    if (!psi) return err_set(e, E_NOMEM, "evaluation table: no memory");
    for (int truth = 0; truth < 2; truth++) {
        struct sketch s;
        sketch_clear(&s);
        for (size_t first = 0; first < n; first += VEC_LANES) {
            size_t count = n - first < VEC_LANES ? n - first : VEC_LANES;
            landmark(t, psi, first, count, truth);
            table_sketch(t, &s, psi, first / VEC_LANES, count);
        }
        table_sketch_read(t, &s, truth ? t->truth : t->ignorance);
    }
    free(psi);
    return OK;
}

/* ---- the run's sets in place of the table ---- */

static size_t chunks_of(const struct dataset *d)
{
    return (d->count + VEC_LANES - 1) / VEC_LANES;
}

/* Whether each pair is in one of the two sets, once. */
static bool divides(const struct table *t, const struct task *task)
{
    size_t train = t->part[TABLE_TRAIN].count, test = t->part[TABLE_TEST].count;
    return t->whole->pair && train == task->train.count && test == task->test.count &&
           train + test == t->whole->count;
}

/* by_pair: of a pair a, b at [a P + b]; the set's first chunk has this number. */
static void find_slots(uint32_t *by_pair, const struct dataset *d, size_t P, size_t chunk)
{
    for (size_t s = 0; s < d->count; s++)
        by_pair[(size_t)d->pair[s][0] * P + (size_t)d->pair[s][1] - P] =
            (uint32_t)(chunk * VEC_LANES + s);
}

static int fill_slots(struct table *t, const struct task *task, struct err *e)
{
    size_t P = task->modulus;
    uint32_t *by_pair = calloc(P * P, sizeof *by_pair);
    if (!by_pair) return err_set(e, E_NOMEM, "evaluation table: no memory");
    find_slots(by_pair, &task->train, P, 0);
    find_slots(by_pair, &task->test, P, chunks_of(&task->train));
    for (size_t s = 0; s < t->whole->count; s++)
        t->slot[s] = by_pair[(size_t)t->whole->pair[s][0] * P + (size_t)t->whole->pair[s][1] - P];
    free(by_pair);
    return OK;
}

static void keep_words(struct table *t)
{
    for (size_t first = 0; first < t->whole->count; first += VEC_FLOATS) {
        make_words(t, first);
        for (size_t i = first; i < first + VEC_FLOATS && i < t->whole->count; i++) {
            size_t chunk = t->slot[i] / VEC_LANES, lane = t->slot[i] % VEC_LANES;
            for (size_t c = 0; c < t->classes; c++)
                t->kept[(chunk * t->classes + c) * VEC_LANES + lane] =
                    t->words[c * VEC_FLOATS + i - first];
        }
    }
}

/* After the landmarks are sketched: these are walked as the table has them. */
static int walk_sets(struct table *t, const struct task *task, struct err *e)
{
    const struct dataset *train = &task->train, *test = &task->test;
    size_t words = (chunks_of(train) + chunks_of(test)) * t->classes * VEC_LANES;
    if (!divides(t, task) || words * sizeof *t->kept > TABLE_KEPT) return OK;
    t->slot = malloc(t->whole->count * sizeof *t->slot);
    t->kept = (int32_t *)(void *)vec_alloc(words);
    if (!t->slot || !t->kept) return err_set(e, E_NOMEM, "evaluation table: no memory");
    int rc = fill_slots(t, task, e);
    if (rc < 0) return rc;
    keep_words(t);
    t->set[0] = train, t->set[1] = test;
    t->set_count = t->own_sets = 2;
    for (size_t s = 0; s < t->samples; s++) t->place[s] = (uint32_t)s;
    return OK;
}

/* ---- all ---- */

static void take_hash(struct table *t)
{
    const struct dataset *d = t->whole;
    struct hash h;
    char text[160];
    snprintf(text, sizeof text, "evaluation 1 samples %zu classes %zu sketch %" PRIx64 " %d %d\n",
             d->count, t->classes, SKETCH_SEED, SKETCH_ROWS, SKETCH_NONZEROS);
    hash_start(&h);
    hash_add(&h, text, strlen(text));
    if (d->pair)
        hash_add(&h, d->pair, d->count * sizeof *d->pair);
    else
        hash_add(&h, d->spin, d->count * d->sites);
    hash_add(&h, d->label, d->count * sizeof *d->label);
    hash_end(&h, t->hash);
}

int table_of(struct table *t, const struct dataset *whole, const struct task *task, struct err *e)
{
    int rc = OK;
    t->classes = task->classes;
    t->whole = t->set[TABLE_WHOLE] = whole;
    t->set[TABLE_TRAIN] = &task->train;
    t->set[TABLE_TEST] = &task->test;
    t->set_count = whole->pair ? 1 : TABLE_PARTS;
    t->own_sets = 1;
    t->samples = 0;
    for (size_t k = 0; k < t->set_count; k++) t->samples += t->set[k]->count;
    t->place = malloc((t->samples + 1) * sizeof *t->place);
    t->words = (int32_t *)(void *)vec_alloc((t->classes + 3) * VEC_FLOATS);
    if (!t->place || !t->words) return err_set(e, E_NOMEM, "evaluation table: no memory");
    if (whole->pair)
        rc = list_pairs(t, task, e);
    else
        list_sets(t);
    if (rc == OK) rc = sketch_landmarks(t, e);
    if (rc == OK) rc = walk_sets(t, task, e);
    take_hash(t);
    return rc;
}

int table_open(struct table *t, const struct params *p, size_t snapshots, const struct task *task,
               struct err *e)
{
    *t = (struct table){0};
    int rc = task_table(&t->own, p, snapshots, e);
    return rc < 0 ? rc : table_of(t, &t->own, task, e);
}

void table_close(struct table *t)
{
    free(t->place);
    free(t->words);
    free(t->slot);
    free(t->kept);
    dataset_close(&t->own);
    *t = (struct table){0};
}
