// SPDX-License-Identifier: MIT
/* area: sums over intervals, and where the next points are worth most. */
#include "worker/measure/area.h"

#include <math.h>

static double rise(const struct area_point *right)
{
    return fmax(right[0].accuracy - right[-1].accuracy, 0);
}

/* What interval i, between the points i - 1 and i, has of the doubt. */
static double share(const struct area_point *point, size_t points, size_t i, double grain)
{
    double width = point[i].fraction - point[i - 1].fraction, unseen = rise(&point[i]);
    if (i > 1) unseen = fmax(unseen, rise(&point[i - 1]));
    if (i + 1 < points) unseen = fmax(unseen, rise(&point[i + 1]));
    return width * (fabs(point[i].accuracy - point[i - 1].accuracy) / 2 + unseen + grain * width);
}

struct area area_of_points(const struct area_point *point, size_t points, double grain)
{
    struct area a = {0, 0};
    for (size_t i = 1; i < points; i++) {
        a.area += (point[i].fraction - point[i - 1].fraction) *
                  (point[i - 1].accuracy + point[i].accuracy) / 2;
        a.doubt += share(point, points, i, grain);
    }
    return a;
}

struct area area_of_steps(const double *at, const int64_t *hits, size_t n, size_t samples)
{
    double sum = 0, from = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)hits[i] * (at[i] - from);
        from = at[i];
    }
    return (struct area){(sum + (double)hits[n] * (1 - from)) / (double)samples, 0};
}

double area_compressibility(struct area a)
{
    return a.area < 1 ? 1 / (1 - a.area) : NAN;
}

double area_bound(struct area a)
{
    double c = area_compressibility(a);
    return c * c * a.doubt;
}

/* Parts of an interval of a share, one part being worth `price` of doubt: m parts leave share/m,
 * and share/m + m price is least at m^2 = share/price. */
static double parts_of(double share_, double price, double width, double least)
{
    double parts = floor(sqrt(share_ / price) + 0.5);
    return fmax(1, fmin(parts, floor(width / least)));
}

static double cut(const struct area_point *point, size_t points, double grain, double price,
                  double least, double *added)
{
    double doubt = 0;
    *added = 0;
    for (size_t i = 1; i < points; i++) {
        double e = share(point, points, i, grain);
        double m = parts_of(e, price, point[i].fraction - point[i - 1].fraction, least);
        doubt += e / m;
        *added += m - 1;
    }
    return doubt;
}

size_t area_refine(const struct area_point *point, size_t points, double grain, double goal,
                   double least, size_t most, double *fraction)
{
    double added, dear = 1, cheap = 1e-18;
    size_t count = 0;
    /* The highest price that leaves little enough doubt, or cuts as often as it may. */
    for (int i = 0; i < 64; i++) {
        double price = sqrt(dear * cheap);
        double doubt = cut(point, points, grain, price, least, &added);
        if (doubt <= goal || added > (double)most)
            cheap = price;
        else
            dear = price;
    }
    for (size_t i = 1; i < points; i++) {
        double from = point[i - 1].fraction, width = point[i].fraction - from;
        double parts = parts_of(share(point, points, i, grain), cheap, width, least);
        for (double k = 1; k < parts && count < most; k++)
            fraction[count++] = from + width * k / parts;
    }
    return count;
}

void area_merge(struct area_point *point, size_t points, const struct area_point *add, size_t added)
{
    size_t to = points + added;
    while (added > 0) {
        if (points > 0 && point[points - 1].fraction > add[added - 1].fraction)
            point[--to] = point[--points];
        else
            point[--to] = add[--added];
    }
}
