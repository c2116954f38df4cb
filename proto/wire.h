// SPDX-License-Identifier: MIT
/* wire: envelopes to bytes and back. Nothing that arrives is believed before wire_unpack has
 * checked it: size, version, memory it takes, exact length, text that is UTF-8 without control
 * characters and of bounded length, as many values as ids, rising epochs, no value or pruning point
 * twice, no more holdings and kernels than a worker can have.
 */
#ifndef GROKD_PROTO_WIRE_H
#define GROKD_PROTO_WIRE_H

#include "common/err.h"
#include "proto/grokd.pb-c.h"
#include "proto/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAJOR 1
#define WIRE_LIMIT (16u << 20) /* bytes of the largest message */
#define WIRE_SMALL (1u << 20)  /* most that a message about one epoch holds beside its files */
#define WIRE_PART  (1u << 20)  /* bytes of a file in one Part */
#define WIRE_FILE  (1u << 30)  /* bytes of the largest file that comes in parts */
#define WIRE_LOG   (1u << 20)  /* bytes of the longest log of a run */
#define WIRE_NAME  256         /* bytes of a name, host, reason; sweep files may be longer */

typedef Grokd__Envelope wire_envelope;

/* Encodes; *bytes is the caller's to free (gives). */
int wire_pack(const wire_envelope *m, uint8_t **bytes, size_t *size, struct err *e);

/* Decodes and checks; the envelope is the caller's to wire_free (gives). E_PROTO on anything odd,
 * E_NOMEM. */
int wire_unpack(wire_envelope **m, const uint8_t *bytes, size_t size, struct err *e);

/* Frees and sets to NULL; accepts NULL. */
void wire_free(wire_envelope **m);

/* Whether a file of an epoch goes into its message; else it comes in parts before it. */
bool wire_file_fits(size_t size);

/* Makes any bytes fit to be sent as a name or reason (limit WIRE_NAME - 1) or, with lines, as a
 * log: what is no UTF-8 and control characters become "?", the rest is cut at limit. In place. */
void wire_clean(char *text, size_t limit, bool lines);

/* A Grokd__Epoch from a row and back: values that are NaN are left out, unknown ids are passed
 * over. wire_epoch gives (free with grokd__epoch__free_unpacked(m, NULL); NULL: no memory);
 * wire_row lends its strings and sketches from m; `points` (at least m->n_pruning) holds the curve,
 * `features` (at least m->n_features) the features. */
Grokd__Epoch *wire_epoch(const struct row *r);
void wire_row(const Grokd__Epoch *m, struct row *r, struct pruning_point *points,
              struct feature *features);

#endif
