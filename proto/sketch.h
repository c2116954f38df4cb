// SPDX-License-Identifier: MIT
/* sketch: a long vector in 256 numbers, so that distances between any two of them can still be
 * told: a seeded sparse Johnson-Lindenstrauss map (Kane and Nelson, arXiv 1012.1577, block
 * construction).
 *
 *   y = S v,   S [SKETCH_ROWS, n]: in every column SKETCH_NONZEROS entries of +-1/sqrt(NONZEROS),
 * one in each block of SKETCH_ROWS / SKETCH_NONZEROS rows
 *
 * The mean of |y - y'|^2 over maps is |v - v'|^2, its relative standard deviation at most
 * sqrt(2 / SKETCH_ROWS) = .088. The map is linear: sums of vectors have the sums of their sketches.
 *
 * An element of the vector belongs to a class and to the number of an input. Its column is a
 * function of those two and SKETCH_SEED alone, and the seed belongs to the version of the protocol:
 * sketches from any machine can be compared, and nothing of the map is sent or stored.
 *
 * Cost: 4 additions in double an element, in one order: the same bits on every machine.
 */
#ifndef GROKD_PROTO_SKETCH_H
#define GROKD_PROTO_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define SKETCH_ROWS     256
#define SKETCH_NONZEROS 4
#define SKETCH_TOLERANCE                                                                           \
    (4 * 0.08838834764831845)                    /* 4 root(2 / SKETCH_ROWS), of squared distances */
#define SKETCH_SEED UINT64_C(0x67726f6b64000001) /* "grokd", version 1 */

/* A column of the map: byte b names its entry in block b, the row within the block in the low six
 * bits, 64 more if it is negative; the eighth bit says nothing. It is word `class` of the stream
 * (SKETCH_SEED, input, PHILOX_SKETCH) of common/philox.h. */
uint32_t sketch_column(uint32_t input, uint32_t class);

/* A sketch that grows: by block, sums of what is added and of what is taken off. */
struct sketch {
    double sum[SKETCH_NONZEROS][2 * (SKETCH_ROWS / SKETCH_NONZEROS)];
};

void sketch_clear(struct sketch *s);

/* Adds elements value[i] at column[i], i < count. */
void sketch_add(struct sketch *s, const uint32_t *column, const float *value, size_t count);

/* y = factor times what was added. */
void sketch_read(const struct sketch *s, double factor, float y[SKETCH_ROWS]);

/* Squared distance of two sketches, in double. */
double sketch_distance2(const float a[SKETCH_ROWS], const float b[SKETCH_ROWS]);

#endif
