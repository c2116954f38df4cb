// SPDX-License-Identifier: MIT
/* regression: the line through points (x, y) by least squares. */
#include "coordinator/regression.h"

#include <math.h>

#define CONFIDENCE 0.95

void regression_add(struct regression *r, double x, double y)
{
    double dx = x - r->mean_x, dy = y - r->mean_y;
    r->count++;
    r->mean_x += dx / (double)r->count;
    r->mean_y += dy / (double)r->count;
    r->sxx += dx * (x - r->mean_x);
    r->sxy += dx * (y - r->mean_y);
    r->syy += dy * (y - r->mean_y);
}

/* P(|T| < sqrt(freedom) tan(angle)). */
static double inside(double angle, int64_t freedom)
{
    double sine = sin(angle), cosine = cos(angle), square = cosine * cosine;
    int odd = freedom % 2 != 0;
    double term = odd ? cosine : 1, sum = 0;
    for (int64_t i = odd ? 1 : 0; i <= freedom - 2; i += 2) {
        sum += term;
        term *= square * (double)(i + 1) / (double)(i + 2);
    }
    return odd ? (angle + sine * sum) * M_2_PI : sine * sum;
}

double regression_student(double share, int64_t freedom)
{
    double low = 0, high = M_PI_2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (inside(middle, freedom) < share)
            low = middle;
        else
            high = middle;
    }
    return sqrt((double)freedom) * tan((low + high) / 2);
}

void regression_line(const struct regression *r, struct regression_line *out)
{
    *out = (struct regression_line){NAN, NAN, NAN, NAN, NAN};
    if (r->count < 2 || !(r->sxx > 0)) return;
    out->slope = r->sxy / r->sxx;
    out->intercept = r->mean_y - out->slope * r->mean_x;
    if (r->syy > 0) out->r2 = fmin(1, r->sxy * r->sxy / (r->sxx * r->syy));
    int64_t freedom = r->count - 2;
    if (freedom < 1) return;
    double rest = fmax(0, r->syy - r->sxy * r->sxy / r->sxx);
    double reach = regression_student(CONFIDENCE, freedom) * sqrt(rest / (double)freedom / r->sxx);
    out->slope_from = out->slope - reach;
    out->slope_to = out->slope + reach;
}
