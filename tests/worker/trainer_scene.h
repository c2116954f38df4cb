// SPDX-License-Identifier: MIT
/* trainer_scene: small runs for the tests of layers, optimizer and trainer. */
#ifndef GROKD_TESTS_TRAINER_SCENE_H
#define GROKD_TESTS_TRAINER_SCENE_H

#include "proto/param.h"
#include "worker/train/model.h"
#include "worker/train/task.h"

/* The defaults with "name=value" texts on top, ended by NULL; resolved. Fails the test otherwise.
 */
struct params scene_params(const char *const settings[]);

/* Task, model with drawn weights, workspace and gradient of such parameters. */
struct scene {
    struct params p;
    struct task task;
    struct model model;
    struct workspace work;
    struct gradient gradient;
};
void scene_open(struct scene *s, const char *const settings[]);
void scene_open_params(struct scene *s, const struct params *p); /* resolved */
void scene_close(struct scene *s);

/* A block laid out as theta, in state-dict order and in double. Gives. */
double *scene_flat(const struct model *m, const float *block);

#endif
