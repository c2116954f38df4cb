// SPDX-License-Identifier: MIT
/* text: times and amounts as people read them. */
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *text_from_ms(int64_t ms, char out[TEXT_SHORT])
{
    int64_t s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;
    if (ms < 0)
        snprintf(out, TEXT_SHORT, "-");
    else if (!s)
        snprintf(out, TEXT_SHORT, "%" PRId64 " ms", ms);
    else if (!min)
        snprintf(out, TEXT_SHORT, "%" PRId64 " s", s);
    else if (!h)
        snprintf(out, TEXT_SHORT, "%" PRId64 " min %" PRId64 " s", min, s % 60);
    else if (!d)
        snprintf(out, TEXT_SHORT, "%" PRId64 " h %" PRId64 " min", h, min % 60);
    else
        snprintf(out, TEXT_SHORT, "%" PRId64 " d %" PRId64 " h", d, h % 24);
    return out;
}

const char *text_from_count(int64_t n, char out[TEXT_SHORT])
{
    char digits[TEXT_SHORT];
    int count = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    int sign = digits[0] == '-';
    for (int i = 0; i < count; i++) {
        if (i > sign && (count - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *text_from_bytes(uint64_t bytes, char out[TEXT_SHORT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    int unit = 0;
    while (amount >= 1024 && unit < 6) {
        amount /= 1024;
        unit++;
    }
    snprintf(out, TEXT_SHORT, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
    return out;
}
