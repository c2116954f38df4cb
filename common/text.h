// SPDX-License-Identifier: MIT
/* text: times and amounts as people read them. Their way back is in proto/number. */
#ifndef GROKD_COMMON_TEXT_H
#define GROKD_COMMON_TEXT_H

#include <stdint.h>

#define TEXT_SHORT 32

/* "850 ms", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; cut, not rounded. Each returns out. */
const char *text_from_ms(int64_t ms, char out[TEXT_SHORT]);

/* "1,234,567" */
const char *text_from_count(int64_t n, char out[TEXT_SHORT]);

/* "12.3 MiB" */
const char *text_from_bytes(uint64_t bytes, char out[TEXT_SHORT]);

#endif
