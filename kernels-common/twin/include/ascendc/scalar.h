// Scalar unit: counting and finding bits, conversions.
#pragma once
#include <cmath>

#include "ascendc/system.h"

namespace AscendC {

/// Bits of `value` that equal `bit`.
template <int bit>
int64_t GetBitCount(uint64_t value) {
    static_assert(bit == 0 || bit == 1, "GetBitCount: 0 or 1");
    return __builtin_popcountll(bit ? value : ~value);
}
template <int bit>
int64_t ScalarGetCountOfValue(uint64_t value) {
    return GetBitCount<bit>(value);
}
inline int64_t CountLeadingZero(uint64_t value) { return value ? __builtin_clzll(value) : 64; }
inline int64_t ScalarCountLeadingZero(uint64_t value) { return CountLeadingZero(value); }
/// Bits behind the sign that equal it; -1 of 0 and of -1.
inline int64_t CountBitsCntSameAsSignBit(int64_t value) {
    return value == 0 || value == -1 ? -1 : __builtin_clrsbll(value);
}
/// Place of the lowest bit that equals `bit`; -1: none.
template <int bit>
int64_t GetSFFValue(uint64_t value) {
    static_assert(bit == 0 || bit == 1, "GetSFFValue: 0 or 1");
    return __builtin_ffsll(static_cast<int64_t>(bit ? value : ~value)) - 1;
}
template <int bit>
int64_t ScalarGetSFFValue(uint64_t value) {
    return GetSFFValue<bit>(value);
}

/// float to int32 (ROUND, CEIL, FLOOR, RINT; saturating, NaN to 0) or to half (ODD).
template <typename T, typename U, RoundMode mode>
U Cast(T value) {
    static_assert(std::is_same<T, float>::value && IsOneOf<U, half, int32_t>, "scalar Cast: float to half or int32_t");
    if constexpr (std::is_same<U, half>::value) {
        static_assert(mode == RoundMode::CAST_ODD, "scalar Cast to half: CAST_ODD");
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        const int exponent = static_cast<int>(bits >> 23 & 255) - 127;
        if (exponent > 15)  // infinities and NaN stay; the neighbours of what overflows are infinity and 65504
            return half(exponent == 128 ? value : value < 0 ? -65504.0f : 65504.0f);
        // Below the kept fraction everything is dropped, and the last bit tells that there was something.
        const int dropped = exponent >= -14 ? 13 : -1 - exponent;
        const uint32_t magnitude = (bits & 0x7fffff) | (bits & 0x7f800000 ? 0x800000 : 0);
        if (dropped > 23) return half(magnitude == 0 ? value : bits >> 31 ? -0x1p-24f : 0x1p-24f);
        const uint32_t kept = magnitude >> dropped << dropped;
        const uint32_t odd = kept != magnitude ? kept | 1u << dropped : kept;
        const float rounded = std::ldexp(static_cast<float>(odd), exponent - 23);
        return half(bits >> 31 ? -rounded : rounded);
    } else {
        static_assert(mode == RoundMode::CAST_ROUND || mode == RoundMode::CAST_CEIL || mode == RoundMode::CAST_FLOOR ||
                          mode == RoundMode::CAST_RINT,
                      "scalar Cast to int32_t: ROUND, CEIL, FLOOR or RINT");
        if (value != value) return 0;
        const double whole = mode == RoundMode::CAST_ROUND   ? std::round(static_cast<double>(value))
                             : mode == RoundMode::CAST_CEIL  ? std::ceil(static_cast<double>(value))
                             : mode == RoundMode::CAST_FLOOR ? std::floor(static_cast<double>(value))
                                                             : std::nearbyint(static_cast<double>(value));
        return static_cast<int32_t>(whole < -2147483648.0  ? -2147483648.0
                                    : whole > 2147483647.0 ? 2147483647.0
                                                           : whole);
    }
}
template <typename T, typename U, RoundMode mode>
U ScalarCast(T value) {
    return Cast<T, U, mode>(value);
}
inline bfloat16_t Cast(const float& value) { return bfloat16_t(value); }
inline float Cast(const bfloat16_t& value) { return static_cast<float>(value); }

}  // namespace AscendC
