// SPDX-License-Identifier: MIT
/* coords: walks the table, keeps the roots of three epochs, and sums what the header defines. */
#include "worker/measure/coords.h"

#include "worker/measure/landmark.h"
#include "worker/measure/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEVER (-1)

/* Roots of the probabilities on all inputs, chunk by chunk [classes][VEC_LANES]. */
enum { START, HERE, BEFORE, FIELDS };

/* Chords of an input, squared: of the step to here, the step from here, both together, and from the
 * start; and their arcs. */
enum { LAST, NOW, TWO, WAY, CHORDS };

struct coords {
    const struct table *table;
    struct logits *logits; /* of the model that is read; NULL: none are known */
    struct workspace work;
    size_t chunk, chunks; /* floats of a chunk; how many */
    float *field[FIELDS], *roots, *flat, *zero;
    float *start; /* weights */
    size_t size;  /* of them */
    double *square[CHORDS], *arc[CHORDS], *block;
    struct landmark landmark;
    struct sample sample;
    int64_t kept; /* epochs in a doubling whose predictions are */
    bool due;     /* this one's */
    struct sketch sum;
    float sketch[SKETCH_ROWS];
    int64_t start_epoch, here_epoch, before_epoch;
    double length[TABLE_PARTS];
};

/* ---- opening ---- */

static size_t count_chunks(const struct table *t)
{
    size_t n = 0;
    for (size_t k = 0; k < t->set_count; k++) n += (t->set[k]->count + VEC_LANES - 1) / VEC_LANES;
    return n;
}

static bool take_memory(struct coords *c, const struct model *m)
{
    size_t n = c->table->samples;
    bool full = true;
    for (int i = 0; i < FIELDS; i++) full = (c->field[i] = vec_alloc(c->chunk * c->chunks)) && full;
    full = (c->roots = vec_alloc(c->chunk)) && full;
    full = (c->flat = vec_alloc(c->chunk)) && full;
    full = (c->zero = vec_alloc(c->chunk)) && full;
    full = (c->start = vec_alloc(m->size)) && full;
    full = (c->block = calloc(2 * CHORDS * n + 1, sizeof *c->block)) && full;
    for (size_t i = 0; i < CHORDS && full; i++) {
        c->square[i] = c->block + 2 * i * n;
        c->arc[i] = c->square[i] + n;
    }
    return full;
}

int coords_open(struct coords **out, const struct table *t, const struct model *m, struct err *e)
{
    struct coords *c = *out = calloc(1, sizeof *c);
    if (!c) return err_set(e, E_NOMEM, "coordinates: no memory");
    c->table = t;
    c->size = m->size;
    c->chunk = t->classes * VEC_LANES;
    c->chunks = count_chunks(t);
    c->start_epoch = c->here_epoch = c->before_epoch = NEVER;
    int rc = workspace_open(&c->work, m, e);
    if (rc == OK) rc = landmark_open(&c->landmark, t->samples, t->classes, e);
    if (rc == OK && !take_memory(c, m)) rc = err_set(e, E_NOMEM, "coordinates: no memory");
    if (rc < 0) {
        coords_close(out);
        return rc;
    }
    for (size_t i = 0; i < c->chunk; i++) c->flat[i] = (float)(1 / sqrt((double)t->classes));
    return OK;
}

void coords_close(struct coords **out)
{
    struct coords *c = *out;
    *out = NULL;
    if (!c) return;
    workspace_close(&c->work);
    landmark_close(&c->landmark);
    sample_close(&c->sample);
    for (int i = 0; i < FIELDS; i++) free(c->field[i]);
    free(c->roots);
    free(c->flat);
    free(c->zero);
    free(c->start);
    free(c->block);
    free(c);
}

int coords_keep(struct coords *c, int64_t n, struct err *e)
{
    c->kept = n;
    return sample_open(&c->sample, c->table, e);
}

/* ---- the walk ---- */

/* A chunk of a set, its number over all sets, and that of its first input. */
struct chunk {
    const struct dataset *set;
    size_t number, first, input;
    bool sketched;
    struct batch batch;
};

