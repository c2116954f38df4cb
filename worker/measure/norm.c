// SPDX-License-Identifier: MIT
/* norm: the Euclidean norm of all parameters, biases included; the sum in double.
 *
 *   weight_norm = sqrt(sum over j of theta_j^2)
 *
 * Cost: one pass over the parameters. Padding is zero and adds nothing.
 */
#include "worker/measure/gauge.h"

#include <math.h>

static int read_norm(void *state, const struct view *v, struct row *row, struct err *e)
{
    (void)state;
    (void)e;
    const float *theta = v->model->theta;
    row->value[METRIC_weight_norm] = sqrt(vec->dot(theta, theta, v->model->size));
    return OK;
}

const struct gauge gauge_norm = {.name = "norm", .read = read_norm};
