// SPDX-License-Identifier: MIT
/* geometry: remembers the weights of the last two measured epochs and the metrics at the last. */
#include "worker/measure/geometry.h"

#include "worker/measure/fisher.h"
#include "worker/measure/full.h"
#include "worker/measure/gauge.h"
#include "worker/measure/gini.h"
#include "worker/measure/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEVER (-1) /* as an epoch: there was none */

/* Blocks are laid out as theta. */
struct road {
    struct fisher fisher;
    struct full full;    /* opened if whole metrics are asked for */
    struct model here;   /* at the last measured epoch */
    float *before;       /* weights at the one before */
    float *step, *prior; /* scratch: the step from here, the step to here */
    float *part;         /* scratch: one part of a metric */
    uint32_t *word;      /* scratch of gini_of */
    float *last;         /* Fisher diagonal at the end of the run; NULL: not known */
    /* Fisher diagonal at here; NULL: that variant is not asked for. */
    float *metric[FISHER_VARIANTS];
    int64_t here_epoch, before_epoch;
    float *logits; /* of here on the test set, for the whole metric; NULL: there is none */
    size_t logit_bytes;
    bool known; /* they were kept */
};

static double product(const float *a, const float *b, const float *metric, size_t n)
{
    return metric ? vec->dot_weighted(metric, a, b, n) : vec->dot(a, b, n);
}

static double cosine(double inner, double length, double other)
{
    return length > 0 && other > 0 ? inner / length / other : NAN;
}

struct geometry_step geometry_step(const float *step, const float *previous, const float *origin,
                                   const float *metric, size_t n)
{
    double length = sqrt(product(step, step, metric, n));
    double away = sqrt(product(origin, origin, metric, n));
    struct geometry_step g = {.length = length, .cos_previous = NAN};
    g.cos_origin = cosine(-product(step, origin, metric, n), length, away);
    if (previous) {
        double last = sqrt(product(previous, previous, metric, n));
        g.cos_previous = cosine(product(step, previous, metric, n), length, last);
    }
    return g;
}

static bool asked(const struct view *v, enum fisher_variant variant)
{
    return v->settings->fisher_variants & 1 << variant && fisher_fits(v->model, variant);
}

static const int64_t whole_asked[FISHER_VARIANTS] = {SETTINGS_FULL, SETTINGS_FULL_CLASS};

static bool asked_whole(const struct view *v, enum fisher_variant variant)
{
    return v->settings->fisher_variants & whole_asked[variant] && full_fits(v->model, variant);
}

/* Room for as many logits as are ever kept. */
static int open_whole(struct road *r, const struct view *v, struct err *e)
{
    size_t chunks = (v->task->test.count + VEC_LANES - 1) / VEC_LANES;
    r->logit_bytes = chunks * v->model->classes * VEC_LANES * sizeof *r->logits;
    if (r->logit_bytes <= LOGITS_KEPT &&
        !(r->logits = vec_alloc(r->logit_bytes / sizeof(float) + 1)))
        return err_set(e, E_NOMEM, "geometry: no memory for logits");
    return full_open(&r->full, v->model, (size_t)v->settings->fisher_samples, e);
}

static int open_geometry(void **state, const struct view *v, struct err *e)
{
    struct road *r = *state = calloc(1, sizeof *r);
    if (!r) return err_set(e, E_NOMEM, "geometry: no memory");
    r->here_epoch = r->before_epoch = NEVER;
    int rc = model_copy(&r->here, v->model, e);
    bool any = asked(v, FISHER_REGRESSION) || asked(v, FISHER_CLASSIFICATION);
    if (rc == OK && any)
        rc = fisher_open(&r->fisher, v->model, (size_t)v->settings->fisher_samples, e);
    if (rc < 0) return rc;
    if (asked_whole(v, FISHER_REGRESSION) || asked_whole(v, FISHER_CLASSIFICATION))
        rc = open_whole(r, v, e);
    if (rc < 0) return rc;
    r->before = vec_alloc(v->model->size);
    r->step = vec_alloc(v->model->size);
    r->prior = vec_alloc(v->model->size);
    r->part = vec_alloc(v->model->size);
    r->word = malloc(2 * v->model->parameters * sizeof *r->word);
    bool full = r->before && r->step && r->prior && r->part && r->word;
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (asked(v, (enum fisher_variant)i))
            full = (r->metric[i] = vec_alloc(v->model->size)) && full;
    return full ? OK : err_set(e, E_NOMEM, "geometry: no memory");
}

