// SPDX-License-Identifier: MIT
/* vec: the two tables of kernels, and which of them this processor can run. */
#include "worker/num/vec.h"

#include "worker/num/kernels/kernel.h"

#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

#define X(name) .name = vec_##name##_v3,
static const struct vec level3 = {.level = "x86-64-v3", VEC_LIST(X)};
#undef X
#define X(name) .name = vec_##name##_v4,
static const struct vec level4 = {.level = "x86-64-v4", VEC_LIST(X)};
#undef X

const struct vec *vec;

/* The features of a level that kernels use; processors have a level's features together. */
static int runs_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int runs_v4(void)
{
    return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const struct vec *vec_level(int level)
{
    __builtin_cpu_init();
    if (level == 4) return runs_v4() ? &level4 : NULL;
    return level == 3 && runs_v3() ? &level3 : NULL;
}

int vec_open(struct err *e)
{
    if (vec) return OK;
    vec = vec_level(4) ? vec_level(4) : vec_level(3);
    if (!vec)
        return err_set(e, E_STATE,
                       "this processor lacks AVX2 and FMA: x86-64-v3 or later is needed");
    return OK;
}

float *vec_alloc(size_t n)
{
    size_t bytes = VEC_ROUND(n ? n : 1) * sizeof(float);
    if (n > SIZE_MAX / 8) return NULL;
    float *p = aligned_alloc(VEC_BYTES, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

#define MODE_MASK  0xffc0u /* everything of MXCSR but the sticky flags */
#define MODE_VALUE 0x9fc0u /* flush to zero, denormals are zero, nearest, nothing traps */

/* What the processor made of it: emulators such as valgrind's have no flushing to set. */
static _Thread_local unsigned mode_taken = MODE_VALUE;

void vec_set_float_mode(void)
{
    _mm_setcsr(MODE_VALUE);
    mode_taken = _mm_getcsr() & MODE_MASK;
}

int vec_float_mode_holds(void)
{
    return (_mm_getcsr() & MODE_MASK) == mode_taken;
}
