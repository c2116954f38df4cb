// SPDX-License-Identifier: MIT
/* moments: how many points there are, their mean, and their scatter about it. */
#include "coordinator/moments.h"

#include "coordinator/linear.h"

#include <math.h>
#include <stdlib.h>

int moments_open(struct moments *m, int size, struct err *e)
{
    size_t n = (size_t)size;
    *m = (struct moments){.size = size,
                          .mean = calloc(n, sizeof(double)),
                          .scatter = calloc(n * n, sizeof(double)),
                          .block = malloc((MOMENTS_BLOCK + 1) * n * sizeof(double))};
    if (m->mean && m->scatter && m->block) return OK;
    moments_close(m);
    return err_set(e, E_NOMEM, "no memory for the moments of %d numbers", size);
}

void moments_close(struct moments *m)
{
    free(m->mean);
    free(m->scatter);
    free(m->block);
    *m = (struct moments){0};
}

void moments_add(struct moments *m, const float *x)
{
    double *to = m->block + (size_t)m->held * (size_t)m->size;
    for (int i = 0; i < m->size; i++) to[i] = x[i];
    if (++m->held == MOMENTS_BLOCK) moments_flush(m);
}

/* Of column i of the block: its mean. The column becomes what is left. */
static double centre(struct moments *m, int i)
{
    size_t n = (size_t)m->size;
    double sum = 0, *x = m->block + i;
    for (int k = 0; k < m->held; k++) sum += x[(size_t)k * n];
    for (int k = 0; k < m->held; k++) x[(size_t)k * n] -= sum / m->held;
    return sum / m->held;
}

/* The difference of the means is one more row of the block, times sqrt(n_a n_b / (n_a + n_b)). */
void moments_flush(struct moments *m)
{
    double a = (double)m->count, b = m->held, root = sqrt(a * b / (a + b));
    double *last = m->block + (size_t)m->held * (size_t)m->size;
    if (m->held == 0) return;
    for (int i = 0; i < m->size; i++) {
        double d = centre(m, i) - m->mean[i];
        last[i] = root * d;
        m->mean[i] += d * b / (a + b);
    }
    linear_gram(m->scatter, m->block, m->held + 1, m->size);
    m->count += m->held;
    m->held = 0;
}

void moments_merge(struct moments *m, const struct moments *other)
{
    size_t n = (size_t)m->size;
    moments_flush(m);
    double a = (double)m->count, b = (double)other->count;
    if (other->count == 0) return;
    double *d = m->block; /* nothing waits there */
    for (size_t i = 0; i < n; i++) d[i] = other->mean[i] - m->mean[i];
    for (size_t i = 0; i < n; i++)
        for (size_t k = i; k < n; k++)
            m->scatter[i * n + k] += other->scatter[i * n + k] + d[i] * d[k] * (a * b / (a + b));
    for (size_t i = 0; i < n; i++) m->mean[i] += d[i] * b / (a + b);
    m->count += other->count;
}
