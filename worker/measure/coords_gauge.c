// SPDX-License-Identifier: MIT
/* coords_gauge: coordinates on the task's fixed table, at every measured epoch. The weights of the
 * last two are in the checkpoint already, written by the steps of the weights (geometry.c).
 */
#include "worker/measure/coords.h"
#include "worker/measure/gauge.h"
#include "worker/measure/weights.h"

#include <stdlib.h>
#include <string.h>

struct place {
    struct table table;
    struct coords *coords;
};

static int open_coords(void **state, const struct view *v, struct err *e)
{
    struct place *p = *state = calloc(1, sizeof *p);
    if (!p) return err_set(e, E_NOMEM, "coordinates: no memory");
    int rc = table_open(&p->table, v->params, (size_t)v->settings->snapshots, v->task, e);
    if (rc == OK) rc = coords_open(&p->coords, &p->table, v->model, e);
    int64_t kept = v->settings->predictions;
    return rc == OK && kept > 0 ? coords_keep(p->coords, kept, e) : rc;
}

static void close_coords(void *state)
{
    struct place *p = state;
    if (!p) return;
    coords_close(&p->coords);
    table_close(&p->table);
    free(p);
}

static int read_coords(void *state, const struct view *v, struct row *row, struct err *e)
{
    struct place *p = state;
    (void)e;
    coords_read(p->coords, v->model, v->logits, v->epoch, row);
    return OK;
}

static int save_coords(const void *state, const struct view *v, struct safetensors *s,
                       struct err *e)
{
    const struct place *p = state;
    struct coords_history h = coords_so_far(p->coords);
    size_t one = 1, parts = TABLE_PARTS;
    int rc = safetensors_add(s, "measure.start_epoch", ST_I64, 1, &one, &h.start_epoch, e);
    if (rc == OK) rc = weights_save(v->model, h.start, "measure.start", s, e);
    if (rc == OK) rc = safetensors_add(s, "measure.arc_length", ST_F64, 1, &parts, h.length, e);
    return rc;
}

static int load_numbers(struct coords_history *h, const struct safetensors *s, struct err *e)
{
    size_t one = 1, two = 2, parts = TABLE_PARTS;
    int64_t epochs[2];
    const struct safetensors_entry *start, *road, *length;
    int rc = safetensors_expect(s, "measure.epochs", ST_I64, 1, &two, &road, e);
    if (rc == OK) rc = safetensors_expect(s, "measure.start_epoch", ST_I64, 1, &one, &start, e);
    if (rc == OK) rc = safetensors_expect(s, "measure.arc_length", ST_F64, 1, &parts, &length, e);
    if (rc < 0) return rc;
    memcpy(&h->start_epoch, safetensors_data(s, start), sizeof h->start_epoch);
    memcpy(epochs, safetensors_data(s, road), sizeof epochs);
    memcpy(h->length, safetensors_data(s, length), sizeof h->length);
    h->before_epoch = epochs[0];
    h->here_epoch = epochs[1];
    return OK;
}

static int load_coords(void *state, const struct view *v, const struct safetensors *s,
                       struct err *e)
{
    struct place *p = state;
    struct coords_history h;
    size_t size = v->model->size;
    int rc = load_numbers(&h, s, e);
    if (rc < 0) return rc;
    float *block = vec_alloc(3 * size); /* size is a multiple of a vector: all three are aligned */
    if (!block) return err_set(e, E_NOMEM, "coordinates: no memory");
    h.start = block, h.before = block + size, h.here = block + 2 * size;
    rc = weights_load(v->model, block, "measure.start", s, e);
    if (rc == OK) rc = weights_load(v->model, block + size, "measure.before", s, e);
    if (rc == OK) rc = weights_load(v->model, block + 2 * size, "measure.here", s, e);
    if (rc == OK) rc = coords_recall(p->coords, v->model, &h, e);
    free(block);
    return rc;
}

const struct gauge gauge_coords = {.name = "coordinates",
                                   .fits = view_softmax,
                                   .open = open_coords,
                                   .read = read_coords,
                                   .close = close_coords,
                                   .save = save_coords,
                                   .load = load_coords};