static void close_geometry(void *state)
{
    struct road *r = state;
    if (!r) return;
    fisher_close(&r->fisher);
    full_close(&r->full);
    model_close(&r->here);
    free(r->before);
    free(r->step);
    free(r->prior);
    free(r->part);
    free(r->word);
    free(r->last);
    free(r->logits);
    for (int i = 0; i < FISHER_VARIANTS; i++) free(r->metric[i]);
    free(r);
}

static void subtract(float *d, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) d[i] = a[i] - b[i];
}

/* Columns of a metric, all three by its name. */
struct columns {
    int step, cos_previous, cos_origin;
};
#define COLUMNS(name)                                                                              \
    {                                                                                              \
        METRIC_step_##name, METRIC_cos_previous_##name, METRIC_cos_origin_##name                   \
    }
static const struct columns euclid = COLUMNS(euclid);
static const struct columns diagonal[FISHER_VARIANTS] = {COLUMNS(fisher), COLUMNS(fisher_class)};
static const struct columns stiff = COLUMNS(fisher_stiff), sloppy = COLUMNS(fisher_sloppy);
static const struct columns whole[FISHER_VARIANTS] = {COLUMNS(full), COLUMNS(full_class)};

static void put(struct row *row, const struct columns *c, struct geometry_step g)
{
    row->value[c->step] = g.length;
    row->value[c->cos_previous] = g.cos_previous;
    row->value[c->cos_origin] = g.cos_origin;
}

/* part = metric where the judge is at least the threshold, or where it is below; 0 elsewhere. */
static void take_part(float *part, const float *metric, const float *judge, double threshold,
                      bool above, size_t n)
{
    for (size_t i = 0; i < n; i++) part[i] = (judge[i] >= threshold) == above ? metric[i] : 0;
}

/* The stiff step (above) or the sloppy one, as the judge has it. */
static struct geometry_step step_of_part(struct road *r, const struct view *v, const float *prior,
                                         const float *judge, bool above)
{
    size_t n = v->model->size;
    take_part(r->part, r->metric[FISHER_REGRESSION], judge, v->settings->stiff_threshold, above, n);
    return geometry_step(r->step, prior, r->here.theta, r->part, n);
}

static void fill_parts(struct road *r, const struct view *v, const float *prior, struct row *row)
{
    const float *metric = r->metric[FISHER_REGRESSION];
    for (int above = 0; metric && above < 2; above++)
        put(row, above ? &stiff : &sloppy, step_of_part(r, v, prior, metric, above));
}

static const char *const part_name[] = {"sloppy", "stiff"};

static int find_parts(struct road *r, const struct view *v, const float *prior, struct err *e)
{
    int rc = OK;
    for (int above = 0; r->last && above < 2; above++) {
        const struct geometry_step g = step_of_part(r, v, prior, r->last, above);
        const char *layer = part_name[above];
        rc = findings_add(v->findings, layer, "step_fisher", g.length, e);
        if (rc == OK && !isnan(g.cos_previous))
            rc = findings_add(v->findings, layer, "cos_previous_fisher", g.cos_previous, e);
        if (rc == OK && !isnan(g.cos_origin))
            rc = findings_add(v->findings, layer, "cos_origin_fisher", g.cos_origin, e);
        if (rc < 0) return rc;
    }
    return rc;
}

/* How many parameters each part has, once a run. */
static int find_shares(struct road *r, const struct view *v, struct err *e)
{
    size_t above = 0, n = v->model->parameters;
    if (!r->last || v->epoch != v->params->epochs) return OK;
    for (size_t i = 0; i < v->model->tensor_count; i++) {
        const struct tensor *t = &v->model->tensor[i];
        for (size_t j = 0; j < t->rows * t->cols; j++)
            above +=
                r->last[tensor_index(t, j / t->cols, j % t->cols)] >= v->settings->stiff_threshold;
    }
    double share = (double)above / (double)n;
    int rc = findings_add(v->findings, part_name[0], "parameters", 1 - share, e);
    return rc < 0 ? rc : findings_add(v->findings, part_name[1], "parameters", share, e);
}

static void fill_whole(struct road *r, const struct view *v, const float *prior, struct row *row)
{
    struct full_products products;
    if (!asked_whole(v, FISHER_REGRESSION) && !asked_whole(v, FISHER_CLASSIFICATION)) return;
    full_find(&r->full, &r->here, &v->task->test, r->known ? r->logits : NULL, r->step, prior,
              &products);
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (asked_whole(v, (enum fisher_variant)i))
            put(row, &whole[i], full_step(&products, (enum fisher_variant)i));
}