static void make_roots(struct coords *c, const struct model *m, const struct chunk *k, float *roots)
{
    const struct signal *z = &c->work.value[m->layer_count];
    for (int i = 0; i < LOGITS_SETS && c->logits; i++)
        if (c->logits->set[i] == k->set) {
            const float *known = logits_chunk(c->logits, i, k->first);
            vec->measure_roots(roots, known, VEC_LANES, c->table->classes, k->batch.count);
            return;
        }
    model_forward(m, &k->batch, &c->work);
    vec->measure_roots(roots, z->x, z->feature_stride, c->table->classes, k->batch.count);
}

typedef void chunk_work(struct coords *c, const struct model *m, const struct chunk *k, float *to);

/* Every chunk of every set; `to` walks along a field. */
static void walk(struct coords *c, const struct model *m, chunk_work *work, float *to)
{
    const struct table *t = c->table;
    struct chunk k = {.number = 0};
    for (size_t i = 0; i < t->set_count; i++) {
        k.set = t->set[i];
        k.sketched = i < t->own_sets;
        for (k.first = 0; k.first < k.set->count; k.first += VEC_LANES, to += c->chunk) {
            k.batch = dataset_chunk(k.set, k.first);
            work(c, m, &k, to);
            k.input += k.batch.count;
            k.number++;
        }
    }
}

static void put(const struct coords *c, const struct chunk *k, double *list, const double *value)
{
    for (size_t s = 0; s < k->batch.count; s++) list[c->table->place[k->input + s]] = value[s];
}

/* Of truth: (1 - own)^2 and the squares of the others, summed without it so that they keep their
 * digits. */
static void chords_to_landmarks(struct coords *c, const struct chunk *k)
{
    double square[VEC_LANES], own[VEC_LANES];
    float kept[VEC_LANES];
    vec->measure_chords(square, c->roots, c->flat, c->table->classes);
    put(c, k, c->landmark.square[LANDMARK_IGNORANCE], square);
    for (size_t s = 0; s < k->batch.count; s++) {
        float *at = &c->roots[(size_t)k->batch.label[s] * VEC_LANES + s];
        own[s] = kept[s] = *at;
        *at = 0;
    }
    vec->measure_chords(square, c->roots, c->zero, c->table->classes);
    for (size_t s = 0; s < k->batch.count; s++) {
        c->roots[(size_t)k->batch.label[s] * VEC_LANES + s] = kept[s];
        square[s] += (1 - own[s]) * (1 - own[s]);
    }
    put(c, k, c->landmark.own, own);
    put(c, k, c->landmark.square[LANDMARK_TRUTH], square);
}

static void chord_to(struct coords *c, const struct chunk *k, const float *field, double *list)
{
    double square[VEC_LANES];
    vec->measure_chords(square, c->roots, field + k->number * c->chunk, c->table->classes);
    put(c, k, list, square);
}

/* The new roots take the place of the oldest. */
static void read_chunk(struct coords *c, const struct model *m, const struct chunk *k,
                       float *oldest)
{
    make_roots(c, m, k, c->roots);
    if (k->sketched) table_sketch(c->table, &c->sum, c->roots, k->number, k->batch.count);
    if (k->sketched && c->due) sample_take(&c->sample, c->roots, k->number);
    chords_to_landmarks(c, k);
    if (c->here_epoch != NEVER) {
        chord_to(c, k, c->field[HERE], c->square[NOW]);
        chord_to(c, k, c->field[START], c->square[WAY]);
    }
    if (c->before_epoch != NEVER) chord_to(c, k, c->field[BEFORE], c->square[TWO]);
    memcpy(oldest, c->roots, c->chunk * sizeof *oldest);
}

static void keep_chunk(struct coords *c, const struct model *m, const struct chunk *k, float *to)
{
    make_roots(c, m, k, to);
}

static void chord_chunk(struct coords *c, const struct model *m, const struct chunk *k, float *here)
{
    (void)m;
    memcpy(c->roots, here, c->chunk * sizeof *here);
    chord_to(c, k, c->field[BEFORE], c->square[LAST]);
}

