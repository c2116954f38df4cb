// SPDX-License-Identifier: MIT
/* Where models stand between ignorance and truth: known points, known constants, and the twin. */
#include "tests/test.h"

#include "tests/ref/ref_coords.h"
#include "worker/measure/landmark.h"
#include "worker/num/vec.h"

#include <math.h>
#include <stdlib.h>

enum { N = 30 };

/* Values of roots psi [n][C] with labels. */
static struct landmark_values values_of(const double *psi, const int32_t *label, size_t n, size_t C)
{
    struct landmark l;
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    assert_int_equal(landmark_open(&l, n, C, &e), OK);
    for (size_t x = 0; x < n; x++) {
        for (size_t c = 0; c < C; c++) {
            double flat = psi[x * C + c] - 1 / sqrt((double)C);
            double sure = psi[x * C + c] - ((int32_t)c == label[x]);
            l.square[LANDMARK_IGNORANCE][x] += flat * flat;
            l.square[LANDMARK_TRUTH][x] += sure * sure;
        }
        l.own[x] = psi[x * C + (size_t)label[x]];
    }
    landmark_update(&l, n);
    struct landmark_values v = landmark_values(&l, 0, n);
    landmark_close(&l);
    return v;
}

/* The point at t of the geodesic, on N inputs. */
static struct landmark_values at_geodesic(double t, size_t C)
{
    double G = acos(1 / sqrt((double)C)), *psi = calloc(N * C, sizeof *psi);
    int32_t label[N];
    for (size_t x = 0; x < N; x++) {
        label[x] = (int32_t)(x * 7 % C);
        for (size_t c = 0; c < C; c++)
            psi[x * C + c] =
                (sin((1 - t) * G) / sqrt((double)C) + sin(t * G) * ((int32_t)c == label[x])) /
                sin(G);
    }
    struct landmark_values v = values_of(psi, label, N, C);
    free(psi);
    return v;
}

#define NEAR(a, b, tolerance)                                                                      \
    if (!(fabs((a) - (b)) <= (tolerance)))                                                         \
    fail_msg("%s: %.12g, expected %.12g", #a, (double)(a), (double)(b))

void test_the_distance_of_the_landmarks_is_known(void **state)
{
    (void)state;
    static const struct {
        size_t C;
        double distance, bhattacharyya, hellinger2;
    } known[] = {{113, 2.95316, 2.36369, 1.81186}, {2, 1.570796, 0.346574, 0.585786}};
    for (size_t i = 0; i < 2; i++) {
        struct landmark_values v = at_geodesic(0, known[i].C), w = at_geodesic(1, known[i].C);
        for (int k = 0; k < LANDMARKS; k++) {
            struct landmark_values *far = k == LANDMARK_TRUTH ? &v : &w;
            NEAR(far->distance[k], known[i].distance, 1e-5);
            NEAR(far->hellinger[k] * far->hellinger[k], known[i].hellinger2, 1e-5);
            NEAR(far->bhattacharyya[k], known[i].bhattacharyya, 1e-5);
            NEAR(far->distance[1 - k], 0, 1e-7);
            NEAR(far->overlap[1 - k], 1, 1e-15);
        }
        NEAR(v.progress, 0, 1e-12);
        NEAR(w.progress, 1, 1e-12);
        NEAR(v.progress_mao, 0, 1e-7);
        NEAR(w.progress_mao, 1, 1e-7);
    }
}

void test_the_middle_of_the_geodesic_is_halfway(void **state)
{
    (void)state;
    for (size_t C = 2; C < 200; C += 37)
        for (int i = 1; i < 10; i++) {
            struct landmark_values v = at_geodesic(i * 0.1, C);
            NEAR(v.progress, i * 0.1, 1e-12);
            NEAR(v.progress_mao, i * 0.1, 1e-7);
            NEAR(v.off_geodesic, 0, 1e-6);
        }
}

void test_who_is_certain_and_wrong_is_behind_ignorance(void **state)
{
    (void)state;
    double psi[N * 5] = {0};
    int32_t label[N];
    for (int x = 0; x < N; x++) {
        label[x] = x % 5;
        psi[x * 5 + (x + 1) % 5] = 1;
    }
    struct landmark_values v = values_of(psi, label, N, 5);
    double G = acos(1 / sqrt(5.0));
    NEAR(v.progress, (G - acos(0)) / G, 1e-12); /* arctan(-cot G) = G - pi/2 */
    NEAR(v.progress_mao, 0, 0);
    NEAR(v.off_geodesic, 2 * G, 1e-12);
    NEAR(v.distance[LANDMARK_TRUTH], acos(-1), 1e-12);
    NEAR(v.bhattacharyya[LANDMARK_TRUTH], 126 * log(2), 1e-12); /* of the least normal float */
}

/* Small distances keep their digits: an overlap of 1 - 1e-12 has the logarithm -1e-12. */
void test_a_model_next_to_truth_keeps_its_digits(void **state)
{
    (void)state;
    struct landmark l;
    struct err e;
    assert_int_equal(vec_open(&e), OK);
    assert_int_equal(landmark_open(&l, 1, 113, &e), OK);
    l.square[LANDMARK_TRUTH][0] = 2e-12;
    l.square[LANDMARK_IGNORANCE][0] = 1.8;
    l.own[0] = 1;
    landmark_update(&l, 1);
    struct landmark_values v = landmark_values(&l, 0, 1);
    NEAR(v.bhattacharyya[LANDMARK_TRUTH] * 1e12, 1.0, 1e-9);
    NEAR(v.distance[LANDMARK_TRUTH] * 1e6, 2 * sqrt(2), 1e-9);
    assert_true(isnan(landmark_values(&l, 0, 0).progress));
    assert_true(isnan(landmark_values(&l, 0, 0).distance[0]));
    landmark_close(&l);
}

void test_values_of_random_models_equal_their_twin(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (size_t C = 2; C < 30; C += 9)
        for (double width = 0.1; width < 10; width *= 3) {
            double *psi = calloc(N * C, sizeof *psi);
            int32_t label[N];
            for (size_t x = 0; x < N; x++) {
                double sum = 0;
                label[x] = (int32_t)((double)C * ref_uniform(&seed));
                for (size_t c = 0; c < C; c++) {
                    double f = width * (ref_normal(&seed) + ((int32_t)c == label[x]));
                    sum += psi[x * C + c] = exp(f);
                }
                for (size_t c = 0; c < C; c++) psi[x * C + c] = sqrt(psi[x * C + c] / sum);
            }
            struct landmark_values v = values_of(psi, label, N, C);
            struct ref_landmarks r = ref_landmarks(psi, label, N, C);
            for (int k = 0; k < LANDMARKS; k++) {
                NEAR(v.overlap[k], r.overlap[k], 1e-12);
                NEAR(v.bhattacharyya[k], r.bhattacharyya[k], 1e-12 * (1 + r.bhattacharyya[k]));
                NEAR(v.distance[k], r.distance[k], 1e-9);
                NEAR(v.hellinger[k], r.hellinger[k], 1e-12);
            }
            NEAR(v.progress, r.progress, 1e-12);
            /* on a circle the sum of an even number of arcs has an interval of least values */
            if (C > 2) NEAR(v.progress_mao, r.progress_mao, 1e-6);
            NEAR(v.off_geodesic, r.off_geodesic, 1e-10);
            free(psi);
        }
}