/* The row of a step that ends at the view's model and begins here. */
static int fill_row(struct road *r, const struct view *v, struct row *row, struct err *e)
{
    size_t n = v->model->size;
    const float *origin = r->here.theta, *prior = NULL;
    subtract(r->step, v->model->theta, origin, n);
    if (r->before_epoch != NEVER && v->epoch - r->here_epoch == r->here_epoch - r->before_epoch) {
        subtract(r->prior, origin, r->before, n);
        prior = r->prior;
    }
    put(row, &euclid, geometry_step(r->step, prior, origin, NULL, n));
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (r->metric[i])
            put(row, &diagonal[i], geometry_step(r->step, prior, origin, r->metric[i], n));
    fill_parts(r, v, prior, row);
    fill_whole(r, v, prior, row);
    return find_parts(r, v, prior, e);
}

/* Logits of the weights here, for the whole metric of the step from them. */
static void keep_logits(struct road *r, const struct logits *known)
{
    r->known = r->logits && known && known->kept[LOGITS_TEST];
    if (r->known) memcpy(r->logits, known->kept[LOGITS_TEST], r->logit_bytes);
}

/* The weights here become those before, the given ones those here, and the metric follows. known:
 * their logits, or NULL. */
static void walk(struct road *r, const struct view *v, const float *theta, struct logits *known,
                 int64_t epoch)
{
    size_t bytes = r->here.size * sizeof *theta;
    memcpy(r->before, r->here.theta, bytes);
    r->before_epoch = r->here_epoch;
    memcpy(r->here.theta, theta, bytes);
    r->here_epoch = epoch;
    keep_logits(r, known);
    for (int i = 0; i < FISHER_VARIANTS; i++)
        if (r->metric[i])
            fisher_diagonal(&r->fisher, &r->here, &v->task->test, (enum fisher_variant)i, known,
                            r->metric[i]);
}

static int read_geometry(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct road *r = state;
    int rc = r->here_epoch != NEVER ? fill_row(r, v, row, e) : OK;
    if (rc == OK) rc = find_shares(r, v, e);
    if (rc < 0) return rc;
    walk(r, v, v->model->theta, v->logits, v->epoch);
    if (r->metric[FISHER_REGRESSION])
        row->value[METRIC_gini_fisher] = gini_of(v->model, r->metric[FISHER_REGRESSION], r->word);
    return OK;
}

static int save_geometry(const void *state, const struct view *v, struct safetensors *s,
                         struct err *e)
{
    const struct road *r = state;
    size_t two = 2;
    const int64_t epochs[2] = {r->before_epoch, r->here_epoch};
    int rc = safetensors_add(s, "measure.epochs", ST_I64, 1, &two, epochs, e);
    if (rc == OK) rc = weights_save(v->model, r->before, "measure.before", s, e);
    if (rc == OK) rc = weights_save(v->model, r->here.theta, "measure.here", s, e);
    return rc;
}

static int load_geometry(void *state, const struct view *v, const struct safetensors *s,
                         struct err *e)
{
    struct road *r = state;
    size_t two = 2;
    int64_t epochs[2];
    const struct safetensors_entry *entry;
    int rc = safetensors_expect(s, "measure.epochs", ST_I64, 1, &two, &entry, e);
    if (rc == OK) rc = weights_load(v->model, r->here.theta, "measure.before", s, e);
    if (rc == OK) rc = weights_load(v->model, r->step, "measure.here", s, e);
    if (rc < 0) return rc;
    memcpy(epochs, safetensors_data(s, entry), sizeof epochs);
    r->here_epoch = epochs[0];
    walk(r, v, r->step, NULL, epochs[1]);
    return OK;
}

static int split_geometry(void *state, const struct view *v, const struct model *last,
                          struct err *e)
{
    struct road *r = state;
    if (!r->metric[FISHER_REGRESSION])
        return err_set(e, E_USAGE,
                       "stiff and sloppy are told apart by the diagonal Fisher information: "
                       "grokd.measure.fisher.variants=regression, and a network that has it");
    if (!r->last && !(r->last = vec_alloc(v->model->size)))
        return err_set(e, E_NOMEM, "geometry: no memory");
    fisher_diagonal(&r->fisher, last, &v->task->test, FISHER_REGRESSION, NULL, r->last);
    return OK;
}

const struct gauge gauge_geometry = {.name = "geometry",
                                     .open = open_geometry,
                                     .read = read_geometry,
                                     .close = close_geometry,
                                     .save = save_geometry,
                                     .load = load_geometry,
                                     .split = split_geometry};