/* ---- the row ---- */

/* The columns of a part. */
struct columns {
    int overlap[LANDMARKS], bhattacharyya[LANDMARKS], distance[LANDMARKS], hellinger[LANDMARKS];
    int progress, progress_mao, off_geodesic;
    int step, cos_previous, length, chord, straightness;
};

#define PAIR(name, part)                                                                           \
    {                                                                                              \
        METRIC_##name##_ignorance##part, METRIC_##name##_truth##part                               \
    }
#define COLUMNS(part)                                                                              \
    {                                                                                              \
        PAIR(overlap, part), PAIR(bhattacharyya, part), PAIR(distance, part),                      \
            PAIR(hellinger, part), METRIC_progress##part, METRIC_progress_mao##part,               \
            METRIC_off_geodesic##part, METRIC_fr_step##part, METRIC_fr_cos_previous##part,         \
            METRIC_arc_length##part, METRIC_chord##part, METRIC_straightness##part                 \
    }

static const struct columns columns[TABLE_PARTS] = {COLUMNS(), COLUMNS(_train), COLUMNS(_test)};

static void put_landmarks(const struct coords *c, int part, struct row *row)
{
    const struct columns *at = &columns[part];
    struct landmark_values v =
        landmark_values(&c->landmark, c->table->part[part].from, c->table->part[part].count);
    for (int k = 0; k < LANDMARKS; k++) {
        row->value[at->overlap[k]] = v.overlap[k];
        row->value[at->bhattacharyya[k]] = v.bhattacharyya[k];
        row->value[at->distance[k]] = v.distance[k];
        row->value[at->hellinger[k]] = v.hellinger[k];
    }
    row->value[at->progress] = v.progress;
    row->value[at->progress_mao] = v.progress_mao;
    row->value[at->off_geodesic] = v.off_geodesic;
}

static double sum_of_squares(const double *arc, struct table_part p)
{
    double sum = 0;
    for (size_t i = p.from; i < p.from + p.count; i++) sum += arc[i] * arc[i];
    return sum;
}

static double distance(const double *arc, struct table_part p)
{
    return 2 * sqrt(sum_of_squares(arc, p) / (double)p.count);
}

/* arc / sin(arc), sin = chord root(1 - chord^2/4). */
static double over_sine(double arc, double square)
{
    return square > 0 ? arc / sqrt(square * (1 - square / 4)) : 1;
}

/* cos v - cos t cos u = (t^2 + u^2 - v^2)/2 - t^2 u^2/4 in chords, where nothing near 1 is lost. */
static double step_cosine(const struct coords *c, struct table_part p)
{
    double sum = 0;
    for (size_t i = p.from; i < p.from + p.count; i++) {
        double t = c->square[LAST][i], u = c->square[NOW][i], v = c->square[TWO][i];
        sum -= over_sine(c->arc[LAST][i], t) * over_sine(c->arc[NOW][i], u) *
               ((t + u - v) / 2 - t * u / 4);
    }
    double size = sum_of_squares(c->arc[LAST], p) * sum_of_squares(c->arc[NOW], p);
    return size > 0 ? sum / sqrt(size) : NAN;
}

static void put_steps(struct coords *c, int part, int64_t epoch, struct row *row)
{
    const struct columns *at = &columns[part];
    struct table_part p = c->table->part[part];
    if (p.count == 0) return;
    double step = c->here_epoch == NEVER ? 0 : distance(c->arc[NOW], p);
    c->length[part] += step;
    row->value[at->length] = c->length[part];
    if (c->here_epoch == NEVER) return;
    row->value[at->step] = step;
    row->value[at->chord] = distance(c->arc[WAY], p);
    if (c->length[part] > 0) row->value[at->straightness] = row->value[at->chord] / c->length[part];
    if (c->before_epoch == NEVER) return;
    double both = distance(c->arc[LAST], p) + step;
    if (both > 0 && part == TABLE_WHOLE)
        row->value[METRIC_straightness_two] = distance(c->arc[TWO], p) / both;
    if (epoch - c->here_epoch == c->here_epoch - c->before_epoch)
        row->value[at->cos_previous] = step_cosine(c, p);
}

