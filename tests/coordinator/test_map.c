// SPDX-License-Identifier: MIT
/* Tests of the map: clouds whose shape is known, the distances themselves, power iteration, and the
 * conventions of its anchors and signs. */
#include "coordinator/map.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 24, CLASSES = 5 };

/* Ends with the overlap 1/sqrt(classes) of a uniform and a one-hot distribution. */
static void make_ends(float ignorance[SIZE], float truth[SIZE])
{
    double overlap = 1 / sqrt(CLASSES);
    memset(ignorance, 0, SIZE * sizeof(float));
    memset(truth, 0, SIZE * sizeof(float));
    ignorance[3] = 1;
    truth[3] = (float)overlap;
    truth[8] = (float)-sqrt(1 - overlap * overlap);
}

static const struct map_ends *ends(void)
{
    static float ignorance[SIZE], truth[SIZE];
    static const struct map_ends it = {ignorance, truth, CLASSES};
    make_ends(ignorance, truth);
    return &it;
}

static void make(struct map *map, struct moments *cloud, int (*point)(float *, int), int count)
{
    struct err e = {0};
    float x[SIZE];
    assert_int_equal(moments_open(cloud, SIZE, &e), OK);
    for (int i = 0; i < count; i++) point(x, i), moments_add(cloud, x);
    if (map_make(map, cloud, ends(), &e) < 0) fail_msg("%s", e.text);
    assert_int_equal(map->points, count);
}

