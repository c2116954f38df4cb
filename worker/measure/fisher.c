// SPDX-License-Identifier: MIT
/* fisher: finds the form that fits a network, once. */
#include "worker/measure/fisher.h"

#include "worker/measure/fisher_form.h"

#include <string.h>

static const struct fisher_form *const forms[] = {&fisher_two_hot, &fisher_backward};
#define FORMS (sizeof forms / sizeof *forms)

static const struct fisher_form *form_of(const struct model *m)
{
    for (size_t i = 0; i < FORMS; i++)
        if (forms[i]->fits(m)) return forms[i];
    return NULL;
}

bool fisher_fits(const struct model *m, enum fisher_variant variant)
{
    return form_of(m) && (variant == FISHER_REGRESSION || m->loss == LOSS_CROSS_ENTROPY);
}

int fisher_open(struct fisher *f, const struct model *m, size_t samples, struct err *e)
{
    *f = (struct fisher){.samples = samples, .form = form_of(m)};
    if (!f->form)
        return err_set(
            e, E_STATE,
            "Fisher information: a two-hot input with one hidden and one dense layer, or "
            "convolutions and dense layers to two classes, are what it can do");
    return f->form->open(&f->state, m, e);
}

void fisher_close(struct fisher *f)
{
    if (f->form) f->form->close(f->state);
    *f = (struct fisher){0};
}

void fisher_diagonal(struct fisher *f, const struct model *m, const struct dataset *set,
                     enum fisher_variant variant, struct logits *known, float *diagonal)
{
    size_t samples = f->samples && f->samples < set->count ? f->samples : set->count;
    memset(diagonal, 0, m->size * sizeof *diagonal);
    if (samples) f->form->diagonal(f->state, m, set, samples, variant, known, diagonal);
}