/* Distances to truth, in the sketch and exactly. */
static void put_sketch(struct coords *c, struct row *row)
{
    const struct table *t = c->table;
    double exact = row->value[METRIC_hellinger_truth];
    table_sketch_read(t, &c->sum, c->sketch);
    double seen = sketch_distance2(c->sketch, t->truth);
    if (!isfinite(seen)) return;
    row->sketch = c->sketch;
    if (c->due) row->predictions = sample_predictions(&c->sample);
    if (exact > 0) row->value[METRIC_sketch_error] = seen / (exact * exact) - 1;
    if (c->start_epoch == NEVER)
        row->evaluation = (struct evaluation){t->hash, (uint32_t)t->whole->count,
                                              (uint32_t)t->classes, t->ignorance, t->truth};
}

static void swap_fields(struct coords *c)
{
    float *oldest = c->field[BEFORE];
    c->field[BEFORE] = c->field[HERE];
    c->field[HERE] = oldest;
}

static void swap_lists(struct coords *c)
{
    double *square = c->square[LAST], *arc = c->arc[LAST];
    c->square[LAST] = c->square[NOW], c->arc[LAST] = c->arc[NOW];
    c->square[NOW] = square, c->arc[NOW] = arc;
}

void coords_read(struct coords *c, const struct model *m, struct logits *known, int64_t epoch,
                 struct row *row)
{
    c->logits = known;
    sketch_clear(&c->sum);
    c->due = sample_due(c->kept, c->here_epoch, epoch);
    walk(c, m, read_chunk, c->field[BEFORE]);
    landmark_update(&c->landmark, c->table->samples);
    for (int i = NOW; i < CHORDS; i++)
        vec->measure_arcs(c->arc[i], c->square[i], c->table->samples);
    c->logits = NULL;
    for (int part = 0; part < TABLE_PARTS; part++) {
        put_landmarks(c, part, row);
        put_steps(c, part, epoch, row);
    }
    put_sketch(c, row);
    swap_fields(c);
    swap_lists(c);
    c->before_epoch = c->here_epoch;
    c->here_epoch = epoch;
    if (c->start_epoch != NEVER) return;
    c->start_epoch = epoch;
    memcpy(c->start, m->theta, c->size * sizeof *c->start);
    memcpy(c->field[START], c->field[HERE], c->chunk * c->chunks * sizeof *c->start);
}

/* ---- resuming ---- */

struct coords_history coords_so_far(const struct coords *c)
{
    struct coords_history h = {.start = c->start, .start_epoch = c->start_epoch};
    memcpy(h.length, c->length, sizeof h.length);
    return h;
}

static void recall_field(struct coords *c, struct model *m, const float *theta, int field)
{
    memcpy(m->theta, theta, c->size * sizeof *theta);
    walk(c, m, keep_chunk, c->field[field]);
}

int coords_recall(struct coords *c, const struct model *m, const struct coords_history *h,
                  struct err *e)
{
    struct model copy = *m;
    c->start_epoch = h->start_epoch;
    c->here_epoch = h->here_epoch;
    c->before_epoch = h->before_epoch;
    memcpy(c->length, h->length, sizeof c->length);
    if (c->start_epoch == NEVER) return OK;
    copy.theta = vec_alloc(m->size);
    if (!copy.theta) return err_set(e, E_NOMEM, "coordinates: no memory");
    memcpy(c->start, h->start, c->size * sizeof *c->start);
    recall_field(c, &copy, h->start, START);
    recall_field(c, &copy, h->here, HERE);
    if (c->before_epoch != NEVER) {
        recall_field(c, &copy, h->before, BEFORE);
        walk(c, &copy, chord_chunk, c->field[HERE]);
        vec->measure_arcs(c->arc[LAST], c->square[LAST], c->table->samples);
    }
    free(copy.theta);
    return OK;
}
