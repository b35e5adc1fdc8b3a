// SPDX-License-Identifier: BSD-3-Clause
// What lets one header serve the host, the cpu backend and both device passes (cube, vector).
#pragma once

#include <cstdint>

// A pass for cores of an NPU, by the compiler's macros for each chip: a further chip adds its own here.
#if defined(__DAV_C220_CUBE__) || defined(__DAV_C220_VEC__)
#define FA_CORE_PASS
#endif

#if defined(__CCE__) || defined(FA_CORE_PASS)
// Device code: every function is an AI core function and every pointer names its address space.
#define FA_HOST_DEVICE __aicore__ inline
#define FA_GM __gm__
#else
// Always inlined: these functions are compiled into objects with different SIMD flags, and an out-of-line copy would be
// merged by the linker, so that an old CPU could end up in the AVX-512 one.
#define FA_HOST_DEVICE __attribute__((always_inline)) inline
#define FA_GM
#endif

namespace flash_attn_npu {

// Device code must not pull in <algorithm>, so the integer helpers that index arithmetic needs live here.
template <class T>
FA_HOST_DEVICE constexpr T min_of(T a, T b) {
    return b < a ? b : a;
}

template <class T>
FA_HOST_DEVICE constexpr T max_of(T a, T b) {
    return a < b ? b : a;
}

// `low` when the range is empty.
template <class T>
FA_HOST_DEVICE constexpr T clamp(T x, T low, T high) {
    return max_of(low, min_of(x, high));
}

template <class T>
FA_HOST_DEVICE constexpr T ceil_div(T a, T b) {
    return (a + b - 1) / b;
}

template <class T>
FA_HOST_DEVICE constexpr T round_up(T a, T multiple) {
    return ceil_div(a, multiple) * multiple;
}

// Rounds towards minus infinity: positions left of the first key are negative (attention_chunk, seqlen_q > seqlen_k).
FA_HOST_DEVICE constexpr int32_t floor_div(int32_t a, int32_t b) { return a >= 0 ? a / b : -1 - (-1 - a) / b; }

}  // namespace flash_attn_npu
