// SPDX-License-Identifier: MIT
/* task_ising: snapshots of the Ising model, labelled by the phase of their temperature. */
#include "worker/train/ising.h"
#include "worker/train/task_sets.h"

#include <math.h>
#include <string.h>

#define TABLE_SEED 0x67726f6b64000002 /* "grokd", 2: of the snapshots that all models see */

/* Fills a set with snapshots first, first + 1, ...; index: which temperature a sample has. */
static int draw_set(struct dataset *d, const struct params *p, size_t count, uint32_t first,
                    int64_t (*index)(const struct params *, int64_t), struct err *e)
{
    const struct ising_rule rule = ising_rule(p);
    int rc = dataset_open(d, count, rule.side * rule.side, e);
    if (rc < 0) return rc;
    for (size_t s = 0; s < count; s++) {
        int64_t j = index(p, (int64_t)s);
        d->temperature[s] = ising_temperature(p->temperatures, p->temperature_halfwidth, j);
        d->label[s] = 2 * j > p->temperatures - 1; /* above the middle, which is Tc */
    }
    return ising_snapshots(&rule, first, count, d->temperature, d->spin, e);
}

static int draw(struct task *t, const struct params *p, struct err *e)
{
    size_t train = (size_t)p->train_size, test = (size_t)p->test_size;
    int rc = draw_set(&t->test, p, test, 0, ising_test_index, e);
    return rc < 0 ? rc : draw_set(&t->train, p, train, (uint32_t)test, ising_train_index, e);
}

static int table(struct dataset *d, const struct params *p, size_t snapshots, struct err *e)
{
    struct params own;
    params_of_task(&own, TASK_ISING);
    own.lattice = p->lattice;
    own.data_seed = TABLE_SEED;
    return draw_set(d, &own, snapshots, 0, ising_test_index, e);
}

static bool same(const struct params *p, const struct params *q)
{
    return p->data_seed == q->data_seed && p->train_size == q->train_size &&
           p->test_size == q->test_size && p->balance == q->balance && p->lattice == q->lattice &&
           p->glauber_update == q->glauber_update && p->glauber_sweeps == q->glauber_sweeps &&
           p->temperatures == q->temperatures &&
           p->temperature_halfwidth == q->temperature_halfwidth;
}

/* ---- files -------------------------------------------------------------------------------------
 */

struct names {
    const char *spins, *labels, *temperatures;
};

static const struct names train_names = {"train_spins", "train_labels", "train_temperatures"};
static const struct names test_names = {"test_spins", "test_labels", "test_temperatures"};

/* Element i of an entry of whole numbers. */
static int64_t whole(const struct safetensors *s, const struct safetensors_entry *entry, size_t i)
{
    const char *bytes = safetensors_data(s, entry);
    int64_t wide;
    int32_t middle;
    switch (entry->type) {
    case ST_I64: memcpy(&wide, bytes + i * sizeof wide, sizeof wide); return wide;
    case ST_I32: memcpy(&middle, bytes + i * sizeof middle, sizeof middle); return middle;
    case ST_U8: return (unsigned char)bytes[i];
    default: return (signed char)bytes[i];
    }
}

static int load_spins(struct dataset *d, const struct safetensors *s,
                      const struct safetensors_entry *entry, struct err *e)
{
    memcpy(d->spin, safetensors_data(s, entry), entry->count);
    for (size_t i = 0; i < entry->count; i++)
        if (d->spin[i] != 1 && d->spin[i] != -1)
            return err_set(e, E_FILE, "%s[%zu][%zu] is %d: expected 1 or -1", entry->name,
                           i / d->sites, i % d->sites, d->spin[i]);
    return OK;
}

static int load_labels(struct dataset *d, const struct safetensors *s, const char *name,
                       struct err *e)
{
    const struct safetensors_entry *entry = safetensors_find(s, name);
    if (!entry || entry->type == ST_F32 || entry->type == ST_F64 || entry->rank != 1 ||
        entry->count != d->count)
        return err_set(e, E_FILE, "%s: expected whole numbers of shape [%zu]", name, d->count);
    for (size_t i = 0; i < d->count; i++) {
        int64_t label = whole(s, entry, i);
        if (label != 0 && label != 1)
            return err_set(e, E_FILE, "%s[%zu] is %lld: expected 0 or 1", name, i,
                           (long long)label);
        d->label[i] = (int32_t)label;
    }
    return OK;
}

static int load_temperatures(struct dataset *d, const struct safetensors *s, const char *name,
                             struct err *e)
{
    const struct safetensors_entry *entry = safetensors_find(s, name);
    for (size_t i = 0; i < d->count; i++) d->temperature[i] = NAN;
    if (!entry) return OK;
    if ((entry->type != ST_F32 && entry->type != ST_F64) || entry->rank != 1 ||
        entry->count != d->count)
        return err_set(e, E_FILE, "%s: expected F32 or F64 of shape [%zu]", name, d->count);
    for (size_t i = 0; i < d->count; i++) d->temperature[i] = safetensors_real(s, entry, i);
    return OK;
}

static int load_set(struct dataset *d, size_t sites, const struct safetensors *s,
                    const struct names *names, struct err *e)
{
    const struct safetensors_entry *entry = safetensors_find(s, names->spins);
    if (!entry || entry->type != ST_I8 || entry->rank != 2 || entry->shape[1] != sites)
        return err_set(e, E_FILE, "%s: expected an I8 array of shape [N,%zu]", names->spins, sites);
    int rc = dataset_open(d, entry->shape[0], sites, e);
    if (rc == OK) rc = load_spins(d, s, entry, e);
    if (rc == OK) rc = load_labels(d, s, names->labels, e);
    return rc == OK ? load_temperatures(d, s, names->temperatures, e) : rc;
}

static int load(struct task *t, const struct safetensors *s, struct err *e)
{
    size_t sites = t->lattice * t->lattice;
    int rc = load_set(&t->train, sites, s, &train_names, e);
    return rc < 0 ? rc : load_set(&t->test, sites, s, &test_names, e);
}

static int save_set(const struct dataset *d, struct safetensors *s, const struct names *names,
                    struct err *e)
{
    const size_t shape[] = {d->count, d->sites};
    int rc = safetensors_add(s, names->spins, ST_I8, 2, shape, d->spin, e);
    if (rc == OK) rc = safetensors_add(s, names->labels, ST_I32, 1, shape, d->label, e);
    if (rc == OK) rc = safetensors_add(s, names->temperatures, ST_F64, 1, shape, d->temperature, e);
    return rc;
}

static int save(const struct task *t, struct safetensors *s, struct err *e)
{
    int rc = save_set(&t->train, s, &train_names, e);
    return rc < 0 ? rc : save_set(&t->test, s, &test_names, e);
}

const struct task_kind task_ising = {
    .draw = draw, .load = load, .save = save, .table = table, .same = same};