static double distance(const double *a, const double *b)
{
    double sum = 0;
    for (int k = 0; k < MAP_AXES; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sqrt(sum);
}

static double distance_of_sketches(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* In the plane of the anchors, and along one direction square to it. */
static int flat(float *x, int which)
{
    for (int i = 0; i < SIZE; i++) x[i] = 0;
    x[3] = (float)(0.6 + 0.3 * sin(which));
    x[8] = (float)(-0.4 + 0.3 * cos(3.0 * which));
    x[11] = x[20] = (float)(0.1 * sin(2.0 * which + 1));
    return 0;
}

static int round_cloud(float *x, int which)
{
    for (int i = 0; i < SIZE; i++) x[i] = (float)(sin(which * (i + 1.7) + i) / (1 + i * 5 % SIZE));
    return 0;
}

/* Three dimensions lose nothing: the map's distances are those of the sketches. */
void test_a_cloud_of_three_dimensions_keeps_every_distance(void **state)
{
    (void)state;
    struct map map;
    struct moments cloud;
    float a[SIZE], b[SIZE];
    double x[MAP_AXES], y[MAP_AXES];
    make(&map, &cloud, flat, 200);
    assert_true(map.kept[2] > 1 - 1e-12 && map.kept[0] < map.kept[1] && map.kept[1] < map.kept[2]);
    for (int i = 0; i < 20; i++) {
        flat(a, i), flat(b, 7 * i + 3);
        map_place(&map, a, x), map_place(&map, b, y);
        if (fabs(distance(x, y) - distance_of_sketches(a, b)) > 1e-6)
            fail_msg("%g, not %g", distance(x, y), distance_of_sketches(a, b));
    }
    map_close(&map);
    moments_close(&cloud);
}

/* The scatter of all points times v, without the scatter. */
static void times_scatter(double *out, const double *v, const struct map *map, int count)
{
    float x[SIZE + 1];
    double c[SIZE];
    memset(out, 0, SIZE * sizeof *out);
    for (int p = 0; p < count + MAP_ANCHORS; p++) {
        double s = (p - count) / 4.0, g = acos(1 / sqrt(CLASSES)), along = 0;
        if (p < count)
            round_cloud(x, p);
        else
            for (int i = 0; i < SIZE; i++)
                x[i] = (float)((sin((1 - s) * g) * (double)ends()->ignorance[i] +
                                sin(s * g) * (double)ends()->truth[i]) /
                               sin(g));
        for (int i = 0; i < SIZE; i++) c[i] = (double)x[i] - map->middle[i], along += c[i] * v[i];
        for (int i = 0; i < SIZE; i++) out[i] += along * c[i];
    }
}

static double normalise(double *v)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += v[i] * v[i];
    for (int i = 0; i < SIZE; i++) v[i] /= sqrt(sum);
    return sqrt(sum);
}

/* Power iteration, what was found before taken out each time. */
void test_axes_are_those_of_power_iteration(void **state)
{
    (void)state;
    enum { COUNT = 150 };
    struct map map;
    struct moments cloud;
    double found[MAP_AXES][SIZE], next[SIZE], kept = 0;
    make(&map, &cloud, round_cloud, COUNT);
    for (int k = 0; k < MAP_AXES; k++) {
        double value = 0, *v = found[k], along = 0;
        for (int i = 0; i < SIZE; i++) v[i] = 1 + i % 3;
        for (int step = 0; step < 150; step++) {
            for (int j = 0; j < k; j++) {
                double c = 0;
                for (int i = 0; i < SIZE; i++) c += v[i] * found[j][i];
                for (int i = 0; i < SIZE; i++) v[i] -= c * found[j][i];
            }
            normalise(v);
            times_scatter(next, v, &map, COUNT);
            memcpy(v, next, sizeof next);
            value = normalise(v);
        }
        for (int i = 0; i < SIZE; i++) along += v[i] * map.axes[k * SIZE + i];
        if (fabs(fabs(along) - 1) > 1e-6) fail_msg("axis %d: cosine %.12g", k, along);
        kept += value / (map.variance * (COUNT + MAP_ANCHORS));
        if (fabs(kept - map.kept[k]) > 1e-9) fail_msg("kept %.12g, not %.12g", map.kept[k], kept);
    }
    map_close(&map);
    moments_close(&cloud);
}

void test_truth_lies_ahead_of_ignorance_on_every_axis(void **state)
{
    (void)state;
    struct map map;
    struct moments cloud;
    make(&map, &cloud, round_cloud, 90);
    for (int k = 0; k < MAP_AXES; k++)
        assert_true(map.anchors[MAP_TRUTH][k] > map.anchors[MAP_IGNORANCE][k]);
    map_close(&map);
    moments_close(&cloud);
}

/* Two directions square to ignorance -> truth: their greatest component decides. */
static int aside(float *x, int which)
{
    memset(x, 0, SIZE * sizeof *x);
    x[5] = (float)(which % 2 ? 3 : -3);
    x[14] = which % 2 ? -4 : 4;
    return 0;
}

void test_an_axis_square_to_the_anchors_has_its_greatest_component_positive(void **state)
{
    (void)state;
    struct map map;
    struct moments cloud;
    make(&map, &cloud, aside, 60);
    assert_true(fabs(map.axes[14] - 0.8) < 1e-9 && fabs(map.axes[5] + 0.6) < 1e-9);
    map_close(&map);
    moments_close(&cloud);
}

/* A map of no sketches is one of the anchors: an arc, symmetric about its middle. */
void test_the_anchors_stand_on_their_geodesic(void **state)
{
    (void)state;
    struct map map;
    struct moments cloud;
    double step = 2 * sin(acos(1 / sqrt(CLASSES)) / 8);
    make(&map, &cloud, flat, 0);
    assert_true(map.kept[1] > 1 - 1e-9); /* an arc is flat */
    for (int i = 0; i + 1 < MAP_ANCHORS; i++)
        if (fabs(distance(map.anchors[i], map.anchors[i + 1]) - step) > 1e-6)
            fail_msg("chord %d is %g, not %g", i, distance(map.anchors[i], map.anchors[i + 1]),
                     step);
    assert_true(fabs(map.anchors[MAP_TRUTH][0] + map.anchors[MAP_IGNORANCE][0]) < 1e-6);
    map_close(&map);
    moments_close(&cloud);
}

void test_the_cloud_stays_as_it_is_and_the_same_map_comes_again(void **state)
{
    (void)state;
    struct map one, two;
    struct moments cloud;
    struct err e;
    make(&one, &cloud, round_cloud, 130);
    assert_int_equal(map_make(&two, &cloud, ends(), &e), OK);
    assert_int_equal(cloud.count, 130);
    assert_memory_equal(one.axes, two.axes, MAP_AXES * SIZE * sizeof(double));
    assert_memory_equal(one.anchors, two.anchors, sizeof one.anchors);
    map_close(&one);
    map_close(&two);
    moments_close(&cloud);
}

void test_what_makes_no_map_is_refused(void **state)
{
    (void)state;
    struct map map;
    struct moments cloud;
    struct err e;
    float x[SIZE] = {NAN};
    assert_int_equal(moments_open(&cloud, SIZE, &e), OK);
    moments_add(&cloud, x);
    assert_int_equal(map_make(&map, &cloud, ends(), &e), E_STATE);
    map_close(&map);
    moments_close(&cloud);
    assert_int_equal(moments_open(&cloud, 2, &e), OK);
    assert_int_equal(map_make(&map, &cloud, ends(), &e), E_STATE);
    map_close(&map);
    moments_close(&cloud);
}
