// SPDX-License-Identifier: MIT
/* map: a cloud of sketches in three coordinates: its principal components, with anchors. */
#include "coordinator/map.h"

#include "coordinator/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SQUARE                                                                                     \
    1e-9 /* cosine with ignorance -> truth below which an axis has no direction of it              \
          */

const char *const map_anchor_names[MAP_ANCHORS] = {
    [MAP_IGNORANCE] = "ignorance",
    [MAP_GEODESIC_25] = "geodesic .25",
    [MAP_GEODESIC_50] = "geodesic .50",
    [MAP_GEODESIC_75] = "geodesic .75",
    [MAP_TRUTH] = "truth",
};

void map_close(struct map *m)
{
    free(m->middle);
    free(m->axes);
    *m = (struct map){0};
}

/* Point `which` of the geodesic, in quarters. */
static void anchor(float *y, const struct map_ends *ends, int which, int size)
{
    double g = acos(1 / sqrt(ends->classes)), s = which / (double)(MAP_ANCHORS - 1);
    double from = sin((1 - s) * g) / sin(g), to = sin(s * g) / sin(g);
    for (int i = 0; i < size; i++)
        y[i] = (float)(from * (double)ends->ignorance[i] + to * (double)ends->truth[i]);
}

static double dot(const double *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * (double)b[i];
    return sum;
}

/* +1 or -1: what an axis is to be multiplied with. */
static double sign_of(const double *axis, const struct map_ends *ends, int size)
{
    double along = dot(axis, ends->truth, size) - dot(axis, ends->ignorance, size), length = 0;
    int most = 0;
    for (int i = 0; i < size; i++) {
        double d = (double)ends->truth[i] - (double)ends->ignorance[i];
        length += d * d;
        if (fabs(axis[i]) > fabs(axis[most])) most = i;
    }
    if (fabs(along) < SQUARE * sqrt(length)) along = axis[most];
    return along < 0 ? -1 : 1;
}

/* Eigenvectors of the scatter; it is destroyed. */
static int find_axes(struct map *m, struct moments *all, const struct map_ends *ends, struct err *e)
{
    double values[MAP_AXES], total = 0, kept = 0;
    size_t n = (size_t)m->size;
    for (size_t i = 0; i < n; i++) total += all->scatter[i * n + i];
    if (!isfinite(total)) return err_set(e, E_STATE, "a sketch has numbers that are not finite");
    int rc = linear_top(all->scatter, m->size, MAP_AXES, values, m->axes, e);
    for (size_t k = 0; k < MAP_AXES && rc == OK; k++) {
        double *axis = m->axes + k * n, sign = sign_of(axis, ends, m->size);
        for (size_t i = 0; i < n; i++) axis[i] *= sign;
        kept += fmax(0, values[k]);
        m->kept[k] = total > 0 ? fmin(1, kept / total) : NAN;
    }
    m->variance = total / (double)all->count;
    return rc;
}

/* Moments of the cloud and its anchors; the cloud itself stays as it is. */
static int with_anchors(struct moments *all, const struct moments *cloud,
                        const struct map_ends *ends, float *y, struct err *e)
{
    int rc = moments_open(all, cloud->size, e);
    if (rc < 0) return rc;
    for (int i = 0; i < MAP_ANCHORS; i++) {
        anchor(y, ends, i, cloud->size);
        moments_add(all, y);
    }
    moments_merge(all, cloud);
    return OK;
}

int map_make(struct map *out, struct moments *cloud, const struct map_ends *ends, struct err *e)
{
    struct moments all = {0};
    size_t n = (size_t)cloud->size;
    *out = (struct map){.size = cloud->size};
    if (cloud->size < MAP_AXES || ends->classes < 2)
        return err_set(e, E_STATE, "no map of sketches of %d numbers, %d classes", cloud->size,
                       ends->classes);
    moments_flush(cloud);
    out->points = cloud->count;
    out->middle = malloc(n * sizeof(double));
    out->axes = malloc(MAP_AXES * n * sizeof(double));
    float *y = malloc(n * sizeof *y);
    int rc = out->middle && out->axes && y ? with_anchors(&all, cloud, ends, y, e)
                                           : err_set(e, E_NOMEM, "no memory for a map");
    if (rc == OK) {
        memcpy(out->middle, all.mean, n * sizeof(double));
        rc = find_axes(out, &all, ends, e);
    }
    for (int i = 0; i < MAP_ANCHORS && rc == OK; i++) {
        anchor(y, ends, i, cloud->size);
        map_place(out, y, out->anchors[i]);
    }
    moments_close(&all);
    free(y);
    return rc;
}

void map_place(const struct map *m, const float *y, double x[MAP_AXES])
{
    size_t n = (size_t)m->size;
    for (size_t k = 0; k < MAP_AXES; k++) {
        const double *axis = m->axes + k * n;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += axis[i] * ((double)y[i] - m->middle[i]);
        x[k] = sum;
    }
}
