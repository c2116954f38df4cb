// SPDX-License-Identifier: MIT
/* wire_sketch: sketches, evaluations and predictions of an epoch's message. */
#include "proto/wire_sketch.h"

#include "common/hash.h"
#include "proto/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS_LIMIT  1024 /* inputs whose predictions an epoch may hold */
#define CLASSES_LIMIT 4096

/* Blocks of the C library are aligned for any type. */
static const float *sketch_of(const ProtobufCBinaryData *bytes)
{
    return (const float *)(const void *)bytes->data;
}

static bool sketch_ok(const ProtobufCBinaryData *bytes)
{
    if (bytes->len != SKETCH_ROWS * sizeof(float)) return false;
    for (size_t i = 0; i < SKETCH_ROWS; i++)
        if (!isfinite(sketch_of(bytes)[i])) return false;
    return true;
}

static const char *evaluation_fault(const Grokd__Evaluation *m)
{
    if (strlen(m->hash) != HASH_HEX - 1 || strspn(m->hash, "0123456789abcdef") != HASH_HEX - 1)
        return "an evaluation whose hash is none";
    if (m->samples < 1 || m->classes < 1) return "an evaluation without samples or classes";
    return sketch_ok(&m->ignorance) && sketch_ok(&m->truth) ? NULL : "a landmark that is no sketch";
}

static const char *predictions_fault(const Grokd__Predictions *m)
{
    size_t count = m->inputs.len / sizeof(int32_t);
    if (count < 1 || count > INPUTS_LIMIT || m->inputs.len != count * sizeof(int32_t) ||
        m->labels.len != m->inputs.len || m->classes < 1 || m->classes > CLASSES_LIMIT ||
        m->roots.len != count * m->classes * sizeof(uint16_t))
        return "predictions that do not fit together";
    return NULL;
}

const char *wire_sketch_fault(const Grokd__Epoch *m)
{
    if (m->has_sketch && !sketch_ok(&m->sketch)) return "a sketch that is none";
    const char *fault = m->evaluation ? evaluation_fault(m->evaluation) : NULL;
    return fault || !m->predictions ? fault : predictions_fault(m->predictions);
}

static bool fill_bytes(ProtobufCBinaryData *to, const void *from, size_t bytes)
{
    to->len = bytes;
    to->data = malloc(bytes);
    if (to->data) memcpy(to->data, from, bytes);
    return to->data != NULL;
}

static bool fill_sketch(ProtobufCBinaryData *to, const float *sketch)
{
    return fill_bytes(to, sketch, SKETCH_ROWS * sizeof *sketch);
}

static bool fill_evaluation(Grokd__Epoch *m, const struct evaluation *v)
{
    Grokd__Evaluation *to = m->evaluation = malloc(sizeof *to);
    if (!to) return false;
    grokd__evaluation__init(to);
    to->hash = strdup(v->hash);
    to->samples = v->samples;
    to->classes = v->classes;
    return to->hash && fill_sketch(&to->ignorance, v->ignorance) &&
           fill_sketch(&to->truth, v->truth);
}

static bool fill_predictions(Grokd__Epoch *m, const struct row_predictions *p)
{
    Grokd__Predictions *to = m->predictions = malloc(sizeof *to);
    if (!to) return false;
    grokd__predictions__init(to);
    to->classes = p->classes;
    return fill_bytes(&to->inputs, p->input, p->count * sizeof *p->input) &&
           fill_bytes(&to->labels, p->label, p->count * sizeof *p->label) &&
           fill_bytes(&to->roots, p->root, (size_t)p->count * p->classes * sizeof *p->root);
}

bool wire_sketch_fill(Grokd__Epoch *m, const struct row *r)
{
    m->has_sketch = r->sketch != NULL;
    return (!r->sketch || fill_sketch(&m->sketch, r->sketch)) &&
           (!r->evaluation.hash || fill_evaluation(m, &r->evaluation)) &&
           (!r->predictions.count || fill_predictions(m, &r->predictions));
}

void wire_sketch_row(const Grokd__Epoch *m, struct row *r)
{
    r->sketch = m->has_sketch ? sketch_of(&m->sketch) : NULL;
    const Grokd__Evaluation *v = m->evaluation;
    if (v)
        r->evaluation = (struct evaluation){v->hash, v->samples, v->classes,
                                            sketch_of(&v->ignorance), sketch_of(&v->truth)};
    const Grokd__Predictions *p = m->predictions;
    if (p)
        r->predictions =
            (struct row_predictions){.count = (uint32_t)(p->inputs.len / sizeof(int32_t)),
                                     .classes = p->classes,
                                     .input = (const int32_t *)(const void *)p->inputs.data,
                                     .label = (const int32_t *)(const void *)p->labels.data,
                                     .root = (const uint16_t *)(const void *)p->roots.data};
}
