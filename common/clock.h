// SPDX-License-Identifier: MIT
/* clock: the two clocks. Only mains, loop, store and log read them, and training and its measures
 * to say how long they took; everybody else is told. */
#ifndef GROKD_COMMON_CLOCK_H
#define GROKD_COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_UTC 25

/* Milliseconds that only go forward (CLOCK_MONOTONIC, the loop's clock): for deadlines. */
int64_t clock_now_ms(void);

/* The same clock in seconds, to the nanosecond: epochs take milliseconds. */
double clock_seconds(void);

/* Milliseconds since 1970: for the reader, decides nothing. */
int64_t clock_wall_ms(void);

/* "2026-01-31T09:30:00.125Z" */
void clock_utc(int64_t wall_ms, char out[CLOCK_UTC]);

#endif
