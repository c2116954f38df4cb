// SPDX-License-Identifier: MIT
/* wire_sketch: what an epoch says of information space, to its message and back; part of wire. */
#ifndef GROKD_PROTO_WIRE_SKETCH_H
#define GROKD_PROTO_WIRE_SKETCH_H

#include "proto/wire.h"

/* What is wrong with it, as the end of "a message with ..."; NULL: nothing. */
const char *wire_sketch_fault(const Grokd__Epoch *m);

/* Copies sketch, evaluation and predictions of a row; false: no memory. */
bool wire_sketch_fill(Grokd__Epoch *m, const struct row *r);

/* The same back; lends. */
void wire_sketch_row(const Grokd__Epoch *m, struct row *r);

#endif
