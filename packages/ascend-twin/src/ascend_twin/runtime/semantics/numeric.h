// SPDX-License-Identifier: BSD-3-Clause
// 16-bit floats and integer saturation, bit-exact.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "twin/half.h"

namespace twin {

/// The value at an address of any alignment.
template <typename T>
T load(const uint8_t* p) {
    T v;
    std::memcpy(&v, p, sizeof(T));
    return v;
}

struct bf16 {
    uint16_t bits;
};

inline float widen(half v) { return static_cast<float>(v); }
inline float widen(float v) { return v; }
inline float widen(bf16 v) {
    const uint32_t wide = static_cast<uint32_t>(v.bits) << 16;
    float f;
    std::memcpy(&f, &wide, 4);
    return f;
}
inline uint32_t bits_of_float(float f) {
    uint32_t b;
    std::memcpy(&b, &f, 4);
    return b;
}
inline float float_of_bits(uint32_t b) {
    float f;
    std::memcpy(&f, &b, 4);
    return f;
}
inline bf16 to_bf16_rne(float f) {
    const uint32_t b = bits_of_float(f);
    if ((b & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((b >> 16) | 0x40)};
    return {static_cast<uint16_t>((b + 0x7fffu + (b >> 16 & 1)) >> 16)};
}
/// float -> half, nearest even; `saturate`: overflow to +-65504, NaN to 0.
inline half to_half(float f, bool saturate) {
    if (saturate) {
        if (std::isnan(f)) return static_cast<half>(0.0f);
        if (f > 65504.0f) return static_cast<half>(65504.0f);
        if (f < -65504.0f) return static_cast<half>(-65504.0f);
    }
    return static_cast<half>(f);
}
inline bf16 to_bf16(float f, bool saturate) {
    if (saturate) {
        if (std::isnan(f)) return {0};
        if (std::isinf(f)) return {static_cast<uint16_t>(f > 0 ? 0x7f7f : 0xff7f)};
        const bf16 r = to_bf16_rne(f);
        if ((r.bits & 0x7fff) == 0x7f80) return {static_cast<uint16_t>(r.bits - 1)};
        return r;
    }
    return to_bf16_rne(f);
}
template <typename I>
I saturate_to(double v) {
    if (std::isnan(v)) return 0;
    const double lo = static_cast<double>(std::numeric_limits<I>::min());
    const double hi = static_cast<double>(std::numeric_limits<I>::max());
    if (v <= lo) return std::numeric_limits<I>::min();
    if (v >= hi) return std::numeric_limits<I>::max();
    return static_cast<I>(v);
}

}  // namespace twin
